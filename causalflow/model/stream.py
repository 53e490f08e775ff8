"""Stream: answers for more rows than memory holds, batch by batch, killed and resumed at will.

A stream reads a batch, answers it, writes it down, and forgets it:

    part k    what batch k gave, written atomically when the batch is done; with it the digest of
              the batch's evidence
    identity  what is asked of which model, written before the first part
    output    put together from the parts when the last is there, in bounded memory, atomically

A stream that was killed goes on below its last part when it is called again: the evidence is read
again and held against the digests, and what does not match is refused. Batch k is drawn with seed
(seed, k), so a resumed stream ends with the bytes of one that was not killed, given the same batch
size.

Outputs: a ``.safetensors`` file with a tensor a node, rows in the order of the evidence; or a
folder of PNG images (``IMAGE/00000000.png``, a folder an image node) with ``labels.csv``, which
`causalflow.data.files` reads.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from causalflow.data.files import ImageFiles
from causalflow.data.output import Output, output_of, read_note
from causalflow.errors import DataError, EvidenceError
from causalflow.files import alone, remove_leftovers, whole_file, written
from causalflow.graph.graph import Graph
from causalflow.model.evidence import check_count
from causalflow.model.scm import StructuralModel
from causalflow.model.storage import fingerprint
from causalflow.model.support import Watch
from causalflow.model.world import World, counterfactual
from causalflow.values.finite import READING

__all__ = ["StreamReport", "batches_of", "stream", "stream_counterfactuals"]

Batch = Mapping[str, Any]
Answers = Mapping[str, Tensor]

IDENTITY = "identity.json"


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
    """

    path: Path
    rows: int
    batches: int
    resumed_from: int
    seconds: float
    warnings: tuple[str, ...] = ()


def stream_counterfactuals(
    scm: StructuralModel,
    evidence: Any,
    out: str | Path,
    asked: Mapping[str, Any],
    watch: Watch | None,
    seed: int,
    batch_size: int,
    *,
    progress: bool,
) -> StreamReport:
    """The counterfactual worlds of every batch of ``evidence``, written to ``out``.

    Args:
        scm: the fitted model.
        evidence: columns, or batches (`batches_of`).
        out: a file or folder.
        asked: what a call that resumes this one must share; ``do`` and ``n`` among it.
        watch: told of what lies outside of the mechanisms' ranges; None: they have none.
        seed: batch k is drawn with (seed, k).
        batch_size: rows answered at once.
        progress: show a bar on standard error.
    """
    check_count("batch_size", batch_size)
    if asked["n"] != 1:
        raise EvidenceError(
            f"counterfactual: n={asked['n']} with out=...; a stream has one draw a row"
        )
    do, (batches, total) = asked["do"], batches_of(evidence, batch_size)

    def answer(batch: Batch, index: int) -> World:
        own = Watch(scm=scm, experience=watch.experience) if watch else None
        draws = _batch_generator(scm.device, seed, index)
        action = do(batch) if callable(do) else do
        world = counterfactual(scm, batch, action, 1, draws, own, tried=False)
        if watch and own:
            watch.add(own)
        return world

    identity = {**asked, "model": fingerprint(scm), "do": _described(do), "seed": seed}
    if any(node.type.note for node in scm.graph.nodes.values()):
        identity["reading"] = READING  # of rows: an earlier one took numbers for indices
    report = stream(
        answer, batches, out, graph=scm.graph, identity=identity, total=total, progress=progress
    )
    return replace(report, warnings=watch.sentences if watch else ())


