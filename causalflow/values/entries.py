"""Entries: what a user gives for a variable, one value or one a row, as an array of its entries.

Tensors, numpy and masked arrays, pandas (categoricals and nullable columns too), polars, lists and
single values come in; torch is not imported for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

__all__ = ["Array", "Entries", "distinct", "entries_of", "is_tensor", "rank"]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """The entries, shape () for a single value, else (rows, ...).

    Attributes:
        array: typed, or of Python objects.
        tensor: whether they came as a torch tensor.
    """

    array: Array
    tensor: bool = False


def entries_of(given: Any) -> Entries:
    """The entries of a value or a column.

    Example:
        >>> entries_of(["red", 1, None]).array.tolist(), entries_of("red").array.shape
        (['red', 1, None], ())
    """
    if is_tensor(given):
        return Entries(array=_from_tensor(given), tensor=True)
    if isinstance(given, np.ma.MaskedArray):
        return Entries(array=np.where(np.ma.getmaskarray(given), np.nan, given.data.astype(object)))
    if isinstance(given, np.ndarray):
        return Entries(array=_plain(given))
    if hasattr(given, "to_numpy") and (hasattr(given, "dtype") or hasattr(given, "ndim")):
        return Entries(array=_from_frame(given))
    listed = isinstance(given, Sequence) and not isinstance(given, str | bytes)
    array = np.empty(len(given) if listed else (), dtype=object)
    for place, entry in enumerate(given if listed else ()):
        array[place] = entry
    if not listed:
        array[()] = given
    return Entries(array=array)


def is_tensor(given: object) -> bool:
    """Whether an object is a torch tensor, without importing torch."""
    is_class = isinstance(given, type)
    return not is_class and type(given).__module__.startswith("torch") and hasattr(given, "detach")


def rank(given: Any) -> int:
    """How many axes a value has: 0 for a single one; a list of lists of several lengths has 1."""
    try:
        return int(np.ndim(given))
    except ValueError:
        return 1


def distinct(column: Array) -> tuple[list[Any], Array]:
    """The values that occur, and which of them each entry is, in the column's shape.

    Linear time for small integers.

    Raises:
        TypeError: an entry is a list or an array.
    """
    if column.dtype.kind in "bui" and column.size:
        low, high = int(column.min()), int(column.max())
        if high < 2**62 and high - low < 4 * column.size + 1024:
            shifted = column.astype(np.int64) - low
            present = np.flatnonzero(np.bincount(shifted.ravel(), minlength=high - low + 1))
            rank = np.zeros(high - low + 1, dtype=np.int64)
            rank[present] = np.arange(len(present))
            values = present + low
            return (values.astype(bool) if column.dtype == bool else values).tolist(), rank[shifted]
    if column.dtype == object:
        seen: dict[Any, int] = {}
        order = [seen.setdefault((type(e), e), len(seen)) for e in column.ravel().tolist()]
        found = np.array(order, dtype=np.int64).reshape(column.shape)
        return [entry for _, entry in seen], found
    unique, places = np.unique(column, return_inverse=True)
    return list(unique), places.reshape(column.shape)


def _plain(array: Array) -> Array:
    """Dates as objects, a missing one as None: the bare numbers behind them mean nothing."""
    if array.dtype.kind not in "mM":
        return array
    found = np.empty(array.shape, dtype=object)
    for place in np.ndindex(array.shape):
        found[place] = None if np.isnat(array[place]) else array[place]
    return found


def _from_tensor(tensor: Any) -> Array:
    plain = tensor.detach().cpu().to_dense()
    try:
        return np.asarray(plain.numpy())
    except TypeError:  # bfloat16 has no numpy type
        return np.asarray(plain.float().numpy())


def _from_frame(column: Any) -> Array:
    """A column of a data frame; gaps stay what they are, to be read as such (NaT is no column)."""
    if getattr(column, "ndim", 1) > 1:  # two columns of one name
        return np.asarray(column)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind != "O":
        return _plain(np.asarray(column.to_numpy()))
    return np.asarray(column, dtype=object)
