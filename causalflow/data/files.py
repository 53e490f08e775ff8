"""Files that users keep rows in: a CSV file of labels, and a folder of the images that it names.

A table is read as columns of text, so that a level called ``None`` or ``01`` stays what it is; what
a text means depends on its node. The file is UTF-8, its first line names the columns, and every row
has a cell for each; a blank line is no row.

A picture is decoded when its row is asked for. Its format is told by the content and is one of
`FORMATS`: other decoders of the imaging library start programs (an EPS file its PostScript
interpreter) or are of no use here. The number of pixels is held against a limit before any is
decoded.
"""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import torch
from PIL import Image as Picture
from torch import Tensor

from causalflow.errors import DataError, one_line, one_of
from causalflow.files import opened, read_bytes
from causalflow.limits import CSV_BYTES, CSV_COLUMNS, CSV_LINE_BYTES, PICTURE_BYTES, PICTURE_PIXELS

__all__ = [
    "FORMATS",
    "LINE",
    "ImageFiles",
    "image_folder",
    "opened_picture",
    "png_of",
    "read_table",
    "write_png",
]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}

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
_READ_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_EIGHT_BIT = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"})


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
    if path not in table.columns:
        raise DataError(f"{csv}: no column '{path}'; {one_of(path, table.columns)}")
    files = tuple(table[path])
    for row, file in enumerate(files):
        if not file:
            raise DataError(f"{csv}: row {row}: column '{path}' is empty")
        _inside(folder, file)
    return {
        **{str(n): table[n] for n in table.columns if n != path},
        image: ImageFiles(folder=folder, files=files),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFiles:
    """A column of images on disk.

    Attributes:
        folder: no file outside of it is ever opened.
        files: paths relative to ``folder``.
        shape: (channels, height, width) that every image must have; None: as the first image.

    ``files[indices]`` are the images of some rows, uint8, shape (batch, channels, height, width).
    """

    folder: Path
    files: tuple[str, ...]
    shape: tuple[int, int, int] | None = None

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, indices: Tensor | Sequence[int]) -> Tensor:
        wanted = [int(index) for index in indices]
        if not wanted:
            return torch.zeros((0, *(self.shape or (0, 0, 0))), dtype=torch.uint8)
        shape = self.shape or _shape(self.folder, self.files[0])
        return torch.from_numpy(
            np.stack([_read(self.folder, self.files[i], shape) for i in wanted])
        )

    def of_shape(self, shape: tuple[int, int, int]) -> ImageFiles:
        """The same files, each required to be of ``shape`` when read; gray fills colour channels.

        Raises:
            DataError: images of so many channels cannot come from files.
        """
        if shape[0] not in _READ_MODES:
            raise DataError(f"image files have 1 to 4 channels; the graph asks for {shape[0]}")
        return replace(self, shape=shape)


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


@contextmanager
def opened_picture(source: str | Path | bytes, name: object) -> Iterator[Picture.Image]:
    """A picture of one of `FORMATS`, its header read; it is decoded when its pixels are asked for.

    Args:
        source: a file's path, or its bytes.
        name: the picture in messages.

    Raises:
        DataError: no such file, no such picture, one of too many pixels; and, inside of the block,
            whatever the decoder raises on a damaged one.
    """
    content = (
        source if isinstance(source, bytes) else read_bytes(source, DataError, limit=PICTURE_BYTES)
    )
    with _decoder_errors(name, "not an image file that can be read"):
        picture = Picture.open(io.BytesIO(content), formats=FORMATS)
    width, height = picture.size
    if width * height > PICTURE_PIXELS:
        raise DataError(
            f"{name}: {width:,} x {height:,} pixels; at most {PICTURE_PIXELS:,} are decoded"
        )
    with picture, _decoder_errors(name, "damaged image file"):
        yield picture


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


@contextmanager
def _decoder_errors(name: object, what: str) -> Iterator[None]:
    """Whatever a decoder raises becomes one error; what it warns of is no news but for bombs."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Picture.DecompressionBombWarning)
            yield
    except DataError:
        raise
    except Exception as mistake:  # decoders raise what they like: struct.error, KeyError, ...
        raise DataError(f"{name}: {what} ({'/'.join(FORMATS)}): {mistake}") from None


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


def _inside(folder: Path, file: str) -> Path:
    """The path of an image, links resolved: it must exist, and in the folder."""
    try:
        root, target = os.path.realpath(folder), os.path.realpath(folder / file)
    except (OSError, ValueError) as mistake:
        raise DataError(f"{file}: no such image file in {folder}: {mistake}") from None
    if os.path.commonpath([root, target]) != root:
        raise DataError(f"{file}: the file lies outside the folder {folder}")
    if not os.path.isfile(target):
        raise DataError(f"{file}: no such image file in {folder}")
    return Path(target)


def _shape(folder: Path, file: str) -> tuple[int, int, int]:
    with _opened(folder, file) as picture:
        return (len(picture.getbands()), picture.height, picture.width)


def _read(folder: Path, file: str, shape: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    """One image, uint8, shape (channels, height, width), its size checked before decoding."""
    channels, height, width = shape
    with _opened(folder, file) as picture:
        if picture.mode not in _EIGHT_BIT:
            raise DataError(f"{file}: pixels of mode '{picture.mode}'; expected 8 bits a channel")
        if picture.size != (width, height):
            given = f"{picture.height}x{picture.width}"
            raise DataError(f"{file}: image of height x width {given}; expected {height}x{width}")
        pixels = np.asarray(picture.convert(_READ_MODES[channels]))
    return np.moveaxis(pixels.reshape(height, width, channels), -1, 0).copy()


def _opened(folder: Path, file: str) -> AbstractContextManager[Picture.Image]:
    return opened_picture(_inside(folder, file), file)
