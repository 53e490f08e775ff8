"""Counterfactual: questions about several worlds, from observations and from experiments.

    P(y[x=1] | x=0)            the effect on those who were not treated
    P(y[x=1], y[x=0])          several worlds at once
    P(y[x=1, m[x=0]])          nested
    E[y[x=1] - y[x=0]]         a contrast: each term by itself

The question becomes a ctf-factor (`causalflow.identify.unnesting`), which is a product over
districts (`causalflow.identify.ctf_factor`). A district with a conflict is the witness that no data
tell the answer; any other is an effect Q[C], which an experiment has or `identify_district` finds.
A conditional question is a ratio: what of the ctf-factor is not linked with the outcomes, the
conditions being given, cancels and need not be known. An impossible event has probability 0, which
is an answer.

The procedure decides for variables of any number of levels: it is sound and complete there. With
binary variables a little more is determined (the effect on the treated, by subtraction).

Source: Correa, Lee & Bareinboim (2021); Shpitser & Pearl (2007) for ID* and IDC*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias, cast

from causalflow.errors import QueryError, one_of
from causalflow.graph.admg import ADMG
from causalflow.identify.ctf_factor import (
    CtfFactor,
    CtfWitness,
    Equality,
    Response,
    Symbol,
    conflict_in,
)
from causalflow.identify.hedge import Hedge, hedge_of
from causalflow.identify.id import identify_district
from causalflow.identify.kernel import Observed
from causalflow.identify.region import Region
from causalflow.identify.source import Source
from causalflow.identify.sources import (
    ANY_DOMAIN,
    POSITIVITY,
    DataNames,
    Known,
    data_names,
    readings,
    sources_of,
)
from causalflow.identify.step import Step
from causalflow.identify.surrogate import enlarged, identify_from
from causalflow.identify.symbols import axes_of, indices_taken, symbols_of
from causalflow.identify.unnesting import Unnesting
from causalflow.identify.verdict import Verdict
from causalflow.query.language import single_query
from causalflow.query.query import Kind, Query, Term, Value
from causalflow.symbolic.binding import bind, without_shadows
from causalflow.symbolic.expression import (
    ZERO,
    Event,
    Expression,
    Linear,
    Probability,
    own_events,
)
from causalflow.symbolic.simplify import product_of, ratio_of, sum_of

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph

__all__ = ["identify_counterfactual"]

Names: TypeAlias = frozenset[str]
Found: TypeAlias = Expression | CtfWitness
Terms: TypeAlias = tuple[Term, ...]

_UNKNOWN = "the graph allows one from larger distributions, so there may be one"

_CAUSES = "with each variable as it responds to its direct causes"


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
    admg, question = _read(graph, query)
    sources = sources_of(admg, data)
    problem, answer, is_final = _decided(admg, question, sources)
    failed = isinstance(answer, CtfWitness)
    return Verdict(
        query=question,
        identifiable=not failed if is_final else None,
        estimand=None if isinstance(answer, CtfWitness) else without_shadows(answer),
        data=data_names(data),
        witness=(answer,) if failed and is_final else (),
        note="" if is_final else f"no formula was found for a part of it: {_UNKNOWN}",
        derivation=tuple(problem.steps),
        assumptions=(POSITIVITY, *([ANY_DOMAIN] if is_final else [])),
        indices=axes_of(question),
        graph=admg,
    )


def _decided(
    admg: ADMG, question: Query, sources: Sequence[Source] | None
) -> tuple[_Problem, Found, bool]:
    """The answer or what is in its way, and whether that is final.

    Sources that do not cover all variables are made larger first: what these do not tell, no part
    of them does.
    """
    graphs = [*readings(admg, question.variables, sources)]
    if partial := graphs[-1][2]:
        graphs.insert(0, (graphs[-1][0], enlarged(partial), ()))
    for at, (graph, known, rest) in enumerate(graphs):
        problem = _Problem(admg=graph, region=Region.of(graph), known=known, sources=rest)
        answer = problem.answer(question)
        told = not isinstance(answer, CtfWitness)
        if told != bool(partial and at == 0):
            return problem, answer, True
    return problem, answer, not partial


def _read(graph: Graph | ADMG, query: str | Query) -> tuple[ADMG, Query]:
    admg = graph if isinstance(graph, ADMG) else graph.admg
    if isinstance(query, str):
        query = single_query(query, graph, "identify_counterfactual")
    for name in sorted(query.variables.difference(admg.nodes)):
        raise QueryError(f"identify: unknown node '{name}'; {one_of(name, admg.nodes)}")
    question = query.counterfactual_form()
    seen: set[Term] = set()
    for term in question.terms:
        if term.free in seen:
            raise QueryError(f"identify: {question} names '{term.free}' twice")
        seen.add(term.free)
    return admg, question


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """A graph and what is known about it, with the steps so far.

    Attributes:
        known: the treatments of each distribution P(v | do(.)) that is known; None: all.
        sources: other distributions that are known, partial or conditional.
    """

    admg: ADMG
    region: Region
    known: Known
    sources: Sequence[Source] = ()
    steps: list[Step] = field(default_factory=list)

    def answer(self, query: Query) -> Found:
        """The formula of a query, or why there is none."""
        symbols = symbols_of(query)
        if query.kind is Kind.PROBABILITY:
            return self.probability(symbols, query.outcomes, query.conditions)
        factors = []
        for term in query.outcomes:  # E[a - b] = sum_{a, b} (a - b) P(a) P(b)
            found = self.probability(symbols, (term,), query.conditions)
            if isinstance(found, CtfWitness):
                return found
            factors.append(found)
        events = [Event(term.name, symbols[term]) for term in query.outcomes]
        numbers = Linear(tuple(zip(query.coefficients, events, strict=True)))
        return sum_of(numbers.free, product_of([numbers, *factors]))

    def probability(
        self, symbols: Mapping[Term, Symbol], outcomes: Terms, conditions: Terms
    ) -> Found:
        """P(outcomes | conditions), each term at its symbol."""
        closure = Unnesting(admg=self.admg, links=self.region.links, used=indices_taken(symbols))
        asked, given = (
            [Equality(term.name, closure.value(term), symbols[term]) for term in terms]
            for terms in (outcomes, conditions)
        )
        whole = closure.factor()
        if conditions:
            return self._ratio(closure, whole, asked, given)
        return self._sum("unnest", whole.unified(asked), closure)

    def _ratio(
        self,
        closure: Unnesting,
        whole: CtfFactor,
        asked: Sequence[Equality],
        given: Sequence[Equality],
    ) -> Found:
        """The joint by its sum over the outcomes, without what is not linked with them."""
        seen = whole.unified(given)
        if seen is None:
            raise QueryError("identify: the condition is impossible: its probability is zero")
        wanted = frozenset(seen.current(each.left) for each in asked) & seen.summed
        every = seen.without_barren(wanted)
        linked = every.relevant(self.admg, wanted)
        self._say("unnest", f"{_CAUSES}, outcomes and conditions: {every}")
        if away := [str(each) for each in every.responses if each not in linked.responses]:
            self._say("cancel", f"not linked with the outcomes, given the rest: {', '.join(away)}")
        above = self._sum("numerator", linked.unified(asked), closure)
        if isinstance(above, CtfWitness) or above == ZERO:
            return above
        below = self._sum("denominator", replace(linked, equalities=()), closure)
        if isinstance(below, CtfWitness):
            return below
        formula = ratio_of(above, below)
        self.steps.append(Step("condition", "the ratio of the two", (), "P", formula))
        return formula

    def _sum(self, rule: str, factor: CtfFactor | None, closure: Unnesting) -> Found:
        """A ctf-factor as a formula; the first district that is not known if there is none."""
        if factor is None:
            self._say("impossible", "one variable would have two values: the probability is 0")
            return ZERO
        factor = factor.without_barren()
        self._say(rule, f"{_CAUSES}: {factor}")
        parts = factor.districts(self.admg)
        for part in parts:
            if (conflict := conflict_in(part)) is not None:
                witness = CtfWitness(factor=part, conflict=conflict)
                self._say("conflict", str(witness))
                return witness
        factors: list[Expression] = [self._same(each, closure) for each in factor.equalities]
        for part in parts:
            found = self._district(part, closure)
            if isinstance(found, CtfWitness):
                return found
            factors.append(found)
        formula = sum_of(factor.indices, product_of(factors))
        claim = "P" if rule == "unnest" else rule
        self.steps.append(Step("districts", "their product", (), claim, formula))
        return formula

    def _district(self, part: Sequence[Response], closure: Unnesting) -> Found:
        """Q[C] from the first source that tells it."""
        values = dict(chain.from_iterable(each.assignment for each in part))
        district = frozenset(each.name for each in part)
        self._say("district", f"P({', '.join(map(str, part))}) has one value for each variable")
        if self.known is None:
            sides = district, values.keys() - district
            own, do = (tuple(Event(name, values[name]) for name in sorted(s)) for s in sides)
            return Probability(own, (), do)
        hedges = []
        for experiment in self.known:
            if district.isdisjoint(experiment):
                found = identify_district(self._source(district, experiment), district, self.steps)
                if not isinstance(found, Region):
                    return _at(found, values, closure)
                hedges.append(_hedge(found, district, experiment))
        if self.sources:
            around = self.admg.parents(district) - district
            effect = identify_from(self.admg, district, around, Names(), self.sources)
            self.steps.extend(effect.steps)
            if effect.estimand is not None:
                return _at(effect.estimand, values, closure)
        return CtfWitness(factor=tuple(part), hedges=tuple(hedges))

    def _source(self, district: Names, experiment: Names) -> Observed:
        left = self.region.restrict(self.region.nodes - experiment)
        return Observed(left.restrict(left.ancestors(district)), own_events(sorted(experiment)))

    def _same(self, equality: Equality, closure: Unnesting) -> Expression:
        """1 where the symbols are equal, else 0: P(w=a | w=b), from any of the data."""
        name, one, other = equality
        experiment, seen = self._telling(name)
        set_to, also = (
            tuple(Event(each, closure.fresh(each)) for each in sorted(side - {name}))
            for side in (experiment, seen)
        )
        known = (Event(name, other),)
        given, do = (also, (*set_to, *known)) if name in experiment else ((*also, *known), set_to)
        return Probability((Event(name, one),), given, do)

    def _telling(self, name: str) -> tuple[Names, Names]:
        """What is set and what is given in some of the data that have a variable."""
        for source in self.sources:
            if name in source.variables:
                return source.treatments, source.conditions
        return (self.known[0] if self.known and Names() not in self.known else Names()), Names()

    def _say(self, rule: str, text: str) -> None:
        self.steps.append(Step(rule, text.replace("{", "{{").replace("}", "}}")))


def _at(formula: Expression, values: Mapping[str, Symbol], closure: Unnesting) -> Expression:
    """A formula at the symbols of its variables; at any value of those it does not depend on."""
    constant = {index.name for index in formula.free} - values.keys()
    chosen = {**values, **{name: closure.fresh(name) for name in sorted(constant)}}
    return bind(formula, cast("Mapping[str, Value]", chosen))


def _hedge(region: Region, district: Names, experiment: Names) -> Hedge:
    return hedge_of(
        region,
        district,
        treatments=region.nodes - district,
        outcomes=district,
        experiment=experiment,
    )
