"""Observation: what a user gives as data, as P(v) over the observed nodes of a graph.

given                                           taken as
a table over nodes that sums to 1               P(v)
a table that sums to 1 for every level of z     P(v | z), z roots without hidden causes
a data frame, or a mapping of columns           relative frequencies
{"P(v)": table, "P(y | do(x))": table, ...}     P(v), and experiments; or experiments alone

Nodes that the data lack are hidden: they are projected out of the graph.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np

from causalflow.admg.admg import ADMG
from causalflow.admg.projection import latent_projection
from causalflow.equations.law import ROUGH
from causalflow.errors import DataError, one_of
from causalflow.factors.contraction import with_mass_one
from causalflow.factors.table import Table, with_declared_levels
from causalflow.graph.graph import Graph
from causalflow.graph.node import Level, levels_of
from causalflow.limits import JOINT_CELLS
from causalflow.query.parse import parse_distribution
from causalflow.query.query import Query
from causalflow.values.column import occurring
from causalflow.values.dataframe import Tabular, table_of
from causalflow.values.regime import only_observed

__all__ = ["ROUNDING", "Data", "Observation", "observe"]

Data: TypeAlias = "Table | Tabular"
Declared: TypeAlias = Mapping[str, tuple[Level, ...]]

ROUNDING = 1e-6
"""How far apart the same number may be in two tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Data that fit a graph.

    Attributes:
        admg: the graph of the observed nodes.
        joint: P(v) in floats, axes in the order of the graph; the roots in ``unknown`` uniform.
        unknown: roots that the data are conditional on.
        hidden: the nodes that the data lack.
        experiments: further distributions, a table over outcomes and set variables each.
        is_sample: whether the numbers are frequencies in rows.
        is_blind: whether P(v) is not known: only experiments are, and ``joint`` is uniform.
    """

    admg: ADMG
    joint: Table
    unknown: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    experiments: tuple[tuple[Query, Table], ...] = ()
    is_sample: bool = False
    is_blind: bool = False

    @property
    def numbers(self) -> int:
        """How many numbers the tables have."""
        return self.joint.values.size + sum(table.values.size for _, table in self.experiments)


def observe(graph: Graph | ADMG, data: Data) -> Observation:
    """The data as P(v).

    Raises:
        DataError: a variable or a level that the graph does not have, a negative number, or numbers
            that do not sum to one.
    """
    admg = graph if isinstance(graph, ADMG) else graph.admg
    declared = {} if isinstance(graph, ADMG) else levels_of(graph.nodes)
    known, experiments, is_sample = _tables(graph, admg, declared, data)
    joint = _uniform(experiments, declared) if known is None else known
    for axis in joint.axes:
        if axis not in admg.nodes:
            raise DataError(f"bounds: unknown variable '{axis}'; {one_of(axis, admg.nodes)}")
    hidden = frozenset(admg.nodes) - frozenset(joint.axes)
    observed = latent_projection(admg, hidden)
    joint, unknown = _normalised(observed, _checked(joint, declared).transpose(observed.nodes))
    return Observation(
        admg=observed,
        joint=joint,
        unknown=unknown,
        hidden=hidden,
        experiments=tuple(
            (query, _experiment(query, table, declared)) for query, table in experiments
        ),
        is_sample=is_sample,
        is_blind=known is None,
    )


def _tables(
    graph: Graph | ADMG, admg: ADMG, declared: Declared, data: Data
) -> tuple[Table | None, list[tuple[Query, Table]], bool]:
    """P(v) if it is known, the experiments, and whether the data are rows."""
    if isinstance(data, Table):
        return data, [], False
    if (table := table_of(data)) is None:
        kind = type(data).__name__
        raise DataError(f"bounds: data of type {kind}; expected a Table or a DataFrame")
    columns = {str(name): column for name, column in table.items()}
    if columns and all(isinstance(each, Table) for each in columns.values()):
        return (*_regimes(graph, columns), False)
    axes = [name for name in admg.nodes if name in columns]
    if not axes:
        raise DataError(f"bounds: no column is a node; {one_of('', admg.nodes)}")
    only_observed("bounds", admg.nodes, columns)
    return _counted({name: columns[name] for name in axes}, declared), [], True


def _counted(columns: Mapping[str, Any], declared: Declared) -> Table:
    """The relative frequencies of rows.

    Raises:
        DataError: the table would have more than `JOINT_CELLS` cells; checked before it is made.
    """
    levels = {
        name: declared.get(name) or _occurring(name, column) for name, column in columns.items()
    }
    cells = math.prod(map(len, levels.values()))
    if cells > JOINT_CELLS:
        raise DataError(
            f"bounds: the joint table of {len(columns)} columns has {cells:.3g} cells; at most"
            f" {JOINT_CELLS:,} are handled: leave out columns, whose nodes then count as hidden"
        )
    return Table.from_samples(columns, levels)


def _occurring(name: str, column: Any) -> tuple[Level, ...]:
    try:
        return occurring(column)
    except TypeError:
        raise DataError(f"bounds: column '{name}': expected a name or a number a row") from None


def _regimes(
    graph: Graph | ADMG, tables: Mapping[str, Table]
) -> tuple[Table | None, list[tuple[Query, Table]]]:
    """The observational table among named ones, if there is one, and the others as queries."""
    joint: Table | None = None
    experiments = []
    for text, table in tables.items():
        query = parse_distribution(text, None if isinstance(graph, ADMG) else graph)
        if query.conditions:
            raise DataError(f"bounds: '{text}' is conditional; expected P(...) or P(... | do(...))")
        if query.do:
            _check_axes(text, query, table)
            experiments.append((query, table))
        elif joint is not None:
            raise DataError(f"bounds: '{text}' is a second table of what is observed; give one")
        else:
            joint = table
    return joint, experiments


def _uniform(experiments: Sequence[tuple[Query, Table]], declared: Declared) -> Table:
    """A table over the variables of some experiments, which says nothing but their levels."""
    levels: dict[str, tuple[Level, ...]] = {}
    for _, table in experiments:
        for axis in table.axes:
            levels.setdefault(axis, tuple(declared.get(axis, table.levels[axis])))
    cells = math.prod(map(len, levels.values()))
    if cells > JOINT_CELLS:
        raise DataError(f"bounds: {cells:,} cells of {[*levels]}; at most {JOINT_CELLS:,}")
    shape = [len(each) for each in levels.values()]
    return Table([*levels], np.full(shape, 1 / cells), levels)


def _check_axes(text: str, query: Query, table: Table) -> None:
    wanted = set(query.free_variables)
    if wanted != set(table.axes):
        raise DataError(f"bounds: '{text}' has axes {list(table.axes)}; expected {sorted(wanted)}")


def _checked(table: Table, declared: Declared) -> Table:
    """The table in floats, without negative numbers, and its levels those of the graph."""
    if np.any(table.values < 0):
        raise DataError(f"bounds: a negative probability, {float(table.values.min()):g}")
    if np.any(table.values > 1 + ROUGH):
        raise DataError(f"bounds: a probability above 1, {float(table.values.max()):g}")
    table = with_declared_levels(table.to_float(), declared, DataError)
    for axis in (axis for axis in table.axes if axis in declared):
        if table.levels[axis] != declared[axis]:
            given = [str(level) for level in table.levels[axis]]
            allowed = one_of("", declared[axis])
            raise DataError(f"bounds: '{axis}' has levels {given} in the data; {allowed}, all")
    return table


def _experiment(query: Query, table: Table, declared: Declared) -> Table:
    """The table of an experiment, with sum one for everything that is set."""
    given = tuple(each.variable for each in query.do if each.variable in table.axes)
    return with_mass_one(_checked(table, declared), given, f"bounds: {query}")


def _normalised(admg: ADMG, joint: Table) -> tuple[Table, frozenset[str]]:
    """The joint table, and the roots that it is conditional on."""
    total = float(joint.values.sum())
    if abs(total - 1.0) <= ROUGH:
        return with_mass_one(joint, (), "bounds: P(v)"), frozenset()
    roots = [node for node in admg.nodes if not admg.parents(node) and not admg.siblings(node)]
    for count in range(1, min(len(roots), 4) + 1):
        for given in combinations(roots, count):
            each = joint.marginal(given).values
            if np.all(np.abs(each - 1.0) <= ROUGH):
                known = with_mass_one(joint, given, "bounds: the data")
                return known.normalise(), frozenset(given)
    raise DataError(
        f"bounds: the data sum to {total:.6g}; expected 1, or 1 for every level of some of the"
        f" roots without hidden causes: {roots}"
    )
