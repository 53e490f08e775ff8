"""Columns: files that hold an array a node, .npz and HDF5, saved data sets, and shards.

A column of labels is read whole; one of pictures a row at a time from HDF5 and saved data sets.
Pictures are arrays (n, height, width), (n, channels, height, width) or (n, height, width, channels)
or, in saved data sets, the bytes of picture files.

An HDF5 file may point to other files: links, external storage and virtual data sets are refused,
and so are types that are no numbers and no texts. A saved data set is read from its folder alone;
pictures that it keeps as paths are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalflow.data.arrays import read_arrays
from causalflow.data.decoding import Raw, decode, raw_of
from causalflow.data.medical import extra
from causalflow.data.shards import INDEX, shards
from causalflow.data.sources.source import Opened, Place, Source
from causalflow.errors import DataError, one_line, one_of
from causalflow.files import opened
from causalflow.graph.node import images_of
from causalflow.limits import ARRAY_FILE_BYTES, PICTURE_BYTES, PICTURE_PIXELS, SOURCE_CELLS
from causalflow.values.regime import regime_column

__all__ = ["ARRAYS", "HDF5", "SAVED", "SHARDS"]

_INFO, _SPLITS = "dataset_info.json", "dataset_dict.json"


@dataclass(frozen=True, slots=True)
class _Arrays:
    """Pictures in memory."""

    array: NDArray[Any]
    file: str

    def __len__(self) -> int:
        return len(self.array)

    def name(self, row: int) -> str:
        """File and row."""
        return f"{self.file}, row {row}"

    def raw(self, row: int, channels: int | None, cut: str) -> Raw:
        """The numbers of a row's picture."""
        return raw_of(self.array[row], self.name(row), channels)


def _open_arrays(place: Place) -> Opened:
    """Pictures of the graph's own shape are taken as they are; others are to be resized."""
    found, pictures = read_arrays(place.path), {}
    for name, node in images_of(place.graph.nodes).items():
        array = found.get(name)
        if array is None or array.ndim not in (3, 4) or node.type.depth is not None:
            continue
        channels, height, width = node.type.shape
        own = {(channels, height, width), (height, width) if channels == 1 else ()}
        if array.shape[1:] not in own or (array.dtype.kind not in "fb" and array.dtype != np.uint8):
            pictures[name] = _Arrays(array, place.path.name)
    columns = {name: array for name, array in found.items() if name not in pictures}
    return Opened(about=f"arrays {place.path.name}", columns=columns, pictures=pictures)


@dataclass(frozen=True, slots=True)
class _Hdf5Pictures:
    """Pictures in an HDF5 file."""

    path: str
    node: str
    rows: int

    def __len__(self) -> int:
        return self.rows

    def name(self, row: int) -> str:
        """File and row."""
        return f"{Path(self.path).name}, row {row}"

    def raw(self, row: int, channels: int | None, cut: str) -> Raw:
        """The numbers of a row's picture."""
        with _hdf5(Path(self.path)) as file:
            array = np.asarray(file[self.node][row])
        return raw_of(array, self.name(row), channels)


@contextmanager
def _hdf5(path: Path) -> Iterator[Any]:
    """The file, open for reading; what the library raises becomes one line."""
    try:
        import h5py
    except ImportError:
        raise extra("h5py", "hdf5", f"{path}: HDF5") from None
    with opened(path, DataError, limit=64 * ARRAY_FILE_BYTES):
        pass
    try:
        with h5py.File(path, "r") as file:
            yield file
    except DataError:
        raise
    except Exception as mistake:  # h5py raises OSError, KeyError, RuntimeError, ValueError, ...
        raise DataError(one_line(f"{path}: no HDF5 file that can be read: {mistake}")) from None


def _open_hdf5(place: Place) -> Opened:
    names = list(place.graph.nodes) + [regime_column(name) for name in place.graph.nodes]
    images, columns, pictures = images_of(place.graph.nodes), {}, {}
    with _hdf5(place.path) as file:
        for name in names:
            if name not in file:
                continue
            column = _checked(file, name, place.path)
            if name in images:
                _check_pictures(column, name, place.path)
                pictures[name] = _Hdf5Pictures(str(place.path), name, len(column))
            else:
                columns[name] = _labels(column, name, place.path)
        known = list(file)
    if not columns and not pictures:
        raise DataError(f"{place.text}: no data set of a node's name; {one_of(names[0], known)}")
    return Opened(about=f"HDF5 file {place.path.name}", columns=columns, pictures=pictures)


