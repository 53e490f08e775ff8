"""Ancestral sampling (DDPM), whose noise is part of the state: it replays, and inverts.

Notation: s < t neighbouring nodes, alpha = 1 - tau and sigma = tau, x_0 = y - tau v the predicted
image, and the forward kernel y_t = a y_s + b e with

    a = alpha_t / alpha_s,     b^2 = sigma_t^2 - a^2 sigma_s^2,     e standard normal.

To the data, y_s is drawn from the kernel's posterior given x_0,

    y_s = a sigma_s^2 / sigma_t^2 y_t + alpha_s b^2 / sigma_t^2 x_0 + (b sigma_s / sigma_t) z.

The state is (y, z of every step), the *tape*, shape (batch, steps, ...), its k-th entry that of the
step between the nodes k and k + 1 counted from the data; at rest it is zero. To the noise the tape
holds the e of the forward kernel, by which the trajectory is made, and each is replaced by the z
that takes the trajectory back: y_t and all z determine every y_s, for any field.

Sources: Ho et al. (2020), DDPM; Wu & De la Torre (2023), CycleDiffusion (noise solved for along a
forward trajectory).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from torch import Tensor

from causalflow.diffusion.path import data_of, precise
from causalflow.diffusion.solver.solver import Field, Solver, State

__all__ = ["ANCESTRAL"]


def _blank(field: Field, y: Tensor, nodes: Sequence[float]) -> State:
    y = precise(y)
    return y, y.new_zeros(len(y), len(nodes) - 1, *y.shape[1:])


def _descend(field: Field, state: State, nodes: Sequence[float]) -> Iterator[State]:
    yield state
    y, tape = state
    for i in range(len(nodes) - 1):
        mean, spread = _posterior(field, y, nodes[i], nodes[i + 1])
        y = mean + spread * tape[:, len(nodes) - 2 - i]
        yield y, tape


def _ascend(field: Field, state: State, nodes: Sequence[float]) -> Iterator[State]:
    yield state
    y, tape = state[0], state[1].clone()
    for i in range(len(nodes) - 1):
        scale, spread = _kernel(nodes[i], nodes[i + 1])
        before, y = y, scale * y + spread * tape[:, i]
        mean, spread = _posterior(field, y, nodes[i + 1], nodes[i])
        tape[:, i] = (before - mean) / spread
        yield y, tape


def _kernel(s: float, t: float) -> tuple[float, float]:
    """The factors a and b of the forward kernel from s to t, s < t."""
    scale = (1 - t) / (1 - s)
    return scale, math.sqrt(t**2 - (scale * s) ** 2)


def _posterior(field: Field, y: Tensor, t: float, s: float) -> tuple[Tensor, float]:
    """Mean and standard deviation of y_s given y_t = y and the predicted image, s < t."""
    scale, spread = _kernel(s, t)
    image = data_of(field(y, t), y, t)
    mean = scale * (s / t) ** 2 * y + (1 - s) * (spread / t) ** 2 * image
    return mean, spread * s / t


ANCESTRAL = Solver(
    name="ancestral",
    order=1,
    calls_per_step=1,
    reversible=True,
    stochastic=True,
    start=_blank,
    walk=_descend,
    climb=_ascend,
)
