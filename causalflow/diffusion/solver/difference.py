"""Difference: a few calls each way; what they miss is kept, and only the change is integrated.

Notation: nodes tau_0 < ... < tau_N, h_k = tau_{k+1} - tau_k, y_k the position at tau_k, v_k its
velocity; eps a fixed standard normal image, the same for all rows. The way to the noise leaves the
data without a call, by the velocity that a picture of that noise would have,

    y_1     = y_0 + h_0 (sigma eps - gamma y_0 / (1 - tau_0))
    y_{k+1} = y_k + h_k (v_k + up h_k / (2 h_{k-1}) (v_k - v_{k-1})),

the last term from k = 2 on (Adams-Bashforth; up = 1 is its second order). The way to the data is

    y_k     = y_{k+1} - h_k (v_{k+1} + down h_k / (2 h_{k+1}) (v_{k+1} - v_{k+2})) + r_k,

the slope from the second step on. The residuals r, one a step, the *tape*, are those that make the
second formula return along the positions of the first; at rest they are 0. Both formulas are linear
in v, so that under another field v' the result is y_0 + d, with d integrated by the velocities
v'(y_k + d) - v_k alone: a counterfactual is the factual picture plus a difference, and where the
field is the same d is 0, for any field and any number of steps.

Without a tape this is a coarse first-order method: images are drawn by the guided solver. It is a
method for few nodes, dense at the data (grid "early"): with N steps, N calls up, which all
interventions on a row share, and N down for each of them.

The *weights* (up, down, sigma, gamma) and the times of the nodes are options of an image node, as
every net has its best; the defaults are those of MorphoMNIST. This project's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import TypeAlias

import torch
from torch import Tensor

from causalflow.diffusion.path import precise
from causalflow.diffusion.solver.solver import Field, Solver, State
from causalflow.graph.node import Diffusion

__all__ = ["DIFFERENCE", "Scalars", "climb", "descend", "difference"]

Scalars: TypeAlias = Sequence[float | Tensor]
"""Weights or nodes: numbers, or tensors of shape () that can be learned."""
_SEED = 0


def _blank(field: Field, y: Tensor, nodes: Scalars) -> State:
    y = precise(y)
    return y, y.new_zeros(len(y), len(nodes) - 1, *y.shape[1:])


def climb(weights: Scalars, field: Field, state: State, nodes: Scalars) -> Iterator[State]:
    """The states on the way to the noise; the last one has the tape."""
    yield state
    up, down, sigma, gamma = weights
    y, tape = state
    path, velocities = [y], [y]  # the first velocity is never asked for
    for k in range(len(nodes) - 1):
        if k == 0:
            slope = sigma * _pattern(y) - gamma * y / (1 - nodes[0])
        else:
            slope = _extrapolated(velocities[1:], nodes[: k + 2], up)
        y = y + (nodes[k + 1] - nodes[k]) * slope
        velocities.append(precise(field(y, nodes[k + 1])))
        path.append(y)
        if k < len(nodes) - 2:
            yield y, tape
    yield y, _residuals(down, path[::-1], velocities[:0:-1], nodes[::-1])


def descend(weights: Scalars, field: Field, state: State, nodes: Scalars) -> Iterator[State]:
    """The states on the way to the data, the tape added."""
    yield state
    y, tape = state
    velocities: list[Tensor] = []
    for k in range(len(nodes) - 1):
        velocities.append(precise(field(y, nodes[k])))
        y = _lower(weights[1], y, velocities, nodes[: k + 2]) + tape[:, len(nodes) - 2 - k]
        yield y, tape


def _residuals(
    down: float | Tensor, path: Sequence[Tensor], velocities: Sequence[Tensor], nodes: Scalars
) -> Tensor:
    """What the way to the data misses of a path, both from the noise; kept from the data."""
    missed = [
        path[k + 1] - _lower(down, path[k], velocities[: k + 1], nodes[: k + 2])
        for k in range(len(nodes) - 1)
    ]
    return torch.stack(missed[::-1], dim=1)


def _lower(down: float | Tensor, y: Tensor, velocities: Sequence[Tensor], nodes: Scalars) -> Tensor:
    """The step to the last of the nodes, from the one before it."""
    return y + (nodes[-1] - nodes[-2]) * _extrapolated(velocities, nodes, down)


def _extrapolated(velocities: Sequence[Tensor], nodes: Scalars, weight: float | Tensor) -> Tensor:
    """The last velocity, and a part of its change, towards the middle of the step that follows."""
    if len(velocities) < 2:
        return velocities[-1]
    q, t, s = nodes[-3:]
    ratio = (s - t) / (2 * (t - q))
    return velocities[-1] + weight * ratio * (velocities[-1] - velocities[-2])


def _pattern(y: Tensor) -> Tensor:
    """eps: one image, the same for every row, on every machine."""
    return _drawn(y.shape[1:], y.dtype, y.device)


@cache
def _drawn(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Drawn once: a walk that is recorded on a GPU fetches nothing from the host."""
    generator = torch.Generator().manual_seed(_SEED)
    with torch.inference_mode(False):
        return torch.randn(shape, generator=generator).to(device, dtype)


def difference(weights: Scalars) -> Solver:
    """The solver with these weights (up, down, sigma, gamma)."""
    return Solver(
        name="difference",
        order=1,
        calls_per_step=1,
        reversible=True,
        grid="early",
        draws=False,
        weighted=difference,
        start=_blank,
        walk=partial(descend, weights),
        climb=partial(climb, weights),
    )


DIFFERENCE = difference(Diffusion().difference_weights)
