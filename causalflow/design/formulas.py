"""Formulas: the answers to a question that textbooks have a name for, fewest variables first.

rule                 question                            formula
"back door"          P(y | do(x))                        sum_z P(y | x, z) P(z)
                     P(y[x=1] | x=0)                     sum_z P(y | x=1, z) P(z | x=0)
"front door"         P(y | do(x))                        sum_m P(m | x) sum_x' P(y | m, x') P(x')
"mediation formula"  P(y[x=1, m[x=0]])                   see `causalflow.design.adjustment`
"instrument"         P(y | do(x)), none of the above     none: bounds, or a linear model

The first two are the rules that come with `RULES`. Expectations of these, and contrasts of several
terms of one treatment and outcome, likewise. Everything is lazy, and only the first few sets of
each rule are looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from causalflow import plugins
from causalflow.admg.admg import ADMG, Nodes
from causalflow.design.adjustment import (
    adjustment_formula,
    mediation_sets,
    minimal_adjustment_sets,
)
from causalflow.design.front_door import front_door_formula, front_door_sets
from causalflow.design.instruments import instruments
from causalflow.errors import QueryError
from causalflow.proof.proof import names_text
from causalflow.query.policy import Policy
from causalflow.query.query import Kind, Query, Term, Value
from causalflow.registry import Registry
from causalflow.symbolic.expression import Event, Expression, Index, Linear, Probability
from causalflow.symbolic.render import to_text
from causalflow.symbolic.simplify import product_of, sum_of
from causalflow.symbolic.substitute import answered, symbols_of, without_shadows

__all__ = [
    "RULES",
    "Natural",
    "Rule",
    "ShortAnswer",
    "as_rule",
    "natural_term",
    "short_answers",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A textbook's way from P(v) to P(y | do(x)).

    Attributes:
        sets: (graph, treatments, outcomes) -> the sets with which its formula is right, fewest
            variables first.
        formula: (treatments, outcomes, one of these sets) -> P(y | do(x)).
    """

    sets: Callable[[ADMG, Iterable[str], Iterable[str]], Iterable[Nodes]]
    formula: Callable[[Iterable[str], Iterable[str], Nodes], Expression]


RULES: Registry[Rule] = plugins.RULES


def as_rule(name: str, given: object) -> Rule:
    """A rule of the user's own.

    Raises:
        QueryError: it is no `Rule`.
    """
    if not isinstance(given, Rule):
        raise QueryError(f"identification rule '{name}': expected a Rule of sets and formula")
    return given


def _mediated(admg: ADMG, treatments: Iterable[str], outcomes: Iterable[str]) -> Iterator[Nodes]:
    """The front-door sets that have a mediator."""
    return (chosen for chosen in front_door_sets(admg, treatments, outcomes) if chosen)


BACK_DOOR = Rule(sets=minimal_adjustment_sets, formula=adjustment_formula)
FRONT_DOOR = Rule(sets=_mediated, formula=front_door_formula)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortAnswer:
    """A known rule that answers a question, with the variables it needs.

    Attributes:
        rule: a name of `RULES`, "mediation formula" or "instrument".
        variables: what is adjusted for; the front door's mediators; the instrument's conditions.
        estimand: the formula; None for an instrument, which gives none without further assumptions.
        instrument: the instrument.
    """

    rule: str
    variables: Nodes
    estimand: Expression | None = None
    instrument: str = ""

    def __str__(self) -> str:
        given = names_text(self.variables)
        if self.estimand is None:
            behind = f" given {given}" if self.variables else ""
            return f"instrument {self.instrument}{behind}: bounds, or a linear model"
        return f"{self.rule} {given}: {to_text(self.estimand)}"


def short_answers(admg: ADMG, query: Query, most: int = 5) -> Iterator[ShortAnswer]:
    """The first sets of each rule that answers the question from P(v).

    Args:
        admg: the graph.
        query: any question; most have no answer of this kind.
        most: how many sets of each rule are looked for.
    """
    if query.is_counterfactual:
        yield from _of_worlds(admg, query, most)
    else:
        yield from _of_effect(admg, query.interventional_form(), most)


