"""Ratio: what dividing one contraction by another needs: equal rows merged, scales made equal."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from causalflow.tables.array import Values
from causalflow.tables.scaled import Scaled, along

__all__ = ["common", "distinct_rows", "quotients", "same_kind", "summable"]


def distinct_rows(
    columns: Sequence[np.ndarray[Any, np.dtype[np.int64]]],
) -> tuple[list[np.ndarray[Any, np.dtype[np.int64]]], np.ndarray[Any, np.dtype[np.int64]]]:
    """The different rows, and which of them each row is; linear while few combinations exist."""
    shape = [int(column.max()) + 2 for column in columns]
    cells = prod(shape)
    if cells > max(4 * len(columns[0]), 2**16):
        rows, inverse = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
        return list(rows.T), inverse.reshape(-1)
    codes = np.ravel_multi_index([column + 1 for column in columns], shape)
    present = np.flatnonzero(np.bincount(codes, minlength=cells))
    rank = np.zeros(cells, dtype=np.int64)
    rank[present] = np.arange(len(present))
    return [place - 1 for place in np.unravel_index(present, shape)], rank[codes]


def summable(joint: Scaled) -> Values:
    """The values, as Python's integers where a sum in 64 bits might overflow."""
    if joint.scale is None or joint.bound * max(joint.values.size, 1) < 2**63:
        return joint.values
    return joint.values.astype(object)


def common(joint: Scaled, whole: Scaled) -> tuple[Values, Values]:
    """Two arrays of numbers in one scale: fractions if both are exact, else floats."""
    if joint.scale is not None and whole.scale is not None:
        return joint.to_array(), whole.to_array()
    if joint.scale is None and whole.scale is None:
        shift = along(joint.exponent - whole.exponent, joint.values.ndim)
        return np.ldexp(joint.values, shift), whole.values
    return joint.to_array().astype(np.float64), whole.to_array().astype(np.float64)


def same_kind(arrays: Sequence[Values]) -> list[Values]:
    """The arrays, all as floats if one of them is."""
    if all(array.dtype == object for array in arrays):
        return list(arrays)
    return [array.astype(np.float64) for array in arrays]


def quotients(above: Values, below: Values) -> Values:
    """The quotients as fractions; equal ones are one object."""
    known: dict[tuple[Any, Any], Fraction] = {}
    numbers = np.empty(above.shape, dtype=object)
    flat = numbers.reshape(-1)
    pairs = zip(above.ravel().tolist(), below.ravel().tolist(), strict=True)
    for place, pair in enumerate(pairs):
        if pair not in known:
            known[pair] = Fraction(pair[0]) / Fraction(pair[1])
        flat[place] = known[pair]
    return numbers
