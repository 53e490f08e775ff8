"""Choices: the names that a shell completes an option by, read from their registries when asked.

Names of several words are written with hyphens on the command line, ``--method back-door``, and are
taken so, or in quotes with their spaces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import click
from click.shell_completion import CompletionItem

__all__ = ["Complete", "among", "hyphened", "spaced"]

Names = Callable[[], Iterable[str]]
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def among(names: Names, *, listed: bool = False, file: bool = False) -> Complete:
    """What completes an option of names.

    Args:
        names: gives them.
        listed: whether several are taken, with commas between.
        file: whether a file is taken too.

    Example:
        >>> complete = among(lambda: ["linear", "back door"], listed=True)
        >>> [each.value for each in complete(None, None, "linear,b")]
        ['linear,back-door']
    """

    def complete(
        context: click.Context, parameter: click.Parameter, begun: str
    ) -> list[CompletionItem]:
        before, comma, last = begun.rpartition(",") if listed else ("", "", begun)
        fitting = (name for name in map(hyphened, names()) if name.startswith(last))
        found = [CompletionItem(f"{before}{comma}{name}") for name in fitting]
        return [*found, CompletionItem(begun, type="file")] if file else found

    return complete


def hyphened(name: str) -> str:
    """A name as one word."""
    return name.replace(" ", "-")


def spaced(given: str, names: Iterable[str]) -> str:
    """The name that is meant, of those of several words too; what is none stays as it is.

    Example:
        >>> spaced("back-door", ["auto", "back door"]), spaced("side-door", ["back door"])
        ('back door', 'side-door')
    """
    meant: Mapping[str, str] = {hyphened(name): name for name in names}
    return meant.get(given, given)
