"""Text: a table as aligned columns, and as rows of a data frame."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from causalflow.tables.table import Table

__all__ = ["MAX_ROWS", "aligned_text", "long_columns", "long_frame"]

MAX_ROWS = 64


def aligned_text(table: Table, header: str = "P") -> str:
    """One line a cell, levels first; at most `MAX_ROWS` of them."""
    pairs = islice(zip(table.cells(), table.values.flat, strict=True), MAX_ROWS)
    lines = [[*table.axes, header]]
    lines += [[*map(str, cell), _number(value)] for cell, value in pairs]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    hidden = table.values.size - MAX_ROWS
    return "\n".join([*texts, f"... {hidden:,} more"] if hidden > 0 else texts)


def long_frame(table: Table) -> pd.DataFrame:
    """`long_columns` as a data frame: one row a cell."""
    import pandas as pd

    return pd.DataFrame(long_columns(table))


def long_columns(table: Table) -> dict[str, list[Any]]:
    """A column for each axis, and ``p``; fractions get a column ``exact`` too; an entry a cell."""
    cells = list(table.cells())
    columns: dict[str, list[Any]] = {
        axis: [cell[place] for cell in cells] for place, axis in enumerate(table.axes)
    }
    columns[_unused("p", table.axes)] = [float(value) for value in table.values.flat]
    if table.is_exact:
        columns[_unused("exact", table.axes)] = [_number(value) for value in table.values.flat]
    return columns


def _unused(name: str, taken: tuple[str, ...]) -> str:
    return name if name not in taken else _unused(f"{name}_", taken)


def _number(value: Fraction | float) -> str:
    """The number; NaN is the answer to evidence that is impossible."""
    if value != value:
        return "impossible"
    return str(value) if isinstance(value, Fraction) else f"{value:.6g}"
