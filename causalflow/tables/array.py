"""Array: the values of a table, float64 or fractions throughout."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from causalflow.errors import CausalflowError

__all__ = ["Values", "numbers", "spread"]

Values: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def numbers(values: Any) -> Values:
    """A copy of ``values`` as finite floats, or as fractions where all are fractions or integers.

    Arrays of integers are floats; only Python's own integers beside fractions are taken as exact.

    Raises:
        CausalflowError: a value is no finite number.
    """
    try:
        array = np.array(values)
        if array.dtype == object and all(isinstance(each, Fraction | int) for each in array.flat):
            return _fractions(array)
        if np.iscomplexobj(array):
            raise TypeError
        floats = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise CausalflowError("table: the values are not an array of numbers") from None
    if not np.all(np.isfinite(floats)):
        raise CausalflowError("table: a value is not finite")
    return floats


def _fractions(array: Values) -> Values:
    exact = np.empty(array.shape, dtype=object)
    exact.reshape(-1)[:] = [Fraction(each) for each in array.flat]
    return exact


def spread(values: Values, axes: Sequence[str], target: Sequence[str]) -> Values:
    """The array over ``axes`` with its dimensions ordered as in ``target``, 1 for missing ones."""
    own = [axes.index(axis) for axis in target if axis in axes]
    shape = [values.shape[axes.index(axis)] if axis in axes else 1 for axis in target]
    return values.transpose(own).reshape(shape)
