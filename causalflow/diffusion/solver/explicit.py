"""Explicit one-step solvers: Euler, midpoint, Heun.

Notation: h = s - t a step from tau = t to tau = s, of either sign.

    ddim      y' = y + h v(y, t)
    midpoint  y' = y + h v(y + h/2 v(y, t), t + h/2)
    heun      y' = y + h/2 (k + v(y + h k, s)),  k = v(y, t)

None returns exactly from the noise. (On Gaussian data the midpoint gains two orders, since the
variance of y is quadratic in tau: tests pin the order on a mixture.)

Source: Song et al. (2021), DDIM, of which Euler in these coordinates is the deterministic form.
"""

from __future__ import annotations

from causalflow.diffusion.solver.base import Field, Solver, State, alone, stepping

__all__ = ["DDIM", "HEUN", "MIDPOINT"]


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
