"""Shards: rows in a folder of files with numbers for names, and an index that describes them.

    000000.safetensors, 000001.safetensors, ...   or .tar; so many batches of rows each
    index.json                                    written last: whoever finds it finds all the rest

A shard holds what `causalflow.data.output` writes to one file. Which rows are in which shard
follows from their place alone, and nothing in a shard tells when or by whom it was written. The
index has the graph, what was asked (model, do, seed), and of every shard its rows, its bytes, its
SHA-256, and for each of its batches the rows and the digest of the evidence.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from causalflow.data.decoding import opened_picture
from causalflow.data.output import Output, folder_of, output_of, read_note
from causalflow.errors import DataError, one_of, shown
from causalflow.files import read_bytes, whole_file
from causalflow.formats.formats import loads
from causalflow.graph.graph import Graph
from causalflow.limits import CSV_BYTES

__all__ = ["ENDINGS", "INDEX", "Shard", "Sharding", "Shards", "shards"]

ENDINGS = ("safetensors", "tar")
INDEX = "index.json"
_FORMAT = {"format": "causalflow shards", "version": 1}

Batch = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A line of the index: one file.

    Attributes:
        file: its name in the folder.
        rows: how many it has.
        bytes: its size.
        sha256: its digest, in hexadecimal.
        batches: the number of rows of each batch in it, and the digest of its evidence.
    """

    file: str
    rows: int
    bytes: int
    sha256: str
    batches: tuple[tuple[int, str], ...]

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Shard:
        """From what `record` gave.

        Raises:
            DataError: something else.
        """
        try:
            batches = tuple((int(rows), str(digest)) for rows, digest in record["batches"])
            shard = cls(**{**record, "batches": batches})
            counted = shard.rows == sum(rows for rows, _ in batches)
            if not counted or any(rows < 1 for rows, _ in batches):
                raise ValueError(f"{shown(shard.rows)} rows in other batches")
            path = Path(shard.file)
            if path.name != shard.file or path.suffix[1:] not in ENDINGS:
                raise ValueError(f"{shown(shard.file, 80)} is no file of the folder")
        except (ValueError, TypeError, KeyError, AttributeError) as mistake:
            raise DataError(f"no shard is described: {mistake}") from None
        return shard

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    def is_in(self, folder: Path) -> bool:
        """Whether a file of that name and size is there."""
        path = folder / self.file
        return path.is_file() and path.stat().st_size == self.bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharding:
    """The way in which a stream is cut into the files of a folder.

    Attributes:
        out: the folder.
        graph: the graph of the nodes that are written.
        ending: "safetensors" or "tar".
        batches: how many make a shard.
    """

    out: Path
    graph: Graph
    ending: str
    batches: int

    def __post_init__(self) -> None:
        """Refuse another ending."""
        if self.ending not in ENDINGS:
            raise DataError(f"shards={self.ending!r}; {one_of(self.ending, ENDINGS)}")

    def path(self, piece: int) -> Path:
        """The file of a shard."""
        return self.out / f"{piece:06d}.{self.ending}"

    def output(self, piece: int) -> Output:
        """How the file of a shard is written."""
        return output_of(self.path(piece), self.graph)

    def described(self, piece: int, parts: Sequence[Path]) -> Shard:
        """The line of a shard that was written from ``parts``."""
        path, notes = self.path(piece), [read_note(part) for part in parts]
        batches = tuple((int(note["rows"]), note["evidence"]) for note in notes)
        return Shard(
            file=path.name,
            rows=sum(rows for rows, _ in batches),
            bytes=path.stat().st_size,
            sha256=_digest(path),
            batches=batches,
        )

    def write_index(self, written: Sequence[Shard], asked: Mapping[str, Any]) -> None:
        """Write the index, after every shard."""
        index = {
            **_FORMAT,
            "rows": sum(shard.rows for shard in written),
            "asked": asked,
            "graph": self.graph.to_yaml(layout=False),
            "shards": [shard.record() for shard in written],
        }
        with whole_file(self.out / INDEX) as part:
            part.write_text(json.dumps(index, indent=1, ensure_ascii=False), encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shards:
    """A folder of shards, open for reading.

    Attributes:
        folder: where they are.
        graph: the graph of the nodes.
        asked: what the rows answer: model, do, seed and whatever else was asked.
        files: the shards in order.
    """

    folder: Path
    graph: Graph
    asked: Mapping[str, Any]
    files: tuple[Shard, ...]

    def __len__(self) -> int:
        return sum(shard.rows for shard in self.files)

    def batches(self) -> Iterator[Batch]:
        """The rows in the batches in which they were written; memory holds one batch.

        Yields:
            Node -> values in public units: tensors of a .safetensors shard; of a .tar shard
            pictures as uint8, levels by name.

        Raises:
            DataError: a shard is missing, or is not the file that the index describes.
        """
        for shard in self.files:
            path = self.folder / shard.file
            if not shard.is_in(self.folder) or _digest(path) != shard.sha256:
                raise DataError(f"{path}: not the file that {INDEX} describes; write it anew")
            sizes = [rows for rows, _ in shard.batches]
            yield from (_of_tar if path.suffix == ".tar" else _of_tensors)(path, sizes, self.graph)

    @property
    def columns(self) -> Batch:
        """All rows in memory, node -> values, as `Model.fit` and `cf.evaluate` take them."""
        parts: dict[str, list[Any]] = {}
        for batch in self.batches():
            for name, values in batch.items():
                parts.setdefault(name, []).append(values)
        return {name: _joined(values) for name, values in parts.items()}


def shards(folder: str | Path) -> Shards:
    """The rows of a folder that `Model.counterfactual` or `Model.sample` wrote with ``shards=``.

    Args:
        folder: with an index.json; `Shards.columns` are all rows, `Shards.batches` some at a time.

    Raises:
        DataError: no such folder, no index (the stream has not ended: the same call goes on with
            it), or an index that cannot be read.

    Example:
        rows = cf.data.shards("red")
        model.counterfactual(rows.batches(), do={"color": "green"}, out="green", shards="tar")
    """
    folder = Path(folder)
    if folder.is_dir() and not (folder / INDEX).exists():
        raise DataError(f"{folder}: no {INDEX}; a stream that has not ended writes none yet")
    index = read_index(folder)
    return Shards(
        folder=folder,
        graph=loads(index["graph"], "yaml", source=str(folder / INDEX)),
        asked=index["asked"],
        files=tuple(map(Shard.read, index["shards"])),
    )


def read_index(folder: Path) -> dict[str, Any]:
    """What the index of a folder says.

    Raises:
        DataError: there is none, or it is none of this format.
    """
    path = folder / INDEX
    text = read_bytes(path, DataError, limit=CSV_BYTES)
    try:
        index = json.loads(text)
        if {name: index[name] for name in _FORMAT} != _FORMAT or not isinstance(
            index["graph"], str
        ):
            raise ValueError("another format")
        rows = sum(Shard.read(record).rows for record in index["shards"])
        if not isinstance(index["asked"], dict) or rows != index["rows"]:
            raise ValueError(f"{shown(index['rows'])} rows, and {rows} in the shards")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as mistake:
        raise DataError(f"{path}: no index of shards that can be read: {mistake}") from None
    return index


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _other_rows(path: Path) -> DataError:
    return DataError(f"{path}: other rows than {INDEX} describes; write it anew")


def _of_tensors(path: Path, sizes: Sequence[int], graph: Graph) -> Iterator[Batch]:
    try:
        with safe_open(path, framework="pt") as file:
            slices, start = {name: file.get_slice(name) for name in sorted(file.keys())}, 0
            if any(each.get_shape()[0] != sum(sizes) for each in slices.values()):
                raise _other_rows(path)
            for size in sizes:
                yield {name: each[start : start + size] for name, each in slices.items()}
                start += size
    except SafetensorError as mistake:
        raise DataError(f"{path}: no readable shard: {mistake}") from None


def _of_tar(path: Path, sizes: Sequence[int], graph: Graph) -> Iterator[Batch]:
    images = {f"{folder_of(n)}.png": n for n, node in graph.nodes.items() if node.type.pictured}
    with tarfile.open(path, "r:") as file:
        rows = _rows_of(file, images, graph)
        for size in sizes:
            found = list(islice(rows, size))
            if len(found) != size:
                raise _other_rows(path)
            yield {name: _column([row[name] for row in found]) for name in found[0]}
        if next(rows, None) is not None:
            raise _other_rows(path)


def _rows_of(file: tarfile.TarFile, images: Mapping[str, str], graph: Graph) -> Iterator[Batch]:
    """A row at a time: the members of one key stand together, the labels first."""
    row: Batch = {}
    for member in file:
        content = file.extractfile(member)
        assert content is not None
        ending = member.name.partition(".")[2]
        if ending == "json":
            if row:
                yield row
            row = json.loads(content.read())
        else:
            row = {
                **row,
                images[ending]: _pixels(content.read(), member.name, graph, images[ending]),
            }
    if row:
        yield row


def _pixels(content: bytes, name: str, graph: Graph, node: str) -> torch.Tensor:
    """The picture of a row: uint8, (channel, height, width); of a discrete node its levels."""
    shape, depth = graph.nodes[node].type.shape, graph.nodes[node].type.depth
    with opened_picture(content, name) as picture:
        array = np.asarray(picture)
    pixels = torch.from_numpy(np.moveaxis(array.reshape(*shape[1:], shape[0]), -1, 0).copy())
    if depth is None:
        return pixels
    return (pixels.double() * (depth - 1) / 255).round().to(torch.uint8)


def _column(values: Sequence[Any]) -> Any:
    if isinstance(values[0], torch.Tensor):
        return torch.stack(list(values))
    if all(isinstance(value, float) for value in values):
        return torch.tensor(values, dtype=torch.float64)
    return list(values)


def _joined(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], torch.Tensor):
        return torch.cat(list(parts))
    return [value for part in parts for value in part]
