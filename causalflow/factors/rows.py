"""Rows: the different combinations that some columns of a batch have.

A table that depends on the evidence through a few columns only has few different contents, however
many rows there are: it is computed once for each combination that occurs. Two tables are joined on
the combinations of both, until these are as many as the rows.

A table is made of rows by counting them (`relative_frequencies`). What stands for a level says
`causalflow.values.finite`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from causalflow.errors import CausalflowError, one_of
from causalflow.frozen import Frozen
from causalflow.graph.node import Level
from causalflow.values.column import GAP, occurring
from causalflow.values.finite import finite

__all__ = [
    "Index",
    "Levels",
    "Rows",
    "joined",
    "named_levels",
    "of_column",
    "relative_frequencies",
]

Index: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """The different combinations of values in a batch, numbered 0..n-1.

    Attributes:
        codes: the combination of each row of the batch.
        first: a row that has the combination, for each of them.
    """

    codes: Index
    first: Index

    @property
    def is_full(self) -> bool:
        """Whether every row is taken as a combination of its own."""
        return len(self.first) == len(self.codes)


def of_column(positions: Index) -> Rows:
    """The combinations of one column; positions are -1 or more."""
    return _distinct(positions + 1, int(positions.max(initial=0)) + 2)


def joined(a: Rows, b: Rows) -> Rows:
    """The combinations of the columns of both."""
    if a is b or a.is_full:
        return a
    if b.is_full:
        return b
    return _distinct(a.codes * len(b.first) + b.codes, len(a.first) * len(b.first))


def _distinct(codes: Index, bound: int) -> Rows:
    """The rows by their codes below ``bound``; linear time while the bound is near their number."""
    count = len(codes)
    if bound <= 4 * count + 1024:
        found = np.flatnonzero(np.bincount(codes, minlength=bound))
        if 2 * len(found) <= count or count == 1:
            rank = np.empty(bound, dtype=np.int64)
            rank[found] = np.arange(len(found))
            ranked = rank[codes]
            first = np.empty(len(found), dtype=np.int64)
            first[ranked] = np.arange(count)
            return Rows(codes=ranked, first=first)
    elif len(np.unique(codes[: 1 << 12])) * 2 <= min(count, 1 << 12):
        _, first, ranked = np.unique(codes, return_index=True, return_inverse=True)
        if 2 * len(first) <= count:
            return Rows(codes=ranked.reshape(-1), first=first)
    every = np.arange(count)
    return Rows(codes=every, first=every)


Array = np.ndarray[Any, np.dtype[Any]]


def relative_frequencies(
    columns: Mapping[str, Any], levels: Mapping[str, Sequence[Level]]
) -> tuple[Array, dict[str, tuple[Level, ...]]]:
    """The share of rows in each cell, and the levels of each column.

    Raises:
        CausalflowError: no rows, columns of unequal length, or a value that is no level or missing.
    """
    found = {
        name: tuple(levels[name]) if name in levels else _occurring(name, column)
        for name, column in columns.items()
    }
    places = {name: _positions(name, found[name], column) for name, column in columns.items()}
    lengths = {name: len(each) for name, each in places.items()}
    rows = next(iter(lengths.values()), 0)
    if not rows or len(set(lengths.values())) > 1:
        raise CausalflowError(f"table: expected columns of one length above 0; given {lengths}")
    shape = [len(found[name]) for name in columns]
    codes = np.ravel_multi_index([*places.values()], shape)
    counts = np.bincount(codes, minlength=int(np.prod(shape)))
    return counts.reshape(shape) / rows, found


def _occurring(axis: str, column: Any) -> tuple[Level, ...]:
    try:
        return occurring(column)
    except TypeError:
        raise CausalflowError(
            f"table: column '{axis}': expected a name or a number a row"
        ) from None


def _positions(axis: str, levels: Sequence[Level], column: Any) -> Array:
    """Where each row's value stands: int64, shape (rows,)."""
    where = f"table: column '{axis}'"
    found = finite(levels).read(column, where=where, error=CausalflowError)
    if found.ndim != 1:
        raise CausalflowError(f"{where} has shape {found.shape}; expected one value a row")
    if (gaps := found == GAP).any():
        raise CausalflowError(
            f"{where}: {gaps.sum():,} of {len(found):,} values are missing, the first in row "
            f"{int(np.argmax(gaps))}; leave such rows out"
        )
    return found


Levels = Mapping[str, tuple[Level, ...]]


def named_levels(
    axes: Sequence[str], shape: Sequence[int], levels: Mapping[str, Sequence[Level]] | None
) -> Levels:
    """The levels of every axis; 0..n-1 where none are given.

    Raises:
        CausalflowError: levels of an axis that there is not, not one a position, or repeated.
    """
    given = levels or {}
    for name in given:
        if name not in axes:
            raise CausalflowError(f"table: levels of unknown axis '{name}'; {one_of(name, axes)}")
    named = {
        axis: tuple(given.get(axis, range(count))) for axis, count in zip(axes, shape, strict=True)
    }
    for (axis, names), count in zip(named.items(), shape, strict=True):
        if len(names) != count:
            raise CausalflowError(
                f"table: axis '{axis}' has {count} positions and {len(names)} levels"
            )
        if len(set(names)) != count:
            raise CausalflowError(f"table: axis '{axis}' has a level twice: {list(names)}")
    return Frozen(named)
