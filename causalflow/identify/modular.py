"""Modular: rows of whole numbers, reduced modulo a prime; and the exact solution of a system.

Ranks modulo a large prime are those of the whole numbers but for chances of one in millions, and
only lead the way: what is claimed is verified in exact numbers.

Source: Bareiss (1968) for elimination without fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PRIME", "Reduced", "reduced", "solution"]

PRIME = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reduced:
    """A basis of the span of some rows, in reduced form.

    Attributes:
        basis: its rows.
        columns: the pivot column of each.
        rows: which of the given rows are independent, as many.
    """

    basis: NDArray[np.int64]
    columns: tuple[int, ...]
    rows: tuple[int, ...]

    def rest(self, row: NDArray[Any]) -> NDArray[np.int64]:
        """The row less its part within the span; zero where it lies in it."""
        left = _small(row)
        for basis, column in zip(self.basis, self.columns, strict=True):
            if left[column]:
                left = (left - left[column] * basis) % PRIME
        return left


def reduced(rows: NDArray[Any]) -> Reduced:
    """The reduced form of a matrix of whole numbers, modulo the prime."""
    work = _small(rows)
    order = np.arange(len(work))
    columns: list[int] = []
    for column in range(work.shape[1]):
        at = len(columns)
        found = np.flatnonzero(work[at:, column])
        if not len(found):
            continue
        swap = [at, at + int(found[0])]
        work[swap], order[swap] = work[swap[::-1]], order[swap[::-1]]
        work[at] = work[at] * pow(int(work[at, column]), -1, PRIME) % PRIME
        others = work[:, column].copy()
        others[at] = 0
        work = (work - others[:, None] * work[at]) % PRIME
        columns.append(column)
        if len(columns) == len(work):
            break
    count = len(columns)
    return Reduced(basis=work[:count], columns=tuple(columns), rows=tuple(order[:count].tolist()))


def _small(rows: NDArray[Any]) -> NDArray[np.int64]:
    return (rows % PRIME).astype(np.int64)


def solution(matrix: Sequence[Sequence[int]], right: Sequence[int]) -> list[Fraction] | None:
    """x with matrix x = right, for a square matrix of whole numbers; None: it is singular."""
    work = [[*map(int, row), int(value)] for row, value in zip(matrix, right, strict=True)]
    size, before = len(work), 1
    for at in range(size):
        pivot = next((row for row in range(at, size) if work[row][at]), None)
        if pivot is None:
            return None
        work[at], work[pivot] = work[pivot], work[at]
        top = work[at]
        for row in range(at + 1, size):
            low = work[row]
            first = low[at]
            work[row] = [0] * (at + 1) + [
                (low[c] * top[at] - first * top[c]) // before for c in range(at + 1, size + 1)
            ]
        before = top[at]
    found: list[Fraction] = [Fraction(0)] * size
    for at in reversed(range(size)):
        rest = work[at][size] - sum(work[at][c] * found[c] for c in range(at + 1, size))
        found[at] = Fraction(rest) / work[at][at]
    return found
