"""Isolation: every u on a line with f(u) = x, each root in a box of its own.

Notation: f a function of the row and of u, x the row's value, [a, b] a box of u, F and F' the
enclosures of f and of its slope on the box (`causalflow.mechanisms.equation.enclosure`).

    x outside F, or further from f(middle) than F' allows    no solution: the box goes
    F' = 0                                                   f is constant: all of the box, or none
    F' > 0 or F' < 0                                         one root if f - x changes sign, else
                                                             none; bracketed to the last digit
    else                                                     halved

so that nothing is found by luck: a root can only hide in a box of relative width `NARROWEST`, whose
probability is below 1e-13 (1e-6 where noises are drawn by the thousand, far below the error of
drawing). Such a box remains at a jump, at the end of a flat piece, and where f touches x (a double
root, a corner); of these the last are solutions, told by f(middle) = x.

Two numbers are the same up to the rounding of float32, by which evidence may have passed.

Source: Moore, Kearfott & Cloud (2009), Introduction to Interval Analysis, chapter 8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.limits import BOXES_OF_A_DRAW, BOXES_OF_A_ROW, BOXES_OF_DRAWS
from causalflow.mechanisms.equation.enclosure import Enclosure

__all__ = ["Solutions", "UndecidedError", "isolate"]

NARROWEST, NARROWEST_OF_DRAWS = 2.0**-46, 2.0**-22
"""Width of the last boxes, relative to their place or to the spread of u."""
ROUNDING = 1e-13
"""Relative error of an enclosure's ends."""
CLOSE = 2.0**-17
"""Of the spread: two crossings this near to a double root are what it has become by rounding."""
STEPS = 200
FLOAT32 = 1e-6
AT_A_TIME = 1 << 20
"""Boxes that are looked at together."""

Function = Callable[[Tensor, Tensor], Tensor]
"""(rows, u) -> f, each of shape (points,)."""
Bounds = Callable[[Tensor, Tensor, Tensor], Enclosure]
"""(rows, low, high) -> the enclosure of f in those boxes."""


class UndecidedError(Exception):
    """A row's solutions are too many, or too close together, for bounded work."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row


@dataclass(frozen=True, slots=True, kw_only=True)
class Solutions:
    """The solutions u of f(u) = x in many rows, in no order.

    Attributes:
        row: whose solution it is, shape (solutions,).
        low, high: the ends of a flat piece; equal at a root.
        touching: whether f only touches x there.
    """

    row: Tensor
    low: Tensor
    high: Tensor
    touching: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class _Boxes:
    row: Tensor
    low: Tensor
    high: Tensor

    def __getitem__(self, chosen: Tensor | slice) -> _Boxes:
        return _Boxes(row=self.row[chosen], low=self.low[chosen], high=self.high[chosen])

    def __len__(self) -> int:
        return len(self.row)

    @property
    def middle(self) -> Tensor:
        return self.low + (self.high - self.low) / 2

    def narrower(self, width: float, spread: float) -> Tensor:
        """Whether each box is no wider than so much of its place, or of the spread of u."""
        size = torch.maximum(self.low.abs(), self.high.abs()).clamp_min(spread)
        return self.high - self.low <= width * size

    def halves(self) -> _Boxes:
        middle = self.middle
        return _Boxes(
            row=torch.cat([self.row, self.row]),
            low=torch.cat([self.low, middle]),
            high=torch.cat([middle, self.high]),
        )


def isolate(
    f: Function,
    bounds: Bounds,
    x: Tensor,
    edges: Tensor,
    spread: float,
    scale: Tensor,
    drawn: bool = False,
) -> Solutions:
    """Every solution between the first and the last edge.

    Args:
        f: the function.
        bounds: its enclosure.
        x: values, shape (rows,).
        edges: the ends of the first boxes, rising, shape (boxes + 1,).
        spread: a typical width of u.
        scale: the size that f has in each row, for what counts as 0; shape (rows,).
        drawn: whether the rows are draws, by the thousand, for which there is less time.

    Raises:
        UndecidedError: more boxes of a row, or of all, than `causalflow.limits` has.
    """
    count, places = len(x), len(edges) - 1
    boxes = _Boxes(
        row=torch.arange(count, device=x.device).repeat_interleave(places),
        low=edges[:-1].repeat(count),
        high=edges[1:].repeat(count),
    )
    tolerance = FLOAT32 * x.abs() + ROUNDING * scale
    narrowest = NARROWEST_OF_DRAWS if drawn else NARROWEST
    spent = torch.zeros(count, dtype=torch.int64, device=x.device)
    flat, single, last, waiting = [], [], [], [boxes]
    while waiting:
        boxes = waiting.pop()
        spent += torch.bincount(boxes.row, minlength=count)
        _check_work(spent, drawn)
        told = _told(f, bounds, boxes, x[boxes.row], tolerance[boxes.row])
        flat.append(boxes[told.flat & told.solves])
        single.append(boxes[told.monotone])
        narrow = told.rest & boxes.narrower(narrowest, spread)
        last.append(boxes[narrow & told.solves])
        halves = boxes[told.rest & ~narrow].halves()
        starts = range(0, len(halves), AT_A_TIME)
        waiting += [halves[slice(start, start + AT_A_TIME)] for start in starts]
    return _gathered(f, x, _joined(flat), _joined(single), _joined(last), spread, scale)


def _check_work(spent: Tensor, drawn: bool) -> None:
    """Refuse to go on with a row, or with all, after so many boxes."""
    most = BOXES_OF_A_DRAW if drawn else BOXES_OF_A_ROW
    if int(spent.max()) > most or (drawn and int(spent.sum()) > BOXES_OF_DRAWS):
        raise UndecidedError(int(spent.argmax()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What is known of f in each box, shape (boxes,); in boxes with none of it is no solution.

    Attributes:
        flat: f is constant.
        monotone: f rises, or falls.
        rest: neither, and there may be a solution.
        solves: f(middle) = x.
    """

    flat: Tensor
    monotone: Tensor
    rest: Tensor
    solves: Tensor


