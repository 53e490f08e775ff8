"""Extent: the interval in which an equation's values lie, told before anything is evaluated.

Interval arithmetic over the terms, in floats, with the ranges of the variables at the leaves. An
interval may be too wide, never too narrow, so what it refuses is wrong for every value:

    a term that is never a finite number      floor(exp(exp(20))), 10**10**10, u / 0, log(-1 - u**2)
    a whole number that may leave 64 bits     (u + 1) * 9223372036854775807, u of a few levels

A term is *whole* where its values are integers of 64 bits (`causalflow.equations.equation`).

Source: Moore, Kearfott & Cloud (2009), Introduction to Interval Analysis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from causalflow.equations.equation import Equation
from causalflow.equations.term import (
    CONSTANTS,
    Binary,
    Call,
    Comparison,
    Constant,
    Expression,
    Name,
    Number,
    Unary,
    children,
    term_text,
)
from causalflow.errors import GraphError

__all__ = ["Extent", "check_extent", "extent_of"]

_BITS = 2.0**63


@dataclass(frozen=True, slots=True)
class Extent:
    """The numbers from ``low`` to ``high``; none where ``low`` is NaN."""

    low: float
    high: float
    whole: bool = False

    @property
    def point(self) -> bool:
        """Whether it is one number."""
        return self.low == self.high

    @property
    def finite(self) -> bool:
        """Whether it holds a finite number."""
        return self.low <= self.high and self.low < math.inf and self.high > -math.inf


_NONE = Extent(math.nan, math.nan)
_ALL = Extent(-math.inf, math.inf)
_TRUTH = Extent(0.0, 1.0, True)


def check_extent(equation: Equation, ranges: Mapping[str, Extent]) -> None:
    """Refuse an equation that cannot have a value.

    Args:
        equation: the equation, its terms over the names in ``ranges``.
        ranges: the numbers that each variable can be.

    Raises:
        GraphError: a term is never a finite number, or a whole one may leave 64 bits.

    Example:
        >>> from causalflow.equations.equation import parse_equation
        >>> check_extent(parse_equation("u + floor(exp(exp(2)))"), {"u": Extent(0, 1)})
        >>> check_extent(parse_equation("u + floor(exp(exp(20)))"), {"u": Extent(0, 1)})
        Traceback (most recent call last):
        causalflow.errors.GraphError: equation: 'exp(exp(20))' is never a finite number
    """
    for component in equation.components:
        extent_of(component, ranges)


def extent_of(term: Expression, ranges: Mapping[str, Extent]) -> Extent:
    """The interval of a term's values, its parts checked as `check_extent` does."""
    found = _of(term, [extent_of(part, ranges) for part in children(term)], ranges)
    if not found.finite:
        raise GraphError(f"equation: '{_shown(term)}' is never a finite number")
    unbounded = math.isinf(found.low) or math.isinf(found.high)
    if found.whole and not unbounded and max(-found.low, found.high) >= _BITS:
        raise GraphError(f"equation: '{_shown(term)}' may leave the integers of 64 bits")
    return found


def _shown(term: Expression) -> str:
    text = term_text(term)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _of(term: Expression, parts: list[Extent], ranges: Mapping[str, Extent]) -> Extent:
    match term:
        case Number(value):
            return Extent(float(value), float(value), isinstance(value, int))
        case Constant(name):
            return Extent(CONSTANTS[name], CONSTANTS[name])
        case Name(name):
            return ranges.get(name, _ALL)
        case Unary("negate"):
            return Extent(-parts[0].high, -parts[0].low, parts[0].whole)
        case Unary("~"):
            return Extent(-parts[0].high - 1, -parts[0].low - 1, True)
        case Comparison() | Unary() | Binary("and" | "or"):
            return _TRUTH
        case Binary(operator):
            return _BINARY[operator](*parts)
        case Call(function):
            return _called(function, parts)
    assert_never(term)


def _float(function: Callable[..., float], *values: float) -> float:
    """The value of a function of floats: infinite where it overflows, NaN outside its domain."""
    try:
        return function(*values)
    except OverflowError:
        return math.inf
    except (ValueError, ZeroDivisionError):
        return math.nan


def _hull(values: list[float], whole: bool = False) -> Extent:
    """The interval of the values; everything where one of them is undetermined."""
    if any(math.isnan(value) for value in values):
        return Extent(-math.inf, math.inf, whole)
    return Extent(min(values), max(values), whole)


def _corners(function: Callable[[float, float], float], a: Extent, b: Extent) -> list[float]:
    return [_float(function, x, y) for x in (a.low, a.high) for y in (b.low, b.high)]


def _add(a: Extent, b: Extent) -> Extent:
    return _hull([a.low + b.low, a.high + b.high], a.whole and b.whole)


def _subtract(a: Extent, b: Extent) -> Extent:
    return _hull([a.low - b.high, a.high - b.low], a.whole and b.whole)


def _product(x: float, y: float) -> float:
    return 0.0 if x == 0 or y == 0 else x * y


def _multiply(a: Extent, b: Extent) -> Extent:
    return _hull(_corners(_product, a, b), a.whole and b.whole)


