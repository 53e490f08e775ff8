"""Markdown: tables of the reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def markdown(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> list[str]:
    """The lines of a table; a bar in a cell is escaped."""
    return [_row(head), _row(["---"] * len(head)), *map(_row, lines)]


def _row(cells: Sequence[Any]) -> str:
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"
