"""Rows: the different combinations that some columns of a batch have.

A table that depends on the evidence through a few columns only has few different contents, however
many rows there are: it is computed once for each combination that occurs. Two tables are joined on
the combinations of both, until these are as many as the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

__all__ = ["Index", "Rows", "joined", "of_column"]

Index: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Combinations 0..n-1.

    Attributes:
        codes: the combination of each row of the batch.
        first: for each combination, a row that has it.
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
