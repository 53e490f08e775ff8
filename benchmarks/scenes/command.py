"""Command: what a result's file says made it; without the folders of the machine it ran on."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["command"]

FOLDERS = ("--nets", "--out", "--work")


def command(given: Sequence[str] | None = None) -> str:
    """The command line as it is to be repeated.

    Args:
        given: its arguments; None: those of this process.

    Example:
        >>> command(["fit", "ball", "--nets", "somewhere", "--method", "pixel"])
        'python -m benchmarks.scenes fit ball --method pixel'
    """
    words = list(sys.argv[1:] if given is None else given)
    kept = [
        word
        for place, word in enumerate(words)
        if word not in FOLDERS and (place == 0 or words[place - 1] not in FOLDERS)
    ]
    return " ".join(["python -m benchmarks.scenes", *kept])
