"""Contraction: the sum over some variables of a product of tables.

    contract([phi_1, ..., phi_n], keep) = sum over all axes but keep of phi_1 phi_2 ... phi_n

A plan (`causalflow.factors.plan`) says in which order, a program (`causalflow.factors.program`)
runs it: on floats beside an exponent, or exactly on integers over a common denominator.

Probabilities whose sums miss one by rounding are divided by them. How far a sum may be is said by
`causalflow.equations.law`, as for the rows of a graph file.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from causalflow.equations.law import NOISE, ROUGH
from causalflow.errors import CausalflowError, CausalflowWarning, DataError, one_of
from causalflow.factors.array import scaled
from causalflow.factors.plan import make_plan
from causalflow.factors.program import run_plan
from causalflow.factors.table import Table
from causalflow.graph.node import Level
from causalflow.limits import PLAN_CELLS

__all__ = ["contract", "with_mass_one"]


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
        >>> from fractions import Fraction
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


def with_mass_one(table: Table, given: tuple[str, ...], where: str) -> Table:
    """A distribution of the other axes for every level of ``given``, divided by its sums.

    Raises:
        DataError: a sum is too far from one to be rounding.
    """
    sums = table.marginal(given)
    off = np.asarray(np.abs(sums.values - 1))
    if not off.any():
        return table
    worst = np.unravel_index(int(off.argmax()), sums.shape)
    named = zip(given, worst, strict=True)
    row = ", ".join(f"{axis}={table.levels[axis][place]}" for axis, place in named)
    total = f"{float(sums.values[worst]):.10g}; they must sum to 1"
    said = f"{where}: the probabilities{' for ' + row if row else ''} sum to {total}"
    if off[worst] > ROUGH:
        raise DataError(said)
    if off[worst] > NOISE:
        warnings.warn(f"{said} and are divided by their sum", CausalflowWarning, stacklevel=4)
    return table.normalise(given)
