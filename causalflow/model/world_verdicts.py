"""World verdicts: what draws and counterfactual worlds answer, put as causal questions.

The verdict of a world says whether data alone would tell what it holds, or whether it rests on the
model. What an intervention sets is named where it is one level or number for all rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from causalflow.errors import QueryError
from causalflow.graph.graph import Graph
from causalflow.identify.judgement import attempt
from causalflow.identify.verdict import Verdict
from causalflow.query.policy import Policy
from causalflow.query.policy_reader import spelt_policy
from causalflow.query.query import Intervention, Query, Term, Value
from causalflow.query.reader import resolve

__all__ = ["counterfactual_verdict", "sample_verdict"]

SET = "given"
"""Stands for a value that is no single one: one a row, an image, a function of the old value."""


def sample_verdict(
    graph: Graph, wanted: Iterable[str], do: Mapping[str, object] | None
) -> Verdict | None:
    """The verdict on P(wanted | do(...)); None where everything wanted is set."""
    world = _world_of(graph, do)
    set_to = {each.variable for each in world}
    outcomes = tuple(Term(name=name) for name in wanted if name not in set_to)
    return attempt(graph, Query(outcomes=outcomes, do=world)) if outcomes else None


def counterfactual_verdict(
    graph: Graph, evidence: Iterable[str], do: Mapping[str, object] | None
) -> Verdict | None:
    """The verdict on P(what changes under ``do`` | evidence); None where nothing can change."""
    world = _world_of(graph, do)
    set_to = [each.variable for each in world]
    seen = graph.admg.ordered(evidence)
    moved = graph.admg.do(set_to).descendants(set_to) if set_to else frozenset()
    open_nodes = [n for n in graph.nodes if n not in set_to and (n in moved or n not in seen)]
    outcomes = tuple(Term(name=name, subscript=world) for name in open_nodes)
    conditions = tuple(Term(name=name) for name in seen)
    return attempt(graph, Query(outcomes=outcomes, conditions=conditions)) if outcomes else None


def _world_of(graph: Graph, do: Mapping[str, object] | None) -> tuple[Intervention, ...]:
    """What ``do`` sets, each to its level or number; to `SET` where rows differ in it."""
    given = do or {}
    return tuple(
        Intervention(variable=name, value=_value(graph, name, given[name]))
        for name in graph.admg.ordered(given)
    )


def _value(graph: Graph, name: str, value: object) -> Value | Policy:
    if isinstance(value, str):
        variables = {**graph.nodes, **graph.exogenous}
        if (policy := spelt_policy(name, value, variables)) is not None:
            return policy
    if isinstance(value, str | int | float):
        try:
            return resolve(name, graph.nodes[name], value)
        except QueryError:  # an image set to one brightness: no value of the language
            return SET
    return SET
