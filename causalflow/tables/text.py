"""Text: a table as aligned columns, and as rows of a data frame."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from causalflow.tables.table import Table

__all__ = ["MAX_ROWS", "aligned_text", "long_frame"]

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
    """One row a cell: a column for each axis, and ``p``; fractions get a column ``exact`` too."""
    import pandas as pd

    cells = list(table.cells())
    frame = pd.DataFrame(cells, columns=list(table.axes), index=range(len(cells)))
    frame[_unused("p", table.axes)] = [float(value) for value in table.values.flat]
    if table.is_exact:
        frame[_unused("exact", table.axes)] = [str(value) for value in table.values.flat]
    return frame


def _unused(name: str, taken: tuple[str, ...]) -> str:
    return name if name not in taken else _unused(f"{name}_", taken)


def _number(value: Fraction | float) -> str:
    return str(value) if isinstance(value, Fraction) else f"{value:.6g}"
