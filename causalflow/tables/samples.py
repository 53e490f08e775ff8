"""Samples: how often each cell occurs in a table of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from causalflow.errors import CausalflowError
from causalflow.graph.schema import Level
from causalflow.tables.levels import position

__all__ = ["distinct", "positions", "relative_frequencies"]

Array = np.ndarray[Any, np.dtype[Any]]


def relative_frequencies(
    columns: Mapping[str, Any], levels: Mapping[str, Sequence[Level]]
) -> tuple[Array, dict[str, tuple[Level, ...]]]:
    """The share of rows in each cell, and the levels of each column.

    Raises:
        CausalflowError: no rows, columns of unequal length, or a value that is no level.
    """
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    lengths = {name: len(array) for name, array in arrays.items()}
    rows = next(iter(lengths.values()), 0)
    if not rows or len(set(lengths.values())) > 1:
        raise CausalflowError(f"table: expected columns of one length above 0; given {lengths}")
    found = {
        name: tuple(levels[name]) if name in levels else tuple(np.unique(array).tolist())
        for name, array in arrays.items()
    }
    shape = [len(found[name]) for name in arrays]
    places = [positions(name, found[name], array) for name, array in arrays.items()]
    codes = np.ravel_multi_index(places, shape)
    counts = np.bincount(codes, minlength=int(np.prod(shape)))
    return counts.reshape(shape) / rows, found


def positions(axis: str, levels: Sequence[Level], column: Array) -> Array:
    """Where each row's level stands, by name or by index: int64, shape (rows,).

    Raises:
        CausalflowError: a value that is no level; the first row with it is named.
    """
    values, inverse = distinct(column)
    found = np.empty(len(values), dtype=np.int64)
    for place, value in enumerate(values):
        try:
            found[place] = position(axis, levels, value)
        except CausalflowError as error:
            row = int(np.argmax(inverse == place))
            raise CausalflowError(f"row {row}: {error}") from None
    return found[inverse]


def distinct(column: Array) -> tuple[list[Any], Array]:
    """The values that occur, and which of them each row has; linear time for small integers."""
    if column.dtype.kind in "bui" and len(column):
        low, high = int(column.min()), int(column.max())
        if high - low < 4 * len(column) + 1024:
            shifted = column.astype(np.int64) - low
            present = np.flatnonzero(np.bincount(shifted, minlength=high - low + 1))
            rank = np.zeros(high - low + 1, dtype=np.int64)
            rank[present] = np.arange(len(present))
            return (present + low).tolist(), rank[shifted]
    if column.dtype == object:
        seen: dict[Any, int] = {}
        order = [seen.setdefault(value, len(seen)) for value in column.tolist()]
        return list(seen), np.array(order, dtype=np.int64)
    values, places = np.unique(column, return_inverse=True)
    return values.tolist(), places.reshape(-1)