def _told(f: Function, bounds: Bounds, boxes: _Boxes, target: Tensor, room: Tensor) -> _Told:
    """The boxes told apart, for the values x of their rows and how far f may be from them."""
    found = bounds(boxes.row, boxes.low, boxes.high)
    at_middle = f(boxes.row, boxes.middle)
    alive = _alive(boxes, found, at_middle, target, room)
    smooth = alive & ~found.broken
    flat = smooth & (found.down == 0) & (found.up == 0)
    monotone = smooth & ~flat & ((found.down > 0) | (found.up < 0))
    return _Told(
        flat=flat,
        monotone=monotone,
        rest=alive & ~flat & ~monotone,
        solves=(at_middle - target).abs() <= room,
    )


def _alive(
    boxes: _Boxes, found: Enclosure, at_middle: Tensor, target: Tensor, room: Tensor
) -> Tensor:
    """Whether a box may hold a solution."""
    low, high = found.low, found.high
    slack = room + ROUNDING * torch.maximum(low.abs(), high.abs()).nan_to_num(0.0, 0.0, 0.0)
    outside = (target < low - slack) | (target > high + slack)
    steepest = torch.maximum(found.down.abs(), found.up.abs())
    reach = steepest * (boxes.high - boxes.low) / 2
    far = ~found.broken & ((target - at_middle).abs() > reach * (1 + ROUNDING) + slack)
    return ~(outside | far | found.void)


def _joined(parts: Sequence[_Boxes]) -> _Boxes:
    return _Boxes(
        row=torch.cat([part.row for part in parts]),
        low=torch.cat([part.low for part in parts]),
        high=torch.cat([part.high for part in parts]),
    )


def _gathered(
    f: Function,
    x: Tensor,
    flat: _Boxes,
    single: _Boxes,
    last: _Boxes,
    spread: float,
    scale: Tensor,
) -> Solutions:
    """The boxes as solutions: neighbouring flat boxes joined, brackets closed."""
    roots = _bracketed(f, x, single)
    whole = _merged(flat)
    row = torch.cat([roots.row, whole.row])
    low, high = torch.cat([roots.low, whole.low]), torch.cat([roots.high, whole.high])
    touching = torch.zeros(len(row), dtype=torch.bool, device=row.device)
    points = _touching(f, x, last, roots, whole, spread, scale)
    return Solutions(
        row=torch.cat([row, points.row]),
        low=torch.cat([low, points.low]),
        high=torch.cat([high, points.high]),
        touching=torch.cat([touching, torch.ones_like(points.row, dtype=torch.bool)]),
    )


