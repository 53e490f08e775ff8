"""Checkpoint: one safetensors file holds a model, or a fit that can go on where it stopped.

A file is a set of named tensors and seven texts, all covered by one digest:

    format     "causalflow"
    version    "1"; a reader refuses what it does not know
    kind       "model" (what `Model.save` writes) | "training" (what `fit` writes to resume)
    graph      the graph file, YAML
    options    a JSON object: what the writer needs to rebuild the rest
    libraries  a JSON object: the versions that wrote the file, for the reader of an old file
    sha256     over the texts and over name, type, shape and bytes of every tensor, ordered by name

Nothing in a file is ever executed: no pickle is read or written. Writing is atomic: a reader sees
the old file or the new one, also when the writer is killed. Reading is strict: every defect is one
line that names the file.

What is larger than a file may be is written in pieces (`causalflow.pieces`), of which two at most
are in memory, and read tensor by tensor.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from causalflow.errors import CheckpointError, one_of
from causalflow.files import flushed, place_of, whole_file, written
from causalflow.header import Entry, Header, read_header, sort_header
from causalflow.pieces import PIECE, read_index, read_pieces, remove_strays, write_index

__all__ = [
    "Kind",
    "Metadata",
    "State",
    "check_like",
    "copy_into",
    "load_into",
    "load_outline",
    "load_state",
    "save_state",
    "tensor_digest",
]

Kind: TypeAlias = Literal["model", "training"]

FORMAT = "causalflow"
VERSION = "1"
KINDS = ("model", "training")
TEXTS = ("format", "version", "kind", "graph", "options", "libraries", "sha256")
NEUTRAL: Mapping[str, float] = {
    "bend": math.inf,
    "bends": math.inf,
    "closed": 0.0,
    "cubes": 0.0,
    "digits": math.inf,
    "edges": math.inf,
    "outer": 0.0,
    "power": 1.0,
    "reach": math.inf,
    "scored": 0.0,
    "scores.centres": 0.0,
    "scores.knots": 0.0,
    "scores.rises": 0.0,
    "scores.width": 0.0,
}
"""Buffers of the present that older files lack: how their names end, and what a model without them
does."""
DTYPES: Mapping[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a file says besides its tensors.

    Args:
        kind: What the file is for.
        graph: The graph file's text.
        options: A JSON object (keys are strings, numbers are finite).
        libraries: Name -> version of what wrote the file.
    """

    kind: Kind
    graph: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=lambda: _libraries())


@dataclass(frozen=True, slots=True)
class State:
    """A file's content: tensors by name, on the CPU, and the metadata."""

    tensors: Mapping[str, Tensor]
    metadata: Metadata


def save_state(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    metadata: Metadata,
    piece: int | None = None,
) -> None:
    """Write the file, or pieces and their index, wholly or not at all.

    Args:
        path: the file, or the index of the pieces.
        tensors: by name; each is asked for once, in their order, and let go with its piece.
        metadata: what the file says besides.
        piece: the most bytes of tensors in one file; one that is larger has a piece of its own.
            None: no limit.

    Raises:
        CheckpointError: a tensor holds NaN, or a file cannot be written; an older state is kept.
    """
    groups = _groups(path, tensors, piece)
    try:
        with written(path, CheckpointError):
            first, second = next(groups), next(groups, None)
            if second is None:
                _save_one(path, first, metadata)
                remove_strays(path, keep=())
            else:
                _save_pieces(path, chain([first, second], groups), metadata)
    except SafetensorError as error:
        raise _defect(path, f"cannot be written ({_line(error)})") from None


def _groups(
    path: str | Path, tensors: Mapping[str, Tensor], piece: int | None
) -> Iterator[dict[str, Tensor]]:
    """The tensors as they are stored, in groups of at most ``piece`` bytes."""
    group: dict[str, Tensor] = {}
    held = 0
    for name in tensors:
        tensor = _stored(tensors[name])
        _check_values(path, name, tensor)
        if piece is not None and group and held + tensor.nbytes > piece:
            yield group
            group, held = {}, 0
        group[name] = tensor
        held += tensor.nbytes
    yield group


def _save_one(path: str | Path, stored: Mapping[str, Tensor], metadata: Metadata) -> None:
    texts = _texts(metadata)
    texts["sha256"] = _digest(texts, stored)
    with whole_file(path) as part:
        save_file(dict(stored), part, metadata=texts)
        sort_header(part)


