"""Samples: how often each cell occurs in a table of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from causalflow.errors import CausalflowError
from causalflow.graph.schema import Level
from causalflow.values.finite import finite
from causalflow.values.gap import GAP
from causalflow.values.occurring import occurring

__all__ = ["relative_frequencies"]

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
