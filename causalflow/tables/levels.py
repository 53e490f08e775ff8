"""Levels: the names of the positions of a table's axes.

What stands for a level says `causalflow.values.finite`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from causalflow.errors import CausalflowError, one_of
from causalflow.frozen import Frozen
from causalflow.graph.schema import Level
from causalflow.values.finite import finite
from causalflow.values.gap import GAP

if TYPE_CHECKING:
    from causalflow.tables.table import Table

__all__ = ["Levels", "named_levels", "with_declared_levels"]

Levels = Mapping[str, tuple[Level, ...]]


def named_levels(
    axes: Sequence[str], shape: Sequence[int], levels: Mapping[str, Sequence[Level]] | None
) -> Levels:
    """The levels of every axis; 0..n-1 where none are given.

    Raises:
        CausalflowError: levels of an axis that there is not, not one a position, or repeated.
    """
    given = levels or {}
    for name in given:
        if name not in axes:
            raise CausalflowError(f"table: levels of unknown axis '{name}'; {one_of(name, axes)}")
    named = {
        axis: tuple(given.get(axis, range(count))) for axis, count in zip(axes, shape, strict=True)
    }
    for (axis, names), count in zip(named.items(), shape, strict=True):
        if len(names) != count:
            raise CausalflowError(
                f"table: axis '{axis}' has {count} positions and {len(names)} levels"
            )
        if len(set(names)) != count:
            raise CausalflowError(f"table: axis '{axis}' has a level twice: {list(names)}")
    return Frozen(named)


def with_declared_levels(
    table: Table, declared: Mapping[str, Sequence[Level]], error: type[CausalflowError]
) -> Table:
    """The table with the levels of its axes as a graph declares them, in that order.

    Raises:
        CausalflowError: of class ``error``: a level of the table that is none of the graph, or two
            that are one.
    """
    for axis in (axis for axis in table.axes if axis in declared):
        own, levels = table.levels[axis], tuple(declared[axis])
        if own == levels:
            continue
        places = finite(levels).read(own, where=f"table: axis '{axis}'", error=error)
        if (places == GAP).any() or len(set(places.tolist())) < len(own):
            given = [str(level) for level in own]
            raise error(f"table: axis '{axis}' has levels {given}; {one_of('', levels)}, each once")
        order = np.argsort(places).tolist()
        table = table.reordered(axis, order, tuple(levels[place] for place in sorted(places)))
    return table
