"""Identify: the front door of identification, for every kind of question and of data.

question                          answered by
P(y | do(x), z), E[y | do(x)]     `causalflow.identify.id`: ID, IDC; the hedge if not
the same, from other data         `causalflow.identify.surrogate`: gID, search, two models
several worlds, nested            `causalflow.identify.counterfactual`
sums and ratios of questions      here, from the verdicts on their parts

A sum or ratio whose parts are all identifiable is so too, by the formula of their formulas. One
part that is not, among others that are: two models with the same data differ in it alone, so in the
whole. Several that are not may add up to what is: unknown, but for a sum that is an expectation
where events are variables 0 and 1, whose verdict holds then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from causalflow.admg.admg import ADMG
from causalflow.errors import QueryError, one_of
from causalflow.graph.graph import Graph, admg_of
from causalflow.identify.derive import UnprovedError, prove_effect
from causalflow.identify.id import OBSERVATION, Effect, identify_effect
from causalflow.identify.positivity import left_overlaps
from causalflow.identify.surrogate import identify_from
from causalflow.identify.verdict import Verdict, positivity
from causalflow.proof.proof import Line, Proof, Step
from causalflow.proof.rules import Chance
from causalflow.query.cell import settled
from causalflow.query.combination import AnyQuery, Combination, Part, no_value
from causalflow.query.distributions import (
    ANY_DOMAIN,
    POSITIVITY,
    DataNames,
    Source,
    data_names,
    sources_of,
)
from causalflow.query.parse import parse_query
from causalflow.query.query import Kind, Query
from causalflow.symbolic.expression import (
    ONE,
    ZERO,
    Expression,
    Index,
    Ratio,
    Weighted,
    probability,
)
from causalflow.symbolic.substitute import answered, axes_of, written

__all__ = ["combined_verdict", "identify"]


_APART = "several questions are combined: prove each by itself"


Found = TypeVar("Found")


def identify(
    graph: Graph | ADMG, query: str | AnyQuery, data: DataNames = "observational"
) -> Verdict:
    """The verdict on a question: whether the graph and the data determine its answer, and how.

    Args:
        graph: the causal graph.
        query: a causal question, such as ``"P(y | do(x), z)"``, or a sum or ratio of several.
        data: ``"observational"`` for P(v), ``"experimental"`` for every P(v | do(.)), or a list of
            distributions such as ``["P(v)", "P(y, z | do(x))"]``.

    Raises:
        QueryError: the query or the data cannot be read, or do not fit the graph.
        GraphError: the graph has a cycle.

    Example:
        >>> from causalflow.graph.graph import Graph, admg_of
        >>> print(identify(Graph(edges=["z -> x -> y", "z -> y"]), "P(y | do(x))"))
        P(y | do(x)) = sum_z P(y | x, z) P(z)
        >>> verdict = identify(Graph(edges=["x -> y", "x <-> y"]), "P(y | do(x))")
        >>> verdict.identifiable, sorted(verdict.hedge.forest), sorted(verdict.hedge.inner)
        (False, ['x', 'y'], ['y'])
    """
    admg, question = _read(graph, query)
    if isinstance(question, Combination):
        return combined_verdict(question, lambda part: identify(graph, part, data))
    declared = None if isinstance(graph, ADMG) else graph
    left, certain = settled(question) if question.conditions else (question, None)
    if certain is not None:
        return _settled(admg, question, data, declared, certain)
    if left != question:
        return replace(identify(graph, left, data), query=question)
    if question.is_counterfactual or question.policies:
        from causalflow.identify.counterfactual import identify_counterfactual

        found = identify_counterfactual(graph, question, data)
        asked = question if question.policies else found.query
        found = replace(found, query=asked, declared=declared)
    else:
        question = question.interventional_form()
        _check(question)
        found = _verdict(admg, question, data, declared)
    return _warned(found, question, data)


def _read(graph: Graph | ADMG, query: str | AnyQuery) -> tuple[ADMG, AnyQuery]:
    """The graph's algebra, and the query checked against it."""
    admg = admg_of(graph, "identify")
    declared = None if isinstance(graph, ADMG) else graph
    if isinstance(query, str):
        query = parse_query(query, graph)
    if not hasattr(query, "variables"):
        raise QueryError(f"identify: a query of type {type(query).__name__}; expected a text")
    if query.told:
        raise no_value(query, "identify")
    known = frozenset(admg.nodes)
    for name in sorted(query.variables - known):
        if declared is not None and name in declared.exogenous:
            raise QueryError(f"identify: '{name}' is exogenous, so no data contain it")
        raise QueryError(f"identify: unknown node '{name}'; {one_of(name, admg.nodes)}")
    return admg, query


