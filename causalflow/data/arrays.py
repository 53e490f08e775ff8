"""Arrays: an .npz file of arrays, every number of a header held against the file before it counts.

An .npz file is a zip archive of .npy members. Each is checked before memory is asked for: its name
is there once, it is stored or deflated and not encrypted, its type is one of plain numbers or
texts, and its shape accounts for all of its bytes. Nothing is unpickled: pickle runs what a file
says.

Arrays that take minutes to compute are kept in the folder ``$CAUSALFLOW_CACHE``, or
``~/.cache/causalflow`` where that variable is not set (`cached_array`). A file is named by what its
content depends on; it appears whole or not at all, and one that cannot be read is computed again.
"""

from __future__ import annotations

import io
import math
import os
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from causalflow.errors import DataError, one_of
from causalflow.files import opened, whole_file
from causalflow.limits import (
    ARRAY_BYTES,
    ARRAY_FILE_BYTES,
    ARRAY_HEADER_BYTES,
    ARRAY_MEMBERS,
    UNPACKED_RATIO,
    UNPACKED_SMALL,
)

__all__ = ["array_of", "cache_folder", "cached_array", "read_arrays"]

_KINDS = "biufSU"
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 0x1
_VERSIONS = {(1, 0), (2, 0), (3, 0)}


