"""Cells: the numbers of a table's cells, read back as they are printed, for verdicts on the table.

A cell is a number, or a number and its interval: "1.04 (1.02 to 1.06)", "3.1 (2.65, 3.55)"; a
number with a deviation, ".993 (.01)", counts as a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Found: TypeAlias = Mapping[str, Any]
"""A table as its file has it: title, columns, rows, notes, values, command."""
Verdict: TypeAlias = Callable[[Found], str]

_NUMBER = re.compile(r"-?\d*\.?\d+(?:e[-+]?\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A number, and its interval where it has one.

    Attributes:
        value: the number.
        low: the lower end, or the number.
        high: the upper end, or the number.
    """

    value: float
    low: float
    high: float


def read(text: str) -> Cell:
    """The number of a cell, and its interval, which may be in parentheses."""
    value, *ends = map(float, _NUMBER.findall(text))
    low, high = ends[:2] if len(ends) > 1 else (value, value)
    return Cell(value=value, low=low, high=high)


def column(found: Found, head: str) -> list[str]:
    """A column, by its head or its beginning."""
    (place,) = [k for k, name in enumerate(found["columns"]) if name.startswith(head)][:1]
    return [row[place] for row in found["rows"]]


def rows(found: Found, *begin: str) -> list[list[str]]:
    """The rows that begin with these cells; "" stands for any."""
    return [
        [*row]
        for row in found["rows"]
        if all(wanted in ("", cell) for wanted, cell in zip(begin, row, strict=False))
    ]


def span(numbers: Iterable[float], form: str = "g") -> str:
    """The least and the largest of numbers: "0.1 to 0.4"; one number where they print alike."""
    kept = [*numbers]
    low, high = (format(end, form) for end in (min(kept), max(kept)))
    return low if low == high else f"{low} to {high}"


def said(holds: bool, yes: str, no: str) -> str:
    """What is the case."""
    return yes if holds else no