def _bracketed(f: Function, x: Tensor, boxes: _Boxes) -> _Boxes:
    """The roots in boxes where f is monotone, by Chandrupatla's method.

    Inverse quadratic interpolation where the last three points promise it to be good, else
    bisection, so that the bracket always shrinks: a dozen steps to the last digit.

    Source: Chandrupatla (1997), Advances in Engineering Software 28, 145-149.
    """
    if not len(boxes):
        return boxes
    target = x[boxes.row]
    low, high = f(boxes.row, boxes.low) - target, f(boxes.row, boxes.high) - target
    crossing = (low <= 0) != (high <= 0)
    row, target = boxes.row[crossing], target[crossing]
    a, b = boxes.high[crossing], boxes.low[crossing]
    f_a, f_b = high[crossing], low[crossing]
    share = torch.full_like(a, 0.5)
    for _ in range(STEPS):
        place = a + share * (b - a)
        value = f(row, place) - target
        same = (value <= 0) == (f_a <= 0)
        c, f_c = torch.where(same, a, b), torch.where(same, f_a, f_b)
        b, f_b = torch.where(same, b, a), torch.where(same, f_b, f_a)
        a, f_a = place, value
        best = torch.where(f_a.abs() <= f_b.abs(), a, b)
        tight = 2**-52 * best.abs() / (b - a).abs().clamp_min(5e-324)
        if bool(((tight > 0.5) | (f_a == 0) | (f_b == 0)).all()):
            break
        share = _next_share(a, b, c, f_a, f_b, f_c)
        share = torch.minimum(torch.maximum(share, tight), 1 - tight).nan_to_num(0.5)
    root = torch.where(f_a.abs() <= f_b.abs(), a, b)
    return _Boxes(row=row, low=root, high=root)


def _next_share(a: Tensor, b: Tensor, c: Tensor, f_a: Tensor, f_b: Tensor, f_c: Tensor) -> Tensor:
    """Where between a and b to look next."""
    xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
    good = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
    quadratic = (f_a / (f_b - f_a)) * (f_c / (f_b - f_c)) + ((c - a) / (b - a)) * (
        f_a / (f_c - f_a)
    ) * (f_b / (f_c - f_b))
    return torch.where(good & quadratic.isfinite(), quadratic, 0.5)


def _merged(boxes: _Boxes) -> _Boxes:
    """Neighbouring boxes of a row as one."""
    if not len(boxes):
        return boxes
    by_place = boxes.low.argsort()
    boxes = boxes[by_place]
    boxes = boxes[boxes.row.argsort(stable=True)]
    new = torch.ones_like(boxes.row, dtype=torch.bool)
    new[1:] = (boxes.row[1:] != boxes.row[:-1]) | (boxes.low[1:] > boxes.high[:-1])
    last = torch.cat([new[1:], torch.ones_like(new[:1])])
    return _Boxes(row=boxes.row[new], low=boxes.low[new], high=boxes.high[last])


def _touching(
    f: Function, x: Tensor, last: _Boxes, roots: _Boxes, flat: _Boxes, spread: float, scale: Tensor
) -> _Boxes:
    """One point for each place where narrow boxes remain, away from crossings and flat pieces.

    Beside other solutions of the row it must meet x to the last digits.
    """
    points = _Boxes(row=last.row, low=last.middle, high=last.middle)
    crossed = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    crossed[torch.cat([roots.row, flat.row])] = True
    gap = (f(points.row, points.low) - x[points.row]).abs()
    points = points[(gap <= ROUNDING * scale[points.row]) | ~crossed[points.row]]
    if not len(points):
        return points
    others = torch.cat([roots.low, flat.low, flat.high])
    row = torch.cat([points.row, roots.row, flat.row, flat.row])
    place = torch.cat([points.low, others])
    by_place = place.argsort()
    order = by_place[row[by_place].argsort(stable=True)]
    row, place, taken = row[order], place[order], order >= len(points)
    kept = ~taken & ~_near(row, place, taken, spread)
    kept[1:] &= ~(~taken[:-1] & (row[1:] == row[:-1]) & (place[1:] - place[:-1] <= CLOSE * spread))
    return _Boxes(row=row[kept], low=place[kept], high=place[kept])


def _near(row: Tensor, place: Tensor, taken: Tensor, spread: float) -> Tensor:
    """Which of the sorted places have one that is taken close before or behind them."""
    near = torch.zeros_like(taken)
    index = torch.arange(len(row), device=row.device)
    before = torch.where(taken, index, -1).cummax(0).values
    behind = torch.where(taken, -index, -len(row)).flip(0).cummax(0).values.flip(0).neg()
    for other in (before, behind):
        there = (other >= 0) & (other < len(row))
        at = other.clamp(0, len(row) - 1)
        near |= there & (row[at] == row) & ((place[at] - place).abs() <= CLOSE * spread)
    return near
