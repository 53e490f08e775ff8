"""Pieces: a checkpoint too large for one file, as numbered files beside an index that names them.

    index    at the path itself, a JSON object: the texts that one file would hold, of each piece
             its bytes and SHA-256 ("pieces"), of each tensor its piece ("weight_map", as in Hugging
             Face's index), and "sha256" over all of that
    piece    PATH.DIGEST-00001-of-00003.safetensors, DIGEST being the first digits of the index's

A piece is named by the content of the whole, so that a writer never touches the pieces of another
state: it writes its own, and then puts its index in the place of the old one, in one step. Killed,
it leaves the old index and the old pieces; what it has begun is removed by the next.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from causalflow.errors import CheckpointError
from causalflow.files import opened, place_of, read_bytes, whole_file
from causalflow.header import Header, read_header
from causalflow.limits import MODEL_BYTES, MODEL_HEADER_BYTES, MODEL_TENSORS

__all__ = [
    "PIECE",
    "Index",
    "Piece",
    "piece_of",
    "read_index",
    "read_pieces",
    "remove_strays",
    "size_of",
    "write_index",
]

FORMAT = "causalflow pieces"
PIECE = "causalflow piece"
"""What a piece says of itself, in the place of the format."""
START = json.dumps({"format": FORMAT}).replace(" ", "")[:-1].encode()
DIGITS = 12
NAME = re.compile(r"[^/\\\0]+\.[0-9a-f]{12}-\d{5}-of-\d{5}\.safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A file of an index: its length in bytes, and the SHA-256 of all of them."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What stands in the place of a checkpoint in pieces.

    Attributes:
        texts: what one file would say besides its tensors.
        pieces: by name of the file, in the order of writing.
        places: the piece of every tensor.
    """

    texts: Mapping[str, str]
    pieces: Mapping[str, Piece]
    places: Mapping[str, str]


def piece_of(part: Path) -> Piece:
    """What an index says of a file."""
    return Piece(bytes=part.stat().st_size, sha256=_sha256(part))


def write_index(
    path: str | Path,
    texts: Mapping[str, str],
    parts: Sequence[Path],
    tensors: Sequence[Sequence[str]],
) -> None:
    """Give the parts their names, then put the index in its place, then drop older pieces.

    Args:
        path: where the index goes.
        texts: what one file would say besides its tensors.
        parts: finished files in the folder of ``path``; they are renamed.
        tensors: the names of the tensors in each.

    Raises:
        OSError: a file cannot be written.
    """
    target = place_of(path)
    pieces = [piece_of(part) for part in parts]
    digest = _digest(texts, [asdict(piece) for piece in pieces], list(map(list, tensors)))
    names = [
        f"{target.name}.{digest[:DIGITS]}-{number:05}-of-{len(parts):05}.safetensors"
        for number in range(1, len(parts) + 1)
    ]
    index = {
        "format": FORMAT,
        "texts": dict(texts),
        "metadata": {"total_size": sum(piece.bytes for piece in pieces)},
        "pieces": {name: asdict(piece) for name, piece in zip(names, pieces, strict=True)},
        "weight_map": {
            tensor: name for name, group in zip(names, tensors, strict=True) for tensor in group
        },
        "sha256": digest,
    }
    for part, name in zip(parts, names, strict=True):
        os.replace(part, target.with_name(name))
    with whole_file(target) as file:
        file.write_text(json.dumps(index, indent=1), encoding="utf-8")
    remove_strays(target, keep=names)


def remove_strays(path: str | Path, keep: Sequence[str] | None = None) -> None:
    """Delete the pieces beside ``path`` that are not its own.

    Args:
        path: where a checkpoint is, or was to be.
        keep: the names of its own; None: those that its index names.
    """
    target = Path(os.path.realpath(path))
    if keep is None:
        try:
            index = read_index(target) if target.exists() else None
        except CheckpointError:  # what it names is not known
            return
        keep = [] if index is None else list(index.pieces)
    for stray in target.parent.glob(f"{glob.escape(target.name)}.*-of-*.safetensors"):
        own = NAME.fullmatch(stray.name[len(target.name) - 1 :])
        if own and stray.name not in keep:
            stray.unlink(missing_ok=True)


def read_index(path: str | Path) -> Index | None:
    """The index at a path, checked against its digest; None: something else is there.

    Raises:
        CheckpointError: no such file, or an index that is damaged.
    """
    with opened(path, CheckpointError, limit=MODEL_BYTES) as file:
        start = b"".join(file.read(64).split())
    if not start.startswith(START):
        return None
    content = read_bytes(path, CheckpointError, limit=MODEL_HEADER_BYTES)
    try:
        return _index(json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise CheckpointError(
            f"{path}: altered or damaged: an index of pieces that does not match its digest"
        ) from None


def _index(given: Any) -> Index:
    """The index that a JSON object says.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it says none.
    """
    pieces = {name: Piece(**piece) for name, piece in given["pieces"].items()}
    texts, places = dict(given["texts"]), dict(given["weight_map"])
    groups: dict[str, list[str]] = {name: [] for name in pieces}
    for tensor, name in places.items():
        groups[name].append(tensor)
    digest = _digest(texts, [asdict(piece) for piece in pieces.values()], list(groups.values()))
    named = all(NAME.fullmatch(name) and f".{digest[:DIGITS]}-" in name for name in pieces)
    if given["sha256"] != digest or not named or len(places) > MODEL_TENSORS:
        raise ValueError("the digest is another")
    return Index(texts={**texts, "sha256": digest}, pieces=pieces, places=places)


def _digest(texts: Mapping[str, str], pieces: list[Any], tensors: list[list[str]]) -> str:
    text = json.dumps([dict(texts), pieces, tensors], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_pieces(path: str | Path, index: Index, *, outline: bool = False) -> dict[Path, Header]:
    """The header of every piece of an index at ``path``, each file held against its digest.

    Args:
        path: where the index is.
        index: what it says.
        outline: believe the digests, for headers alone.

    Raises:
        CheckpointError: a piece is missing, another file, or damaged; the message names it.
    """
    folder = Path(os.path.realpath(path)).parent
    found = {}
    for number, (name, piece) in enumerate(index.pieces.items(), 1):
        file = folder / name
        where = f"{path}: piece {number} of {len(index.pieces)}, {name},"
        if not file.exists():
            raise CheckpointError(f"{where} is missing")
        same = file.is_file() and file.stat().st_size == piece.bytes
        if not same or not (outline or _sha256(file) == piece.sha256):
            raise CheckpointError(f"{where} is another file, or damaged: not what the index says")
        header = read_header(file)
        if header.tensors.keys() != {t for t, place in index.places.items() if place == name}:
            raise CheckpointError(f"{where} holds other tensors than the index says")
        found[file] = header
    return found


def size_of(path: str | Path) -> int:
    """The bytes of a checkpoint, with those of its pieces."""
    index = read_index(path)
    pieces = [] if index is None else list(index.pieces.values())
    return Path(path).stat().st_size + sum(piece.bytes for piece in pieces)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
