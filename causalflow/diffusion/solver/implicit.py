"""DDIM with fixed-point inversion: the way to the noise that DDIM's way to the data undoes.

Notation: s < t neighbouring nodes. DDIM takes y_t to y_s = y_t + (s - t) v(y_t, t). Its inverse at
y_s is the fixed point of

    z <- y_s + (t - s) v(z, t),

iterated `ITERATIONS` times from z = y_s; it contracts where (t - s) |dv/dy| < 1, each time by that
factor. On the mean it is close; where the field is steep it is not, so the method does not count as
reversible.

Source: Pan et al. (2023), Effective Real Image Editing with Accelerated Iterative Diffusion
Inversion; Meiri et al. (2023), Fixed-point Inversion for Text-to-image diffusion models.
"""

from __future__ import annotations

from torch import Tensor

from causalflow.diffusion.solver.base import Field, Solver, State, alone, stepping
from causalflow.diffusion.solver.explicit import DDIM

__all__ = ["DDIM_FIXED_POINT", "ITERATIONS", "fixed_point"]

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
