"""Stopping: the least noise at which the class is in doubt, and a flow that ends there.

Notation: y(tau) the flow from an image towards noise under its factual parents; q(y, tau) the
largest probability that a predictor gives to a level of the parents that change
(`causalflow.diffusion.predictor.confidence`). The stopping time of a row is the smallest tau* with

    q(y(tau*), tau*) <= 1/2 + margin,

the far end of the grid where there is none (as where the prior itself is so lopsided). Abducting to
tau* only and decoding from there keeps what the noise up to tau* leaves of the image, and is
deterministic and invertible; the aim is that of the balanced latent space
(`causalflow.diffusion.balance`).

tau* differs from row to row, and solvers have one time for all: `clock` runs the field in the time
s in [0, 1] with tau = start + (end - start) s, so that dy/ds = (end - start) v(y, tau(s)). It suits
solvers that read differences of time only, not those that read tau itself ("dpm++2m", "ancestral").

The search follows the flow by leap-frog, one call a step, then bisects within the step in which q
falls below, on the cubic through both ends' positions and velocities: there no network is called,
and the error of tau* is that of the solver, of order two.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor

from causalflow.diffusion.field import Field, Time
from causalflow.diffusion.path import column, precise

__all__ = ["MARGIN", "Confidence", "clock", "stopping_time"]

MARGIN = 0.05
BISECTIONS = 20

Confidence: TypeAlias = Callable[[Tensor, Time, Tensor], Tensor]
_Arc: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor]  # y and w at one end, y and w at the other


def stopping_time(
    field: Field, confidence: Confidence, y: Tensor, grid: Tensor, *, margin: float = MARGIN
) -> Tensor:
    """tau* of each row, shape (batch,), float64; as many calls of the field as the grid has nodes.

    Args:
        field: the unguided velocity under the factual parents.
        confidence: q(y, tau, velocity), shape (batch,); tau one number, or shape (batch,).
        y: positions at the first node, shape (batch, channel, height, width).
        grid: the nodes from the data upwards; tau* is sought between the first and the last.
        margin: of the threshold over 1/2.
    """
    y, nodes, threshold = precise(y), grid.tolist(), 0.5 + margin
    w = field(y, nodes[0]).to(y)
    sure = confidence(y, nodes[0], w) > threshold
    low = sure.to(y) * (nodes[-1] - nodes[0]) + nodes[0]
    arc, high = (y, w, y, w), low
    for t, s in pairwise(nodes):
        start, (y, w) = (y, w), _leap_frog(field, y, w, t, s)
        crossed = sure & (confidence(y, s, w) <= threshold)
        low, high = torch.where(crossed, t, low), torch.where(crossed, s, high)
        arc = _where(crossed, (*start, y, w), arc)
        sure = sure & ~crossed
        if not sure.any():
            break
    return _bisect(confidence, arc, low, high, threshold)


def clock(field: Field, start: Time, end: Time) -> Field:
    """The field in the time s in [0, 1] that runs tau from ``start`` to ``end``.

    Args:
        field: v(y, tau), given tau of shape (batch,) where an end is.
        start: tau at s = 0, one number or shape (batch,).
        end: tau at s = 1, likewise.

    Example:
        >>> half = clock(lambda y, tau: torch.ones_like(y), 0.0, torch.tensor([0.5, 1.0]))
        >>> half(torch.zeros(2, 1), 0.3).tolist()
        [[0.5], [1.0]]
    """
    return lambda y, s: column(end - start, y) * field(y, start + (end - start) * s)


def _leap_frog(field: Field, y: Tensor, w: Tensor, t: float, s: float) -> tuple[Tensor, Tensor]:
    """Position and velocity at s from those at t; as in `causalflow.diffusion.solver`."""
    middle = y + (s - t) / 2 * w
    w = 2 * field(middle, (t + s) / 2).to(y) - w
    return middle + (s - t) / 2 * w, w


def _where(rows: Tensor, chosen: _Arc, others: _Arc) -> _Arc:
    """An arc of which some rows are of ``chosen``."""
    mask = rows.reshape(-1, *[1] * (chosen[0].ndim - 1))
    a, b, c, d = (torch.where(mask, x, y) for x, y in zip(chosen, others, strict=True))
    return a, b, c, d


def _bisect(
    confidence: Confidence, arc: _Arc, low: Tensor, high: Tensor, threshold: float
) -> Tensor:
    """The time in [low, high], (batch,) each, from which on q is at most the threshold."""
    floor, ceiling = torch.zeros_like(low), torch.ones_like(low)
    for _ in range(BISECTIONS):
        fraction = (floor + ceiling) / 2
        position, velocity = _along(arc, fraction, high - low)
        unsure = confidence(position, torch.lerp(low, high, fraction), velocity) <= threshold
        floor = torch.where(unsure, floor, fraction)
        ceiling = torch.where(unsure, fraction, ceiling)
    return torch.lerp(low, high, ceiling)


def _along(arc: _Arc, fraction: Tensor, span: Tensor) -> tuple[Tensor, Tensor]:
    """Position on the cubic through both ends (Hermite's), and the velocity between theirs."""
    before, leaving, after, arriving = arc
    f, h = column(fraction, before), column(span, before)
    turn = f * (1 - f) * h * ((1 - f) * leaving - f * arriving)
    straight = f**2 * (3 - 2 * f) * (after - before)
    return before + straight + turn, torch.lerp(leaving, arriving, f)
