"""Explicit solvers: a step is computed from positions alone, and none returns exactly from noise.

Notation: h = s - t a step from tau = t to tau = s, of either sign; x_0 = y - tau v the predicted
image; lambda = log((1 - tau) / tau) the half log-SNR; q the node before t in the order of the walk.

    ddim      y' = y + h v(y, t)
    midpoint  y' = y + h v(y + h/2 v(y, t), t + h/2)
    heun      y' = y + h/2 (k + v(y + h k, s)),  k = v(y, t)
    dpm++2m   y' = (s / t) y + (1 - s / t) D,    D = x_0(t) + (x_0(t) - x_0(q)) / (2 r),
                                                 r = (lambda_t - lambda_q) / (lambda_s - lambda_t)

Euler in flow coordinates *is* DDIM. With D = x_0(t) the last formula is DDIM too; the second order
puts D at the middle of the step, by the line through the last two predicted images. The first step
has no q, and at tau = 1, where lambda is infinite, there is no r: D = x_0(t) there. It is stable
under guidance. (On Gaussian data the midpoint gains two orders, since the variance of y is
quadratic in tau: tests pin the order on a mixture.)

*ddim-fixed-point* goes to the data as DDIM, and to the noise by the step that DDIM undoes: from y
at s to the fixed point of

    z <- y + (t - s) v(z, t),

iterated `ITERATIONS` times from z = y. It contracts where (t - s) |dv/dy| < 1, each time by that
factor; where the field is steep it is not close, so the method does not count as reversible.

Sources: Song et al. (2021), DDIM; Lu et al. (2022), DPM-Solver++, algorithm 2, whose alpha and
sigma enter by their ratio alone; Pan et al. (2023), Effective Real Image Editing with Accelerated
Iterative Diffusion Inversion; Meiri et al. (2023), Fixed-point Inversion for Text-to-image
diffusion models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from torch import Tensor

from causalflow.diffusion.path import data_of
from causalflow.diffusion.solver.solver import Field, Solver, State, alone, stepping

__all__ = ["DDIM", "DDIM_FIXED_POINT", "DPM_2M", "HEUN", "ITERATIONS", "MIDPOINT", "fixed_point"]


def _euler(field: Field, state: State, t: float, s: float) -> State:
    (y,) = state
    return (y + (s - t) * field(y, t),)


def _midpoint(field: Field, state: State, t: float, s: float) -> State:
    (y,) = state
    middle = y + (s - t) / 2 * field(y, t)
    return (y + (s - t) * field(middle, (t + s) / 2),)


def _heun(field: Field, state: State, t: float, s: float) -> State:
    (y,) = state
    slope = field(y, t)
    return (y + (s - t) / 2 * (slope + field(y + (s - t) * slope, s)),)


DDIM = Solver(name="ddim", order=1, calls_per_step=1, start=alone, walk=stepping(_euler))
MIDPOINT = Solver(name="midpoint", order=2, calls_per_step=2, start=alone, walk=stepping(_midpoint))
HEUN = Solver(name="heun", order=2, calls_per_step=2, start=alone, walk=stepping(_heun))


ITERATIONS = 5


def fixed_point(
    field: Field, y: Tensor, s: float, t: float, iterations: int = ITERATIONS
) -> Tensor:
    """The position at t, nearer to the noise, that a step of DDIM takes to y at s."""
    z = y
    for _ in range(iterations):
        z = y + (t - s) * field(z, t)
    return z


def _implicit(field: Field, state: State, s: float, t: float) -> State:
    (y,) = state
    return (fixed_point(field, y, s, t),)


DDIM_FIXED_POINT = Solver(
    name="ddim-fixed-point",
    order=1,
    calls_per_step=1,
    calls_per_climb=ITERATIONS,
    start=alone,
    walk=DDIM.walk,
    climb=stepping(_implicit),
)


def _walk(field: Field, state: State, nodes: Sequence[float]) -> Iterator[State]:
    yield state
    (y,) = state
    before: Tensor | None = None
    for i in range(len(nodes) - 1):
        t, s = nodes[i], nodes[i + 1]
        image = data_of(field(y, t), y, t)
        middle = image
        if before is not None:
            middle = image + _slope(nodes[i - 1], t, s) * (image - before)
        y, before = (s / t) * y + (1 - s / t) * middle, image
        yield (y,)


def _slope(q: float, t: float, s: float) -> float:
    """1 / (2 r); 0 where a node is at tau = 1."""
    if max(q, t, s) >= 1:
        return 0.0
    return (_log_snr(s) - _log_snr(t)) / (2 * (_log_snr(t) - _log_snr(q)))


def _log_snr(tau: float) -> float:
    return math.log((1 - tau) / tau)


DPM_2M = Solver(name="dpm++2m", order=2, calls_per_step=1, start=alone, walk=_walk)