def _checked(file: Any, name: str, path: Path) -> Any:
    """A data set that lies in the file itself."""
    import h5py

    where = f"{path}: data set '{name}'"
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise DataError(f"{where} is a link to another place; expected the data themselves")
    column = file[name]
    if not isinstance(column, h5py.Dataset) or not column.shape:
        raise DataError(f"{where} is no array of rows")
    if column.external or column.is_virtual:
        raise DataError(f"{where} is kept in other files; expected the data themselves")
    text = h5py.check_string_dtype(column.dtype) is not None
    if not text and column.dtype.kind not in "biufS":
        raise DataError(f"{where} is of type {column.dtype}; expected numbers or texts")
    return column


def _check_pictures(column: Any, name: str, path: Path) -> None:
    pixels = math.prod(column.shape[1:])
    if column.ndim not in (3, 4) or pixels > 4 * PICTURE_PIXELS:
        raise DataError(
            f"{path}: data set '{name}' has shape {column.shape}; expected (n, height, width), "
            "(n, channels, height, width) or (n, height, width, channels)"
        )
    if (kept := column.chunks) is not None and math.prod(kept) > 16 * PICTURE_PIXELS:
        raise DataError(f"{path}: data set '{name}' is kept in chunks of {kept}; keep some rows")


def _labels(column: Any, name: str, path: Path) -> NDArray[Any]:
    if column.size > SOURCE_CELLS:
        raise DataError(
            f"{path}: data set '{name}' has {column.size:,} entries; at most {SOURCE_CELLS:,}"
        )
    if column.dtype.kind in "OS":
        return np.array(column.asstr("utf-8", errors="replace")[()], dtype=object)
    return np.asarray(column[()])


@dataclass(frozen=True, slots=True)
class _SavedPictures:
    """Pictures of a saved data set."""

    column: Any
    node: str

    def __len__(self) -> int:
        return len(self.column)

    def name(self, row: int) -> str:
        """Node and row."""
        return f"{self.node}, row {row}"

    def raw(self, row: int, channels: int | None, cut: str) -> Raw:
        """The numbers of a row's picture."""
        found = self.column[row][self.node]
        if not isinstance(found, Mapping):
            return raw_of(np.asarray(found), self.name(row), channels)
        content = found.get("bytes")
        if not content or len(content) > PICTURE_BYTES:
            raise DataError(f"{self.name(row)}: no picture, or kept as a path, not by its bytes")
        return decode(bytes(content), self.name(row), channels, cut)


def _open_saved(place: Place) -> Opened:
    if (place.path / _SPLITS).exists():
        splits = sorted(each.name for each in place.path.iterdir() if each.is_dir())
        raise DataError(f"{place.text}: a data set of several splits; name one: {splits}")
    try:
        import datasets
    except ImportError:
        raise extra("datasets", "datasets", f"{place.text}: a saved data set") from None
    images, columns, pictures = images_of(place.graph.nodes), {}, {}
    try:
        found = datasets.load_from_disk(str(place.path.resolve()), keep_in_memory=False)
        for name in found.column_names:
            if name in images:
                kept = found.select_columns([name])
                if isinstance(kept.features[name], datasets.Image):
                    kept = kept.cast_column(name, datasets.Image(decode=False))
                else:
                    kept = kept.with_format("numpy")
                pictures[name] = _SavedPictures(kept, name)
            elif name in place.graph.nodes or name.startswith("do("):
                columns[name] = _texts(found, name, place)
    except DataError:
        raise
    except Exception as mistake:  # datasets and pyarrow raise errors of many kinds
        raise DataError(
            one_line(f"{place.text}: no saved data set that can be read: {mistake}")
        ) from None
    return Opened(about=f"saved data set {place.path.name}", columns=columns, pictures=pictures)


def _texts(found: Any, name: str, place: Place) -> list[Any]:
    """A column of labels: by name, where the names of its classes are levels of the node."""
    values = list(found[name])
    names = getattr(found.features[name], "names", None)
    node = place.graph.nodes.get(name)
    if not names or node is None or not set(names) <= set(map(str, node.type.levels or ())):
        return values
    return [names[value] if value is not None and value >= 0 else None for value in values]


def _open_shards(place: Place) -> Opened:
    return Opened(about=f"shards {place.path.name}", columns=shards(place.path).columns)


ARRAYS = Source(name="arrays", claims=lambda place: place.ends(".npz"), open=_open_arrays)
HDF5 = Source(name="hdf5", claims=lambda place: place.ends(".h5", ".hdf5"), open=_open_hdf5)
SAVED = Source(
    name="saved",
    claims=lambda place: any((place.path / name).exists() for name in (_INFO, _SPLITS)),
    open=_open_saved,
)
SHARDS = Source(
    name="shards", claims=lambda place: (place.path / INDEX).exists(), open=_open_shards
)
