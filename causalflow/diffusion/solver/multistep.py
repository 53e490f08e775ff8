"""DPM-Solver++(2M): the predicted image extrapolated in log-SNR, one call a step.

Notation: x_0 = y - tau v the predicted image, lambda = log((1 - tau) / tau) the half log-SNR,
q, t, s three nodes in the order of the walk. With x_0 constant over a step the flow is solved by

    y_s = (s / t) y_t + (1 - s / t) D,     D = x_0(t),

which is DDIM. The second order puts D at the middle of the step, by the line through the last two,

    D = x_0(t) + (x_0(t) - x_0(q)) / (2 r),     r = (lambda_t - lambda_q) / (lambda_s - lambda_t).

The first step has no q, and at tau = 1, where lambda is infinite, there is no r: D = x_0(t) there.
The formula is the paper's, whose alpha and sigma enter by their ratio alone. It is stable under
guidance, and does not return exactly from the noise.

Source: Lu et al. (2022), DPM-Solver++, algorithm 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from torch import Tensor

from causalflow.diffusion.path import data_of
from causalflow.diffusion.solver.base import Field, Solver, State, alone

__all__ = ["DPM_2M"]


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
