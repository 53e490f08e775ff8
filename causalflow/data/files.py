"""Files that users keep rows in: a CSV file of labels, and a folder of the images that it names.

A table is read as columns of text, so that a level called ``None`` or ``01`` stays what it is; what
a text means depends on its node. The first line of the file names the columns, and every row has a
cell for each; a blank line is no row. What is written otherwise than UTF-8 with commas is read
where that is certain (`causalflow.data.dialect`).

The images that a table names are read later, when their rows are asked for
(`causalflow.data.pictures`); none outside of their folder is ever opened.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image as Picture
from torch import Tensor

from causalflow.data.decoding import Raw, decode
from causalflow.data.dialect import COMMA, dialect_of, lines_of, refuse, with_points
from causalflow.data.pictures import Pictures
from causalflow.errors import DataError, one_line, one_of
from causalflow.files import opened, read_bytes
from causalflow.limits import CSV_BYTES, CSV_COLUMNS, PICTURE_BYTES
from causalflow.values.column import FILE, LINE
from causalflow.values.real import RealType

__all__ = [
    "Files",
    "image_folder",
    "inside",
    "named_files",
    "png_of",
    "read_table",
    "table_in",
    "write_png",
]

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}

_OTHER_MARKS = {
    ";": "cells are separated by commas, not ';', and numbers have a point, not a comma",
    "\t": "cells are separated by commas, not tabs",
}
_REMEMBERED = 100_000
_AT_ONCE = 16_384


def image_folder(
    folder: str | Path, csv: str | Path = "labels.csv", *, path: str = "path", image: str = "image"
) -> dict[str, Any]:
    """The columns of a CSV file, with the images that its column ``path`` names.

    Args:
        folder: the images' folder.
        csv: the table, in ``folder`` or anywhere else; every other column of it is a column of
            labels.
        path: the column of paths relative to ``folder``.
        image: the name given to the column of images: that of the graph's image node.

    Raises:
        DataError: an unreadable table, a file that is missing or lies outside the folder.
    """
    folder = Path(folder)
    table = read_table(folder / csv if (folder / csv).is_file() else Path(csv))
    files = Files(folder=folder, files=named_files(table, path, csv))
    for file in files.files:
        inside(folder, file)
    return {
        **{str(n): table[n] for n in table.columns if n != path},
        image: Pictures(source=files),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Image files, as pictures to be read.

    Attributes:
        folder: no file outside of it is ever opened.
        files: paths relative to ``folder``.
    """

    folder: Path
    files: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.files)

    def name(self, row: int) -> str:
        """The path of a row's file."""
        return self.files[row]

    def raw(self, row: int, channels: int | None, cut: str) -> Raw:
        """The numbers of a row's picture."""
        file = self.files[row]
        content = read_bytes(inside(self.folder, file), DataError, limit=PICTURE_BYTES)
        return decode(content, file, channels, cut)


def named_files(table: pd.DataFrame, path: str, csv: str | Path) -> tuple[str, ...]:
    """The files that a column of a table names.

    Raises:
        DataError: no such column, or an empty cell in it.
    """
    if path not in table.columns:
        raise DataError(
            f"{csv}: no column '{path}'; {one_of(path, table.columns)}; name the column of image "
            "files by --path-column (path= in Python)"
        )
    files = tuple(map(str, table[path]))
    if "" in files:
        raise DataError(f"{csv}: row {files.index('')}: column '{path}' is empty")
    return files


def read_table(
    path: str | Path, numbers: Collection[str] = (), names: Collection[str] = ()
) -> pd.DataFrame:
    """The columns of a CSV file; an empty cell is an empty text.

    The index, of the name "line", says on which line of the file a row ends; the attribute "file"
    names the file. Where commas stand between cells, those of a column of numbers are held as text
    for some rows at a time only. Warns of what is taken: encoding, mark, decimal commas.

    Args:
        path: the file.
        numbers: the columns of numbers: float64, an empty cell NaN; one that has a cell which is no
            number keeps it as text.
        names: columns whose texts are names, whatever commas they have.

    Raises:
        DataError: the file cannot be read, names no or too many columns, or one of them twice, has
            no rows, or a row of another length.
    """
    with opened(path, DataError, limit=CSV_BYTES) as file:
        return table_in(file, path, numbers, names)


