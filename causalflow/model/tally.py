"""Tally: draws counted into the cells of a table, with the standard error of each.

Notation: n the draws that satisfy the conditions of a cell, k those with its outcome, p = k / n.
The standard error of p is sqrt(q (1 - q) / n) with q = (k + 1/2) / (n + 1), which is not zero where
k happens to be 0 or n (Agresti & Coull 1998, in spirit). That of a mean is s / sqrt(n).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from causalflow.graph.schema import Level

__all__ = ["Axis", "Cells", "Tally", "frequencies", "means"]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Cells: TypeAlias = Mapping[tuple[Level, ...], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A variable of the answer.

    Attributes:
        levels: its values.
        index: which of them each draw has, shape (draws,).
    """

    levels: tuple[Level, ...]
    index: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was counted.

    Attributes:
        cells: levels of the axes -> number; zeros may be left out.
        error: the largest standard error.
        kept: how many draws satisfy the conditions that have a value.
        empty: whether some cell's condition was satisfied by no draw.
    """

    cells: Cells
    error: float
    kept: int
    empty: bool


def frequencies(
    kept: Array, event: Array, outcomes: Sequence[Axis], conditions: Sequence[Axis]
) -> Tally:
    """P(event, outcomes | conditions) among the draws that are kept.

    Args:
        kept: shape (draws,), bool.
        event: the same: whether the outcomes that have a value have it.
        outcomes: the free outcomes.
        conditions: the free conditions.
    """
    group, groups = _codes(conditions, kept)
    cell, cells = _codes(outcomes, kept)
    n = np.bincount(group, minlength=groups)
    hit = event[kept]
    k = np.bincount((cell * groups + group)[hit], minlength=cells * groups).reshape(cells, groups)
    q = (k + 0.5) / (n + 1)
    errors = np.where(n, np.sqrt(q * (1 - q) / np.maximum(n, 1)), 0.0)
    return _tally(k / np.maximum(n, 1), errors, n, (*outcomes, *conditions))


def means(kept: Array, number: Array, conditions: Sequence[Axis]) -> Tally:
    """E[number | conditions] among the draws that are kept; at least two of them."""
    group, groups = _codes(conditions, kept)
    n = np.bincount(group, minlength=groups)
    chosen = number[kept]
    mean = np.bincount(group, chosen, minlength=groups) / np.maximum(n, 1)
    squares = np.bincount(group, (chosen - mean[group]) ** 2, minlength=groups)
    errors = np.sqrt(squares / np.maximum(n - 1, 1) / np.maximum(n, 1))
    return _tally(mean[None], errors[None], n, conditions)


def _codes(axes: Sequence[Axis], kept: Array) -> tuple[Array, int]:
    """One number for the levels of several axes, last fastest, and how many there are."""
    code, count = np.zeros(int(kept.sum()), dtype=np.int64), 1
    for axis in axes:
        code = code * len(axis.levels) + axis.index[kept]
        count *= len(axis.levels)
    return code, count


def _tally(values: Array, errors: Array, n: Array, axes: Sequence[Axis]) -> Tally:
    cells = zip(product(*(axis.levels for axis in axes)), values.ravel().tolist(), strict=True)
    return Tally(
        cells={cell: number for cell, number in cells if number},
        error=float(errors.max()),
        kept=int(n.sum()),
        empty=bool((n == 0).any()),
    )
