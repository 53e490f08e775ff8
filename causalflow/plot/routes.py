"""Routes: the curve of each edge, around the nodes it does not join.

An edge is a cubic curve between two centres that bows to one side by its *peak*, in inches, evenly,
skewed to either end, or to both sides in turn. Of some such curves the cheapest is taken: nodes in
the way cost most, then running along another edge, crossing one, sharing an end with one, being
too short to be seen, and the bow itself. Edges are routed one after another, straight ones first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "Wire", "clip", "route"]

Curve: TypeAlias = NDArray[np.float64]

SAMPLES = 41
CLEARANCE = 0.16
SHORTEST = 0.75
PEAKS = (0.22, 0.42, 0.7, 1.0, 1.4, 1.9, 2.6)
SHAPES = ((1.0, 1.0), (1.6, 0.3), (0.3, 1.6), (1.2, -1.2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A node's place: centre, width, height; ``ellipse`` tells where its border runs."""

    x: float
    y: float
    width: float
    height: float
    ellipse: bool = False

    def contains(self, points: Curve, margin: float = 0.0) -> NDArray[np.bool_]:
        """Whether each of the points, shape (n, 2), is inside or within ``margin`` of it."""
        half = np.array([self.width / 2 + margin, self.height / 2 + margin])
        scaled = np.abs(points - (self.x, self.y)) / half
        distance = np.sum(scaled**2, axis=1) if self.ellipse else np.max(scaled, axis=1)
        return np.asarray(distance <= 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """An edge to be routed; a bowed one is never straight."""

    source: str
    target: str
    bowed: bool = False


def route(wires: Sequence[Wire], boxes: Mapping[str, Box]) -> list[Curve]:
    """The curve of each wire between its ends' borders, shape (points, 2)."""
    routed: dict[int, Curve] = {}
    for index in sorted(range(len(wires)), key=lambda i: _priority(wires[i], boxes)):
        wire = wires[index]
        others = [box for name, box in boxes.items() if name not in (wire.source, wire.target)]
        candidates = _candidates(boxes[wire.source], boxes[wire.target], wire.bowed)
        routed[index] = _cheapest(candidates, others, list(routed.values()))
    return [routed[index] for index in range(len(wires))]


def _cheapest(
    candidates: Iterable[tuple[Curve, float]], others: Sequence[Box], routed: Sequence[Curve]
) -> Curve:
    """The curve of least total cost; candidates come in order of the cost of their own shape."""
    best, least = np.zeros((0, 2)), np.inf
    for curve, bow in candidates:
        if bow >= least:
            break
        total = bow + _cost(curve, others, routed)
        if total < least:
            best, least = curve, total
    return best


def _candidates(a: Box, b: Box, bowed: bool) -> Iterator[tuple[Curve, float]]:
    """Curves to choose from, each with the cost of its own shape, which grows."""
    bows = [] if bowed else [(0.0, 0.0, 0.0)]
    bows += [
        (0.8 * peak + (0.0 if first == second else 0.5), side * peak * first, side * peak * second)
        for peak in PEAKS
        for first, second in SHAPES
        for side in (1, -1)
        if not bowed or peak > 0.3
    ]
    for cost, bow_a, bow_b in sorted(bows, key=itemgetter(0)):
        yield _between(a, b, bow_a, bow_b), cost


def clip(curve: Curve, box: Box, margin: float) -> Curve:
    """The curve up to where it last enters ``box``, which holds its end, with the border point."""
    inside = box.contains(curve, margin)
    outside = np.flatnonzero(~inside)
    if not len(outside) or outside[-1] == len(curve) - 1:
        return curve
    last = outside[-1]
    near, far = curve[last], curve[last + 1]
    for _ in range(20):
        middle = (near + far) / 2
        near, far = (near, middle) if box.contains(middle[None], margin)[0] else (middle, far)
    return np.vstack([curve[: last + 1], far])


def _priority(wire: Wire, boxes: Mapping[str, Box]) -> tuple[bool, float]:
    a, b = boxes[wire.source], boxes[wire.target]
    return wire.bowed, abs(a.x - b.x) + abs(a.y - b.y)


def _between(a: Box, b: Box, bow_a: float, bow_b: float) -> Curve:
    """A cubic curve that bows by so many inches near ``a`` and near ``b``."""
    start, end = np.array([a.x, a.y]), np.array([b.x, b.y])
    along = end - start
    normal = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-9)
    first = start + 0.22 * along + 4 / 3 * bow_a * normal
    second = start + 0.78 * along + 4 / 3 * bow_b * normal
    t = np.linspace(0, 1, SAMPLES)[:, None]
    curve = (
        (1 - t) ** 3 * start
        + 3 * t * (1 - t) ** 2 * first
        + 3 * t**2 * (1 - t) * second
        + t**3 * end
    )
    return clip(clip(curve, b, 0.03)[::-1], a, 0.03)[::-1]


def _cost(curve: Curve, others: Sequence[Box], routed: Sequence[Curve]) -> float:
    hidden = SHORTEST - float(np.hypot(*np.diff(curve, axis=0).T).sum())
    return (
        4.0 * max(0.0, hidden)
        + sum(_blocked(curve, box) for box in others)
        + sum(
            _alongside(curve, other) + 0.6 * _crossings(curve, other) + _shared_tips(curve, other)
            for other in routed
            if _is_near(curve, other)
        )
    )


def _is_near(curve: Curve, other: Curve) -> bool:
    """Whether the bounding boxes meet, all but a clearance."""
    gap = np.maximum(curve.min(axis=0) - other.max(axis=0), other.min(axis=0) - curve.max(axis=0))
    return bool(gap.max() < CLEARANCE)


def _blocked(curve: Curve, box: Box) -> float:
    """How far the curve comes into the box's clearance; much more where it touches the box."""
    reach = np.abs(curve - (box.x, box.y)) - (box.width / 2, box.height / 2)
    distance = np.hypot(*np.maximum(reach, 0).T)
    inside = float(np.mean(distance == 0))
    return 30.0 * max(0.0, CLEARANCE - float(distance.min())) + (20 + 50 * inside) * (inside > 0)


def _shared_tips(curve: Curve, other: Curve) -> float:
    """A cost for each pair of ends that would lie on each other."""
    gaps = np.hypot(*(curve[[0, -1], None] - other[None, [0, -1]]).transpose(2, 0, 1))
    return 0.35 * float(np.sum(gaps < 0.12))


def _alongside(curve: Curve, other: Curve) -> float:
    """The share of the curve that runs within a hand's breadth of another, ends left out."""
    middle = curve[len(curve) // 6 : -max(len(curve) // 6, 1)]
    gaps = np.hypot(*(middle[:, None] - other[None]).transpose(2, 0, 1)).min(axis=1)
    return 4.0 * float(np.mean(gaps < 0.1)) if len(gaps) else 0.0


def _crossings(curve: Curve, other: Curve) -> int:
    """Number of pairs of segments that cross."""
    a, b = curve[:-1, None], curve[1:, None]
    c, d = other[None, :-1], other[None, 1:]
    apart = _side(a, b, c) * _side(a, b, d) < 0
    return int(np.sum(apart & (_side(c, d, a) * _side(c, d, b) < 0)))


def _side(a: Curve, b: Curve, c: Curve) -> Curve:
    u, v = b - a, c - a
    return np.asarray(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0])