def _save_pieces(path: str | Path, groups: Iterator[dict[str, Tensor]], metadata: Metadata) -> None:
    target, parts, names = place_of(path), list[Path](), list[list[str]]()
    try:
        for number, group in enumerate(groups, 1):
            parts.append(target.with_name(f".{target.name}.{os.getpid()}.{number:05}.part"))
            with flushed(parts[-1]):
                save_file(group, parts[-1], metadata={"format": PIECE})
                sort_header(parts[-1])
            names.append(list(group))
        write_index(path, _texts(metadata), parts, names)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def load_state(path: str | Path, kind: Kind | None = None) -> State:
    """The content of a file that `save_state` wrote.

    Args:
        path: The file, or the index of its pieces, whose tensors are read when they are asked for.
        kind: What the file must be; either when None.

    Raises:
        CheckpointError: the file is missing, truncated, foreign, altered, of another kind or of a
            newer version; or so is a piece, which is named.
    """
    if (index := read_index(path)) is not None:
        headers = read_pieces(path, index)
        entries = {name: e for header in headers.values() for name, e in header.tensors.items()}
        metadata = _announced(path, index.texts, entries, kind)
        return State(_Read(headers, path), metadata)
    header = read_header(path)
    metadata = _announced(path, header.texts, header.tensors, kind)
    tensors = _read(path, header)
    if header.texts["sha256"] != _digest(header.texts, tensors):
        raise _defect(path, "altered or damaged: the content does not match its digest")
    for name, tensor in tensors.items():
        _check_values(path, name, tensor)
    return State(tensors, metadata)


class _Read(Mapping[str, Tensor]):
    """The tensors of pieces, each read when it is asked for."""

    def __init__(self, headers: Mapping[Path, Header], path: str | Path) -> None:
        self._places = {name: file for file, header in headers.items() for name in header.tensors}
        self._path = path

    def __getitem__(self, name: str) -> Tensor:
        file = self._places[name]
        try:
            with safe_open(file, framework="pt") as content:
                tensor: Tensor = content.get_tensor(name).clone()
        except (SafetensorError, OSError, UnicodeError) as error:
            raise _defect(file, f"truncated or no safetensors file ({_line(error)})") from None
        _check_values(self._path, name, tensor)
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def load_outline(path: str | Path, kind: Kind) -> State:
    """The content of a file as its header announces it, with tensors that take no memory.

    Raises:
        CheckpointError: what `load_state` refuses, but for the values of the tensors.
    """
    if (index := read_index(path)) is not None:
        headers = list(read_pieces(path, index, outline=True).values())
        texts, entries = index.texts, {n: e for h in headers for n, e in h.tensors.items()}
    else:
        header = read_header(path)
        texts, entries = header.texts, dict(header.tensors)
    metadata = _announced(path, texts, entries, kind)
    tensors = {
        name: torch.empty(entry.shape, dtype=DTYPES[entry.dtype], device="meta")
        for name, entry in entries.items()
    }
    return State(tensors, metadata)


def _announced(
    path: str | Path, texts: Mapping[str, str], entries: Mapping[str, Entry], kind: Kind | None
) -> Metadata:
    """What the texts of a header or an index say, checked."""
    _check_texts(path, texts)
    for name, entry in entries.items():
        _check_dtype(path, name, entry.dtype)
    metadata = _metadata(path, texts)
    if kind is not None and metadata.kind != kind:
        raise _defect(path, f"a '{metadata.kind}' file; expected a '{kind}' file")
    return metadata


