"""Identify: the front door of identification, for every kind of question and of data.

question                          answered by
P(y | do(x), z), E[y | do(x)]     `causalflow.identify.id`: ID, IDC; the hedge if not
the same, with experiments        `causalflow.identify.surrogate`: gID
several worlds, nested            `causalflow.identify.counterfactual`
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalflow.errors import QueryError, one_of
from causalflow.graph.admg import ADMG
from causalflow.identify.id import Effect, identify_effect
from causalflow.identify.sources import (
    ANY_DOMAIN,
    PARTIAL,
    POSITIVITY,
    DataNames,
    data_names,
    sources_of,
)
from causalflow.identify.step import Step
from causalflow.identify.surrogate import identify_from
from causalflow.identify.verdict import Verdict
from causalflow.query.language import parse_query
from causalflow.query.query import Kind, Query, Term
from causalflow.symbolic.binding import bind, without_shadows
from causalflow.symbolic.expression import (
    Event,
    Expression,
    Index,
    Linear,
    probability,
)
from causalflow.symbolic.simplify import product_of, sum_of

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph

__all__ = ["identify"]


def identify(graph: Graph | ADMG, query: str | Query, data: DataNames = "observational") -> Verdict:
    """Whether the graph and the data determine the answer, and how.

    Args:
        graph: the causal graph.
        query: a causal question, such as ``"P(y | do(x), z)"``.
        data: ``"observational"`` for P(v), ``"experimental"`` for every P(v | do(.)), or a list of
            distributions such as ``["P(v)", "P(y, z | do(x))"]``.

    Raises:
        QueryError: the query or the data cannot be read, or do not fit the graph.
        GraphError: the graph has a cycle.

    Example:
        >>> from causalflow.graph.graph import Graph
        >>> print(identify(Graph(edges=["z -> x -> y", "z -> y"]), "P(y | do(x))"))
        P(y | do(x)) = sum_z P(y | x, z) P(z)
        >>> verdict = identify(Graph(edges=["x -> y", "x <-> y"]), "P(y | do(x))")
        >>> verdict.identifiable, sorted(verdict.hedge.forest), sorted(verdict.hedge.inner)
        (False, ['x', 'y'], ['y'])
    """
    admg, question = _read(graph, query)
    if question.is_counterfactual:
        from causalflow.identify.counterfactual import identify_counterfactual

        return identify_counterfactual(admg, question, data)
    question = question.interventional_form()
    _check(question)
    return _verdict(admg, question, data)


def _read(graph: Graph | ADMG, query: str | Query) -> tuple[ADMG, Query]:
    """The graph's algebra, and the query checked against it."""
    declared = None if isinstance(graph, ADMG) else graph
    admg = graph if isinstance(graph, ADMG) else graph.admg
    question = parse_query(query, declared) if isinstance(query, str) else query
    known = frozenset(admg.nodes)
    for name in sorted(question.variables - known):
        if declared is not None and name in declared.exogenous:
            raise QueryError(f"identify: '{name}' is exogenous, so no data contain it")
        raise QueryError(f"identify: unknown node '{name}'; {one_of(name, admg.nodes)}")
    return admg, question


def _check(query: Query) -> None:
    names = [term.name for term in query.terms] + [each.variable for each in query.do]
    for name in names:
        if names.count(name) > 1:
            raise QueryError(f"identify: {query} names '{name}' twice in one world")


def _verdict(admg: ADMG, query: Query, data: DataNames) -> Verdict:
    outcomes = frozenset(term.name for term in query.outcomes)
    conditions = frozenset(term.name for term in query.conditions)
    treatments = frozenset(each.variable for each in query.do)
    sources = sources_of(admg, data)
    nodes = frozenset(admg.nodes)
    if sources is None:
        effect = _experimental(admg, outcomes, treatments, conditions)
    elif all(source.variables == nodes for source in sources):
        experiments = [source.treatments for source in sources]
        effect = identify_effect(admg, outcomes, treatments, conditions, experiments)
    else:
        effect = identify_from(admg, outcomes, treatments, conditions, sources)
    partial = sources is not None and any(source.variables != nodes for source in sources)
    return Verdict(
        query=query,
        identifiable=effect.estimand is not None,
        estimand=None if effect.estimand is None else _asked(query, effect.estimand),
        data=data_names(data),
        hedge=next(iter(effect.hedges), None),
        witness=effect.hedges,
        derivation=effect.steps,
        assumptions=(POSITIVITY, ANY_DOMAIN, *([PARTIAL] if partial else [])),
    )


def _experimental(
    admg: ADMG, outcomes: frozenset[str], treatments: frozenset[str], conditions: frozenset[str]
) -> Effect:
    """The query itself is among the data."""
    formula = probability(outcomes, conditions, treatments)
    step = Step("experiment", "{} is set in an experiment", (treatments,), "P", formula)
    return Effect(estimand=formula, steps=(step,))


def _asked(query: Query, estimand: Expression) -> Expression:
    """The estimand with the query's values, and averaged if an expectation is asked."""
    if query.kind is Kind.EXPECTATION:
        estimand = _expectation(query, estimand)
    values = {t.name: t.value for t in query.terms if t.value is not None}
    for each in query.do:
        if each.value is not None and not isinstance(each.value, Term):
            values[each.variable] = each.value
    return without_shadows(bind(estimand, values))


def _expectation(query: Query, estimand: Expression) -> Expression:
    if valued := [term for term in query.outcomes if term.value is not None]:
        raise QueryError(f"identify: '{valued[0]}' is an event; ask for its probability")
    terms = zip(query.coefficients, query.outcomes, strict=True)
    numbers = Linear(tuple((c, Event(term.name, Index(term.name))) for c, term in terms))
    over = [Index(term.name) for term in query.outcomes]
    return sum_of(over, product_of([numbers, estimand]))
