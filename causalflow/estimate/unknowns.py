"""Unknowns: laws of which nothing is known, and what depends on them.

Notation: u a *group*, a probability vector of which nothing is known. A cell of an answer is a sum
a_1 u_1 + a_2 u_2 + ... over the entries of u, so it lies between the smallest and the largest a_k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

__all__ = ["Array", "Part", "Unknowns", "by_group"]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """The coefficients a_k that are not zero, sorted by cell and then by column."""

    cell: Array
    column: Array
    number: Array

    @classmethod
    def of(cls, cell: Array, column: Array, number: Array, columns: int) -> Part:
        """Coefficients in any order; those of one cell and column are added up."""
        key, inverse = np.unique(cell * columns + column, return_inverse=True)
        total = np.bincount(inverse.reshape(-1), weights=number, minlength=len(key))
        kept = total != 0
        return cls(cell=key[kept] // columns, column=key[kept] % columns, number=total[kept])

    def at(self, cells: Array, count: int) -> Part:
        """The coefficients of cells, each of which is one of ``count``."""
        many = np.bincount(self.cell, minlength=count)
        first = np.concatenate([[0], np.cumsum(many)[:-1]])
        each = many[cells]
        before = np.concatenate([[0], np.cumsum(each)[:-1]]) if len(each) else each
        places = np.repeat(first[cells] - before, each) + np.arange(int(each.sum()))
        cell = np.repeat(np.arange(len(cells)), each)
        return Part(cell=cell, column=self.column[places], number=self.number[places])

    def times(self, weights: Array) -> Part:
        """Every cell's coefficients times its weight."""
        number = self.number * weights[self.cell]
        kept = number != 0
        return Part(cell=self.cell[kept], column=self.column[kept], number=number[kept])


@dataclass(slots=True, kw_only=True, eq=False)
class Unknowns:
    """The groups, and what each came from.

    Attributes:
        starts: the first column of each group.
        sizes: how many values each law has; a number between two ends counts as a law of two, of
            which one has a column.
        width: the number of columns.
        origins: the columns that each number between two ends came from, by its own column.
        empty: the denominators that were zero.
    """

    starts: Array
    sizes: Array
    width: int
    origins: dict[int, frozenset[int]] = field(default_factory=dict)
    empty: dict[str, None] = field(default_factory=dict)

    def between(self, count: int, origins: Sequence[frozenset[int]]) -> Array:
        """Columns of new numbers between two ends."""
        columns = np.arange(self.width, self.width + count)
        self.origins |= dict(zip(columns.tolist(), origins, strict=True))
        self.starts = np.concatenate([self.starts, columns])
        self.sizes = np.concatenate([self.sizes, np.full(count, 2, dtype=np.int64)])
        self.width += count
        return columns

    def sources(self, columns: Array) -> set[int]:
        """The columns of laws that these columns came from."""
        found: set[int] = set()
        for column in set(columns.tolist()):
            found |= self.origins.get(column, frozenset({column}))
        return found


def by_group(part: Part, unknowns: Unknowns) -> tuple[Array, Array, Array, Array]:
    """The cell of each (cell, group), its smallest and largest a_k, and where the entries start."""
    group = np.searchsorted(unknowns.starts, part.column, side="right") - 1
    key = part.cell * len(unknowns.starts) + group
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    few = np.diff(np.append(first, len(key))) < unknowns.sizes[group[first]]
    least = np.minimum.reduceat(part.number, first)
    most = np.maximum.reduceat(part.number, first)
    return (
        part.cell[first],
        np.where(few, np.minimum(least, 0), least),
        np.where(few, np.maximum(most, 0), most),
        first,
    )
