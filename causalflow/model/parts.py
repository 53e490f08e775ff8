"""Parts: what the batches of a stream have left so far, in a hidden folder beside its output.

    identity.json        what is asked of which model, written before the first part
    000012.safetensors   what batch 12 gave, with the digest of its evidence
    000003.json          of an output in shards: shard 3 stands in its place, and its parts are gone

All of it goes when the output is whole. An output in shards keeps what was asked in its index, so
that it can be asked for again when nothing is left to do.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from causalflow.data.output import Output, output_of, read_note
from causalflow.data.shards import INDEX, Shard, Sharding, read_index
from causalflow.errors import DataError
from causalflow.files import remove_leftovers, whole_file, written
from causalflow.graph.graph import Graph

__all__ = ["Parts", "opened"]

IDENTITY = "identity.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of one output.

    A *piece* is what one process writes from its first batch to its last: a shard, or, of an output
    that is no folder of shards, a batch.

    Attributes:
        out: the output.
        output: how its parts are written, and put together.
        sharding: how it is cut into shards; None: it is not.
        identity: what is asked.
        closed: the shards that are written, by number.
        there: the numbers of all pieces that an earlier call has written.
        whole: whether the output is, so that nothing is left to do.
    """

    out: Path
    output: Output
    sharding: Sharding | None
    identity: Mapping[str, Any]
    closed: Mapping[int, Shard]
    there: frozenset[int]
    whole: bool = False

    @property
    def folder(self) -> Path:
        """The hidden folder."""
        return _folder(self.out)

    @property
    def size(self) -> int:
        """The batches of a piece."""
        return self.sharding.batches if self.sharding else 1

    def rows(self, index: int, digest: str) -> int:
        """The rows of batch ``index`` if an earlier call has written it, else 0.

        Raises:
            DataError: it was written for other evidence.
        """
        found = self._kept(index)
        if found is None and not self.whole:
            return 0
        rows, evidence = found or (0, "")
        if evidence != digest:
            raise DataError(
                f"{self.out}: batch {index} is not the evidence of the stream that was begun; "
                f"give the same evidence in the same batches, or remove "
                f"{self.out if self.whole else self.folder}"
            )
        return rows

    def _kept(self, index: int) -> tuple[int, str] | None:
        """The rows and the evidence of a batch that was written."""
        piece, at = divmod(index, self.size)
        if piece in self.closed:
            batches = self.closed[piece].batches
            return batches[at] if at < len(batches) else (0, "")
        if not self._path(index).exists():
            return None
        note = read_note(self._path(index))
        return int(note["rows"]), note["evidence"]

    def write(self, index: int, first: int, answers: Mapping[str, Tensor], digest: str) -> int:
        """Write what a batch gave, from row ``first`` on; the number of rows."""
        with written(self.out, DataError):
            remove_leftovers(self._path(index))
            self.output.write(self._path(index), first, answers, digest)
        return len(next(iter(answers.values())))

    def close(self, piece: int, batches: Sequence[int]) -> None:
        """Put a shard in its place, when its batches are written; its parts go."""
        if self.sharding is None or piece in self.closed:
            return
        paths, note = [self._path(index) for index in batches], self.folder / f"{piece:06d}.json"
        with written(self.out, DataError):
            for path in (self.sharding.path(piece), note):
                remove_leftovers(path)
            self.sharding.output(piece).finish(paths)
            with whole_file(note) as part:
                part.write_text(json.dumps(self.sharding.described(piece, paths).record()))
            for path in paths:
                path.unlink()

    def finish(self, batches: int) -> None:
        """Put the output together from so many batches."""
        with written(self.out, DataError):
            if self.sharding is None:
                self.output.finish([self._path(index) for index in range(batches)])
            else:
                self._finish_shards(self.sharding, batches)
            if self.folder.exists():
                shutil.rmtree(self.folder)

    def _finish_shards(self, sharding: Sharding, batches: int) -> None:
        found = self.closed if self.whole else _closed(self.folder, sharding)
        count, written = -(-batches // self.size), sum(len(s.batches) for s in found.values())
        if sorted(found) != list(range(count)) or written != batches:
            raise DataError(
                f"{self.out}: begun with {len(found)} shards of {written} batches, and the "
                f"evidence now has {count} of {batches}; "
                f"give the same evidence in the same batches, or remove {self.out}"
            )
        if not self.whole:
            remove_leftovers(self.out / INDEX)
            sharding.write_index([found[piece] for piece in range(count)], self.identity)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.safetensors"


def opened(
    out: Path, graph: Graph, identity: Mapping[str, Any], ending: str | None, batches: int
) -> Parts:
    """What an earlier call has left; before the first, what is asked is written down.

    Args:
        out: the output.
        graph: the graph of the nodes that are written.
        identity: what two calls must share for the second to go on with the first.
        ending: "safetensors" or "tar" for a folder of shards; None: ``out`` says it by its own.
        batches: how many make a shard.

    Raises:
        DataError: ``out`` exists, or something else was asked.
    """
    now, folder = json.loads(json.dumps(dict(identity))), _folder(out)
    sharding = None
    if ending is not None:
        sharding = Sharding(out=out, graph=graph, ending=ending, batches=batches)
    parts = Parts(
        out=out,
        output=sharding.output(0) if sharding else output_of(out, graph),
        sharding=sharding,
        identity=now,
        closed={},
        there=frozenset(),
    )
    if sharding and (out / INDEX).exists():
        return _whole(parts)
    if out.is_file() or (out.exists() and not folder.exists()):
        raise DataError(f"{out}: exists already; remove it or choose another path")
    remove_leftovers(out)
    _claim(parts)
    if sharding is None:
        return replace(parts, there=frozenset(_numbers(folder, ".safetensors")))
    closed = _closed(folder, sharding)
    return replace(parts, closed=closed, there=frozenset(closed))


def _whole(parts: Parts) -> Parts:
    index = read_index(parts.out)
    _compare(parts, index["asked"], remove=parts.out)
    closed = dict(enumerate(map(Shard.read, index["shards"])))
    missing = [shard.file for shard in closed.values() if not shard.is_in(parts.out)]
    if missing:
        raise DataError(f"{parts.out}: {missing[0]} is gone; remove {parts.out} to start anew")
    return replace(parts, closed=closed, there=frozenset(closed), whole=True)


def _closed(folder: Path, sharding: Sharding) -> dict[int, Shard]:
    """The shards that are written, by number; a note whose file is gone says nothing."""
    notes = {piece: _note(folder / f"{piece:06d}.json") for piece in _numbers(folder, ".json")}
    return {piece: shard for piece, shard in notes.items() if shard.is_in(sharding.out)}


def _note(path: Path) -> Shard:
    try:
        return Shard.read(json.loads(path.read_text()))
    except (OSError, ValueError, DataError):
        raise DataError(f"{path}: unreadable; remove it, and its shard is written anew") from None


def _numbers(folder: Path, suffix: str) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob(f"*{suffix}") if path.stem.isdecimal())


def _folder(out: Path) -> Path:
    return out.with_name(f".{out.name}.parts")


def _claim(parts: Parts) -> None:
    """Write what the parts answer, or hold it against what an earlier call has written."""
    note = parts.folder / IDENTITY
    if not note.exists():
        with whole_file(note) as part:
            part.write_text(json.dumps(parts.identity))
        return
    try:
        before = dict(json.loads(note.read_text()))
    except (OSError, ValueError, TypeError):
        raise DataError(f"{note}: unreadable; remove {parts.folder} to start anew") from None
    _compare(parts, before, remove=parts.folder)


def _compare(parts: Parts, before: Mapping[str, Any], *, remove: Path) -> None:
    for name in {**parts.identity, **before}:
        if before.get(name) != (value := parts.identity.get(name)):
            raise DataError(
                f"{parts.out}: begun with {name}={before.get(name)!r}, now {name}={value!r}; "
                f"ask the same, or remove {remove}"
            )
