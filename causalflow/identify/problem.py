"""Problem: a counterfactual question on a graph with what is known, and the way to its answer.

The question becomes a ctf-factor, which is a product over districts
(`causalflow.identify.ctf_factor`); each is in conflict, or an effect that data may tell.

Where a variable has two levels, the one tells of the other. E an event, t a term of a variable that
has the levels a and b and no others:

    P(E, t=a) = P(E) - P(E, t=b)            complement
    P(E) = P(E, t=a) + P(E, t=b)            cases

The right side may be known where the left side is in conflict: of a binary treatment,
P(y[x=1], x=0) = P(y | do(x=1)) - P(y, x=1). With a third level it is not determined.

Source: Correa, Lee & Bareinboim (2021); Pearl (2009), section 8.2.5, for the effect on the treated
from an experiment and P(v).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeAlias, cast

from causalflow.admg.admg import ADMG, Nodes
from causalflow.errors import QueryError
from causalflow.graph.node import Level
from causalflow.identify.ctf_factor import (
    CONFLICT,
    CtfFactor,
    CtfWitness,
    Equality,
    Response,
    Unnesting,
    conflict_in,
)
from causalflow.identify.hedge import Hedge, hedge_of
from causalflow.identify.id import Factor, identify_district
from causalflow.identify.kernel import Observed, observed
from causalflow.identify.surrogate import identify_from
from causalflow.proof.proof import Part, Step
from causalflow.query.distributions import Experiments, Source
from causalflow.query.policy import Policy
from causalflow.query.query import Kind, Query, Term, Value
from causalflow.symbolic.expression import (
    ONE,
    ZERO,
    Event,
    Expression,
    Index,
    Linear,
    Probability,
)
from causalflow.symbolic.simplify import (
    plain_product,
    plain_ratio,
    plain_sum,
    product_of,
    ratio_of,
    sum_of,
    weighted_of,
)
from causalflow.symbolic.substitute import Symbol, bind, indices_taken, symbols_of

__all__ = ["Chance", "Found", "Pairs", "Problem", "by_complement"]


Pairs: TypeAlias = Mapping[str, tuple[Level, Level]]


Terms: TypeAlias = tuple[Term, ...]


Symbols: TypeAlias = Mapping[Term, Symbol]


Found: TypeAlias = Expression | CtfWitness


Chance: TypeAlias = Callable[[Symbols, Terms, Terms], Found]


_CAUSES = "with each variable as it responds to its direct causes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A graph and what is known about it, with the steps so far.

    Attributes:
        known: the treatments of each distribution P(v | do(.)) that is known; None: all.
        sources: other distributions that are known, partial or conditional.
        pairs: the levels of each variable that has two, for `causalflow.identify.problem`.
        flipped: the variables of which an answer took the one level for all but the other.
        policies: the variables that are policies (`causalflow.query.regime`): their law is known.
    """

    admg: ADMG
    known: Experiments
    sources: Sequence[Source] = ()
    pairs: Pairs = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    flipped: set[str] = field(default_factory=set)
    policies: Mapping[str, Policy] = field(default_factory=dict)

    def answer(self, query: Query, probability: Chance | None = None) -> Found:
        """The formula of a query, or why there is none.

        Args:
            query: the question.
            probability: finds P(outcomes | conditions), in place of `probability`.
        """
        symbols, chance = symbols_of(query), probability or self.probability
        if query.kind is Kind.PROBABILITY:
            return chance(symbols, query.outcomes, query.conditions)
        factors = []
        for term in query.outcomes:  # E[a - b] = sum_{a, b} (a - b) P(a) P(b)
            found = chance(symbols, (term,), query.conditions)
            if isinstance(found, CtfWitness):
                return found
            factors.append(found)
        events = [Event(term.name, symbols[term]) for term in query.outcomes]
        numbers = Linear(tuple(zip(query.coefficients, events, strict=True)))
        return self._total(numbers.free, [numbers, *factors])

    def probability(
        self, symbols: Mapping[Term, Symbol], outcomes: Terms, conditions: Terms
    ) -> Found:
        """P(outcomes | conditions), each term at its symbol."""
        found = self.direct(symbols, outcomes, conditions)
        if isinstance(found, CtfWitness) and found.conflict is not None and self.pairs:
            other = by_complement(self, symbols, outcomes, conditions)
            return found if other is None else other
        return found

    def direct(self, symbols: Mapping[Term, Symbol], outcomes: Terms, conditions: Terms) -> Found:
        """The same, for variables of any number of levels."""
        used = indices_taken(symbols)
        closure = Unnesting(admg=self.admg, used=used, policies=self.policies)
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
        reason = f"{_CAUSES}, outcomes and conditions"
        self.steps.append(Step("unnest", reason, formula=every))
        if away := tuple(each for each in every.responses if each not in linked.responses):
            self._say("cancel", "not linked with the outcomes, given the rest: {}", away)
        above = self._sum("numerator", linked.unified(asked), closure)
        if isinstance(above, CtfWitness) or above == ZERO:
            return above
        below = self._sum("denominator", replace(linked, equalities=()), closure)
        if isinstance(below, CtfWitness):
            return below
        formula = plain_ratio(above, below) if self.sources else ratio_of(above, below)
        self.steps.append(Step("condition", "the ratio of the two", (), "P", formula))
        return formula

    def _sum(self, rule: str, factor: CtfFactor | None, closure: Unnesting) -> Found:
        """A ctf-factor as a formula; the first district that is not known if there is none."""
        if factor is None:
            self._say("impossible", "one variable would have two values: the probability is 0")
            return ZERO
        factor = factor.without_barren()
        self.steps.append(Step(rule, _CAUSES, formula=factor))
        parts = factor.districts(self.admg)
        for part in parts:
            if (conflict := conflict_in(part)) is not None:
                witness = CtfWitness(factor=part, conflict=conflict)
                self._say("conflict", CONFLICT, witness.whole, *map(str, conflict))
                return witness
        factors: list[Expression] = [self._same(each, closure) for each in factor.equalities]
        for part in parts:
            found = self._district(part, closure)
            if isinstance(found, CtfWitness):
                return found
            factors.append(found)
        formula = self._total(factor.indices, factors)
        claim = "P" if rule == "unnest" else rule
        self.steps.append(Step("districts", "their product", (), claim, formula))
        return formula

    def _total(self, over: Iterable[Index], factors: Sequence[Expression]) -> Expression:
        """The sum of a product, by the laws of one joint distribution where there is one."""
        if self.sources:
            return plain_sum(over, plain_product(factors))
        return sum_of(over, product_of(factors))

    def _district(self, part: Sequence[Response], closure: Unnesting) -> Found:
        """Q[C] from the first source that tells it."""
        if chosen := [each.chosen for each in part if each.chosen is not None]:
            return product_of(chosen)
        values = dict(chain.from_iterable(each.assignment for each in part))
        district = frozenset(each.name for each in part)
        whole = CtfFactor(responses=tuple(part), summed=frozenset())
        self._say("district", "{} has one value for each variable", whole)
        if self.known is None:
            sides = district, values.keys() - district
            own, do = (tuple(Event(name, values[name]) for name in sorted(s)) for s in sides)
            return Probability(own, (), do)
        hedges = []
        for experiment in self.known:
            if district.isdisjoint(experiment):
                found = identify_district(self._source(district, experiment), district, self.steps)
                if isinstance(found, Factor):
                    return _at(found.formula, values, closure)
                hedges.append(_hedge(found, district, experiment))
        if self.sources:
            around = self.admg.parents(district) - district
            effect = identify_from(self.admg, district, around, Nodes(), self.sources)
            self.steps.extend(effect.steps)
            if effect.estimand is not None:
                return _at(effect.estimand, values, closure)
        return CtfWitness(factor=tuple(part), hedges=tuple(hedges))

    def _source(self, district: Nodes, experiment: Nodes) -> Observed:
        left = self.admg.subgraph(self.admg.members - experiment)
        return observed(left.subgraph(left.ancestors(district)), experiment)

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

    def indicator(self, name: str, level: Level, index: Index) -> Expression:
        """1 where an index is the level, else 0."""
        closure = Unnesting(admg=self.admg, used=Counter({name: 2}))
        return self._same(Equality(name, level, index), closure)

    def _telling(self, name: str) -> tuple[Nodes, Nodes]:
        """What is set and what is given in some of the data that have a variable."""
        for source in self.sources:
            if name in source.variables:
                return source.treatments, source.conditions
        return (self.known[0] if self.known and Nodes() not in self.known else Nodes()), Nodes()

    def _say(self, rule: str, reason: str, *named: Part) -> None:
        self.steps.append(Step(rule, reason, named))