def table_in(
    file: io.BufferedReader,
    path: str | Path,
    numbers: Collection[str] = (),
    names: Collection[str] = (),
) -> pd.DataFrame:
    """The columns of a CSV file that is open, as `read_table` has them.

    Args:
        file: the bytes.
        path: the file in messages.
        numbers: as for `read_table`.
        names: as for `read_table`.

    Raises:
        DataError: as of `read_table`.
    """
    dialect = dialect_of(path, file)
    lines = lines_of(path, file, dialect.encoding)
    reader = csv.reader(lines, delimiter=dialect.mark, strict=True)
    usual = dialect.mark == COMMA
    try:
        header = _header(path, next(filter(None, reader), []))
        known: dict[str, str] = {}
        columns = [_Cells(None if usual and name in numbers else known) for name in header]
        ends = np.fromiter(_rows(path, reader, columns), dtype=np.int64)
    except (csv.Error, OSError) as mistake:
        refuse(path, reader.line_num, str(mistake))
    if not len(ends):
        refuse(path, 1, "a header and no rows")
    arrays = {name: cells.whole() for name, cells in zip(header, columns, strict=True)}
    pointed = {} if usual else with_points(path, arrays, names)
    dialect.tell(path, bool(pointed))
    arrays |= pointed
    if not usual:
        arrays |= _as_numbers({name: arrays[name] for name in numbers if name in arrays})
    table = pd.DataFrame(arrays, index=pd.Index(ends, name=LINE), copy=False)
    table.attrs[FILE] = str(path)
    return table


def _as_numbers(columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Those of some columns of text that are numbers, as numbers."""
    found = {name: _numbers(column.tolist()) for name, column in columns.items()}
    return {name: column for name, column in found.items() if column is not None}


def write_png(path: str | Path, image: Tensor) -> None:
    """Write one image with 8 bits a channel.

    Args:
        path: the file.
        image: shape (channels, height, width), 1, 3 or 4 channels; clamped to [0, 1].

    Raises:
        DataError: another number of channels.
    """
    content = png_of(image, path)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(content)


def png_of(image: Tensor, name: object) -> bytes:
    """One image as the bytes of a PNG file with 8 bits a channel.

    Args:
        image: shape (channels, height, width), 1, 3 or 4 channels; clamped to [0, 1].
        name: the picture in messages.

    Raises:
        DataError: another number of channels.
    """
    if image.shape[0] not in _MODES:
        raise DataError(f"{name}: {image.shape[0]} channels; a PNG file has 1, 3 or 4")
    pixels = (image.detach().clamp(0, 1) * 255).round().cpu().numpy().astype(np.uint8)
    mode, content = _MODES[image.shape[0]], io.BytesIO()
    picture = Picture.fromarray(pixels[0] if mode == "L" else np.moveaxis(pixels, 0, -1), mode)
    picture.save(content, format="PNG")
    return content.getvalue()


def _header(path: str | Path, names: list[str]) -> list[str]:
    if not any(names):
        refuse(path, 1, "no header; expected the names of the columns")
    if len(names) > CSV_COLUMNS:
        refuse(path, 1, f"{len(names):,} columns; at most {CSV_COLUMNS:,} are read")
    for mark, shown in _OTHER_MARKS.items():
        if len(names) == 1 and mark in names[0]:
            refuse(path, 1, f"one column, {names[0][:60]!r}: {shown}")
    twice, times = Counter(names).most_common(1)[0]
    if times > 1:
        refuse(path, 1, f"column {one_line(twice)[:100]!r} is there {times} times")
    return names


class _Cells:
    """The cells of a column, one after another; the older ones as an array."""

    def __init__(self, known: dict[str, str] | None) -> None:
        """Of texts, of which equal ones are kept once, in ``known``; None: of numbers."""
        self._known, self._parts, self._latest = known, list[NDArray[Any]](), list[str]()

    def append(self, cell: str) -> None:
        """One more cell."""
        if self._known is not None:
            cell = self._known.get(cell, cell)
            if len(self._known) < _REMEMBERED:
                self._known.setdefault(cell, cell)
        self._latest.append(cell)
        if len(self._latest) == _AT_ONCE:
            self._close()

    def whole(self) -> NDArray[Any]:
        """All of them."""
        if self._latest:
            self._close()
        return np.concatenate(self._parts)

    def _close(self) -> None:
        part = _numbers(self._latest) if self._known is None else None
        self._parts.append(np.array(self._latest, dtype=object) if part is None else part)
        self._latest = []


def _numbers(cells: list[str]) -> NDArray[Any] | None:
    """The numbers of some cells, NaN for a gap; None: one of them is none."""
    try:
        return RealType().read(cells, error=DataError)
    except DataError:
        return None


def _rows(path: str | Path, reader: Any, columns: list[_Cells]) -> Iterator[int]:
    """The line on which each row ends, its cells added to the columns."""
    for row in reader:
        if row and len(row) != len(columns):
            given, named = len(row), len(columns)
            refuse(path, reader.line_num, f"{given} cells; the header names {named} columns")
        for column, cell in zip(columns, row, strict=bool(row)):
            column.append(cell)
        if row:
            yield reader.line_num


def inside(folder: Path, file: str) -> Path:
    """The path of an image, links resolved: it must exist, and in the folder.

    Raises:
        DataError: it does not.
    """
    try:
        root, target = os.path.realpath(folder), os.path.realpath(folder / file)
    except (OSError, ValueError) as mistake:
        raise DataError(f"{file}: no such image file in {folder}: {mistake}") from None
    if os.path.commonpath([root, target]) != root:
        raise DataError(f"{file}: the file lies outside the folder {folder}")
    if not os.path.isfile(target):
        raise DataError(f"{file}: no such image file in {folder}")
    return Path(target)
