"""Enclosure: what an expression and its slope can be while one variable runs over an interval.

Notation: u the variable, in the box [a, b]; g a part of an expression, g' = dg/du.

    low <= g(u) <= high  and  down <= g'(u) <= up  for every u in the box      (inclusion)

by interval arithmetic, forwards through the expression. ``broken`` boxes may hold a jump, a pole
or an end of g's domain, and their slope says nothing; where ``broken`` is False and down = up = 0,
g is constant on the box. In a ``void`` box g has no value at all, in a ``partial`` one it may have
none somewhere (NaN, with which every comparison fails). Ends are rounded to nearest, not outwards:
who compares them leaves room for the rounding (`causalflow.mechanisms.equation.isolation`).

Source: Moore, Kearfott & Cloud (2009), Introduction to Interval Analysis, chapters 5 and 9.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

__all__ = [
    "NO",
    "ZERO",
    "Enclosure",
    "Range",
    "add",
    "enclosed",
    "hull",
    "made",
    "multiply",
    "negate",
    "product",
    "running",
    "selected",
]

Range: TypeAlias = tuple[Tensor, Tensor]
ZERO, NO = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """Intervals that hold an expression and its slope, one for each of many boxes.

    Every field has the shape (boxes,) or ().
    """

    low: Tensor
    high: Tensor
    down: Tensor = ZERO
    up: Tensor = ZERO
    broken: Tensor = NO
    void: Tensor = NO
    partial: Tensor = NO

    @property
    def range(self) -> Range:
        """The interval of the expression's values."""
        return self.low, self.high

    @property
    def slope(self) -> Range:
        """The interval of its derivative."""
        return self.down, self.up


def running(low: Tensor, high: Tensor) -> Enclosure:
    """The variable itself, running over its boxes."""
    one = torch.ones_like(low)
    return Enclosure(low=low, high=high, down=one, up=one)


def enclosed(value: Any) -> Enclosure:
    """A known value as an enclosure, which has no slope."""
    if isinstance(value, Enclosure):
        return value
    point = torch.as_tensor(value, dtype=torch.float64)
    return Enclosure(low=point, high=point, void=point.isnan())


def product(a: Range, b: Range) -> Range:
    """All products; 0 times infinity is 0."""
    corners = [(x * y).nan_to_num(0.0, math.inf, -math.inf) for x in a for y in b]
    return functools.reduce(torch.minimum, corners), functools.reduce(torch.maximum, corners)


def total(a: Range, b: Range) -> Range:
    low, high = a[0] + b[0], a[1] + b[1]
    return torch.where(low.isnan(), -torch.inf, low), torch.where(high.isnan(), torch.inf, high)


def made(value: Range, slope: Range, *parts: Enclosure) -> Enclosure:
    """An enclosure that is broken or void where one of its parts is."""
    return Enclosure(
        low=value[0],
        high=value[1],
        down=slope[0],
        up=slope[1],
        broken=functools.reduce(torch.logical_or, [part.broken for part in parts]),
        void=functools.reduce(torch.logical_or, [part.void for part in parts]),
        partial=functools.reduce(torch.logical_or, [part.partial for part in parts]),
    )


def add(a: Enclosure, b: Enclosure) -> Enclosure:
    """a + b."""
    return made(total(a.range, b.range), total(a.slope, b.slope), a, b)


def negate(a: Enclosure) -> Enclosure:
    """-a."""
    return replace(a, low=-a.high, high=-a.low, down=-a.up, up=-a.down)


def multiply(a: Enclosure, b: Enclosure) -> Enclosure:
    """a b."""
    slope = total(product(a.slope, b.range), product(a.range, b.slope))
    return made(product(a.range, b.range), slope, a, b)


def hull(a: Enclosure, b: Enclosure) -> Enclosure:
    """What holds whichever of the two is chosen."""
    return Enclosure(
        low=torch.where(a.void, b.low, torch.where(b.void, a.low, torch.minimum(a.low, b.low))),
        high=torch.where(
            a.void, b.high, torch.where(b.void, a.high, torch.maximum(a.high, b.high))
        ),
        down=torch.minimum(a.down, b.down),
        up=torch.maximum(a.up, b.up),
        broken=a.broken | b.broken,
        void=a.void & b.void,
        partial=a.partial | b.partial | (a.void ^ b.void),
    )


def selected(yes: Tensor, no: Tensor, a: Enclosure, b: Enclosure) -> Enclosure:
    """``a`` where surely ``yes``, ``b`` where surely ``no``, else what holds for both."""
    either = hull(a, b)
    chosen = {
        name: torch.where(
            yes, getattr(a, name), torch.where(no, getattr(b, name), getattr(either, name))
        )
        for name in ("low", "high", "down", "up", "broken", "void", "partial")
    }
    return Enclosure(**chosen)
