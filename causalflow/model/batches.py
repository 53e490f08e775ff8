"""Batches: evidence, or the numbers of draws, some rows at a time.

Columns are cut where a batch is read, not before, so that a batch that another process answers
costs nothing. What a batch says is known by its *digest*.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from causalflow.data.pictures import Pictures
from causalflow.errors import EvidenceError
from causalflow.values.dataframe import table_of

__all__ = ["Batch", "batches_of", "batches_of_draws", "digest", "generator_of", "read", "rows_in"]

Batch = Mapping[str, Any]

DRAW = "draw"
"""The name of the numbers of draws, in a batch of them."""


def batches_of(evidence: Any, size: int) -> tuple[Iterator[Batch], int | None]:
    """The batches of evidence, and how many rows they have in all where that is known.

    Args:
        evidence: columns (a mapping, a data frame, or anything whose ``columns`` is a mapping), cut
            into batches; or an iterable of mappings, such as a torch DataLoader, taken as it is.
        size: rows of a batch of columns.

    Raises:
        EvidenceError: columns of unequal lengths, or a batch that is no mapping.
    """
    columns = table_of(evidence)
    if columns is None:
        return _given(evidence), None
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1:
        raise EvidenceError(f"columns of unequal lengths: {lengths}")
    rows = next(iter(lengths.values()))
    cuts = range(0, rows, size)
    return (_Rows(columns=columns, rows=range(at, min(at + size, rows))) for at in cuts), rows


def batches_of_draws(n: int, size: int) -> Iterator[Batch]:
    """The numbers of n draws, "draw" -> a range, for each batch."""
    return ({DRAW: range(at, min(at + size, n))} for at in range(0, n, size))


def read(batch: Batch) -> Batch:
    """The batch, its columns cut."""
    return dict(batch) if isinstance(batch, _Rows) else batch


def rows_in(batch: Batch) -> int:
    """How many rows a batch has."""
    if isinstance(batch, _Rows):
        return len(batch.rows)
    lengths = (len(v) for v in batch.values() if hasattr(v, "__len__") and not isinstance(v, str))
    return max(lengths, default=1)


def digest(batch: Batch) -> str:
    """Over the names and values of a batch's evidence."""
    found = hashlib.sha256()
    for name, value in sorted(batch.items()):
        found.update(f"{json.dumps(name)}\n".encode())
        if isinstance(value, Tensor):
            flat = value.detach().cpu().contiguous().reshape(-1)
            found.update(flat.view(torch.uint8).numpy().data)
        elif hasattr(value, "tobytes") and value.dtype.kind != "O":
            found.update(value.tobytes())
        else:
            listed = hasattr(value, "__iter__") and not isinstance(value, str | range)
            found.update(repr(list(value) if listed else value).encode())
    return found.hexdigest()[:16]


def generator_of(device: torch.device, seed: int, index: int) -> torch.Generator:
    """The random numbers of batch ``index``, whatever was answered before it, and by whom."""
    key = np.random.SeedSequence((seed, index)).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(key))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows(Mapping[str, Any]):
    """Some rows of columns, cut when they are asked for."""

    columns: Mapping[str, Any]
    rows: range

    def __getitem__(self, name: str) -> Any:
        return _cut(self.columns[name], self.rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)


def _cut(column: Any, rows: range) -> Any:
    """Rows of a pandas column, of image files, or of a tensor, array or list."""
    if hasattr(column, "iloc"):
        return column.iloc[rows.start : rows.stop]
    if isinstance(column, Pictures):
        return column[rows]
    return column[rows.start : rows.stop]


def _given(batches: Iterable[Any]) -> Iterator[Batch]:
    for index, batch in enumerate(batches):
        if not isinstance(batch, Mapping):
            kind = type(batch).__name__
            raise EvidenceError(f"batch {index} is a {kind}; expected a mapping of node -> values")
        yield batch