def read_arrays(path: str | Path, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of a file that ``numpy.savez`` or ``numpy.savez_compressed`` wrote, by name.

    Args:
        path: the file.
        names: those that are read, and must be there; all if None.

    Raises:
        DataError: no such file, or one that breaks a rule of the module.
    """
    with opened(path, DataError, limit=ARRAY_FILE_BYTES) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _members(path, archive, names)
        except DataError:
            raise
        except _DEFECTS as mistake:
            reason = " ".join(str(mistake).split()) or type(mistake).__name__
            raise DataError(f"{path}: no readable .npz file of arrays: {reason}") from None


def array_of(content: bytes, name: object) -> NDArray[Any]:
    """The array of a file that ``numpy.save`` wrote, or the only one of a file of ``numpy.savez``.

    Args:
        content: the bytes of the file.
        name: the file in messages.

    Raises:
        DataError: bytes that break a rule of the module, or several arrays.
    """
    stream = io.BytesIO(content)
    try:
        if not content.startswith(b"PK"):
            return _read(str(name), stream, len(content))
        with zipfile.ZipFile(stream) as archive:
            found = _members(str(name), archive, None)
    except DataError:
        raise
    except _DEFECTS as mistake:
        reason = " ".join(str(mistake).split()) or type(mistake).__name__
        raise DataError(f"{name}: no readable array: {reason}") from None
    if len(found) != 1:
        raise DataError(f"{name}: {len(found)} arrays, {one_of('', found)}; a picture is one array")
    return next(iter(found.values()))


# What zipfile, zlib and numpy raise on damaged archives and headers, found by damaging them.
_DEFECTS = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    SyntaxError,
    TypeError,
    MemoryError,
    TokenError,
    RecursionError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def _members(
    path: str | Path, archive: zipfile.ZipFile, names: Collection[str] | None
) -> dict[str, NDArray[Any]]:
    entries = archive.infolist()
    if len(entries) > ARRAY_MEMBERS:
        raise DataError(f"{path}: {len(entries):,} members; at most {ARRAY_MEMBERS:,} are read")
    found = {entry.filename.removesuffix(".npy"): entry for entry in entries}
    if len(found) < len(entries):
        twice = Counter(entry.filename for entry in entries).most_common(1)[0][0]
        raise DataError(f"{path}: the member {twice!r} is there twice")
    for name in found if names is None else names:
        if name not in found:
            raise DataError(f"{path}: no array '{name}'; {one_of(name, found)}")
    wanted = {name: found[name] for name in (found if names is None else names)}
    for name, entry in wanted.items():
        _check_entry(path, name, entry)
    total = sum(entry.file_size for entry in wanted.values())
    if total > ARRAY_BYTES:
        raise DataError(f"{path}: unpacks to {total:,} bytes; at most {ARRAY_BYTES:,} are read")
    return {name: _array(path, name, archive, entry) for name, entry in wanted.items()}


def _check_entry(path: str | Path, name: str, entry: zipfile.ZipInfo) -> None:
    where = f"{path}: member {name!r}"
    if entry.flag_bits & _ENCRYPTED:
        raise DataError(f"{where} is encrypted; expected a file of numpy.savez")
    if entry.compress_type not in _METHODS:
        raise DataError(
            f"{where} is compressed by method {entry.compress_type}; expected a file of numpy.savez"
        )
    ratio = entry.file_size / max(entry.compress_size, 1)
    if entry.file_size > UNPACKED_SMALL and ratio > UNPACKED_RATIO:
        raise DataError(
            f"{where} unpacks to {ratio:,.0f} times its size; at most {UNPACKED_RATIO} times is "
            "read: write it with numpy.savez"
        )


def _array(
    path: str | Path, name: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo
) -> NDArray[Any]:
    where = f"{path}: member {name!r}"
    with archive.open(entry) as stream:
        return _read(where, stream, entry.file_size)


def _read(where: str, stream: IO[bytes], size: int) -> NDArray[Any]:
    """The array of a stream of ``size`` bytes."""
    shape, fortran, dtype = _header(where, stream)
    _check_header(where, shape, dtype, size - stream.tell())
    flat = np.empty(math.prod(shape), dtype)
    _fill(where, stream, flat)
    return flat.reshape(shape, order="F" if fortran else "C")


def _header(where: str, stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type as the header says; numpy evaluates it as a literal, never as code."""
    from numpy.lib import format as npy

    version = npy.read_magic(stream)
    if version not in _VERSIONS:
        raise DataError(f"{where}: version {version} of the npy format is not known")
    read: Any = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            return read(stream, max_header_size=ARRAY_HEADER_BYTES)  # type: ignore[no-any-return]
    except _DEFECTS as mistake:
        reason = str(mistake).split("\n")[0][:100]
        raise DataError(f"{where} has a broken header: {reason}") from None


def _check_header(where: str, shape: tuple[int, ...], dtype: np.dtype[Any], left: int) -> None:
    if dtype.hasobject:
        raise DataError(
            f"{where} is an array of Python objects, which only pickle could read, and pickle runs "
            "what a file says; if you trust it, load it once with allow_pickle=True and save it "
            "with numpy.asarray(array, dtype=bytes), or as numbers"
        )
    if dtype.kind not in _KINDS or dtype.itemsize == 0:
        raise DataError(f"{where} is of type {dtype}; expected truth values, numbers or texts")
    if any(not 0 <= size < 2**63 for size in shape) or math.prod(shape) * dtype.itemsize != left:
        raise DataError(f"{where} has {left:,} bytes; its header says {dtype} of shape {shape}")


def _fill(where: str, stream: IO[bytes], flat: NDArray[Any]) -> None:
    """Read every byte of the array, and the end, where the archive's checksum is compared."""
    content, start = flat.view(np.uint8), 0
    while piece := stream.read(1 << 20):
        content[start : start + len(piece)] = np.frombuffer(piece, np.uint8)
        start += len(piece)
    if start < len(content):
        raise DataError(f"{where} is truncated")


def cache_folder() -> Path:
    """Where computed arrays are kept: ``$CAUSALFLOW_CACHE``, else ``~/.cache/causalflow``."""
    given = os.environ.get("CAUSALFLOW_CACHE")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "causalflow"


def cached_array(name: str, compute: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """The array of that name, computed and kept if it is not in the folder yet.

    Raises:
        DataError: the folder cannot be written to.
    """
    path = cache_folder() / f"{name}.npz"
    try:
        return read_arrays(path, ("array",))["array"]
    except DataError:
        array = compute()
    try:
        with whole_file(path) as part, part.open("wb") as file:
            np.savez_compressed(file, array=array)
    except OSError as mistake:
        raise DataError(f"{path}: {mistake.strerror}; set $CAUSALFLOW_CACHE") from None
    return array
