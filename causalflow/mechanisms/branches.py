"""Branches: enclosures of what jumps, chooses and compares.

Notation and meaning are those of `causalflow.mechanisms.enclosure`. A truth value is 1 or 0; one
that is not decided on a box is in [0, 1], and broken.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from causalflow.mechanisms.curves import divide
from causalflow.mechanisms.enclosure import NO, ZERO, Enclosure, hull, made, negate, selected
from causalflow.mechanisms.operations import TORCH

__all__ = [
    "at_most",
    "bits",
    "both",
    "equal",
    "floor_divide",
    "larger",
    "less",
    "negation",
    "smaller",
    "steps",
    "where",
]


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
