"""Counterfactual: questions about several worlds, from observations and from experiments.

    P(y[x=1] | x=0)            the effect on those who were not treated
    P(y[x=1], y[x=0])          several worlds at once
    P(y[x=1, m[x=0]])          nested
    E[y[x=1] - y[x=0]]         a contrast: each term by itself

The question becomes a ctf-factor (`causalflow.identify.ctf_factor`), which is a product over
districts (`causalflow.identify.ctf_factor`). A district with a conflict is the witness that no data
tell the answer; any other is an effect Q[C], which an experiment has or `identify_district` finds.
A conditional question is a ratio: what of the ctf-factor is not linked with the outcomes, the
conditions being given, cancels and need not be known. An impossible event has probability 0, which
is an answer.

The procedure decides for variables of any number of levels: it is sound and complete there. Where
variables are declared to have two levels a little more is determined (the effect on the treated, by
subtraction: `causalflow.identify.problem`), and the verdict says so.

Source: Correa, Lee & Bareinboim (2021); Shpitser & Pearl (2007) for ID* and IDC*.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from causalflow.admg.admg import ADMG
from causalflow.errors import QueryError, one_of
from causalflow.graph.node import levels_of
from causalflow.identify.ctf_factor import CtfWitness
from causalflow.identify.policy_cases import Levels, by_cases
from causalflow.identify.problem import Found, Pairs, Problem
from causalflow.identify.surrogate import enlarged, readings
from causalflow.identify.two_levels import is_determined
from causalflow.identify.verdict import Verdict, positivity
from causalflow.query.cell import close, free_names
from causalflow.query.combination import no_value
from causalflow.query.distributions import (
    ANY_DOMAIN,
    MORE_LEVELS,
    DataNames,
    Source,
    data_names,
    sources_of,
)
from causalflow.query.parse import single_query
from causalflow.query.query import Query, Term
from causalflow.query.regime import Regime, regime_of
from causalflow.symbolic.expression import Expression
from causalflow.symbolic.simplify import product_of, weighted_of
from causalflow.symbolic.substitute import axes_of, without_shadows
from causalflow.values.finite import finite_of

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph

__all__ = ["identify_counterfactual"]

_TWO_LEVELS = (
    "with more levels it is not identifiable; with the two declared the data determine it for"
    " almost all models, but no formula was found: see bounds"
)
_UNKNOWN = (
    "no formula was found for a part of it; the graph allows one from larger distributions, so"
    " there may be one"
)


def identify_counterfactual(
    graph: Graph | ADMG, query: str | Query, data: DataNames = "observational"
) -> Verdict:
    """Whether the graph and the data determine a counterfactual, and how.

    Raises:
        QueryError: the query or the data do not fit the graph, or the condition is impossible.
        GraphError: the graph has a cycle.

    Example:
        >>> from causalflow.graph.graph import Graph
        >>> mediation = Graph(edges=["x -> m -> y", "x -> y"])
        >>> print(identify_counterfactual(mediation, "P(y[x=1, m[x=0]])"))
        P(y[x=1, m[x=0]]) = sum_m P(y | m, x=1) P(m | x=0)
        >>> bow = Graph(edges=["x -> y", "x <-> y"])
        >>> print(identify_counterfactual(bow, "P(y[x=1] | x=0)", data="experimental"))
        P(y[x=1] | x=0) is not identifiable from every P(v | do(.))
          ctf-factor P(y[x=1], x=0) needs x with two values, 1 and 0: no experiment has both
    """
    admg, asked = _read(graph, query)
    sources = sources_of(admg, data)
    pairs = {} if isinstance(graph, ADMG) else _pairs(graph)
    regime = regime_of(asked, admg)
    question = regime.query
    problem, answer, is_final = _decided(admg, regime, sources, pairs)
    if isinstance(answer, CtfWitness) and regime.policies:
        answer = by_cases(problem, regime, _types(graph), question) or answer
    if isinstance(answer, CtfWitness) and answer.conflict is not None:
        answer = _by_levels(problem, question, answer.conflict.name) or answer
    failed = isinstance(answer, CtfWitness)
    estimand = None if isinstance(answer, CtfWitness) else without_shadows(answer)
    domain = _domain(problem, answer) if is_final else ""
    if domain == MORE_LEVELS:
        told = is_determined(problem.admg, question, problem.known, pairs)
        is_final, domain = told is not True, ANY_DOMAIN if told is False else domain
    return Verdict(
        query=asked,
        identifiable=not failed if is_final else None,
        estimand=estimand,
        data=data_names(data),
        witness=(answer,) if failed and is_final else (),
        note=_note(is_final, domain),
        derivation=tuple(problem.steps),
        assumptions=(*positivity(estimand), *([domain] if domain and is_final else [])),
        indices=axes_of(question),
        graph=admg,
    )


def _by_levels(problem: Problem, question: Query, name: str) -> Expression | None:
    """The answer at each level of a variable of two that the question leaves free, if all are told.

    Each stands beside the indicator of its level.
    """
    free, axes = free_names(question), axes_of(question)
    at = [place for place, each in enumerate(free) if each == name]
    if not at or name not in problem.pairs:
        return None
    parts = []
    for levels in product(problem.pairs[name], repeat=len(at)):
        chosen = dict(zip(at, levels, strict=True))
        closed = close(question, tuple(chosen.get(place) for place in range(len(free))))
        answer = problem.answer(closed)
        left = tuple(axis for place, axis in enumerate(axes) if place not in at)
        if isinstance(answer, CtfWitness) or axes_of(closed) != left:
            return None
        marks = [problem.indicator(name, level, axes[place]) for place, level in chosen.items()]
        parts.append((1, product_of([*marks, answer])))
    problem.flipped.add(name)
    return weighted_of(parts)


def _pairs(graph: Graph) -> Pairs:
    """The levels of each variable that is declared to have two."""
    finite = levels_of(graph.nodes)
    return {name: (each[0], each[1]) for name, each in finite.items() if len(each) == 2}


def _types(graph: Graph | ADMG) -> Levels:
    """The type of each variable that has levels."""
    declared = {} if isinstance(graph, ADMG) else graph.nodes
    types = {name: finite_of(node.type) for name, node in declared.items()}
    return {name: kind for name, kind in types.items() if kind is not None}


def _note(is_final: bool, domain: str) -> str:
    """Why it is unknown, or for which variables the verdict holds if not for all."""
    if is_final:
        return "" if domain == ANY_DOMAIN else domain
    return _TWO_LEVELS if domain else _UNKNOWN


def _domain(problem: Problem, answer: Found) -> str:
    """For which numbers of levels a verdict holds."""
    if isinstance(answer, CtfWitness):
        conflict = answer.conflict
        return MORE_LEVELS if conflict and conflict.name in problem.pairs else ANY_DOMAIN
    if problem.flipped:
        names = ", ".join(sorted(problem.flipped))
        return f"the verdict holds with two levels of {names}; with more it would be no"
    return ANY_DOMAIN


def _decided(
    admg: ADMG, regime: Regime, sources: Sequence[Source] | None, pairs: Pairs
) -> tuple[Problem, Found, bool]:
    """The answer or what is in its way, and whether that is final.

    Sources that do not cover all variables are made larger first: what these do not tell, no part
    of them does.
    """
    question = regime.query
    named = question.variables - regime.policies.keys()
    graphs = [*readings(admg, named.union(*map(regime.read, regime.policies)), sources)]
    if partial := graphs[-1][2]:
        graphs.insert(0, (graphs[-1][0], enlarged(partial), ()))
    for at, (graph, known, rest) in enumerate(graphs):
        wider = regime.graph(graph)
        problem = Problem(
            admg=wider, known=known, sources=rest, pairs=pairs, policies=regime.policies
        )
        answer = problem.answer(question)
        told = not isinstance(answer, CtfWitness)
        if told != bool(partial and at == 0):
            return problem, answer, True
    return problem, answer, not partial


def _read(graph: Graph | ADMG, query: str | Query) -> tuple[ADMG, Query]:
    admg = graph if isinstance(graph, ADMG) else graph.admg
    if isinstance(query, str):
        query = single_query(query, graph, "identify_counterfactual")
    if query.told:
        raise no_value(query, "identify")
    for name in sorted(query.variables.difference(admg.nodes)):
        raise QueryError(f"identify: unknown node '{name}'; {one_of(name, admg.nodes)}")
    question = query.counterfactual_form()
    seen: set[Term] = set()
    for term in question.terms:
        if term.free in seen:
            raise QueryError(f"identify: {question} names '{term.free}' twice")
        seen.add(term.free)
    return admg, question
