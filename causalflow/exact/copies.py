"""Copies: the factors of a node that has a table, in the worlds that a question needs.

In one world the table itself is the factor: P(v | pa). The copies of several worlds have a joint
law, by the way the node's noise enters (`causalflow.exact.coupling`); the graph file must choose
it, unless at most one of the rows that can meet leaves anything to chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import lcm, prod
from typing import Any

import numpy as np

from causalflow.errors import CausalflowError, QueryError
from causalflow.exact.coupling import COUPLINGS, Law, coupled
from causalflow.exact.drawn_coupling import coupled_draws
from causalflow.factors.array import Scaled, Values, scaled
from causalflow.graph.conditional import depends_on_noise
from causalflow.limits import COUPLED_CELLS, PLAN_CELLS

__all__ = ["LONGEST", "Conditional", "Copies", "Copy", "Factor"]

LONGEST = 2**9
"""The bits of a denominator up to which fractions are worth the while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A table by position: its axes are those of the network."""

    axes: tuple[str, ...]
    table: Scaled


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditional:
    """P(node | parents).

    Attributes:
        name: the node's name.
        shape: the number of levels of each parent.
        laws: one for each combination of the parents' values, the last parent's fastest.
        choice: how the noise enters, None if the file does not say.
    """

    name: str
    shape: tuple[int, ...]
    laws: tuple[Law, ...]
    choice: str | None

    @cached_property
    def table(self) -> Scaled:
        """The laws as one array, (combinations, levels)."""
        values = np.empty((len(self.laws), len(self.laws[0])), dtype=object)
        values[:] = self.laws
        return scaled(values)

    @cached_property
    def floats(self) -> Values:
        """The laws as one array of floats, (combinations, levels), each number rounded once."""
        return np.array([[float(p) for p in law] for law in self.laws])

    @cached_property
    def bits(self) -> int:
        """The length of the laws' common denominator; counted up to `LONGEST`, no further."""
        denominator = 1
        for law in self.laws:
            denominator = lcm(denominator, *(p.denominator for p in law))
            if denominator.bit_length() > LONGEST:
                break
        return denominator.bit_length()

    @cached_property
    def rows(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The number of the row for each combination, one axis a parent."""
        return np.arange(len(self.laws)).reshape(self.shape)

    def chosen(self, rows: Sequence[int]) -> str:
        """The coupling of copies that have these rows.

        Raises:
            QueryError: the graph makes no choice, and the law depends on it.
        """
        if self.choice is not None:
            return self.choice
        if not self.depends(rows):
            return "response"
        raise QueryError(
            f"query: node '{self.name}' has a table, and the answer depends on how its noise acts"
            f" in several worlds; state 'noise' at the node, one of {sorted(COUPLINGS)}"
        )

    def given(self, row: int, value: int, other: int) -> Law:
        """P(the node under row ``other`` | it is ``value`` under ``row``).

        Raises:
            QueryError: the graph makes no choice, and the law depends on it.
        """
        rows = (row, other)
        joint = coupled(self.chosen(rows), rows, [self.laws[each] for each in rows])
        return tuple(joint[value] / self.laws[row][value])

    def depends(self, rows: Sequence[int]) -> bool:
        """Whether the joint law of copies with these rows depends on the choice."""
        return depends_on_noise(self.laws[row] for row in set(rows))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Copy:
    """The node in one world.

    Attributes:
        axis: its own.
        scope: the axes of the parents that vary.
        rows: the table's row for each combination of them.
        conditional: the node's table.
    """

    axis: str
    scope: tuple[str, ...]
    rows: np.ndarray[Any, np.dtype[np.int64]]
    conditional: Conditional

    @property
    def axes(self) -> tuple[str, ...]:
        """The scope, then the copy's own axis."""
        return (*self.scope, self.axis)


class Copies:
    """All copies of one node in a network, none of them twice.

    Args:
        copies: one for each different variable that the node is.
        at: axes of which only some positions matter: of a single one the table has no axis; at
            others than an array's the table is 0.
    """

    def __init__(
        self, copies: Sequence[Copy], at: Mapping[str, int | np.ndarray[Any, Any]] | None = None
    ) -> None:
        self.copies, self.conditional = tuple(copies), copies[0].conditional
        self._at = dict(at or {})

    def narrowed(self, at: Mapping[str, int | np.ndarray[Any, Any]]) -> Copies:
        """The same copies where only some positions of some axes matter."""
        if len(self.copies) == 1:
            return self
        places = {axis: place if np.ndim(place) else int(place) for axis, place in at.items()}
        return Copies(self.copies, {axis: places[axis] for axis in places if axis in self.sizes})

    @cached_property
    def scope(self) -> dict[str, int]:
        """Axis -> size, of every parent of a copy."""
        found: dict[str, int] = {}
        for copy in self.copies:
            found |= dict(zip(copy.scope, copy.rows.shape, strict=True))
        return found

    @property
    def choice(self) -> str | None:
        """The choice that the factor depends on, if it does."""
        if len(self.copies) == 1 or not any(map(self.conditional.depends, self._met[0].tolist())):
            return None
        return self.conditional.choice

    @property
    def sizes(self) -> dict[str, int]:
        """Axis -> size, of the parents and then of the copies."""
        levels = len(self.conditional.laws[0])
        return {**self.scope, **dict.fromkeys((copy.axis for copy in self.copies), levels)}

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes of the factor."""
        return tuple(axis for axis in self.sizes if not isinstance(self._at.get(axis), int))

    @property
    def bits(self) -> int:
        """The length of the denominator of the factor, which a joint law may make longer."""
        return self.conditional.bits * len(self.copies)

    @cached_property
    def coupled(self) -> int:
        """How many probabilities of a joint law the factor is made of; 0 for a single copy."""
        if len(self.copies) == 1:
            return 0
        return len(self._met[0]) * prod(len(self._wanted(copy.axis)) for copy in self.copies)

    def floats(self) -> Factor | None:
        """The table in floats, where that can be had without fractions: of a single copy."""
        if len(self.copies) > 1:
            return None
        values = self.conditional.floats[self.copies[0].rows]
        return Factor(axes=self.axes, table=Scaled(values=values))

    def drawn(self, tables: Values) -> Factor:
        """The copies' table in each of several draws, whose axis is the first and has no name.

        Args:
            tables: the node's table in each draw, (draws, combinations, levels).

        Raises:
            CausalflowError: a joint law that is only known exactly.
        """
        if len(self.copies) == 1:
            copy = self.copies[0]
            return Factor(axes=copy.axes, table=Scaled(values=tables[:, copy.rows]))
        met, inverse = self._met
        joints = [
            coupled_draws(self.conditional.chosen(rows), rows, [tables[:, row] for row in rows])
            for rows in met.tolist()
        ]
        values = np.stack(joints, axis=1)[:, inverse]
        shape = (len(tables), *self.sizes.values())
        return Factor(axes=tuple(self.sizes), table=Scaled(values=values.reshape(shape)))

    def factor(self) -> Factor:
        """The copies' table.

        Raises:
            QueryError: the graph does not choose how the noise enters.
            CausalflowError: the table is too large.
        """
        shape = [self.sizes[axis] for axis in self.axes]
        if prod(shape) > PLAN_CELLS:
            self._refuse(f"{prod(shape):,} cells; at most {PLAN_CELLS:,}")
        if len(self.copies) == 1:
            table = self.conditional.table
            values = table.values[self.copies[0].rows]
            return Factor(axes=self.axes, table=replace(table, values=values))
        if self.coupled > COUPLED_CELLS:
            self._refuse(f"{self.coupled:,} probabilities; at most {COUPLED_CELLS:,}")
        met, inverse = self._met
        table = scaled(np.stack([self._joint(rows) for rows in met.tolist()]))
        inside = [len(self._wanted(axis)) for axis in self.sizes]
        values = table.values[inverse].reshape(inside)
        values = self._spread_out(values, shape)
        return Factor(axes=self.axes, table=replace(table, values=values))

    def _spread_out(self, values: Values, shape: Sequence[int]) -> Values:
        """The table over all positions of its axes, 0 where none was wanted."""
        single = [isinstance(self._at.get(axis), int) for axis in self.sizes]
        values = values.reshape([n for n, one in zip(values.shape, single, strict=True) if not one])
        if list(values.shape) == list(shape):
            return values
        whole = np.zeros(shape, dtype=values.dtype)
        whole[np.ix_(*(self._wanted(axis) for axis in self.axes))] = values
        return whole

    def _wanted(self, axis: str) -> list[int]:
        """The positions of an axis that matter."""
        place = self._at.get(axis)
        if place is None:
            return list(range(self.sizes[axis]))
        return [place] if isinstance(place, int) else np.unique(place[place >= 0]).tolist()

    @cached_property
    def _met(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The different combinations of rows that meet, and which of them each cell has."""
        inside = np.ix_(*(self._wanted(axis) for axis in self.scope))
        grids = [self._spread(copy)[inside].reshape(-1) for copy in self.copies]
        met, inverse = np.unique(np.stack(grids, axis=1), axis=0, return_inverse=True)
        return met, inverse.reshape(-1)

    def _spread(self, copy: Copy) -> np.ndarray[Any, Any]:
        order = [copy.scope.index(axis) for axis in self.scope if axis in copy.scope]
        shape = [size if axis in copy.scope else 1 for axis, size in self.scope.items()]
        full = tuple(self.scope.values())
        if prod(full) > PLAN_CELLS:
            self._refuse(f"{prod(full):,} combinations of parents; at most {PLAN_CELLS:,}")
        return np.broadcast_to(copy.rows.transpose(order).reshape(shape), full)

    def _joint(self, rows: Sequence[int]) -> np.ndarray[Any, Any]:
        laws = [self.conditional.laws[row] for row in rows]
        wanted = [self._wanted(copy.axis) for copy in self.copies]
        return coupled(self.conditional.chosen(rows), rows, laws, wanted)

    def _refuse(self, why: str) -> None:
        raise CausalflowError(
            f"too wide: node '{self.conditional.name}' in {len(self.copies)} worlds has {why}"
        )