def _settled(
    admg: ADMG, query: Query, data: DataNames, declared: Graph | None, certain: bool
) -> Verdict:
    """The verdict where the question's own conditions say its outcomes: 1, or 0."""
    reason = "the conditions say the outcomes" if certain else "they contradict the outcomes"
    estimand = ONE if certain else ZERO
    return Verdict(
        query=query,
        identifiable=True,
        estimand=estimand,
        data=data_names(data),
        derivation=(Step("conditions", reason, (), query, estimand),),
        assumptions=("the conditions have positive probability",),
        indices=axes_of(query),
        graph=admg,
        declared=declared,
    )


def _check(query: Query) -> None:
    names = [term.name for term in query.terms] + [each.variable for each in query.do]
    for name in names:
        if names.count(name) > 1:
            raise QueryError(f"identify: {query} names '{name}' twice in one world")


def _verdict(admg: ADMG, query: Query, data: DataNames, declared: Graph | None) -> Verdict:
    outcomes = frozenset(term.name for term in query.outcomes)
    conditions = frozenset(term.name for term in query.conditions)
    treatments = frozenset(each.variable for each in query.do)
    names, sources, experiments = _known(admg, data)
    if experiments:
        effect = identify_effect(admg, outcomes, treatments, conditions, experiments)
    elif sources is None:
        effect = _experimental(admg, outcomes, treatments, conditions)
    else:
        effect = identify_from(admg, outcomes, treatments, conditions, sources)
    is_joint = sources is None or bool(experiments)
    shown = answered if is_joint else written  # the laws of `answered` need one joint distribution
    estimand = None if effect.estimand is None else shown(query, effect.estimand)
    return Verdict(
        query=query,
        identifiable=effect.identifiable,
        estimand=estimand,
        data=names,
        hedge=next(iter(effect.hedges), None),
        witness=effect.witness,
        note=effect.note,
        derivation=effect.steps,
        assumptions=(*positivity(estimand), *([ANY_DOMAIN] if effect.is_final else [])),
        graph=admg,
        declared=declared,
        prove=partial(_proof, admg, query, effect if experiments else None),
    )


def _known(
    admg: ADMG, data: DataNames
) -> tuple[tuple[str, ...], Sequence[Source] | None, tuple[frozenset[str], ...]]:
    """The names of the data; what they are, None: every experiment; what each of them sets.

    Nothing is said of what they set unless all of them are about all variables.
    """
    if data == "observational":
        return ("P(v)",), None, (OBSERVATION,)
    sources, nodes = sources_of(admg, data), frozenset(admg.nodes)
    if sources is None or not all(source.covers(nodes) for source in sources):
        return data_names(data), sources, ()
    return data_names(data), sources, tuple(source.treatments for source in sources)


def _experimental(
    admg: ADMG, outcomes: frozenset[str], treatments: frozenset[str], conditions: frozenset[str]
) -> Effect:
    """The query itself is among the data."""
    formula = probability(outcomes, conditions, treatments)
    step = Step("experiment", "{} is set in an experiment", (treatments,), "P", formula)
    return Effect(estimand=formula, steps=(step,))


def _proof(admg: ADMG, query: Query, effect: Effect | None) -> Proof:
    """The do-calculus proof of an effect that complete distributions tell."""
    question = str(query)
    if effect is None:
        reason = "the data are every experiment, or do not cover all variables"
        return Proof(question=question, missing=reason)
    y, z = (frozenset(t.name for t in side) for side in (query.outcomes, query.conditions))
    x = frozenset(each.variable for each in query.do)
    try:
        lines = prove_effect(admg, Chance(y, z, x), effect)
    except UnprovedError as gap:
        return Proof(question=question, missing=str(gap))
    shown = [replace(line, formula=written(query, line.formula)) for line in lines]
    shown[-1] = replace(lines[-1], formula=answered(query, lines[-1].formula))
    if query.kind is Kind.EXPECTATION:
        start = written(query, probability(y, z, x))
        shown.insert(0, Line(formula=start, reason="expectation"))
    return Proof(question=question, lines=tuple(shown))