def by_complement(
    problem: Problem, symbols: Symbols, outcomes: Terms, conditions: Terms
) -> Expression | None:
    """P(outcomes | conditions) where terms of two levels give way to the other; None: not found."""
    trial = replace(problem, steps=[], flipped=set())
    above = _joint(trial, symbols, (*outcomes, *conditions))
    below: Expression | None = ONE
    if conditions and above is not None:
        below = _joint(trial, symbols, conditions)
    if below == ZERO:
        return None
    if above is None or (below is None and above != ZERO):
        return None
    problem.steps.extend(trial.steps)
    problem.flipped.update(trial.flipped)
    return ZERO if below is None else ratio_of(above, below)


def _joint(problem: Problem, symbols: Symbols, terms: Terms) -> Expression | None:
    """P(terms), directly; else by the cases of variables that it does not name; by complements."""
    flippable = [term for term in terms if _other(problem.pairs, term) is not None]
    found = _by_complements(problem, symbols, terms, flippable)
    if found is not None:
        return found
    actual = {term.name for term in terms if not term.subscript}
    for name, levels in sorted(problem.pairs.items()):
        if name not in actual:
            cases = [Term(name=name, value=level) for level in levels]
            parts = [_case(problem, symbols, terms, case, flippable) for case in cases]
            if all(part is not None for part in parts):
                formula = weighted_of((1, part) for part in parts if part is not None)
                problem.flipped.add(name)
                _say(problem, "cases", f"{name} has two levels", terms, formula)
                return formula
    return None


