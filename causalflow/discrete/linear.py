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


class InfeasibleError(Exception):
    """No x satisfies the equations; for the module's users, who say what that means."""


def linear_program(cost: Array, matrix: Any, vector: Array) -> tuple[float, Array]:
    """The smallest ``cost x`` with ``matrix x = vector``, x >= 0.

    Raises:
        InfeasibleError: there is no such x.
        CausalflowError: it was not found in `LINEAR_PROGRAM_SECONDS` seconds.
    """
    from scipy.optimize import linprog

    options = {
        "time_limit": LINEAR_PROGRAM_SECONDS,
        "primal_feasibility_tolerance": TOLERANCE,
        "dual_feasibility_tolerance": TOLERANCE,
    }
    found = linprog(cost, A_eq=matrix, b_eq=vector, method="highs", options=options)
    if found.status == 2:
        raise InfeasibleError
    if found.status != 0:
        raise CausalflowError(
            f"bounds: no answer to a linear program of {matrix.shape[1]:,} unknowns"
            f" in {LINEAR_PROGRAM_SECONDS:g} seconds: {found.message}"
        )
    return float(found.fun), np.asarray(found.x)
