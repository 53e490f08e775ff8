"""Stream: answers for more rows than memory holds, batch by batch, killed and resumed at will.

A stream reads a batch, answers it, writes it down, and forgets it:

    part k    what batch k gave, written atomically when the batch is done
    shard j   of an output in shards: so many batches, put in its place when the last is done
    output    put together from the parts when the last is there, in bounded memory, atomically

A stream that was killed goes on below its last part (`causalflow.model.parts`) when it is called
again: the evidence is read again and held against the digests, and what does not match is refused.

Under ``torchrun`` all processes make the same call with the same evidence, and share the pieces
that are left, shards or else batches, by turns (`causalflow.training.processes`). Batch k is drawn
with seed (seed, k), and where a shard begins follows from its number alone. So the output has the
same bytes, however often the stream was killed and however many processes took part each time,
given the same batch size, kind of device and versions; a batch is computed whole, by one process.
(A CPU's kernels may round otherwise with other numbers of threads: give every run the same
OMP_NUM_THREADS. torchrun sets it to 1 for several processes where it is not set.)

Outputs: a ``.safetensors`` file with a tensor a node, rows in the order of the evidence; a ``.tar``
file as WebDataset reads it; a folder of PNG images (``IMAGE/00000000.png``, a folder an image node)
with ``labels.csv``, which `causalflow.data.files` reads; or a folder of shards with an index, which
`causalflow.data.shards` reads.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

from torch import Tensor

from causalflow.bar import tqdm
from causalflow.errors import DataError, EvidenceError
from causalflow.files import alone, written
from causalflow.graph.graph import Graph
from causalflow.model.batches import (
    DRAW,
    Batch,
    batches_of,
    batches_of_draws,
    digest,
    generator_of,
    read,
    rows_in,
)
from causalflow.model.evidence import check_count
from causalflow.model.parts import Parts, opened
from causalflow.model.scm import StructuralModel
from causalflow.model.storage import fingerprint
from causalflow.model.support import Watch
from causalflow.model.world import World, counterfactual, sampled
from causalflow.training.processes import Processes, processes
from causalflow.values.finite import READING

__all__ = [
    "StreamReport",
    "Target",
    "batches_of",
    "stream",
    "stream_counterfactuals",
    "stream_draws",
    "target_of",
]

Answers = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReport:
    """The report of a stream: what was written, and by how much work.

    Attributes:
        path: the file or folder.
        rows: the number of rows in it.
        batches: the number of batches it took.
        resumed_from: how many batches an earlier, killed call had done.
        seconds: this call took.
        warnings: what lay outside of the mechanisms' ranges in the batches that this call answered.
        processes: how many answered them.
    """

    path: Path
    rows: int
    batches: int
    resumed_from: int
    seconds: float
    warnings: tuple[str, ...] = ()
    processes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a stream goes, and in what pieces.

    Attributes:
        out: a file or folder.
        batch_size: rows answered at once.
        shards: "safetensors" or "tar": ``out`` is a folder of such files; None: it is one output.
        shard_batches: the batches of a shard.
        progress: show a bar on standard error.
    """

    out: str | Path
    batch_size: int = 256
    shards: str | None = None
    shard_batches: int = 16
    progress: bool = True

    def __post_init__(self) -> None:
        """Refuse what is no count, and what has no name to write beside."""
        if Path(self.out).name in ("", ".."):
            raise DataError(f"out={str(self.out)!r}; expected a file or folder by its name")
        check_count("batch_size", self.batch_size)
        check_count("shard_batches", self.shard_batches)

    @property
    def identity(self) -> dict[str, Any]:
        """What two calls must share of it."""
        if self.shards is None:
            return {}
        return {"shards": self.shards, "shard_batches": self.shard_batches}


def target_of(
    out: str | Path | None,
    batch_size: int,
    shards: str | None,
    shard_batches: int,
    *,
    progress: bool,
) -> Target:
    """Where a stream goes.

    Raises:
        EvidenceError: a kind of shards, and no folder for them.
    """
    if out is None:
        raise EvidenceError(f"shards={shards!r} without out=...; name the folder")
    return Target(
        out=out,
        batch_size=batch_size,
        shards=shards,
        shard_batches=shard_batches,
        progress=progress,
    )