def stream(
    answer: Callable[[Batch, int], Answers],
    batches: Iterable[Batch],
    out: str | Path,
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
        out: a path that ends in .safetensors, or a folder.
        graph: the graph of the nodes answered.
        identity: what two calls must share for the second to resume the first.
        total: rows in all, for the progress bar.
        progress: show a bar on standard error.

    Raises:
        DataError: ``out`` exists, or holds the parts of another stream; another process writes
            there, or it cannot be written; no batches.
    """
    begun = time.monotonic()
    with alone(out, DataError):
        with written(out, DataError):
            parts = _Parts.open(Path(out), graph, identity)
        rows, done, resumed = _answered(parts, answer, batches, total, progress=progress)
        if not done:
            raise DataError(f"{out}: the evidence has no batches")
        parts.finish(done)
    return StreamReport(
        path=parts.out,
        rows=rows,
        batches=done,
        resumed_from=resumed,
        seconds=time.monotonic() - begun,
    )


def _answered(
    parts: _Parts,
    answer: Callable[[Batch, int], Answers],
    batches: Iterable[Batch],
    total: int | None,
    *,
    progress: bool,
) -> tuple[int, int, int]:
    """Write what is missing: the number of rows, of batches, and of those that were there."""
    rows = done = resumed = 0
    with tqdm(total=total, unit="row", unit_scale=True, disable=not progress) as bar:
        for index, batch in enumerate(batches):
            digest = _digest(batch)
            if kept := parts.rows(index, digest):
                resumed += 1
            else:
                kept = parts.write(index, rows, answer(batch, index), digest)
            rows, done = rows + kept, done + 1
            bar.update(kept)
    return rows, done, resumed


def batches_of(evidence: Any, size: int) -> tuple[Iterator[Batch], int | None]:
    """The batches of evidence, and how many rows they have in all where that is known.

    Args:
        evidence: columns (a mapping, a DataFrame, or anything whose ``columns`` is a mapping), cut
            into batches; or an iterable of mappings, such as a torch DataLoader, taken as it is.
        size: rows of a batch of columns.

    Raises:
        EvidenceError: columns of unequal lengths, or a batch that is no mapping.
    """
    columns = _columns(evidence)
    if columns is None:
        return _given(evidence), None
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1:
        raise EvidenceError(f"columns of unequal lengths: {lengths}")
    rows = next(iter(lengths.values()))
    cuts = range(0, rows, size)
    return ({n: _cut(c, at, size) for n, c in columns.items()} for at in cuts), rows


def _batch_generator(device: torch.device, seed: int, index: int) -> torch.Generator:
    """The generator of batch ``index``, whatever was answered before it."""
    key = np.random.SeedSequence((seed, index)).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(key))


def _described(do: Any) -> Any:
    """An intervention as JSON can hold it, to be compared with another call's."""
    if callable(do):
        return getattr(do, "__qualname__", repr(do))
    if isinstance(do, Mapping):
        return {str(name): _described(value) for name, value in do.items()}
    return do.tolist() if hasattr(do, "tolist") else do


def _columns(evidence: Any) -> Mapping[str, Any] | None:
    if isinstance(evidence, Mapping):
        return evidence
    if hasattr(evidence, "columns") and hasattr(evidence, "to_dict"):
        return {str(name): evidence[name] for name in evidence.columns}
    columns = getattr(evidence, "columns", None)
    return columns if isinstance(columns, Mapping) else None


def _cut(column: Any, start: int, size: int) -> Any:
    """Rows of a pandas column, of image files, or of a tensor, array or list."""
    if hasattr(column, "iloc"):
        return column.iloc[start : start + size]
    if isinstance(column, ImageFiles):
        return column[range(start, min(start + size, len(column)))]
    return column[start : start + size]


def _given(batches: Iterable[Any]) -> Iterator[Batch]:
    for index, batch in enumerate(batches):
        if not isinstance(batch, Mapping):
            kind = type(batch).__name__
            raise EvidenceError(f"batch {index} is a {kind}; expected a mapping of node -> values")
        yield batch


def _digest(batch: Batch) -> str:
    """Over the names and values of a batch's evidence."""
    digest = hashlib.sha256()
    for name, value in sorted(batch.items()):
        digest.update(f"{json.dumps(name)}\n".encode())
        if isinstance(value, Tensor):
            flat = value.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().data)
        elif hasattr(value, "tobytes") and value.dtype.kind != "O":
            digest.update(value.tobytes())
        else:
            digest.update(repr(list(value)).encode())
    return digest.hexdigest()[:16]


@dataclass(slots=True, kw_only=True)
class _Parts:
    """The parts of one output, in a hidden folder beside it."""

    out: Path
    folder: Path
    output: Output

    @classmethod
    def open(cls, out: Path, graph: Graph, identity: Mapping[str, Any]) -> _Parts:
        folder = out.with_name(f".{out.name}.parts")
        if out.is_file() or (out.exists() and not folder.exists()):
            raise DataError(f"{out}: exists already; remove it or choose another path")
        remove_leftovers(out)
        _claim(out, folder, identity)
        return cls(out=out, folder=folder, output=output_of(out, graph))

    def rows(self, index: int, digest: str) -> int:
        """The rows of part ``index`` if an earlier call has written it, else 0."""
        path = self._path(index)
        if not path.exists():
            return 0
        note = read_note(path)
        if note["evidence"] != digest:
            raise DataError(
                f"{self.out}: batch {index} is not the evidence of the stream that was begun; "
                f"give the same evidence in the same batches, or remove {self.folder}"
            )
        return int(note["rows"])

    def write(self, index: int, first: int, answers: Answers, digest: str) -> int:
        with written(self.out, DataError):
            remove_leftovers(self._path(index))
            self.output.write(self._path(index), first, answers, digest)
        return len(next(iter(answers.values())))

    def finish(self, count: int) -> None:
        with written(self.out, DataError):
            self.output.finish([self._path(index) for index in range(count)])
            shutil.rmtree(self.folder)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.safetensors"


def _claim(out: Path, folder: Path, identity: Mapping[str, Any]) -> None:
    """Write what the parts answer, or hold it against what an earlier call has written."""
    note, now = folder / IDENTITY, json.loads(json.dumps(dict(identity)))
    if not note.exists():
        with whole_file(note) as part:
            part.write_text(json.dumps(now))
        return
    try:
        before = json.loads(note.read_text())
    except (OSError, ValueError):
        raise DataError(f"{note}: unreadable; remove {folder} to start anew") from None
    for name, value in now.items():
        if before.get(name) != value:
            raise DataError(
                f"{out}: begun with {name}={before.get(name)!r}, now {name}={value!r}; "
                f"ask the same, or remove {folder}"
            )
