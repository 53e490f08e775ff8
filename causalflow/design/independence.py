"""Independence: a statement that two variables of a graph are independent given others.

Written x _||_ y | Z.
"""

from __future__ import annotations

from dataclasses import dataclass

from causalflow.names import written

__all__ = ["Independence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Independence:
    """Two variables that are independent given others.

    Attributes:
        x: the one that is declared first.
        y: the other.
        given: the variables that separate them; empty if nothing need be given.
    """

    x: str
    y: str
    given: frozenset[str] = frozenset()

    def __str__(self) -> str:
        behind = f" | {', '.join(map(written, sorted(self.given)))}" if self.given else ""
        return f"{written(self.x)} _||_ {written(self.y)}{behind}"
