"""Laws: the conditional distributions that a formula is made of, counted in rows, and drawn.

Notation: a *family* P(O | G = g) for each set G of conditions in the formula, O all that some
probability of the formula has before such a bar; its *strata* are the levels g of G. A stratum is
*supported* if some row is in it. With n_g rows in a stratum, n_go of them at o, and N in all,

    share      n_go / n_g
    smooth     (n_go + S q_o) / (n_g + S)         q half uniform, half the share of o in all rows
    drawn      Dirichlet((n_g - 1) smooth)        of variance smooth (1 - smooth) / n_g

so a stratum of few rows is not certain of what it saw (S = 4 rows, as Agresti and Coull); a single
row counts as half a row, not as n_g - 1 = 0.

Source: Agresti & Coull (1998), Approximate is better than "exact" for interval estimation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from causalflow.estimate.linear_form import LinearForm
from causalflow.estimate.unknowns import Array, Part, Unknowns
from causalflow.factors.table import Table
from causalflow.symbolic.expression import Expression, Probability
from causalflow.symbolic.parts import probabilities

__all__ = ["DRAW", "Family", "Laws"]

DRAW = "\0draw"
"""The axis of drawn laws; no variable has this name."""

_PSEUDO_ROWS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Family:
    """The law of some variables in each stratum of others.

    Attributes:
        given: G, sorted.
        outcomes: O, sorted.
        counts: rows by g and o.
        start: the column of the first unknown number: an unsupported stratum has one for each o.
    """

    given: tuple[str, ...]
    outcomes: tuple[str, ...]
    counts: Array
    start: int

    @property
    def strata(self) -> tuple[int, ...]:
        """How many levels each of G has."""
        return tuple(map(int, self.counts.shape[: len(self.given)]))

    @property
    def size(self) -> int:
        """How many cells o has."""
        return prod(self.counts.shape[len(self.given) :])

    @property
    def table(self) -> Array:
        """The counts, a row for each g and a column for each o."""
        return self.counts.reshape(-1, self.size)

    @property
    def supported(self) -> Array:
        """Whether each g has rows."""
        return np.asarray(self.table.sum(axis=1) > 0)

    def shares(self) -> Array:
        """The relative frequencies, (g, o); zeros where there are no rows."""
        total = self.table.sum(axis=1, keepdims=True)
        return np.asarray(self.table / np.where(total > 0, total, 1))

    def smooth(self) -> Array:
        """The smoothed shares, (g, o); zeros where there are no rows."""
        counts = self.table
        total = counts.sum(axis=1, keepdims=True)
        whole = counts.sum(axis=0) / max(counts.sum(), 1)
        behind = _PSEUDO_ROWS * (whole + 1 / self.size) / 2
        return np.asarray((counts + behind) / (total + _PSEUDO_ROWS) * (total > 0))

    def drawn(self, draws: int, generator: np.random.Generator) -> Array:
        """Laws around the smoothed shares, (draw, g, o)."""
        total, smooth = self.table.sum(axis=1, keepdims=True), self.smooth()
        certainty = np.maximum(total - 1, total / 2)
        weights = generator.standard_gamma(certainty * smooth, size=(draws, *smooth.shape))
        sums = weights.sum(axis=-1, keepdims=True)
        return np.asarray(np.where(sums > 0, weights / np.where(sums > 0, sums, 1), smooth))

    def form(self, laws: Array, node: Probability) -> LinearForm:
        """P(outcomes | given) of a probability of this family, its axes named ``=`` + variable.

        Args:
            laws: shape (draw, g, o).
            node: its outcomes that are no conditions are among the family's.
        """
        asked = sorted({event.name for event in node.outcomes} - set(self.given))
        names = (DRAW, *self.given, *self.outcomes)
        shape = (len(laws), *self.counts.shape)
        axes = (DRAW, *self.given, *asked)
        rest = [name for name in self.outcomes if name not in asked]
        order = [names.index(name) for name in (*axes, *rest)]
        width = prod(shape[names.index(name)] for name in rest)
        constant = laws.reshape(shape).transpose(order).reshape(-1, width).sum(axis=1)
        inner = [shape[names.index(name)] for name in axes]
        named = (DRAW, *(f"={name}" for name in axes[1:]))
        part = self._part(shape, order, width)
        return LinearForm(axes=named, constant=constant.reshape(inner), part=part)

    def _part(self, shape: tuple[int, ...], order: list[int], width: int) -> Part | None:
        """The columns of the unsupported strata."""
        without = ~self.supported
        if not without.any():
            return None
        rank = np.cumsum(without) - 1
        columns = self.start + rank[:, None] * self.size + np.arange(self.size)
        columns = np.where(without[:, None], columns, -1).reshape(shape[1:])
        every = np.broadcast_to(columns, shape).transpose(order).reshape(-1, width)
        cell, place = np.nonzero(every >= 0)
        number = np.ones(len(cell))
        return Part.of(cell, every[cell, place], number, int(columns.max()) + 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Laws:
    """The conditional laws that a formula is made of, as families.

    Attributes:
        families: the family of each set of conditions.
        levels: the levels of every variable.
        width: the number of unknown numbers.
    """

    families: Mapping[frozenset[str], Family]
    levels: Mapping[str, tuple[Any, ...]]
    width: int

    @classmethod
    def of(cls, expression: Expression, joint: Table) -> Laws:
        """The families of a formula.

        Args:
            expression: a formula of probabilities without ``do``.
            joint: the number of rows in each cell.
        """
        found: dict[frozenset[str], set[str]] = {}
        for node in probabilities(expression):
            given = frozenset(event.name for event in node.given)
            found.setdefault(given, set()).update(event.name for event in node.outcomes)
        families, width = {}, 0
        for given, names in found.items():
            above, outcomes = tuple(sorted(given)), tuple(sorted(names - given))
            counts = joint.marginal((*above, *outcomes)).to_numpy()
            family = Family(given=above, outcomes=outcomes, counts=counts, start=width)
            width += int((~family.supported).sum()) * family.size
            families[given] = family
        return cls(families=families, levels=joint.levels, width=width)

    @property
    def overlap(self) -> int:
        """In how many families some variable is an outcome: more than one are not independent."""
        names = [name for each in self.families.values() for name in each.outcomes]
        return max((names.count(name) for name in names), default=1)

    @property
    def cells(self) -> int:
        """The numbers that the laws have together."""
        return sum(each.counts.size for each in self.families.values())

    def unknowns(self) -> Unknowns:
        """The laws of the strata without rows."""
        sizes = [
            np.full(int((~each.supported).sum()), each.size, dtype=np.int64)
            for each in self.families.values()
        ]
        size = np.concatenate(sizes) if sizes else np.zeros(0, dtype=np.int64)
        starts = np.cumsum(size) - size
        return Unknowns(starts=starts, sizes=size, width=self.width)

    def strata(self, columns: Iterable[int]) -> dict[tuple[str, ...], list[dict[str, Any]]]:
        """Conditions -> the strata that some unknown numbers belong to, in order."""
        found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        chosen = np.array(sorted(columns), dtype=np.int64)
        for family in self.families.values():
            empty = np.flatnonzero(~family.supported)
            own = chosen[chosen >= family.start] - family.start
            ranks = np.unique(own[own < len(empty) * family.size] // family.size)
            for place in empty[ranks].tolist():
                where = np.unravel_index(place, family.strata)
                names = zip(family.given, where, strict=True)
                stratum = {name: self.levels[name][int(at)] for name, at in names}
                found.setdefault(family.given, []).append(stratum)
        return found