def _case(
    problem: Problem, symbols: Symbols, terms: Terms, case: Term, flippable: Sequence[Term]
) -> Expression | None:
    named = {**symbols, case: cast("Level", case.value)}
    return _by_complements(problem, named, (*terms, case), (case, *flippable))


def _by_complements(
    problem: Problem, symbols: Symbols, terms: Terms, flippable: Sequence[Term]
) -> Expression | None:
    """P(terms), each term of ``flippable`` as it is or by its complement."""
    if not terms:
        return ONE
    trial = replace(problem, steps=[], pairs={})
    found = trial.direct({term: symbols[term] for term in terms}, terms, ())
    if not isinstance(found, CtfWitness):
        problem.steps.extend(trial.steps)
        return found
    for place, term in enumerate(flippable):
        left = flippable[place + 1 :]
        rest = tuple(each for each in terms if each != term)
        other = _other(problem.pairs, term)
        assert other is not None
        turned = {**symbols, other: cast("Level", other.value)}
        whole = _by_complements(problem, symbols, rest, left)
        part = None if whole is None else _by_complements(problem, turned, (*rest, other), left)
        if whole is not None and part is not None:
            formula = weighted_of(((1, whole), (-1, part)))
            problem.flipped.add(term.name)
            reason = f"{term.name} has two levels: what is not {other} is {term}"
            _say(problem, "complement", reason, terms, formula)
            return formula
    return None


def _say(problem: Problem, rule: str, reason: str, terms: Terms, formula: Expression) -> None:
    problem.steps.append(Step(rule, reason, (), Query(outcomes=terms), formula))


def _other(pairs: Pairs, term: Term) -> Term | None:
    """The term at its variable's other level, if it has a level and the variable two."""
    if term.value is None or isinstance(term.value, Index) or term.name not in pairs:
        return None
    rest = [level for level in pairs[term.name] if str(level) != str(term.value)]
    return replace(term, value=rest[0]) if len(rest) == 1 else None


def _at(formula: Expression, values: Mapping[str, Symbol], closure: Unnesting) -> Expression:
    """A formula at the symbols of its variables; at any value of those it does not depend on."""
    constant = {index.name for index in formula.free} - values.keys()
    chosen = {**values, **{name: closure.fresh(name) for name in sorted(constant)}}
    return bind(formula, cast("Mapping[str, Value]", chosen))


def _hedge(region: ADMG, district: Nodes, experiment: Nodes) -> Hedge:
    return hedge_of(
        region,
        district,
        treatments=region.members - district,
        outcomes=district,
        experiment=experiment,
    )