def stream_counterfactuals(
    scm: StructuralModel,
    evidence: Any,
    target: Target,
    asked: Mapping[str, Any],
    watch: Watch | None,
    seed: int,
) -> StreamReport:
    """The counterfactual worlds of every batch of ``evidence``, written to a target.

    Args:
        scm: the fitted model.
        evidence: columns, or batches (`batches_of`).
        target: where to.
        asked: what a call that resumes this one must share; ``do`` and ``n`` among it.
        watch: told of what lies outside of the mechanisms' ranges; None: they have none.
        seed: batch k is drawn with (seed, k).
    """
    if asked["n"] != 1:
        raise EvidenceError(
            f"counterfactual: n={asked['n']} with out=...; a stream has one draw a row"
        )
    do, (batches, total) = asked["do"], batches_of(evidence, target.batch_size)

    def answer(batch: Batch, index: int) -> World:
        draws = generator_of(scm.device, seed, index)
        action = do(batch) if callable(do) else do
        with _watched(watch, scm) as own:
            return counterfactual(
                scm, batch, action, 1, draws, own, tried=False, route=asked.get("route")
            )

    identity = {**_identity(scm, asked, seed), **target.identity}
    return _watched_stream(answer, batches, target, scm.graph, identity, total, watch)


def stream_draws(
    scm: StructuralModel,
    fitted: Collection[str],
    target: Target,
    asked: Mapping[str, Any],
    watch: Watch | None,
    seed: int,
) -> StreamReport:
    """Draws from P(v | do), written to a target.

    Args:
        scm: the model.
        fitted: the nodes that are.
        target: where to.
        asked: what a call that resumes this one must share; ``n``, ``do`` and ``nodes`` among it.
        watch: as for counterfactuals.
        seed: batch k is drawn with (seed, k).
    """
    do, nodes, n = asked["do"], asked["nodes"], asked["n"]

    def answer(batch: Batch, index: int) -> World:
        rows = batch[DRAW]
        draws = generator_of(scm.device, seed, index)
        action = do(rows) if callable(do) else do
        with _watched(watch, scm) as own:
            return sampled(scm, fitted, len(rows), action, nodes, draws, own)

    identity = {**_identity(scm, asked, seed), **target.identity, "call": "sample"}
    batches = batches_of_draws(n, target.batch_size)
    return _watched_stream(answer, batches, target, scm.graph, identity, n, watch)


@contextmanager
def _watched(watch: Watch | None, scm: StructuralModel) -> Iterator[Watch | None]:
    """A watch of one batch, which is added to that of the call when the batch is answered."""
    own = Watch(scm=scm, experience=watch.experience) if watch else None
    yield own
    if watch and own:
        watch.add(own)


def _watched_stream(
    answer: Callable[[Batch, int], Answers],
    batches: Iterable[Batch],
    target: Target,
    graph: Graph,
    identity: Mapping[str, Any],
    total: int | None,
    watch: Watch | None,
) -> StreamReport:
    """The stream, and what all processes together have seen outside of the ranges."""
    with processes(os.path.abspath(target.out)) as crew:
        report = _stream(crew, answer, batches, target, graph, identity, total)
        if watch is not None:
            watch.share(crew.gathered(watch.seen))
    return replace(report, warnings=watch.sentences if watch else ())


