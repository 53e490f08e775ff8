"""Header: what a safetensors file says of its tensors, held against its length before it counts.

    8 bytes    N, little-endian
    N bytes    JSON: name -> {"dtype": ..., "shape": [...], "data_offsets": [begin, end]}, and
               "__metadata__" -> texts by name
    the rest   the tensors, one after another, without a gap

A header that is read names tensors that fill the file exactly.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NoReturn

from causalflow.errors import CheckpointError
from causalflow.files import opened
from causalflow.limits import MODEL_BYTES, MODEL_HEADER_BYTES, MODEL_TENSORS

__all__ = ["Entry", "Header", "read_header", "sort_header"]

METADATA = "__metadata__"
_BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
_BITS |= dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"), 8)
_BITS |= dict.fromkeys(("I16", "U16", "F16", "BF16"), 16)
_BITS |= dict.fromkeys(("I32", "U32", "F32"), 32) | dict.fromkeys(("I64", "U64", "F64", "C64"), 64)
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A tensor: the format's name of its type, its shape and its bytes."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The texts of a file, and its tensors by name."""

    texts: Mapping[str, str]
    tensors: Mapping[str, Entry]


def read_header(path: str | Path) -> Header:
    """The header of a file.

    Raises:
        CheckpointError: no such file, or one whose header breaks the format or a limit.
    """
    with opened(path, CheckpointError, limit=MODEL_BYTES) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        start = file.read(9)
        _check_start(path, start, size)
        length = int.from_bytes(start[:8], "little")
        if length > size - 8:
            _refuse(path, f"a header of {length:,} bytes in a file of {size:,}")
        if length > MODEL_HEADER_BYTES:
            _refuse(path, f"a header of {length:,} bytes; at most {MODEL_HEADER_BYTES:,} are read")
        file.seek(8)
        content = file.read(length)
    whole = _parsed(path, content)
    texts = _texts(path, whole.pop(METADATA, {}))
    if len(whole) > MODEL_TENSORS:
        raise CheckpointError(f"{path}: {len(whole):,} tensors; at most {MODEL_TENSORS:,}")
    tensors = {name: _entry(path, name, entry) for name, entry in whole.items()}
    _check_places(path, tensors, size - 8 - length)
    return Header(texts=texts, tensors=tensors)


def sort_header(path: Path) -> None:
    """Put the keys of a header in order, in the file: equal content, equal bytes.

    The library writes the metadata in the order of a hash table, which differs from run to run.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("rb+") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        content = text.encode()
        if len(content) > length:  # pragma: no cover: the same object in the same notation
            return
        file.seek(8)
        file.write(content.ljust(length))


def _refuse(path: str | Path, what: str) -> NoReturn:
    raise CheckpointError(f"{path}: truncated or no safetensors file ({what})") from None


def _check_start(path: str | Path, start: bytes, size: int) -> None:
    if size < 10:
        raise CheckpointError(f"{path}: truncated: {size} bytes are no model file")
    is_header = start[8:] == b"{"  # behind the length of the header
    if not is_header and start.startswith(_PICKLES):
        raise CheckpointError(
            f"{path}: a pickle or zip archive (torch.save?), which can run code and is never read"
        )
    if not is_header and start.isascii() and b"\0" not in start:
        raise CheckpointError(
            f"{path}: a text, no safetensors file; a graph file is read by load, and made a"
            " model by compile or fit"
        )


def _parsed(path: str | Path, content: bytes) -> dict[str, Any]:
    try:
        whole = json.loads(content.decode(), object_pairs_hook=_once, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        _refuse(path, f"its header is not JSON: {str(error)[:100]}")
    if not isinstance(whole, dict):
        _refuse(path, "its header is no JSON object")
    return whole


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _texts(path: str | Path, given: Any) -> dict[str, str]:
    if not isinstance(given, dict) or not all(isinstance(text, str) for text in given.values()):
        _refuse(path, "its metadata are no texts by name")
    return given


def _entry(path: str | Path, name: str, given: Any) -> Entry:
    where = f"tensor {name[:40]!r}"
    if not isinstance(given, dict) or given.keys() != {"dtype", "shape", "data_offsets"}:
        _refuse(path, f"{where} has other fields than dtype, shape and data_offsets")
    dtype, shape, offsets = given["dtype"], given["shape"], given["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _BITS:
        _refuse(path, f"{where} has the unknown type {str(dtype)[:20]!r}")
    if not _are_sizes(shape) or len(shape) > 64:
        _refuse(path, f"{where} has no shape")
    if not _are_sizes(offsets) or len(offsets) != 2:
        _refuse(path, f"{where} has no offsets")
    begin, end = offsets
    if prod(shape) * _BITS[dtype] != 8 * (end - begin):
        _refuse(path, f"{where} is {dtype} of shape {str(shape)[:40]} in {end - begin:,} bytes")
    return Entry(dtype=dtype, shape=tuple(shape), begin=begin, end=end)


def _are_sizes(given: Any) -> bool:
    """Whether it is a list of whole numbers of 63 bits."""
    return isinstance(given, list) and all(type(n) is int and 0 <= n < 2**63 for n in given)


def _check_places(path: str | Path, tensors: Mapping[str, Entry], size: int) -> None:
    """The tensors follow one another from the first byte to the last."""
    place = 0
    for entry in sorted(tensors.values(), key=lambda entry: (entry.begin, entry.end)):
        if entry.begin != place:
            _refuse(path, f"its tensors leave a gap or overlap at byte {place:,}")
        place = entry.end
    if place != size:
        _refuse(path, f"its tensors end at byte {place:,} of {size:,}")
