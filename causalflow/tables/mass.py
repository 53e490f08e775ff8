"""Mass: tables of probabilities whose sums miss one by rounding are divided by them.

How far a sum may be is said by `causalflow.graph.law`, as for the rows of a graph file.
"""

from __future__ import annotations

import warnings

import numpy as np

from causalflow.errors import CausalflowWarning, DataError
from causalflow.graph.law import NOISE, ROUGH
from causalflow.tables.table import Table

__all__ = ["with_mass_one"]


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
