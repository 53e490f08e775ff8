"""Enclosed operations: the meaning of every operator and function of an equation on enclosures.

Notation and meaning are those of `causalflow.mechanisms.equation.enclosure`. Functions with a slope
come first, with their poles and ends; then what jumps, chooses and compares. A truth value is 1 or
0; one that is not decided on a box is in [0, 1], and broken.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from causalflow.mechanisms.equation.enclosure import (
    NO,
    ZERO,
    Enclosure,
    Range,
    add,
    enclosed,
    hull,
    made,
    multiply,
    negate,
    product,
    selected,
)
from causalflow.mechanisms.equation.operations import TORCH

__all__ = [
    "ENCLOSURES",
    "absolute",
    "at_most",
    "bits",
    "both",
    "cos",
    "divide",
    "equal",
    "exp",
    "floor_divide",
    "hump",
    "larger",
    "less",
    "log",
    "logit",
    "negation",
    "power",
    "rising",
    "sin",
    "smaller",
    "sqrt",
    "steps",
    "tan",
    "where",
]


def rising(function: Callable[[Tensor], Tensor], derivative: Callable[[Range], Range]) -> Any:
    """A function that rises everywhere; ``derivative`` encloses its slope on a range."""

    def apply(a: Enclosure) -> Enclosure:
        return made((function(a.low), function(a.high)), product(derivative(a.range), a.slope), a)

    return apply


def _domain(a: Enclosure, least: float, most: float) -> Enclosure:
    """``a`` cut to where a function is defined."""
    outside, partly = (a.high < least) | (a.low > most), (a.low < least) | (a.high > most)
    low, high = a.low.clamp(least, most), a.high.clamp(least, most)
    return replace(
        a,
        low=low,
        high=high,
        broken=a.broken | partly,
        void=a.void | outside,
        partial=a.partial | partly,
    )


def hump(function: Callable[[Tensor], Tensor]) -> Callable[[Range], Range]:
    """The range of a positive even function that falls away from 0."""

    def apply(x: Range) -> Range:
        far = torch.maximum(x[0].abs(), x[1].abs())
        near = torch.where((x[0] <= 0) & (x[1] >= 0), 0.0, torch.minimum(x[0].abs(), x[1].abs()))
        return function(far), function(near)

    return apply


exp = rising(torch.exp, lambda x: (x[0].exp(), x[1].exp()))


def log(a: Enclosure) -> Enclosure:
    """log a, where a > 0."""
    falling = lambda x: (1 / x[1], 1 / x[0])  # noqa: E731
    return rising(torch.log, falling)(_domain(a, 0.0, math.inf))


def sqrt(a: Enclosure) -> Enclosure:
    """The square root, where a >= 0."""
    falling = lambda x: (0.5 / x[1].sqrt(), 0.5 / x[0].sqrt())  # noqa: E731
    return rising(torch.sqrt, falling)(_domain(a, 0.0, math.inf))


def logit(a: Enclosure) -> Enclosure:
    """log(a / (1 - a)), where 0 < a < 1."""
    inside = _domain(a, 0.0, 1.0)
    return add(log(inside), negate(log(add(enclosed(1.0), negate(inside)))))


def _reciprocal(a: Enclosure) -> Enclosure:
    """1 / a; unbounded and broken over a pole."""
    exact = a.low == a.high
    pole = (a.low <= 0) & (a.high >= 0) & ~exact
    low = torch.where(pole, -torch.inf, 1 / a.high)
    high = torch.where(pole, torch.inf, 1 / a.low)
    squares = product((low, high), (low, high))
    steep = torch.where(pole, 0.0, squares[0]), squares[1]
    found = made((low, high), product((-steep[1], -steep[0]), a.slope), a)
    at_pole = exact & (a.low == 0) & ((a.down != 0) | (a.up != 0))
    zero = pole | (a.low == 0)
    return replace(found, broken=found.broken | pole | at_pole, partial=found.partial | zero)


def divide(a: Enclosure, b: Enclosure) -> Enclosure:
    """a / b; unbounded and broken over a pole."""
    found = multiply(a, _reciprocal(b))
    quotients = [x / y for x in a.range for y in b.range]
    apart = (b.low > 0) | (b.high < 0) | (b.low == b.high)
    low, high = (functools.reduce(f, quotients) for f in (torch.minimum, torch.maximum))
    known = apart & ~low.isnan() & ~high.isnan()
    return replace(
        found,
        low=torch.where(known, low, found.low),
        high=torch.where(known, high, found.high),
    )


def _wave(x: Range) -> Range:
    """The range of the sine."""
    turn = 2 * math.pi

    def holds(angle: float) -> Tensor:
        return ((x[0] - angle) / turn).ceil() <= ((x[1] - angle) / turn).floor()

    ends = x[0].sin(), x[1].sin()
    wide = ~(x[1] - x[0]).isfinite()
    low = torch.where(holds(-math.pi / 2) | wide, -1.0, torch.minimum(*ends))
    high = torch.where(holds(math.pi / 2) | wide, 1.0, torch.maximum(*ends))
    return low, high


def _cowave(x: Range) -> Range:
    """The range of the cosine."""
    return _wave((x[0] + math.pi / 2, x[1] + math.pi / 2))


def sin(a: Enclosure) -> Enclosure:
    """sin a."""
    return made(_wave(a.range), product(_cowave(a.range), a.slope), a)


def cos(a: Enclosure) -> Enclosure:
    """cos a."""
    low, high = _wave(a.range)
    return made(_cowave(a.range), product((-high, -low), a.slope), a)


def tan(a: Enclosure) -> Enclosure:
    """tan a; unbounded and broken over a pole."""
    pole = (a.low / math.pi + 0.5).floor() != (a.high / math.pi + 0.5).floor()
    low, high = a.low.tan(), a.high.tan()
    value = torch.where(pole, -torch.inf, low), torch.where(pole, torch.inf, high)
    squares = product(value, value)
    crosses = (value[0] <= 0) & (value[1] >= 0)
    slope = product((1 + torch.where(crosses, 0.0, squares[0]), 1 + squares[1]), a.slope)
    found = made(value, slope, a)
    return replace(found, broken=found.broken | pole)


def absolute(a: Enclosure) -> Enclosure:
    """abs(a)."""
    near = torch.where(a.low > 0, a.low, torch.where(a.high < 0, -a.high, 0.0))
    far = torch.maximum(a.low.abs(), a.high.abs())
    sign = torch.where(a.low >= 0, 1.0, -1.0), torch.where(a.high <= 0, -1.0, 1.0)
    return made((near, far), product(sign, a.slope), a)


def _raised(x: Range, n: Tensor) -> Range:
    """The range of x^n, n known; whole n, or x >= 0."""
    ends = torch.pow(x[0], n), torch.pow(x[1], n)
    crosses = (x[0] < 0) & (x[1] > 0)
    low, high = torch.minimum(*ends), torch.maximum(*ends)
    pole = (x[0] <= 0) & (x[1] >= 0) & (n < 0)
    bowl = crosses & (n > 0) & (n % 2 == 0)
    low = torch.where(pole, -torch.inf, torch.where(bowl, 0.0, low))
    return low, torch.where(pole, torch.inf, high)


def power(a: Enclosure, b: Enclosure) -> Enclosure:
    """a^b."""
    known = (b.low == b.high) & (b.down == 0) & (b.up == 0)
    fixed = _to_known_power(a, torch.where(known, b.low, 1.0), b)
    if bool(known.all()):
        return fixed
    free, negative = exp(multiply(b, log(a))), a.low < 0
    nowhere = (a.high < 0) & (b.low.ceil() > b.high.floor())
    free = replace(
        free,
        low=torch.where(negative, -torch.inf, free.low),
        high=torch.where(negative, torch.inf, free.high),
        broken=free.broken | negative,
        void=nowhere,
        partial=free.partial | negative,
    )
    return selected(known, ~known, fixed, free)


def _to_known_power(a: Enclosure, n: Tensor, b: Enclosure) -> Enclosure:
    whole = n == n.floor()
    cut = _domain(a, 0.0, math.inf)
    low, high = torch.where(whole, a.low, cut.low), torch.where(whole, a.high, cut.high)
    slope = product(product((n, n), _raised((low, high), n - 1)), a.slope)
    found = made(_raised((low, high), n), slope, a, b)
    pole = (low <= 0) & (high >= 0) & (n < 0)
    broken = found.broken | pole | (cut.broken & ~whole)
    return replace(
        found,
        broken=broken,
        void=(found.void | (cut.void & ~whole)) & (n != 0),
        partial=found.partial | pole | (cut.partial & ~whole),
    )


def steps(function: Callable[[Tensor], Tensor]) -> Callable[[Enclosure], Enclosure]:
    """floor and round: constant between their jumps."""

    def apply(a: Enclosure) -> Enclosure:
        low, high = function(a.low), function(a.high)
        found = made((low, high), (ZERO, ZERO), a)
        return replace(found, broken=found.broken | (low != high))

    return apply


def larger(a: Enclosure, b: Enclosure) -> Enclosure:
    """max(a, b)."""
    first, second = a.low >= b.high, b.low >= a.high
    either = hull(a, b)
    slope = [
        torch.where(first, getattr(a, end), torch.where(second, getattr(b, end), hull))
        for end, hull in (("down", either.down), ("up", either.up))
    ]
    value = torch.maximum(a.low, b.low), torch.maximum(a.high, b.high)
    return made(value, (slope[0], slope[1]), a, b)


def smaller(a: Enclosure, b: Enclosure) -> Enclosure:
    """min(a, b)."""
    return negate(larger(negate(a), negate(b)))


def _choice(yes: Tensor, no: Tensor, *parts: Enclosure) -> Enclosure:
    """A truth value: 1 where surely ``yes``, 0 where surely ``no``."""
    found = made((yes.double(), (~no).double()), (ZERO, ZERO), *parts)
    return replace(found, broken=found.broken | ~(yes | no), void=NO, partial=NO)


def _compared(yes: Tensor, no: Tensor, *parts: Enclosure) -> Enclosure:
    """A comparison, which is false where a part has no value."""
    void, partial = (
        functools.reduce(torch.logical_or, [getattr(part, name) for part in parts])
        for name in ("void", "partial")
    )
    return _choice(yes & ~void & ~partial, no | void, *parts)


def _truth(a: Enclosure) -> tuple[Tensor, Tensor]:
    """Whether it surely counts as true, as NaN does, and surely as false."""
    zero = (a.low == 0) & (a.high == 0)
    return (a.low > 0) | (a.high < 0) | a.void, zero & ~a.void & ~a.partial


def where(condition: Enclosure, a: Enclosure, b: Enclosure) -> Enclosure:
    """``a`` where the condition counts as true, else ``b``."""
    yes, no = _truth(condition)
    found = selected(yes, no, a, b)
    return replace(found, broken=found.broken | ~(yes | no) | condition.broken)


def bits(operator: str) -> Callable[..., Enclosure]:
    """A bit operator: exact on decided integers, open on others."""

    def apply(*parts: Enclosure) -> Enclosure:
        decided = functools.reduce(torch.logical_and, [p.low == p.high for p in parts])
        at = [torch.where(decided, p.low, 0.0).long() for p in parts]
        value = TORCH[operator](*at).double()
        found = made(
            (torch.where(decided, value, -torch.inf), torch.where(decided, value, torch.inf)),
            (ZERO, ZERO),
            *parts,
        )
        return replace(found, broken=found.broken | ~decided)

    return apply


def floor_divide(a: Enclosure, b: Enclosure) -> Enclosure:
    """floor(a / b); -1 divided by infinity is -1, as floating point has it."""
    found = steps(torch.floor)(divide(a, b))
    endless = b.low.isinf() | b.high.isinf()
    low = torch.where(endless, found.low - 1, found.low)
    return replace(found, low=low, broken=found.broken | endless)


def equal(a: Enclosure, b: Enclosure) -> Enclosure:
    """Whether a = b."""
    same = (a.low == a.high) & (b.low == b.high) & (a.low == b.low)
    return _compared(same, (a.high < b.low) | (b.high < a.low), a, b)


def negation(a: Enclosure) -> Enclosure:
    """not a."""
    yes, no = _truth(a)
    return _choice(no, yes, a)


def less(a: Enclosure, b: Enclosure) -> Enclosure:
    """Whether a < b."""
    return _compared(a.high < b.low, a.low >= b.high, a, b)


def at_most(a: Enclosure, b: Enclosure) -> Enclosure:
    """Whether a <= b."""
    return _compared(a.high <= b.low, a.low > b.high, a, b)


def both(a: Enclosure, b: Enclosure) -> Enclosure:
    """a and b."""
    (yes, no), (also, nor) = _truth(a), _truth(b)
    return _choice(yes & also, no | nor, a, b)


_FUNCTIONS: Mapping[str, Callable[..., Enclosure]] = {
    "+": add,
    "-": lambda a, b: add(a, negate(b)),
    "*": multiply,
    "/": divide,
    "//": floor_divide,
    "%": lambda a, b: add(a, negate(multiply(b, floor_divide(a, b)))),
    "**": power,
    "negate": negate,
    "<": less,
    "<=": at_most,
    ">": lambda a, b: less(b, a),
    ">=": lambda a, b: at_most(b, a),
    "==": equal,
    "!=": lambda a, b: negation(equal(a, b)),
    "and": both,
    "or": lambda a, b: negation(both(negation(a), negation(b))),
    "not": negation,
    "exp": exp,
    "log": log,
    "sqrt": sqrt,
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "tanh": rising(torch.tanh, hump(lambda x: 1 - x.tanh() ** 2)),
    "sigmoid": rising(torch.sigmoid, hump(lambda x: x.sigmoid() * (-x).sigmoid())),
    "logit": logit,
    "abs": absolute,
    "floor": steps(torch.floor),
    "round": steps(torch.round),
    "min": lambda *parts: functools.reduce(smaller, parts),
    "max": lambda *parts: functools.reduce(larger, parts),
    "where": where,
    "clip": lambda value, low, high: smaller(larger(value, low), high),
    **{operator: bits(operator) for operator in ("&", "|", "^", "~", "<<", ">>")},
}


def _either(name: str) -> Callable[..., Any]:
    """The operation on enclosures where one is given, else on numbers."""

    def apply(*values: Any) -> Any:
        if any(isinstance(value, Enclosure) for value in values):
            return _FUNCTIONS[name](*map(enclosed, values))
        return TORCH[name](*values)

    return apply


ENCLOSURES: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {name: _either(name) for name in TORCH}
)
"""The meaning of every operator and function on enclosures, with the keys of ``OPERATIONS``."""
