"""Backend: the library that holds the arrays of a contraction.

A program (`causalflow.tables.program`) needs six operations. Everything before it (tables, plans)
and after it (answers) is numpy, and so is this module's backend; that of torch, which computes in
floats on any device, is `causalflow.model.tensors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from causalflow.tables.array import Values

__all__ = ["Backend", "Numpy"]


class Backend(Protocol):
    """What a program does with arrays; ``Any`` is an array of the backend."""

    def put(self, values: Values) -> Any:
        """The array of the backend."""

    def get(self, array: Any) -> Values:
        """The numpy array."""

    def take(self, array: Any, index: Any) -> Any:
        """The places of the first axis at a position or an array of positions."""

    def einsum(self, subscripts: str, arrays: Sequence[Any]) -> Any:
        """The sum of the product."""

    def extremes(self, array: Any, by_row: bool) -> tuple[Values, float]:
        """The largest value (of each place of the first axis), and the smallest above zero."""

    def shift(self, array: Any, exponents: Values) -> Any:
        """The array times 2^exponents, one exponent for each place of the first axis or for all."""


class Numpy:
    """Numpy's own arrays: floats and integers."""

    def put(self, values: Values) -> Any:
        """The array itself."""
        return values

    def get(self, array: Any) -> Values:
        """The array itself."""
        return np.asarray(array)

    def take(self, array: Any, index: Any) -> Any:
        """The places of the first axis."""
        return array[index]

    def einsum(self, subscripts: str, arrays: Sequence[Any]) -> Any:
        """The sum of the product."""
        return np.einsum(subscripts, *arrays)

    def extremes(self, array: Any, by_row: bool) -> tuple[Values, float]:
        """The largest values, the smallest above zero."""
        axes = tuple(range(1 if by_row else 0, array.ndim))
        least = np.min(array, where=array > 0, initial=np.inf)
        return np.asarray(array.max(axis=axes, initial=0.0)), float(least)

    def shift(self, array: Any, exponents: Values) -> Any:
        """The array times powers of two."""
        behind = [1] * (array.ndim - exponents.ndim)
        return np.ldexp(array, exponents.reshape((*exponents.shape, *behind)))
