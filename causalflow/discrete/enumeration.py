"""Enumeration: the whole table of a small model, as papers print it.

One row for every combination of exogenous values: its probability, and the world that it makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from causalflow.discrete.domain import NEVER
from causalflow.discrete.structure import FiniteStructure
from causalflow.errors import CausalflowError
from causalflow.graph.schema import Level
from causalflow.limits import ENUMERATED_ROWS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Enumeration", "enumeration"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Enumeration:
    """The table.

    Attributes:
        exogenous: name -> the value in each row.
        nodes: name -> the level in each row; an image's code.
        p: the probability of each row, exactly.
    """

    exogenous: Mapping[str, tuple[Level, ...]]
    nodes: Mapping[str, tuple[Level, ...]]
    p: tuple[Fraction, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """A column for each variable, then ``p`` as floats and ``exact`` as text."""
        import pandas as pd

        columns: dict[str, Any] = {**self.exogenous, **self.nodes}
        frame = pd.DataFrame({name: list(values) for name, values in columns.items()})
        frame["p"] = [float(each) for each in self.p]
        frame["exact"] = [str(each) for each in self.p]
        return frame

    def __str__(self) -> str:
        columns = [
            [name, *map(str, v)] for name, v in (*self.exogenous.items(), *self.nodes.items())
        ]
        columns.append(["P", *map(str, self.p)])
        padded = [[text.ljust(max(map(len, column))) for text in column] for column in columns]
        padded.insert(len(self.exogenous), ["|"] * (len(self.p) + 1))
        return "\n".join("  ".join(line).rstrip() for line in zip(*padded, strict=True))


def enumeration(structure: FiniteStructure) -> Enumeration:
    """Every combination of exogenous values, the last variable fastest.

    Raises:
        CausalflowError: a node with a table, too many rows, or an equation that gives no level of
            its node.
    """
    for name in structure.tabled:
        raise CausalflowError(
            f"enumerate: node '{name}' has a table, and its noise no values to list; ask a question"
            " instead, or give the node an equation"
        )
    shape = [len(p) for p in structure.laws.values()]
    if prod(shape) > ENUMERATED_ROWS:
        raise CausalflowError(
            f"enumerate: {prod(shape):,} combinations of exogenous values; at most"
            f" {ENUMERATED_ROWS:,} are written out: ask a question instead, it needs no enumeration"
        )
    grids = np.indices(shape).reshape(len(shape), -1)
    values = dict(zip(structure.laws, grids, strict=True))
    count = grids.shape[1] if shape else 1
    p = [
        prod(
            (law[k] for law, k in zip(structure.laws.values(), row, strict=True)), start=Fraction(1)
        )
        for row in grids.T.tolist()
    ]
    for name in structure.graph.topological_order():
        arguments = tuple(values[each] for each in structure.arguments(name))
        values[name] = np.broadcast_to(structure.function(name)[arguments], (count,))
        bad = [row for row in np.flatnonzero(values[name] == NEVER).tolist() if p[row]]
        if bad:
            raise CausalflowError(f"node '{name}': the equation gives no level in row {bad[0]}")
    return Enumeration(
        exogenous={name: tuple(values[name].tolist()) for name in structure.laws},
        nodes={name: _levels(structure, name, values[name]) for name in structure.graph.nodes},
        p=tuple(p),
    )


def _levels(
    structure: FiniteStructure, name: str, places: np.ndarray[Any, Any]
) -> tuple[Level, ...]:
    levels = structure.domain(name).levels
    return tuple(levels[place] for place in places.tolist())
