"""Table: a CSV file as columns of text, so that a level called ``None`` or ``01`` stays what it is.

What a text means depends on its node: `causalflow.data.units` decides. The file is UTF-8, its first
line names the columns, and every row has a cell for each; a blank line is no row.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from causalflow.errors import DataError, one_line
from causalflow.files import opened
from causalflow.limits import CSV_BYTES, CSV_COLUMNS, CSV_LINE_BYTES

__all__ = ["LINE", "read_table"]

LINE = "line"
"""The name of a table's index: the lines of the file."""

_OTHER_MARKS = {
    ";": "cells are separated by commas, not ';', and numbers have a point, not a comma",
    "\t": "cells are separated by commas, not tabs",
}
_REMEMBERED = 100_000
_OTHER_ENCODINGS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def read_table(path: str | Path) -> pd.DataFrame:
    """The columns of a CSV file; an empty cell is an empty text.

    The index, of the name "line", says on which line of the file a row ends.

    Raises:
        DataError: the file cannot be read, names no or too many columns, or one of them twice, has
            no rows, or a row of another length.
    """
    with opened(path, DataError, limit=CSV_BYTES) as file:
        reader = csv.reader(_lines(path, file), strict=True)
        try:
            header = _header(path, next(filter(None, reader), []))
            columns: list[list[str]] = [[] for _ in header]
            lines = list(_rows(path, reader, columns))
        except (csv.Error, OSError) as mistake:
            _refuse(path, reader.line_num, str(mistake))
    if not lines:
        _refuse(path, 1, "a header and no rows")
    arrays = {
        name: np.array(cells, dtype=object) for name, cells in zip(header, columns, strict=True)
    }
    return pd.DataFrame(arrays, index=pd.Index(lines, name=LINE), dtype=object)


def _lines(path: str | Path, file: io.BufferedReader) -> Iterator[str]:
    """The lines as text, each within the limit."""
    start = file.peek(4)[:4]
    for mark, encoding in _OTHER_ENCODINGS.items():
        if start.startswith(mark):
            _refuse(path, 1, f"the file is {encoding}; save it as UTF-8")
    number = 0
    while line := file.readline(CSV_LINE_BYTES + 1):
        number += 1
        if len(line) > CSV_LINE_BYTES:
            _refuse(path, number, f"a line of more than {CSV_LINE_BYTES:,} bytes")
        if b"\0" in line:
            _refuse(path, number, "a null byte; a CSV file is text, best saved as UTF-8")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as mistake:
            byte = line[mistake.start]
            _refuse(path, number, f"byte {byte:#04x} is not UTF-8; save the file as UTF-8")


def _header(path: str | Path, names: list[str]) -> list[str]:
    if not any(names):
        _refuse(path, 1, "no header; expected the names of the columns")
    if len(names) > CSV_COLUMNS:
        _refuse(path, 1, f"{len(names):,} columns; at most {CSV_COLUMNS:,} are read")
    for mark, shown in _OTHER_MARKS.items():
        if len(names) == 1 and mark in names[0]:
            _refuse(path, 1, f"one column, {one_line(names[0])[:60]!r}: {shown}")
    twice, times = Counter(names).most_common(1)[0]
    if times > 1:
        _refuse(path, 1, f"column {one_line(twice)[:100]!r} is there {times} times")
    return names


def _rows(path: str | Path, reader: Any, columns: list[list[str]]) -> Iterator[int]:
    """The line on which each row ends, its cells added to the columns; equal texts are one."""
    known: dict[str, str] = {}
    for row in reader:
        if row and len(row) != len(columns):
            given, named = len(row), len(columns)
            _refuse(path, reader.line_num, f"{given} cells; the header names {named} columns")
        for column, cell in zip(columns, row, strict=bool(row)):
            column.append(known.get(cell, cell))
            if len(known) < _REMEMBERED:
                known.setdefault(cell, cell)
        if row:
            yield reader.line_num


def _refuse(path: str | Path, line: int, what: str) -> NoReturn:
    raise DataError(f"{path}:{line}: no readable CSV file: {what}") from None