def _divide(a: Extent, b: Extent) -> Extent:
    if b.low == b.high == 0:
        return _NONE
    if b.low <= 0 <= b.high:
        return _ALL
    return _hull(_corners(lambda x, y: x / y, a, b))


def _whole_divide(a: Extent, b: Extent) -> Extent:
    found = _divide(a, b)
    ends = [math.floor(end) if math.isfinite(end) else end for end in (found.low, found.high)]
    whole = a.whole and b.whole and not b.low <= 0 <= b.high
    return Extent(float(ends[0]), float(ends[1]), whole) if found.finite else found


def _remainder(a: Extent, b: Extent) -> Extent:
    if b.low == b.high == 0:
        return _NONE
    whole = a.whole and b.whole and not b.low <= 0 <= b.high
    return Extent(min(b.low, 0.0), max(b.high, 0.0), whole)


def _power(a: Extent, b: Extent) -> Extent:
    """Over a box whose base has one sign the extremes lie at the corners."""
    if a.point and b.point:
        value = _real_power(a.low, b.low)
        whole = a.whole and b.whole and b.low >= 0 and abs(value) < _BITS
        return Extent(value, value, whole)
    if a.low >= 0:
        return _hull(_corners(_real_power, a, b))
    if b.point and b.low.is_integer():
        ends = [_real_power(end, b.low) for end in (a.low, a.high)]
        if b.low < 0 and a.low <= 0 <= a.high:
            return _ALL
        return _hull([*ends, 0.0] if b.low % 2 == 0 and a.high > 0 else ends)
    return _NONE if b.point and a.high < 0 else _ALL


def _real_power(x: float, y: float) -> float:
    if x == 0 and y < 0:
        return math.inf
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf
    except ValueError:
        return math.nan


def _shift(a: Extent, b: Extent, way: int) -> Extent:
    """Counts of which some lie in 0 to 62; the others are refused where they are met."""
    if b.low > 62 or b.high < 0:
        return _NONE
    counts = [min(max(count, 0.0), 62.0) for count in (b.low, b.high)]
    return _hull([_product(x, 2.0 ** (way * n)) for x in (a.low, a.high) for n in counts], True)


def _bits(a: Extent, b: Extent) -> Extent:
    """What two whole numbers give bit by bit has no more bits than the longer of them."""
    ends = (a.low, a.high, b.low, b.high)
    if not all(map(math.isfinite, ends)):
        return Extent(-math.inf, math.inf, True)
    most = float((1 << int(max(map(abs, ends))).bit_length()) - 1)
    return Extent(0.0 if min(ends) >= 0 else -most - 1, most, True)


_BINARY: Mapping[str, Callable[[Extent, Extent], Extent]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "//": _whole_divide,
    "%": _remainder,
    "**": _power,
    "<<": lambda a, b: _shift(a, b, 1),
    ">>": lambda a, b: _shift(a, b, -1),
    "&": _bits,
    "|": _bits,
    "^": _bits,
}


def _called(function: str, parts: list[Extent]) -> Extent:
    match function:
        case "where":
            return _joined(parts[1:])
        case "min":
            return Extent(min(p.low for p in parts), min(p.high for p in parts), _all_whole(parts))
        case "max":
            return Extent(max(p.low for p in parts), max(p.high for p in parts), _all_whole(parts))
        case "clip":
            x, low, high = parts
            return _called("min", [_called("max", [x, low]), high])
        case "sin" | "cos" if not parts[0].point:
            return Extent(-1.0, 1.0)
        case "tan" if not parts[0].point:
            return _ALL
        case "abs":
            ends = [abs(parts[0].low), abs(parts[0].high)]
            least = 0.0 if parts[0].low <= 0 <= parts[0].high else min(ends)
            return Extent(least, max(ends), parts[0].whole)
    return _monotone(function, parts[0])


def _joined(parts: list[Extent]) -> Extent:
    return Extent(min(p.low for p in parts), max(p.high for p in parts), _all_whole(parts))


def _all_whole(parts: list[Extent]) -> bool:
    return all(part.whole for part in parts)


_DOMAINS = {"log": (0.0, math.inf), "sqrt": (0.0, math.inf), "logit": (0.0, 1.0)}


def _monotone(function: str, a: Extent) -> Extent:
    """A rising function of what lies in its domain; of a point, any function."""
    low, high = _DOMAINS.get(function, (-math.inf, math.inf))
    if a.high < low or a.low > high:
        return _NONE
    least, most = max(a.low, low), min(a.high, high)
    return Extent(_rising(function, least), _rising(function, most))


def _rising(function: str, x: float) -> float:
    match function:
        case "log" | "logit" if x == 0:
            return -math.inf
        case "logit":
            return math.inf if x == 1 else math.log(x) - math.log1p(-x)
        case "sigmoid":
            return 1 / (1 + _float(math.exp, -x))
        case "floor" | "round":
            return (
                float(round(x) if function == "round" else math.floor(x)) if abs(x) < 2**53 else x
            )
    return _float(getattr(math, function), x)