def check_like(targets: Mapping[str, Tensor], tensors: Mapping[str, Tensor], path: Any) -> None:
    """Whether ``tensors`` have the names, shapes and types of ``targets``, but for `NEUTRAL`.

    Raises:
        CheckpointError: a tensor is missing, unexpected, or has another shape or type; the message
            names ``path`` as their source.
    """
    for name, target in targets.items():
        if _is_newer(name, tensors):
            continue
        if name not in tensors:
            raise _defect(path, f"tensor '{name}' is missing; was the graph changed?")
        _check_like(path, name, tensors[name], target)
    for name in tensors:
        if name not in targets:
            raise _defect(path, f"unexpected tensor {name!r}; {one_of(name, targets)}")


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Copy ``tensors`` into the parameters and buffers of ``module``, as `copy_into` does."""
    copy_into(module.state_dict(), tensors, path)


def copy_into(
    targets: Mapping[str, Tensor], tensors: Mapping[str, Tensor], path: str | Path
) -> None:
    """Overwrite ``targets`` by the ``tensors`` of the same names: all of them, or none.

    What older files lack (`NEUTRAL`) gets the value with which a model does what it did then.

    Raises:
        CheckpointError: a tensor is missing, unexpected, or has another shape or type; the message
            names ``path`` as their source.
    """
    check_like(targets, tensors, path)
    with torch.no_grad():
        for name, target in targets.items():
            if _is_newer(name, tensors):
                target.fill_(NEUTRAL[_ending(name)])
            else:
                target.copy_(tensors[name])


def _is_newer(name: str, tensors: Mapping[str, Tensor]) -> bool:
    """Whether a file lacks a tensor because it is older."""
    return name not in tensors and bool(_ending(name))


def _ending(name: str) -> str:
    """Which of `NEUTRAL` a name ends in; empty: none."""
    return next((end for end in NEUTRAL if f".{name}".endswith(f".{end}")), "")


def _defect(path: str | Path, what: str) -> CheckpointError:
    return CheckpointError(f"{path}: {what}")


def _libraries() -> dict[str, str]:
    names = {"causalflow": "causalflow-engine", "torch": "torch", "safetensors": "safetensors"}
    return {name: _version(distribution) for name, distribution in names.items()}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


def _stored(tensor: Tensor) -> Tensor:
    """An own, contiguous copy on the CPU, also of tied and of channels-last weights."""
    return tensor.detach().to("cpu").clone(memory_format=torch.contiguous_format)


def _texts(metadata: Metadata) -> dict[str, str]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "kind": metadata.kind,
        "graph": metadata.graph,
        "options": json.dumps(dict(metadata.options), allow_nan=False),
        "libraries": json.dumps(dict(metadata.libraries)),
    }


def _digest(texts: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """The digest of the module docstring; JSON lines before the bytes make it unambiguous."""
    digest = hashlib.sha256()
    for name in TEXTS[:-1]:
        digest.update(f"{json.dumps([name, texts[name]])}\n".encode())
    _absorb(digest, tensors)
    return digest.hexdigest()


def tensor_digest(tensors: Mapping[str, Tensor]) -> str:
    """One text for the names, types, shapes and bytes of tensors on any device."""
    digest = hashlib.sha256()
    _absorb(digest, {name: _stored(tensor) for name, tensor in tensors.items()})
    return digest.hexdigest()


def _absorb(digest: hashlib._Hash, tensors: Mapping[str, Tensor]) -> None:
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{json.dumps([name, str(tensor.dtype), list(tensor.shape)])}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _read(path: str | Path, header: Header) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name).clone() for name in header.tensors}
    except (SafetensorError, OSError, UnicodeError) as error:
        raise _defect(path, f"truncated or no safetensors file ({_line(error)})") from None


def _check_texts(path: str | Path, texts: Mapping[str, str]) -> None:
    if texts.get("format") == PIECE:
        raise _defect(path, "a piece of a larger file; give the index that names it")
    if texts.get("format") != FORMAT:
        raise _defect(path, "a safetensors file, but not one that causalflow wrote")
    if (given := texts.get("version")) != VERSION:
        raise _defect(
            path, f"format version {given!r}; this causalflow reads '{VERSION}': upgrade it"
        )
    for name in TEXTS:
        if name not in texts:
            raise _defect(path, f"the metadata lack '{name}'")


def _check_dtype(path: str | Path, name: str, dtype: str) -> None:
    if dtype not in DTYPES:
        raise _defect(path, f"tensor {name!r} has type {dtype}; {one_of(dtype, DTYPES)}")


def _metadata(path: str | Path, texts: Mapping[str, str]) -> Metadata:
    if texts["kind"] not in KINDS:
        raise _defect(path, f"unknown kind {texts['kind']!r}; {one_of(texts['kind'], KINDS)}")
    return Metadata(
        kind=cast(Kind, texts["kind"]),
        graph=texts["graph"],
        options=_object(path, "options", texts["options"]),
        libraries=_object(path, "libraries", texts["libraries"]),
    )


def _object(path: str | Path, name: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_not_finite)
    except (ValueError, RecursionError) as error:
        raise _defect(path, f"'{name}' is not JSON ({_line(error)})") from None
    if not isinstance(value, dict):
        raise _defect(path, f"'{name}' is not a JSON object")
    return value


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _check_values(path: str | Path, name: str, tensor: Tensor) -> None:
    """NaN is never a fitted value; infinities are (a logarithm of zero, an open support)."""
    if tensor.is_floating_point() and bool(tensor.isnan().any()):
        raise _defect(path, f"tensor {name!r} holds NaN; the fit diverged?")


def _check_like(path: str | Path, name: str, given: Tensor, target: Tensor) -> None:
    if given.shape != target.shape:
        raise _defect(
            path, f"tensor '{name}' has shape {tuple(given.shape)}; expected {tuple(target.shape)}"
        )
    if given.dtype != target.dtype:
        raise _defect(path, f"tensor '{name}' has type {given.dtype}; expected {target.dtype}")