def _identity(scm: StructuralModel, asked: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What two calls must share: the model, how its images are computed, and what is asked."""
    images = {name: asdict(image.options) for name, image in scm.images.items()}
    precisions = sorted({each.replay.precision for each in scm.denoisers if each.replay})
    settings = sha256(
        repr((scm.graph.to_yaml(layout=False), images, precisions)).encode()
    ).hexdigest()[:16]
    identity = {**asked, "model": fingerprint(scm), "do": _described(asked["do"]), "seed": seed}
    if any(node.type.note for node in scm.graph.nodes.values()):
        identity["reading"] = READING  # of rows: an earlier one took numbers for indices
    return {**identity, "settings": settings, "device": scm.device.type}


def stream(
    answer: Callable[[Batch, int], Answers],
    batches: Iterable[Batch],
    out: str | Path | Target,
    *,
    graph: Graph,
    identity: Mapping[str, Any],
    total: int | None = None,
    progress: bool = True,
) -> StreamReport:
    """Answer every batch and write the answers to ``out``.

    Args:
        answer: ``answer(batch, k)``, values by node in public units, for batch k.
        batches: evidence, node -> values; read once, in order.
        out: a path that ends in .safetensors or .tar, or a folder; or a `Target`.
        graph: the graph of the nodes answered.
        identity: what two calls must share for the second to resume the first.
        total: rows in all, for the progress bar.
        progress: show a bar on standard error.

    Raises:
        DataError: ``out`` exists, or holds the parts of another stream; another process writes
            there, or it cannot be written; no batches.
    """
    target = out if isinstance(out, Target) else Target(out=out, progress=progress)
    identity = {**identity, **target.identity}
    return _watched_stream(answer, batches, target, graph, identity, total, None)


def _stream(
    crew: Processes,
    answer: Callable[[Batch, int], Answers],
    batches: Iterable[Batch],
    target: Target,
    graph: Graph,
    identity: Mapping[str, Any],
    total: int | None,
) -> StreamReport:
    begun, out = time.monotonic(), Path(target.out)
    with ExitStack() as held:
        crew.once(lambda: held.enter_context(alone(out, DataError)))

        def find() -> Parts:
            with written(out, DataError):
                return opened(out, graph, identity, target.shards, target.shard_batches)

        work = _Work(crew=crew, parts=crew.once(find), answer=answer)
        work.through(batches, total, progress=target.progress and crew.first)
        resumed = work.agreed()
        crew.once(lambda: work.parts.finish(work.batches))
    return StreamReport(
        path=out,
        rows=work.rows,
        batches=work.batches,
        resumed_from=resumed,
        seconds=time.monotonic() - begun,
        processes=crew.count,
    )


@dataclass(slots=True, kw_only=True)
class _Work:
    """What one process does of a stream.

    Attributes:
        crew: the processes that share it.
        parts: what an earlier call has left.
        answer: how a batch is answered.
        rows: the rows of all batches so far, whoever answered them.
        batches: the number of these batches.
        resumed: how many of those that are this process's were there.
        taken: how many pieces that were not there have come.
    """

    crew: Processes
    parts: Parts
    answer: Callable[[Batch, int], Answers]
    rows: int = 0
    batches: int = 0
    resumed: int = 0
    taken: int = field(default=-1)

    def through(self, batches: Iterable[Batch], total: int | None, *, progress: bool) -> None:
        """Write what is missing of the own pieces."""
        size, share = self.parts.size, total and -(-total // self.crew.count)
        numbered = groupby(enumerate(self._alike(batches)), lambda pair: pair[0] // size)
        with tqdm(total=share, unit="row", unit_scale=True, disable=not progress) as bar:
            for piece, members in numbered:
                mine, indices = self._is_mine(piece), []
                for index, batch in members:
                    rows = self._answered(index, read(batch)) if mine else rows_in(batch)
                    self.rows, self.batches = self.rows + rows, self.batches + 1
                    indices.append(index)
                    bar.update(rows if mine else 0)
                if mine:
                    self.parts.close(piece, indices)

    def agreed(self) -> int:
        """How many batches were there in all, once every process has read the same number.

        Raises:
            DataError: they have not, or there were none.
        """
        counts = self.crew.gathered((self.rows, self.batches, self.resumed))
        if len({each[:2] for each in counts}) > 1:
            raise DataError(f"{self.parts.out}: the processes were given {_OTHER}")
        if not self.batches:
            raise DataError(f"{self.parts.out}: the evidence has no batches")
        return sum(resumed for _, _, resumed in counts)

    def _alike(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches, once all processes have found the first to be the same."""
        if self.crew.count == 1:
            yield from batches
            return
        source = iter(batches)
        first = next(source, None)
        found = self.crew.gathered(None if first is None else digest(read(first)))
        if len(set(found)) > 1:
            raise DataError(f"{self.parts.out}: the processes were given {_OTHER}")
        if first is not None:
            yield first
            yield from source

    def _is_mine(self, piece: int) -> bool:
        """Whether a piece is this process's to write, or to hold against the evidence."""
        if piece in self.parts.there:
            return piece % self.crew.count == self.crew.rank
        self.taken += 1
        return self.taken % self.crew.count == self.crew.rank

    def _answered(self, index: int, batch: Batch) -> int:
        evidence = digest(batch)
        if kept := self.parts.rows(index, evidence):
            self.resumed += 1
            return kept
        answers = self.answer(batch, index)
        self.crew.check()
        kept = self.parts.write(index, self.rows, answers, evidence)
        if self.crew.count > 1 and kept != rows_in(batch):
            raise DataError(
                f"{self.parts.out}: batch {index} has {rows_in(batch)} rows and {kept} answers"
            )
        return kept


_OTHER = (
    "different evidence; give each the whole of it, in the same order and batches "
    "(no DistributedSampler, no shuffling)"
)


def _described(do: Any) -> Any:
    """An intervention as JSON can hold it, to be compared with another call's."""
    if callable(do):
        return getattr(do, "__qualname__", repr(do))
    if isinstance(do, Mapping):
        return {str(name): _described(value) for name, value in do.items()}
    return do.tolist() if hasattr(do, "tolist") else do
