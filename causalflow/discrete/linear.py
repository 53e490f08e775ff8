"""Linear: linear programs with equations and x >= 0, solved by scipy's HiGHS.

Source: Huangfu & Hall (2018), Parallelizing the dual revised simplex method.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from causalflow.discrete.response import Array
from causalflow.errors import CausalflowError
from causalflow.limits import LINEAR_PROGRAM_SECONDS

__all__ = ["TOLERANCE", "InfeasibleError", "linear_program"]


TOLERANCE = 1e-10
"""How far an equation or a reduced cost may be off, the least that HiGHS takes."""

ROUNDED = 1e-8
"""How far an equation may be off where none is solved exactly: numbers rounded in the last digits,
and coefficients below 1e-9, which HiGHS takes for 0."""


class InfeasibleError(CausalflowError):
    """No x satisfies the equations; for the module's users, who say what that means."""

    def __init__(self) -> None:
        super().__init__("bounds: no model of the graph has these data")


def linear_program(cost: Array, matrix: Any, vector: Array) -> tuple[float, Array]:
    """The smallest ``cost x`` with ``matrix x = vector``, x >= 0.

    Equations that no x satisfies are relaxed by `ROUNDED` each.

    Raises:
        InfeasibleError: there is no such x.
        CausalflowError: it was not found in `LINEAR_PROGRAM_SECONDS` seconds.
    """
    found = _solved(cost, matrix, vector, 0.0)
    if found.status in (2, 4):
        found = _solved(cost, matrix, vector, ROUNDED)
    if found.status == 2:
        raise InfeasibleError
    if found.status != 0:
        raise CausalflowError(
            f"bounds: no answer to a linear program of {matrix.shape[1]:,} unknowns"
            f" in {LINEAR_PROGRAM_SECONDS:g} seconds: {found.message}"
        )
    point = np.asarray(found.x)[: matrix.shape[1]]
    return float(cost @ point), point


def _solved(cost: Array, matrix: Any, vector: Array, slack: float) -> Any:
    """The result of HiGHS, each equation off by ``slack`` at most."""
    from scipy.optimize import linprog
    from scipy.sparse import eye_array, hstack

    options = {
        "time_limit": LINEAR_PROGRAM_SECONDS,
        "primal_feasibility_tolerance": TOLERANCE,
        "dual_feasibility_tolerance": TOLERANCE,
    }
    ends: Any = (0, None)
    if slack:
        rows, columns = matrix.shape
        matrix = hstack([matrix, eye_array(rows)], format="csr")
        cost = np.append(cost, np.zeros(rows))
        ends = [(0, None)] * columns + [(-slack, slack)] * rows
    return linprog(cost, A_eq=matrix, b_eq=vector, bounds=ends, method="highs", options=options)
