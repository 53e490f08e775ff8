"""Array: the numbers of a table, all float64 or all fractions, and the library that computes them.

An array is kept `Scaled`, as numbers and a factor that they share. Floats share a power of two (in
a batch, those of one row), kept as its exponent, so that a product of a thousand small numbers does
not vanish. Fractions share a fraction, and the numbers are integers: of 64 bits while the result
provably fits, else Python's own.

A `Backend` is what a program (`causalflow.factors.program`) needs of a library: six operations.
Everything before it (tables, plans) and after it (answers) is numpy, and so is this module's
backend; that of torch, which computes in floats on any device, is `causalflow.model.tensors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm, prod
from typing import Any, Protocol, TypeAlias

import numpy as np

from causalflow.errors import CausalflowError

__all__ = [
    "INT64",
    "Backend",
    "Exponent",
    "Numpy",
    "Scaled",
    "Values",
    "along",
    "common",
    "distinct_rows",
    "numbers",
    "quotients",
    "reduced",
    "same_kind",
    "scaled",
    "spread",
    "summable",
]

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


Exponent: TypeAlias = int | np.ndarray[Any, np.dtype[np.int64]]
INT64 = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """Numbers as an array of values and a factor that all of them share.

    Attributes:
        values: float64, or integers (of 64 bits or Python's) in exact mode.
        scale: exact mode: the numbers are ``values * scale``.
        exponent: float mode: the numbers are ``values * 2^exponent``; with a batch, one exponent
            for each place of the first axis.
        bound: exact mode: no value is larger.
    """

    values: Values
    scale: Fraction | None = None
    exponent: Exponent = 0
    bound: int = 0

    def to_array(self) -> Values:
        """The numbers themselves."""
        if self.scale is None:
            return np.ldexp(self.values, along(self.exponent, self.values.ndim))
        numbers = np.empty(self.values.shape, dtype=object)
        known: dict[int, Fraction] = {}
        flat = numbers.reshape(-1)
        for place, value in enumerate(self.values.ravel().tolist()):
            if value not in known:
                known[value] = value * self.scale
            flat[place] = known[value]
        return numbers

    def to_floats(self) -> Values:
        """The numbers in float64, each rounded once."""
        if self.scale is None:
            return self.to_array()
        above, below = self.scale.numerator, self.scale.denominator
        if max(self.bound * above, below) < 2**53:
            return np.asarray(self.values * above / below, dtype=np.float64)
        numbers = [value * above / below for value in self.values.ravel().tolist()]
        return np.array(numbers, dtype=np.float64).reshape(self.values.shape)


def along(exponent: Exponent, ndim: int) -> Exponent:
    """The exponents of rows in the shape that goes with an array of so many dimensions."""
    if isinstance(exponent, np.ndarray):
        return exponent.reshape(-1, *[1] * (ndim - 1))
    return exponent


def scaled(values: Values) -> Scaled:
    """The values of a table, ready to be contracted: exact if they are fractions."""
    if values.dtype != object:
        return Scaled(values=values)
    flat: list[Fraction] = values.ravel().tolist()
    denominator = lcm(*(value.denominator for value in flat))
    integers = [value.numerator * (denominator // value.denominator) for value in flat]
    bound = max(map(abs, integers), default=0)
    dtype = np.int64 if bound < INT64 else object
    array = np.empty(len(integers), dtype=dtype)
    array[:] = integers
    return Scaled(values=array.reshape(values.shape), scale=Fraction(1, denominator), bound=bound)


def reduced(values: Values, scale: Fraction) -> Scaled:
    """Take out the common divisor, and go back to 64 bits where they suffice."""
    divisor = int(np.gcd.reduce(values, axis=None)) if values.size else 0
    if divisor > 1:
        values = np.asarray(values // divisor, dtype=values.dtype)
    bound = int(max(values.max(initial=0), -values.min(initial=0)))
    if values.dtype == object and bound < INT64:
        values = values.astype(np.int64)
    return Scaled(values=values, scale=scale * max(divisor, 1), bound=bound)


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
