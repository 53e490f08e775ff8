"""Output: where answers go, batch by batch: a tensor file, a tar file, or a folder of images.

A batch leaves a *part*, a safetensors file that is written last, when all else of the batch is
there. Its note says how many rows it has, which is the first, and the digest of the evidence it
answers. When the last part is there, the output is put together from them, in bounded memory.

A tar file holds what WebDataset reads: of each row its labels as JSON and a PNG an image node,
under one key, the row's number: ``00000012.json``, ``00000012.image.png``. No time and no owner is
in it, so that the same rows are the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from causalflow.data.files import png_of, write_png
from causalflow.errors import DataError
from causalflow.files import whole_file
from causalflow.graph.graph import Graph
from causalflow.graph.node import Node
from causalflow.header import sort_header

__all__ = [
    "ImageFolder",
    "Output",
    "TarFile",
    "TensorFile",
    "folder_of",
    "output_of",
    "read_note",
]

Answers = Mapping[str, Tensor]


class Output(Protocol):
    """How the parts become the output."""

    def write(self, part: Path, first: int, answers: Answers, digest: str) -> None:
        """Write what a batch gave; ``part`` comes last, when all else of it is there."""

    def finish(self, parts: list[Path]) -> None:
        """Put the output together."""


def output_of(out: Path, graph: Graph) -> Output:
    """The output that the path asks for by its ending."""
    match out.suffix.lower():
        case ".safetensors":
            return TensorFile(out)
        case ".tar":
            return TarFile(out, graph)
        case _:
            return ImageFolder(out, graph)


def _save(part: Path, tensors: Answers, digest: str, first: int, rows: int) -> None:
    note = {"evidence": digest, "first": str(first), "rows": str(rows)}
    stored = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    try:
        with whole_file(part) as file:
            save_file(stored, file, metadata=note)
            sort_header(file)
    except SafetensorError as error:
        raise DataError(f"{part}: cannot be written: {error}") from None


def read_note(part: Path) -> Mapping[str, str]:
    """What a part says of itself: ``first`` and ``rows``, and the digest of its ``evidence``."""
    try:
        with safe_open(part, framework="pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise DataError(f"{part}: damaged ({error}); remove it") from None


@dataclass(frozen=True, slots=True)
class TensorFile:
    """One safetensors file: a tensor a node."""

    out: Path

    def write(self, part: Path, first: int, answers: Answers, digest: str) -> None:
        """Keep everything in the part."""
        _save(part, answers, digest, first, len(next(iter(answers.values()))))

    def finish(self, parts: list[Path]) -> None:
        """Write the header for all rows, then every node's bytes, part after part."""
        with safe_open(parts[0], framework="pt") as file:
            first = {name: file.get_tensor(name)[:0] for name in sorted(file.keys())}
        rows = sum(int(read_note(part)["rows"]) for part in parts)
        header = _header(first, rows)
        with whole_file(self.out) as whole, whole.open("wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            for name in first:
                for part in parts:
                    with safe_open(part, framework="pt") as piece:
                        flat = piece.get_tensor(name).reshape(-1)
                    file.write(flat.view(torch.uint8).numpy().data)


_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int64: "I64",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def _header(empty: Answers, rows: int) -> bytes:
    """The JSON header of the safetensors format, for tensors of ``rows`` rows one after another."""
    entries, start = {}, 0
    for name, tensor in empty.items():
        shape = [rows, *tensor.shape[1:]]
        end = start + torch.Size(shape).numel() * tensor.element_size()
        kind = _NAMES[tensor.dtype]
        entries[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
        start = end
    text = json.dumps(entries).encode()
    return text + b" " * (-len(text) % 8)


@dataclass(frozen=True, slots=True)
class TarFile:
    """A tar file of PNG pictures and JSON labels, a key a row."""

    out: Path
    graph: Graph

    def write(self, part: Path, first: int, answers: Answers, digest: str) -> None:
        """Keep everything in the part."""
        _save(part, answers, digest, first, len(next(iter(answers.values()))))

    def finish(self, parts: list[Path]) -> None:
        """Write the members of every row, part after part."""
        with whole_file(self.out) as whole, tarfile.open(whole, "w") as file:
            for part in parts:
                for name, content in self._members(part):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    file.addfile(member, io.BytesIO(content))

    def _members(self, part: Path) -> Iterator[tuple[str, bytes]]:
        nodes, first = self.graph.nodes, int(read_note(part)["first"])
        tensors = _tensors(part)
        images = {n: _shares(nodes[n], v) for n, v in tensors.items() if nodes[n].type.pictured}
        columns = {n: _readable(nodes[n], v) for n, v in tensors.items() if n not in images}
        for at in range(len(next(iter(tensors.values())))):
            key = f"{first + at:08d}"
            labels = {name: column[at] for name, column in columns.items()}
            yield f"{key}.json", json.dumps(labels, ensure_ascii=False).encode()
            for name, pictures in images.items():
                yield f"{key}.{folder_of(name)}.png", png_of(pictures[at], name)


def _tensors(part: Path) -> dict[str, Tensor]:
    with safe_open(part, framework="pt") as piece:
        return {name: piece.get_tensor(name) for name in sorted(piece.keys())}


def _shares(node: Node, pictures: Tensor) -> Tensor:
    """Pictures on the scale [0, 1], discrete ones too."""
    depth = node.type.depth
    return pictures if depth is None else pictures / max(depth - 1, 1)


_ROW = " row"
"""The key of the rows' numbers, which no node can have as its name."""


def folder_of(name: str) -> str:
    """The folder of an image node's files: its name, or a digest where that is no plain file name.

    Example:
        >>> folder_of("chest image"), folder_of("../image")
        ('chest image', 'node-0534d1bf650e60ce')
    """
    if re.fullmatch(r"\w[\w .-]*", name) and len(name.encode()) <= 200 and name[-1] not in ". ":
        return name
    return f"node-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """PNG files and a table of labels."""

    out: Path
    graph: Graph

    def write(self, part: Path, first: int, answers: Answers, digest: str) -> None:
        """Write the images where they stay, and keep the labels in the part."""
        images = {n: v for n, v in answers.items() if self.graph.nodes[n].type.pictured}
        for name, pixels in images.items():
            for row, picture in enumerate(_shares(self.graph.nodes[name], pixels)):
                write_png(self.out / folder_of(name) / f"{first + row:08d}.png", picture)
        labels = {n: v for n, v in answers.items() if n not in images}
        labels[_ROW] = torch.arange(first, first + len(next(iter(answers.values()))))
        _save(part, labels, digest, first, len(labels[_ROW]))

    def finish(self, parts: list[Path]) -> None:
        """Write the table: a column a node, level names, and the paths of the images."""
        nodes = self.graph.nodes
        drawn = [name for name, node in nodes.items() if node.type.pictured]
        images = [name for name in drawn if (self.out / folder_of(name)).is_dir()]
        with whole_file(self.out / "labels.csv") as whole, whole.open("w", newline="") as file:
            writer = csv.writer(file)
            for part in parts:
                tensors = _tensors(part)
                rows = tensors.pop(_ROW).tolist()
                columns = {name: _readable(nodes[name], tensors[name]) for name in tensors}
                names = [name for name in nodes if name in columns]
                if part is parts[0]:
                    writer.writerow([*names, *(["path"] if len(images) == 1 else images)])
                for at, row in enumerate(rows):
                    values = [columns[name][at] for name in names]
                    writer.writerow(
                        [*values, *(f"{folder_of(name)}/{row:08d}.png" for name in images)]
                    )


def _readable(node: Node, values: Tensor) -> list[Any]:
    """The levels by name, or the numbers."""
    return list(node.type.names(node.type.read(values)).tolist())
