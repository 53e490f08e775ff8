"""Scaled: an array of numbers without what they have in common.

Floats keep an exponent beside the array, so that a product of a thousand small numbers does not
vanish. Fractions are integers over one common denominator: of 64 bits while the result provably
fits, else Python's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any, TypeAlias

import numpy as np

from causalflow.tables.array import Values

__all__ = ["INT64", "Exponent", "Scaled", "along", "reduced", "scaled"]

Exponent: TypeAlias = int | np.ndarray[Any, np.dtype[np.int64]]
INT64 = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """An array of numbers without what they have in common.

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
