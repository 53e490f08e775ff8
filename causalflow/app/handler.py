"""Handler: what a pane of the page can be asked, a pure function of the request and the start.

A pane's module has ``HANDLERS: dict[str, Handler]``; ``POST /api/NAME`` runs ``HANDLERS[NAME]`` in
a process of its own and answers with what it returns, as JSON. A handler raises `CausalflowError`
for what the user can mend; the page shows that at its line and column.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["Cache", "Handler", "Session"]

Made = TypeVar("Made")
Reply = Mapping[str, Any]


class Cache:
    """Things that take long to make, the ones last used; each kind has its own bound.

    Example:
        >>> cache = Cache()
        >>> [cache.keep("square", n, lambda n=n: n * n, most=1) for n in (2, 3)]
        [4, 9]
        >>> len(cache)
        1
    """

    def __init__(self) -> None:
        self._kinds: dict[str, OrderedDict[Hashable, Any]] = {}

    def keep(self, kind: str, key: Hashable, make: Callable[[], Made], *, most: int) -> Made:
        """What ``make`` returns, made once for a key while it is among the ``most`` last used."""
        kept = self._kinds.setdefault(kind, OrderedDict())
        if key not in kept:
            kept[key] = make()
        kept.move_to_end(key)
        while len(kept) > most:
            kept.popitem(last=False)
        return kept[key]

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))


def _untold(share: float, said: str) -> None:
    """Progress of which nobody asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What was given when the page was started, and what its process keeps at hand.

    Attributes:
        graph: the text of the graph file, as it was; None where none was given.
        name: the file's name.
        format: the format of ``graph``; None: told by how the text begins.
        models: fitted models that may be asked beside the shipped ones.
        data: a folder or table of rows that Imagine and Table may show.
        cache: loaded models, abductions: bounded, by content.
        progress: called with the share done, 0 to 1, and what is being done.
    """

    graph: str | None = None
    name: str = ""
    format: str | None = "yaml"
    models: tuple[Path, ...] = ()
    data: Path | None = None
    cache: Cache = field(default_factory=Cache)
    progress: Callable[[float, str], None] = _untold


@dataclass(frozen=True, slots=True)
class Handler:
    """What answers a request.

    Attributes:
        run: from the request's JSON to the answer's; numbers in it are finite.
        slow: whether it computes with torch: it has processes and a time limit of its own.
    """

    run: Callable[[Mapping[str, Any], Session], Reply]
    slow: bool = False
