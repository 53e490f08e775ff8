"""Evaluate: the number that a formula takes at every value of its free indices.

Data are tables: P(v), and for experiments P(v | do(z)) with z's variables among the axes. The
result has an axis for each free index, named by its text (x, x').

A formula that divides a positive number by zero has no value there: the data contradict the graph,
or leave out cells that the query needs. P(y | x) says nothing where P(x) = 0 and counts as 0 there,
which is right only where the formula gives the cell no weight; `empty_cells` lists such cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import compress
from typing import TypeAlias

import numpy as np

from causalflow.errors import DataError
from causalflow.factors.contraction import contract
from causalflow.factors.table import Table
from causalflow.graph.node import Level
from causalflow.query.parse import parse_distribution
from causalflow.query.policy_rows import policy_rows
from causalflow.symbolic.expression import (
    Chosen,
    Event,
    Expression,
    Index,
    Linear,
    One,
    Probability,
    Product,
    Ratio,
    Sum,
    Weighted,
    Zero,
)
from causalflow.symbolic.parts import walk
from causalflow.symbolic.render import to_text
from causalflow.symbolic.simplify import factors_of
from causalflow.symbolic.substitute import without_shadows
from causalflow.values.finite import finite

__all__ = [
    "MAX_CELLS",
    "Data",
    "chosen_table",
    "empty_cells",
    "evaluate",
    "number_of",
]

Data: TypeAlias = Table | Mapping[str, Table]


def evaluate(expression: Expression, data: Data) -> Table:
    """The table of a formula over its free indices.

    Args:
        expression: a formula; shadowed indices are renamed first.
        data: P(v), or a table for each distribution: ``{"P(v)": ..., "P(y, z | do(x))": ...}``.

    Raises:
        DataError: no table has the variables of a probability, or levels are not numbers where an
            expectation needs them.

    Example:
        >>> joint = Table(["x", "y"], [[0.25, 0.25], [0.125, 0.375]])
        >>> from causalflow.symbolic.expression import probability
        >>> evaluate(probability("y", given="x"), joint).at({"x": 1, "y": 1}).values.item()
        0.75
    """
    tables = {"P(v)": data} if isinstance(data, Table) else data
    regimes = tuple((*_setting(text), table) for text, table in tables.items())
    return _Evaluator(regimes).table(without_shadows(expression))


def _setting(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """What a distribution sets, and what it is conditioned on."""
    read = parse_distribution(text)
    return frozenset(e.variable for e in read.do), frozenset(t.name for t in read.conditions)


@dataclass(frozen=True, slots=True)
class _Evaluator:
    """The tables at hand, each with the variables that it sets and those that it is given."""

    regimes: Sequence[tuple[frozenset[str], frozenset[str], Table]]

    def table(self, node: Expression) -> Table:
        match node:
            case Probability():
                return self._probability(node)
            case Sum():
                return self._sum(node)
            case Product():
                tables = [self.table(factor) for factor in node.factors]
                return contract(tables, _axes(node.free))
            case Ratio(denominator=Weighted()):
                return self._quotient(node)
            case Ratio():
                return self.table(node.numerator).divide(self.table(node.denominator))
            case Chosen():
                return self._chosen(node)
            case Linear():
                return self._linear(node)
            case Weighted():
                return self._weighted(node)
            case One():
                return Table.constant(Fraction(1) if self._exact else 1.0)
            case Zero():
                return Table.constant(Fraction(0) if self._exact else 0.0)

    @property
    def _exact(self) -> bool:
        return all(table.is_exact for *_, table in self.regimes)

    def _sum(self, node: Sum) -> Table:
        tables = [self.table(factor) for factor in factors_of(node.body)]
        for index in node.over:
            if index not in node.body.free:
                tables.append(self._values(str(index), [1] * len(self._levels(index.name)), index))
        return contract(tables, _axes(node.free))

    def _probability(self, node: Probability) -> Table:
        names = [event.name for event in node.events]
        if len(set(names)) < len(names):
            return self._coinciding(node)
        joint = self._find(node, names).marginal(names)
        behind = [event.name for event in (*node.given, *node.do)]
        table = joint.divide(joint.marginal(behind)) if behind else joint
        fixed = {e.name: e.value for e in node.events if not isinstance(e.value, Index)}
        table = table.at(fixed) if fixed else table
        return _named(table, node.events)

    def _coinciding(self, node: Probability) -> Table:
        """Where a variable has several events: they must agree, so P(y=1 | y) is 1 at y=1, else 0.

        Each event selects the cells of the joint in which its variable has its value.
        """
        joint = self._find(node, [event.name for event in node.events])
        behind = (*node.given, *node.do)
        return self._selected(joint, node.events).divide(self._selected(joint, behind))

    def _selected(self, joint: Table, events: Sequence[Event]) -> Table:
        names = [*dict.fromkeys(event.name for event in events)]
        table = joint.marginal(names).rename({name: f"={name}" for name in names})
        for name, value in dict.fromkeys(events):
            levels = joint.levels[name]
            if isinstance(value, Index):
                cells = {(level, level): 1 for level in levels}
                axes = {f"={name}": levels, str(value): levels}
                table = table.product(Table.from_dict([*axes], cells, axes))
            else:
                where = f"table: axis '{name}'"
                level = levels[finite(levels).position(value, where=where, error=DataError)]
                axes = {f"={name}": levels}
                table = table.product(Table.from_dict([*axes], {level: 1}, axes))
        return table.sum(f"={name}" for name in names)

    def _find(self, node: Probability, names: Sequence[str]) -> Table:
        experiment = frozenset(event.name for event in node.do)
        behind = frozenset(event.name for event in node.given)
        for do, seen, table in self.regimes:
            if do == experiment and seen <= behind and set(names) <= set(table.axes):
                return table
        given = [f"{sorted(table.axes)} under do({sorted(do)})" for do, _, table in self.regimes]
        raise DataError(f"evaluate: no table for {to_text(node)}; given {', '.join(given)}")

    def _levels(self, name: str) -> tuple[Level, ...]:
        for *_, table in self.regimes:
            if name in table.axes:
                return table.levels[name]
        raise DataError(f"evaluate: no table has an axis '{name}'")

    def _chosen(self, node: Chosen) -> Table:
        names = [event.name for event in (*node.given, node.outcome)]
        table = chosen_table(node, {name: self._levels(name) for name in names})
        if self._exact:
            return table
        return Table.of(table.axes, table.values.astype(np.float64), table.levels)

    def _linear(self, node: Linear) -> Table:
        axes = _axes(node.free)
        names = {str(index): index.name for index in node.free}
        levels = [self._levels(names[axis]) for axis in axes]
        total = np.zeros([len(each) for each in levels], dtype=object)
        for coefficient, event in node.terms:
            total = total + self._scaled(coefficient, event, axes)
        values = total if self._exact else total.astype(np.float64)
        return Table(axes, values, dict(zip(axes, levels, strict=True)))

    def _quotient(self, node: Ratio) -> Table:
        """The ratio of two questions, which has no value where the lower is 0."""
        below = self.table(node.denominator)
        if not below.values.all():
            raise DataError(f"evaluate: {to_text(node.denominator)} is 0: the ratio has no value")
        return self.table(node.numerator).divide(below)

    def _weighted(self, node: Weighted) -> Table:
        scaled = (Table.constant(scale).product(self.table(term)) for scale, term in node.terms)
        return reduce(Table.add, scaled)

    def _scaled(self, coefficient: Fraction, event: Event, axes: Sequence[str]) -> np.ndarray:
        """The values of one term along its axis, exact, broadcast along the others."""
        if not isinstance(event.value, Index):
            number = number_of(event.value, self._levels(event.name))
            return np.array(coefficient * number, dtype=object)
        numbers = [coefficient * n for n in finite(self._levels(event.value.name)).numbers]
        place = axes.index(str(event.value))
        shape = [len(numbers) if i == place else 1 for i in range(len(axes))]
        return np.array(numbers, dtype=object).reshape(shape)

    def _values(self, axis: str, values: Sequence[int], index: Index) -> Table:
        exact = np.array([Fraction(value) for value in values], dtype=object)
        array = exact if self._exact else exact.astype(np.float64)
        return Table([axis], array, {axis: self._levels(index.name)})


def chosen_table(node: Chosen, levels: Mapping[str, Sequence[Level]]) -> Table:
    """The policy's probabilities, an axis for each index, those of literals taken.

    Args:
        node: the policy at its events.
        levels: those of its variable and of what it reads.

    Raises:
        QueryError: the policy is not told, or gives what is no level.
    """
    own = finite(levels[node.outcome.name])
    given = {event.name: finite(levels[event.name]) for event in node.given}
    events = (*node.given, node.outcome)
    axes = tuple(map(str, range(len(events))))
    sizes = [len(kind.levels) for kind in (*given.values(), own)]
    rows = [law for _, law in policy_rows(node.policy, own, given)]
    values = np.array(rows, dtype=object).reshape(sizes)
    kinds = dict(zip(axes, (*given.values(), own), strict=True))
    table = Table.of(axes, values, {axis: kind.levels for axis, kind in kinds.items()})
    pairs = list(zip(axes, events, strict=True))
    fixed = {axis: e.value for axis, e in pairs if not isinstance(e.value, Index)}
    table = table.at(fixed) if fixed else table
    return table.rename({axis: str(e.value) for axis, e in pairs if isinstance(e.value, Index)})


def number_of(level: object, levels: Sequence[Level]) -> Fraction:
    """The number that a level counts as in an expectation: its position where some are names.

    Raises:
        DataError: there is no such level.
    """
    read = finite(levels)
    return read.numbers[read.position(level, where="evaluate", error=DataError)]


def _axes(indices: frozenset[Index]) -> tuple[str, ...]:
    return tuple(sorted(map(str, indices)))


def _named(table: Table, events: Sequence[Event]) -> Table:
    """Axes named by the indices instead of the variables."""
    names = {e.name: str(e.value) for e in events if isinstance(e.value, Index)}
    return table.rename({old: new for old, new in names.items() if old != new})


MAX_CELLS = 5


def empty_cells(expression: Expression, data: Data) -> tuple[str, ...]:
    """A sentence for each denominator of the formula that is zero somewhere, with the first cells.

    Example:
        >>> from causalflow.symbolic.expression import probability
        >>> table = Table(["x", "y"], [[0.0, 0.0], [0.4, 0.6]])
        >>> empty_cells(probability("y", given="x"), table)
        ('P(x) is 0 at x=0',)
    """
    found = dict.fromkeys(_denominators(without_shadows(expression)))
    tables = ((denominator, evaluate(denominator, data)) for denominator in found)
    return tuple(
        f"{to_text(each)} is 0{' at ' if table.axes else ''}{_zeros(table)}"
        for each, table in tables
        if not table.values.all()
    )


def _denominators(expression: Expression) -> Iterator[Expression]:
    for each in walk(expression):
        if isinstance(each, Probability) and each.given:
            yield Probability(each.given, (), each.do)
        elif isinstance(each, Ratio):
            yield each.denominator


def _zeros(table: Table) -> str:
    cells = [*compress(table.cells(), (table.values == 0).ravel().tolist())]
    shown = [
        ", ".join(f"{axis}={level}" for axis, level in zip(table.axes, cell, strict=True))
        for cell in cells[:MAX_CELLS]
    ]
    more = [f"{len(cells) - MAX_CELLS} more"] if len(cells) > MAX_CELLS else []
    return "; ".join(shown + more)
