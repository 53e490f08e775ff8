"""Contraction: the sum over some variables of a product of tables.

    contract([phi_1, ..., phi_n], keep) = sum over all axes but keep of phi_1 phi_2 ... phi_n

A plan (`causalflow.tables.plan`) says in which order, a program (`causalflow.tables.program`) runs
it: on floats beside an exponent, or exactly on integers over a common denominator.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from causalflow.errors import CausalflowError, one_of
from causalflow.graph.schema import Level
from causalflow.limits import PLAN_CELLS
from causalflow.tables.backend import Numpy
from causalflow.tables.plan import Plan, make_plan
from causalflow.tables.program import Operand, Program
from causalflow.tables.scaled import Scaled, scaled
from causalflow.tables.table import Table

__all__ = ["Scaled", "contract", "run_plan", "scaled"]


def contract(
    tables: Iterable[Table], keep: Sequence[str] = (), *, limit: int = PLAN_CELLS
) -> Table:
    """The sum, over every axis but ``keep``, of the product of the tables.

    Args:
        tables: exact if all are; with a float table among them, all are taken as floats.
        keep: the axes of the result, in order.
        limit: the most cells that a table may have on the way.

    Raises:
        CausalflowError: an unknown axis, an axis with different levels in two tables, or a
            contraction that is too wide (checked before anything is allocated).

    Example:
        >>> p_x = Table(["x"], [Fraction(1, 3), Fraction(2, 3)])
        >>> p_y = Table(["x", "y"], [[Fraction(1, 2), Fraction(1, 2)], [0, Fraction(1)]])
        >>> contract([p_x, p_y], keep=["y"]).to_dict()
        {0: Fraction(1, 6), 1: Fraction(5, 6)}
    """
    operands, kept = list(tables), (keep,) if isinstance(keep, str) else tuple(keep)
    levels = _common_levels(operands)
    for name in kept:
        if name not in levels:
            raise CausalflowError(f"contract: unknown axis '{name}'; {one_of(name, levels)}")
    sizes = {name: len(found) for name, found in levels.items()}
    plan = make_plan([table.axes for table in operands], sizes, kept)
    plan.check(limit)
    exact = all(table.is_exact for table in operands)
    arrays = [table.values if exact else table.to_numpy() for table in operands]
    result = run_plan(plan, [scaled(array) for array in arrays])
    return Table.of(kept, result.to_array(), levels)


def _common_levels(tables: Iterable[Table]) -> dict[str, tuple[Level, ...]]:
    levels: dict[str, tuple[Level, ...]] = {}
    for table in tables:
        for axis, own in table.levels.items():
            if levels.setdefault(axis, own) != own:
                both = f"{list(levels[axis])} and {list(own)}"
                raise CausalflowError(
                    f"contract: two tables have different levels of '{axis}': {both}"
                )
    return levels


def run_plan(plan: Plan, operands: Sequence[Scaled]) -> Scaled:
    """Follow the plan; the result's axes are those of ``plan.keep``."""
    if not operands:
        return scaled(np.array(Fraction(1), dtype=object))
    ready = [Operand(given=(), table=table) for table in operands]
    return Program(plan, ready, Numpy()).run({})