def _warned(verdict: Verdict, query: Query, data: DataNames) -> Verdict:
    """The verdict from P(v), with where positivity fails by the graph's own equations."""
    if query.policies:
        return verdict
    nodes = {} if verdict.declared is None else verdict.declared.nodes
    given = any(node.equation is not None or node.table is not None for node in nodes.values())
    if verdict.declared is None or not given or data != "observational":
        return verdict
    failures = left_overlaps(verdict.declared, query)
    warnings = tuple(f"positivity fails: {each}" for each in failures)
    notes = (f"{each}: there the answer rests on the model" for each in warnings)
    return replace(verdict, warnings=warnings, assumptions=(*verdict.assumptions, *notes))


def combined_verdict(question: Combination, identify: Callable[[Query], Verdict]) -> Verdict:
    """The verdict on a combination.

    Args:
        question: the combination.
        identify: gives the verdict on a part, from the data that are known.

    Raises:
        QueryError: a variable is free in several worlds of one part.
    """
    verdicts = {part: identify(part) for part in question.parts}
    found = [*verdicts.values()]
    failed = [verdict for verdict in found if not verdict]
    if len(failed) > 1 and (mean := question.as_mean) is not None:
        failed = [each for each in [identify(mean)] if each.identifiable is False] or failed
    single = failed[0].identifiable if len(failed) == 1 else None
    hedges = (verdict.hedge for verdict in failed)
    estimand = None if failed else _formula(question, verdicts)
    assumed = _all(verdict.assumptions for verdict in found)
    return replace(
        found[0],
        query=question,
        identifiable=single if failed else True,
        estimand=estimand,
        hedge=next((hedge for hedge in hedges if hedge is not None), None),
        witness=_all(verdict.witness for verdict in failed),
        note=_note(failed),
        derivation=_all(verdict.derivation for verdict in found),
        assumptions=(*positivity(estimand), *(each for each in assumed if each != POSITIVITY)),
        warnings=_all(verdict.warnings for verdict in found),
        indices=_indices(question, found),
        prove=partial(Proof, question=str(question), missing=_APART),
    )


def _note(failed: Sequence[Verdict]) -> str:
    """Why the verdict is unknown, if it is."""
    if len(failed) < 2:
        return "".join(verdict.note for verdict in failed)
    names = " and ".join(str(verdict.query) for verdict in failed[:3])
    return f"{names} are not identified each by itself; together they might be"


def _formula(question: Combination, verdicts: Mapping[Query, Verdict]) -> Expression:
    above = _weighted(question.sum, verdicts)
    if not question.divisor:
        return above
    return Ratio(above, _weighted(question.divisor, verdicts))


def _weighted(parts: Sequence[Part], verdicts: Mapping[Query, Verdict]) -> Weighted:
    terms = ((scale, verdicts[query].estimand) for scale, query in parts)
    return Weighted(tuple((scale, formula) for scale, formula in terms if formula is not None))


def _indices(question: Combination, verdicts: Sequence[Verdict]) -> tuple[Index, ...]:
    """The index of each axis, the same in every part."""
    found: dict[str, Index] = {}
    for verdict in verdicts:
        free = verdict.query.free_variables
        for axis, index in zip(free, verdict.indices or map(Index, free), strict=True):
            if found.setdefault(axis, index) != index:
                raise QueryError(f"identify: '{axis}' is free in several worlds of {question}")
    if len(set(found.values())) < len(found):
        raise QueryError(f"identify: a variable is free in several worlds of {question}")
    return tuple(found[axis] for axis in question.free_variables)


def _all(parts: Iterable[Iterable[Found]]) -> tuple[Found, ...]:
    """What the parts have, each once."""
    return tuple(dict.fromkeys(each for part in parts for each in part))