def _of_effect(admg: ADMG, query: Query, most: int) -> Iterator[ShortAnswer]:
    """What the rules give of P(y | do(x)); instruments where that is nothing."""
    x = tuple(each.variable for each in query.do)
    y = tuple(term.name for term in query.outcomes)
    if not x or query.conditions or len({*x, *y}) < len(x) + len(y):
        return
    rules = ((name, RULES.get(name)) for name in RULES)
    found = [
        ShortAnswer(
            rule=name, variables=chosen, estimand=answered(query, rule.formula(x, y, chosen))
        )
        for name, rule in rules
        for chosen in islice(rule.sets(admg, x, y), most)
    ]
    yield from sorted(found, key=lambda each: len(each.variables))
    if not found and len(x) == len(y) == 1:
        for each in islice(instruments(admg, x[0], y[0]), most):
            yield ShortAnswer(rule="instrument", variables=each.given, instrument=each.variable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Natural:
    """y[x=own, m[x=others]], or y[x=own]: the levels of one treatment, and the mediators."""

    outcome: str
    treatment: str
    own: Value
    others: Value | None
    mediators: Nodes


def natural_term(term: Term) -> Natural | None:
    """A term of this form, if it is one."""
    plain = [each for each in term.subscript if each.nested is None]
    nested = [each.nested for each in term.subscript if each.nested is not None]
    worlds = {each.subscript for each in nested}
    if len(plain) != 1 or len(worlds) > 1 or isinstance(plain[0].value, Policy | None):
        return None
    (setting,), others = plain, None
    for world in worlds:
        if len(world) != 1 or world[0].variable != setting.variable or world[0].nested:
            return None
        others = world[0].value
        if isinstance(others, Policy | None):
            return None
    names = frozenset(each.name for each in nested)
    if term.name in names | {setting.variable}:
        return None
    assert not isinstance(setting.value, Term | Policy | None)
    assert not isinstance(others, Term | Policy)
    return Natural(
        outcome=term.name,
        treatment=setting.variable,
        own=setting.value,
        others=others,
        mediators=names,
    )


def _of_worlds(admg: ADMG, query: Query, most: int) -> Iterator[ShortAnswer]:
    """Adjustment and the mediation formula for terms of one treatment and outcome."""
    query = query.counterfactual_form()
    terms = [natural_term(term) for term in query.outcomes]
    found = [each for each in terms if each is not None]
    mediators: Nodes = Nodes().union(*(each.mediators for each in found))
    kinds = {(each.outcome, each.treatment, each.mediators or mediators) for each in found}
    if len(found) < len(terms) or len(kinds) != 1:
        return
    if query.kind is Kind.PROBABILITY and len(terms) > 1:
        return
    ((y, x, _),) = kinds
    if any(str(each.free) != x or each.value is None for each in query.conditions):
        return
    sets = (
        mediation_sets(admg, x, mediators, y) if mediators else minimal_adjustment_sets(admg, x, y)
    )
    rule = "mediation formula" if mediators else "back door"
    for chosen in islice(sets, most):
        estimand = _averaged(query, found, chosen)
        yield ShortAnswer(rule=rule, variables=chosen, estimand=estimand)


def _averaged(query: Query, terms: Iterable[Natural], chosen: Nodes) -> Expression:
    """The answer given ``chosen``, averaged over it as it is where the condition holds."""
    symbols = symbols_of(query)
    given = tuple(Event(each.name, symbols[each]) for each in query.conditions)
    own = [Event(name, Index(name)) for name in sorted(chosen)]
    factors = [
        _given(each, symbols[term], own) for each, term in zip(terms, query.outcomes, strict=True)
    ]
    if chosen:
        factors.append(Probability(tuple(own), given))
    over = [Index(name) for name in chosen]
    if query.kind is Kind.EXPECTATION:
        events = (Event(term.name, symbols[term]) for term in query.outcomes)
        numbers = Linear(tuple(zip(query.coefficients, events, strict=True)))
        factors.append(numbers)
        over += numbers.free
    return without_shadows(sum_of(over, product_of(factors)))


def _given(term: Natural, value: object, covariates: list[Event]) -> Expression:
    """P(y[x=own, m[x=others]] | w)."""
    y = Event(term.outcome, value)  # type: ignore[arg-type]
    own = Event(term.treatment, term.own)
    if term.others is None:
        return Probability((y,), (own, *covariates))
    middle = tuple(Event(name, Index(name)) for name in sorted(term.mediators))
    outcome = Probability((y,), (own, *middle, *covariates))
    others = Event(term.treatment, term.others)
    weight = Probability(middle, (others, *covariates))
    return sum_of([Index(name) for name in term.mediators], product_of([outcome, weight]))
