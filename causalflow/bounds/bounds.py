"""Bounds: what P(v) and a graph say about a question that they do not determine.

Notation: M(P) the models of the graph with the distribution P(v), their hidden causes anything
whatever. The bounds of a question Q are the smallest and largest Q(m) over m in M(P). Hidden
causes are replaced by response functions (`causalflow.bounds.response`), which makes the question
a polynomial in their laws (`causalflow.bounds.polynomial`) and P(v) linear equations.

kind         low and high are
"point"      equal: the question is identifiable
"sharp"      the bounds, by linear programs
"outer"      no tighter than the bounds: some independence of hidden causes is not used
"optimised"  found by a search: the question multiplies unknown factors of several districts

Source: Balke & Pearl (1997), Bounds on treatment effects from studies with imperfect compliance;
Tian & Pearl (2000); Zhang, Tian & Bareinboim (2022).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import numpy as np

from causalflow.admg.admg import ADMG
from causalflow.bounds.interval import KINDS, BoundsKind, Solver
from causalflow.bounds.observation import ROUNDING, Data, Observation, observe
from causalflow.display import html_of
from causalflow.errors import CausalflowError, DataError, QueryError, one_of
from causalflow.factors.table import Table
from causalflow.graph.graph import Graph
from causalflow.graph.node import Level, levels_of
from causalflow.limits import BOUND_CELLS
from causalflow.query.cell import close, free_names
from causalflow.query.combination import AnyQuery, Combination, no_value
from causalflow.query.means import check_named
from causalflow.query.parse import parse_query
from causalflow.query.query import Query

__all__ = ["Bounds", "bounds"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bounds:
    """An interval for the answer to a query.

    Attributes:
        low: the lower end, a number or a table over the query's free variables.
        high: the upper end, likewise.
        kind: "point", "sharp", "outer" or "optimised": what the ends are (see the module).
        query: the question.
        assumptions: what the interval rests on beside the graph, one sentence each.
    """

    low: float | Table
    high: float | Table
    kind: BoundsKind
    query: AnyQuery
    assumptions: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        return html_of(self)

    def __str__(self) -> str:
        notes = [f"note: {each}" for each in self.assumptions]
        if isinstance(self.low, Table) and isinstance(self.high, Table):
            shown = [f"{self.query}: {self.kind} bounds", f"low\n{self.low}", f"high\n{self.high}"]
        else:
            shown = [f"{self.query} in [{self.low:.6g}, {self.high:.6g}] ({self.kind})"]
        return "\n".join([*shown, *notes])


class Fitted(Protocol):
    """A model that knows P(v) of its finite nodes."""

    @property
    def graph(self) -> Graph:
        """The declaration."""

    def joint(self, nodes: Iterable[str]) -> Table:
        """P(nodes)."""


def bounds(
    graph: Graph | ADMG | Fitted,
    query: str | AnyQuery,
    data: Data | None = None,
    *,
    tolerance: float | None = None,
    seed: int = 0,
) -> Bounds:
    """The bounds of a causal question over all models of the graph that have the data.

    Equations in the graph are not used, only who listens to whom.

    Args:
        graph: its observed nodes finite; ``<->`` and nodes that the data lack are hidden causes. Or
            a fitted model, whose tables are then the data where none are given.
        query: such as ``"P(y[x=1]=1, y[x=0]=0)"`` or ``"E[y[x=1] - y[x=0]]"``.
        data: P(v) as a table; P(v | z) as one that sums to 1 for each z, z roots without hidden
            causes; a data frame of rows; or ``{"P(v)": table, "P(y | do(x))": table}`` where
            experiments are known too, or nothing but experiments.
        tolerance: data that no model has exactly are moved to the nearest that some model has, if
            that is at most so far away (sum of absolute differences); by default 1e-6 for each
            number of the tables and any distance for rows, with a note.
        seed: the seed of the search behind "optimised" bounds.

    Raises:
        QueryError: the question cannot be read or does not fit the graph.
        DataError: no data, data that do not fit the graph, or no model of the graph has them.
        EvidenceError: the question's condition has probability zero.
        CausalflowError: too large; sizes are checked before anything is made.

    Example:
        >>> bow = Graph(edges=["x -> y", "x <-> y"])
        >>> joint = Table(["x", "y"], [[0.3, 0.2], [0.1, 0.4]])
        >>> print(bounds(bow, "P(y=1 | do(x=1))", joint))
        P(y=1 | do(x=1)) in [0.4, 0.9] (sharp)
    """
    _check_options(tolerance, seed)
    graph, data = _told(graph, query, data)
    observation = observe(graph, data)
    question = _read(graph, query, observation)
    if policies := question.policies:
        raise QueryError(
            f"bounds: do({policies[0]}) is a policy, of which no bounds are found; ask at single"
            " values, or identify it"
        )
    if tolerance is None:
        tolerance = math.inf if observation.is_sample else ROUNDING * observation.numbers
    solver = Solver(observation, tolerance, seed)
    levels = observation.joint.levels
    if observation.is_sample:
        declared = {} if isinstance(graph, ADMG) else levels_of(graph.nodes)
        seen = {name: each for name, each in levels.items() if name not in declared}
        check_named(question, seen, "bounds")
    names = _axes(question)
    axes = tuple(levels[name] for name in names.values())
    _check_count([*names.values()], axes)
    cells = (dict(zip(names, cell, strict=True)) for cell in product(*axes))
    found = [solver.interval(_closed(question, cell)) for cell in cells]
    kind = max((each.kind for each in found), key=KINDS.index)
    low, high = (
        _shaped(question, axes, numbers)
        for numbers in ([each.low for each in found], [each.high for each in found])
    )
    notes = dict.fromkeys(note for each in found for note in each.notes)
    return Bounds(low=low, high=high, kind=kind, query=question, assumptions=tuple(notes))


def _told(
    graph: Graph | ADMG | Fitted, query: str | AnyQuery, data: Data | None
) -> tuple[Graph | ADMG, Data]:
    """The graph and the data; of a model P(v) of all that bears on the question."""
    if isinstance(graph, Graph | ADMG):
        if data is None:
            raise DataError("bounds: no data; give P(v) as a table, rows, or a fitted model")
        return graph, data
    if data is not None:
        return graph.graph, data
    names = parse_query(str(query), graph.graph).variables
    whole, found = graph.graph.admg, frozenset[str]()
    names = names & frozenset(whole.nodes)
    while names != found:
        found, names = names, whole.ancestors(names)
        names = names.union(*(whole.district(name) for name in names))
    return graph.graph, graph.joint(whole.ordered(found))


def _check_options(tolerance: object, seed: object) -> None:
    number = isinstance(tolerance, float | int) and tolerance >= 0
    if not (tolerance is None or number):
        raise CausalflowError(f"bounds: tolerance={tolerance!r}; expected a number of at least 0")
    if not isinstance(seed, int) or seed < 0:
        raise CausalflowError(f"bounds: seed={seed!r}; expected a whole number of at least 0")


def _read(graph: Graph | ADMG, query: str | AnyQuery, observation: Observation) -> AnyQuery:
    """The query, checked against the graph and the observed nodes."""
    declared = None if isinstance(graph, ADMG) else graph
    question = parse_query(str(query), declared)
    if question.told:
        raise no_value(question, "bounds")
    for name in sorted(question.variables):
        if name in observation.hidden:
            raise QueryError(f"bounds: '{name}' is hidden: the data have no such variable")
        if name not in observation.admg.nodes:
            raise QueryError(
                f"bounds: unknown node '{name}'; {one_of(name, observation.admg.nodes)}"
            )
    return question


def _axes(question: AnyQuery) -> dict[str, str]:
    """The axes of the answer, and the variable of each."""
    parts = question.parts if isinstance(question, Combination) else (question,)
    return {
        axis: name
        for part in parts
        for axis, name in zip(part.free_variables, free_names(part), strict=True)
    }


def _closed(question: AnyQuery, cell: Mapping[str, Level]) -> AnyQuery:
    """The question at one cell of its answer."""
    if isinstance(question, Query):
        return close(question, tuple(cell[axis] for axis in question.free_variables))
    above, below = (
        tuple((c, close(q, tuple(map(cell.__getitem__, q.free_variables)))) for c, q in parts)
        for parts in (question.sum, question.divisor)
    )
    return Combination(sum=above, divisor=below)


def _check_count(names: Sequence[str], axes: Sequence[tuple[Level, ...]]) -> None:
    count = math.prod(map(len, axes))
    if count > BOUND_CELLS:
        sizes = ", ".join(f"{name}: {len(axis)}" for name, axis in zip(names, axes, strict=True))
        raise CausalflowError(
            f"bounds: the question's free variables have {count:,} values together ({sizes});"
            f" at most {BOUND_CELLS:,} are handled"
        )


def _shaped(
    question: AnyQuery, axes: Sequence[tuple[Level, ...]], numbers: Sequence[float]
) -> float | Table:
    if not axes:
        return numbers[0]
    array = np.array(numbers).reshape([len(axis) for axis in axes])
    names = question.free_variables
    return Table(names, array, dict(zip(names, axes, strict=True)))
