"""Policies: a question's policies as nodes of a finite model, each with its table.

A policy on x (`causalflow.query.policy`) is a node R of x's levels whose table P(R | what it reads)
is known; x is then set to R, a nested term (`causalflow.query.regime`). What R draws enters by one
uniform number, read against the cumulative table ("monotone"): so two worlds under one policy that
read the same get the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import TypeVar

from causalflow.errors import CausalflowError, QueryError
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class, Edge, Neural
from causalflow.limits import TABLE_CELLS
from causalflow.query.answer import Answer
from causalflow.query.combination import AnyQuery, Combination
from causalflow.query.known import Known, KnownParts, bindable
from causalflow.query.policy import Policy
from causalflow.query.policy_rows import policy_rows
from causalflow.query.regime import Regime, regime_of
from causalflow.values.finite import FiniteType, finite_of

__all__ = ["Asking", "asked_as", "given_levels", "policy_question"]

Asking = TypeVar("Asking", Known, KnownParts, Known | KnownParts)


def policy_question(known: Asking, graph: Graph) -> tuple[Graph, Asking]:
    """The graph with the question's policies as nodes, and the question put to it.

    Raises:
        QueryError: a policy that is not told, or gives what is no level; a variable without levels.
    """
    policies = known.query.policies
    parts = known.parts if isinstance(known, KnownParts) else {known.query: known}
    regimes = {query: regime_of(each.query, graph.admg) for query, each in parts.items()}
    wider = with_policies(graph, {str(each): each for each in policies if not each.is_idle})
    lowered = {query: _lowered(each, regimes[query], wider) for query, each in parts.items()}
    if isinstance(known, KnownParts):
        return wider, replace(known, parts=lowered)
    return wider, lowered[known.query]


def _lowered(known: Known, regime: Regime, graph: Graph) -> Known:
    """The same, its keys those of the other query in the same places."""
    keys = dict(zip(bindable(known.query), bindable(regime.query).values(), strict=True))
    own = {name: keys[name] for name in known.keys}
    return replace(known, graph=graph, query=regime.query, keys=own)


def with_policies(graph: Graph, policies: Mapping[str, Policy]) -> Graph:
    """The graph with a node for each policy, called as it is written."""
    nodes = {name: _node(graph, each) for name, each in policies.items()}
    edges = [
        Edge(source=read, target=name, kind=Neural())
        for name, each in policies.items()
        for read in each.reads
    ]
    return graph.extended(nodes, edges)


def _node(graph: Graph, policy: Policy) -> Class:
    own = _levels(graph, policy, policy.variable)
    given = {read: _levels(graph, policy, read) for read in policy.reads}
    cells = prod(len(each.levels) for each in (own, *given.values()))
    if cells > TABLE_CELLS:
        raise CausalflowError(
            f"query: do({policy}) has a table of {cells:,} cells; at most {TABLE_CELLS:,} are made"
        )
    return Class(levels=own.levels, table=policy_rows(policy, own, given), noise="monotone")


def given_levels(graph: Graph, policy: Policy) -> list[int]:
    """The positions of the levels that a policy may give its variable."""
    table = _node(graph, policy).table or ()
    return [*dict.fromkeys(place for _, law in table for place, p in enumerate(law) if p)]


def _levels(graph: Graph, policy: Policy, name: str) -> FiniteType:
    levels = finite_of(graph.nodes[name].type)
    if levels is None:
        raise QueryError(f"query: do({policy}) is no table: '{name}' has no levels")
    return levels


def asked_as(query: AnyQuery, answer: Answer) -> Answer:
    """The answer under the question that was asked, its axes named as this names them."""
    table = answer.table
    if isinstance(query, Combination):
        return answer
    names = zip(answer.query.free_variables, query.free_variables, strict=True)
    changed = {old: new for old, new in names if old != new and old in table.axes}
    return replace(answer, query=query, table=table.rename(changed) if changed else table)
