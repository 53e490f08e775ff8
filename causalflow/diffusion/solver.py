"""Solver: the flow dy/dtau = v(y, tau), step by step and in both directions.

Notation: y the position in flow coordinates (`causalflow.diffusion.path`), h = s - t a step from
tau = t to tau = s, of either sign. A *field* is v(y, tau), tau a number; guidance and parents are
inside it. A solver is data and two pure functions: ``start`` makes its state from a position,
``step`` moves the state from t to s. The state is a tuple of tensors whose first is the position.

    ddim      y' = y + h v(y, t); Euler, which in these coordinates *is* DDIM
    midpoint  y' = y + h v(y + h/2 v(y, t), t + h/2)
    heun      y' = y + h/2 (k + v(y + h k, s)),  k = v(y, t)
    alf       state (y, w), at the start w = v(y, t);
              m = y + h/2 w,  w' = 2 v(m, t + h/2) - w,  y' = m + h/2 w'

A step of ``alf`` (asynchronous leap-frog) from s back to t with the same w visits the same m at the
same time, and so is the exact inverse of the step from t to s: it round-trips for any field, on any
grid, up to rounding. The others do not. Both ways it needs steps with h |dv/dy| < 2, or w
oscillates: a cosine grid keeps them where the field is steep. (On Gaussian data midpoint and alf
gain two orders, since the variance of y is quadratic in tau: tests pin the order on a mixture.)

Precision: ``start`` takes the state to float64 where the device has it, so the rounding of the
state is 1e-16; the field is given that float64 position and may compute in less
(`Denoiser.velocity` converts to the network's precision and back).

Sources: Song et al. (2021), DDIM; Mutze (2013), asynchronous leap-frog; Zhuang et al. (2021), MALI.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from torch import Tensor

from causalflow.diffusion.path import precise
from causalflow.registry import Registry

__all__ = ["SOLVERS", "Field", "Solver", "State", "integrate", "solve"]

Field: TypeAlias = Callable[[Tensor, float], Tensor]
State: TypeAlias = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Solver:
    """One method of integration.

    Attributes:
        name: in `SOLVERS`.
        order: the global error falls as (step size)^order.
        calls_to_start: calls of the field by ``start``.
        calls_per_step: calls of the field by ``step``.
        reversible: a step back undoes a step, up to rounding, for any field.
        start: ``start(field, y, tau)``, the state at position y.
        step: ``step(field, state, t, s)``, the state at s; s may lie before or after t.
    """

    name: str
    order: int
    calls_to_start: int = 0
    calls_per_step: int
    reversible: bool = False
    start: Callable[[Field, Tensor, float], State]
    step: Callable[[Field, State, float, float], State]

    def calls(self, steps: int) -> int:
        """Calls of the field on the way of ``steps`` steps, the start included."""
        return self.calls_to_start + steps * self.calls_per_step


def integrate(solver: Solver, field: Field, state: State, grid: Tensor) -> Iterator[State]:
    """The states at the nodes of ``grid``, the given one first; a falling grid runs to the data."""
    yield state
    for t, s in pairwise(grid.tolist()):
        state = solver.step(field, state, t, s)
        yield state


def solve(solver: Solver, field: Field, state: State, grid: Tensor) -> State:
    """The state at the last node of ``grid``, from the given one at the first."""
    return deque(integrate(solver, field, state, grid), maxlen=1).pop()


def _position(field: Field, y: Tensor, tau: float) -> State:
    """The state of a method that remembers nothing but the position."""
    return (precise(y),)


def _position_and_velocity(field: Field, y: Tensor, tau: float) -> State:
    y = precise(y)
    return y, field(y, tau).to(y.dtype)


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


def _leap_frog(field: Field, state: State, t: float, s: float) -> State:
    y, w = state
    middle = y + (s - t) / 2 * w
    w = 2 * field(middle, (t + s) / 2) - w
    return middle + (s - t) / 2 * w, w


SOLVERS: Registry[Solver] = Registry("solver")
for _solver in (
    Solver(name="ddim", order=1, calls_per_step=1, start=_position, step=_euler),
    Solver(name="midpoint", order=2, calls_per_step=2, start=_position, step=_midpoint),
    Solver(name="heun", order=2, calls_per_step=2, start=_position, step=_heun),
    Solver(
        name="alf",
        order=2,
        calls_to_start=1,
        calls_per_step=1,
        reversible=True,
        start=_position_and_velocity,
        step=_leap_frog,
    ),
):
    SOLVERS.add(_solver.name, _solver)
