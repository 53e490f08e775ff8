"""Reversible solvers: what they carry beside the position makes every step invertible by algebra.

Notation: h = s - t a step from tau = t to tau = s, of either sign.

*alf*, asynchronous leap-frog. State (y, w), at rest w = v(y, t); a step is

    m = y + h/2 w,     w' = 2 v(m, t + h/2) - w,     y' = m + h/2 w'.

The step from s back to t with the same w visits the same m at the same time, and so is the exact
inverse. Both ways it needs steps with h |dv/dy| < 2, or w oscillates: a cosine grid keeps them
where the field is steep.

*leapfrog*, in two steps. State (y_i, y_{i-1}), or (y_0, y_1) at the start of a walk, at rest
y_1 = y_0 + (tau_1 - tau_0) v(y_0); then

    y_{i+1} = y_{i-1} + (tau_{i+1} - tau_{i-1}) v(y_i).

Walking back from (y_N, y_{N-1}) is the same formula. It is O-BELM with equal steps; the published
form, at unequal ones, multiplies y_{i-1} by the square of their ratio, which amplifies a parasitic
mode. That mode, y alternating about the flow, still grows where the flow contracts.

*edict*, in the velocity where the paper has the noise. Two positions x, y, at rest equal, take
turns in Euler steps at the noisier node's time t and are mixed; to the data, with p = .93,

    x~ = x + h v(y, t),   y~ = y + h v(x~, t),   x' = p x~ + (1 - p) y~,   y' = p y~ + (1 - p) x',

where x and y change places in every other step, counted from the data. To the noise the four
equations are solved from the last to the first, which multiplies the difference of x and y by
1 / p^2 a step: the way to the noise has no limit of many steps.

Sources: Mutze (2013), asynchronous leap-frog; Zhuang et al. (2021), MALI; Wang et al. (2024), BELM;
Wallace, Gokul & Naik (2023), EDICT.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch import Tensor

from causalflow.diffusion.path import precise
from causalflow.diffusion.solver.solver import Field, Solver, State, Step, stepping

__all__ = ["ALF", "EDICT", "LEAPFROG"]

MIXING = 0.93


def _with_velocity(field: Field, y: Tensor, nodes: Sequence[float]) -> State:
    y = precise(y)
    return y, field(y, nodes[0]).to(y.dtype)


def _asynchronous(field: Field, state: State, t: float, s: float) -> State:
    y, w = state
    middle = y + (s - t) / 2 * w
    w = 2 * field(middle, (t + s) / 2) - w
    return middle + (s - t) / 2 * w, w


def _with_neighbour(field: Field, y: Tensor, nodes: Sequence[float]) -> State:
    y = precise(y)
    return y, y + (nodes[1] - nodes[0]) * field(y, nodes[0])


def _leap(field: Field, state: State, nodes: Sequence[float]) -> Iterator[State]:
    yield state
    before, y = state
    yield y, before
    for i in range(1, len(nodes) - 1):
        before, y = y, before + (nodes[i + 1] - nodes[i - 1]) * field(y, nodes[i])
        yield y, before


def _with_copy(field: Field, y: Tensor, nodes: Sequence[float]) -> State:
    y = precise(y)
    return y, y


def _descend(field: Field, state: State, nodes: Sequence[float]) -> Iterator[State]:
    yield state
    for i, (t, s) in enumerate(pairwise(nodes)):
        state = _in_turn(_couple, len(nodes) - 2 - i, field, state, t, s)
        yield state


def _ascend(field: Field, state: State, nodes: Sequence[float]) -> Iterator[State]:
    yield state
    for i, (s, t) in enumerate(pairwise(nodes)):
        state = _in_turn(_uncouple, i, field, state, t, s)
        yield state


def _in_turn(step: Step, i: int, field: Field, state: State, t: float, s: float) -> State:
    """The i-th step from the data; x and y change places in every other."""
    return step(field, state[::-1], t, s)[::-1] if i % 2 else step(field, state, t, s)


def _couple(field: Field, state: State, t: float, s: float) -> State:
    """The step to the data, from t to s."""
    x, y = state
    x = x + (s - t) * field(y, t)
    y = y + (s - t) * field(x, t)
    x = MIXING * x + (1 - MIXING) * y
    return x, MIXING * y + (1 - MIXING) * x


def _uncouple(field: Field, state: State, t: float, s: float) -> State:
    """The step to the noise, from s to t, that `_couple` undoes."""
    x, y = state
    y = (y - (1 - MIXING) * x) / MIXING
    x = (x - (1 - MIXING) * y) / MIXING
    y = y - (s - t) * field(x, t)
    return x - (s - t) * field(y, t), y


ALF = Solver(
    name="alf",
    order=2,
    calls_to_start=1,
    calls_per_step=1,
    reversible=True,
    start=_with_velocity,
    walk=stepping(_asynchronous),
)
LEAPFROG = Solver(
    name="leapfrog",
    order=2,
    calls_per_step=1,
    reversible=True,
    start=_with_neighbour,
    walk=_leap,
)
EDICT = Solver(
    name="edict",
    order=1,
    calls_per_step=2,
    reversible=True,
    start=_with_copy,
    walk=_descend,
    climb=_ascend,
)
