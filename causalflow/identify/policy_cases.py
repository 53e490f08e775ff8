"""Policy cases: a question under policies as a sum of questions without them, level by level.

A policy on x that reads z and perhaps x_0, the natural value, gives a with probability s(a | x_0,
z). Where that is, for every x_0 other than a, the same number c_a(z), it sets x to a with
probability c_a(z) whatever x_0 is, and leaves x_0 = a as it is with probability d_a(z) =
s(a | a, z) - c_a(z) more:

    P(y[x ~ s]) = sum_{a, z} c_a(z) P(y[x=a], z) + sum_{a, z} d_a(z) P(y, x=a, z)

So no term asks for x with two values, though the policy does. With two levels every policy is of
this kind; of one that is not, data that do not tell P(y[x=a], x=b) do not tell the answer either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from typing import TypeAlias

from causalflow.identify.ctf_factor import CtfWitness
from causalflow.identify.problem import Found, Problem
from causalflow.proof.proof import Step
from causalflow.query.policy import Policy, Untold
from causalflow.query.policy_rows import policy_rows
from causalflow.query.query import Intervention, Query, Term, Value, World
from causalflow.query.regime import Regime
from causalflow.symbolic.expression import Expression
from causalflow.symbolic.simplify import ratio_of, weighted_of
from causalflow.symbolic.substitute import Symbol
from causalflow.values.finite import FiniteType

__all__ = ["Levels", "by_cases"]

Levels: TypeAlias = Mapping[str, FiniteType]
Read: TypeAlias = tuple[tuple[str, Value], ...]
Laws: TypeAlias = dict[Value, tuple[Fraction, ...]]

MOST = 512
"""Questions that one may fall into."""


@dataclass(frozen=True, slots=True)
class _Case:
    """A weighted question: P(terms), each term at its symbol."""

    weight: Fraction
    terms: tuple[tuple[Term, Symbol], ...]


def by_cases(problem: Problem, regime: Regime, levels: Levels, query: Query) -> Expression | None:
    """The formula of a question by the cases of its policies; None: some case is not known.

    Args:
        problem: what is known.
        regime: the question, its policies as variables.
        levels: the type of each finite variable.
        query: the question in those variables.
    """
    trial = replace(problem, steps=[], flipped=set())

    def probability(
        symbols: Mapping[Term, Symbol], outcomes: Sequence[Term], conditions: Sequence[Term]
    ) -> Found:
        both = [(term, symbols[term]) for term in (*outcomes, *conditions)]
        above = _total(trial, regime, levels, both)
        if isinstance(above, CtfWitness) or not conditions:
            return above
        below = _total(trial, regime, levels, both[len(outcomes) :])
        return below if isinstance(below, CtfWitness) else ratio_of(above, below)

    found = trial.answer(query, probability)
    if isinstance(found, CtfWitness):
        return None
    problem.steps.append(Step("cases", "by the levels that policies set and read", (), "P", found))
    problem.flipped.update(trial.flipped)
    return found


def _total(
    problem: Problem, regime: Regime, levels: Levels, terms: Sequence[tuple[Term, Symbol]]
) -> Found:
    cases = [_Case(Fraction(1), tuple(terms))]
    for name, policy in regime.policies.items():
        parts = _parts(policy, levels)
        if parts is None or len(cases) * len(parts) > MOST:
            return CtfWitness(factor=())
        cases = [each for case in cases for each in _split(case, name, policy, parts)]
    found = []
    for case in cases:
        answer = problem.probability(dict(case.terms), tuple(t for t, _ in case.terms), ())
        if isinstance(answer, CtfWitness):
            return answer
        found.append((case.weight, answer))
    return weighted_of(found)


@dataclass(frozen=True, slots=True)
class _Part:
    """Of a policy: with a weight it sets its variable, or finds it there, at what it reads."""

    weight: Fraction
    level: Value
    read: Read
    is_natural: bool


def _parts(policy: Policy, levels: Levels) -> list[_Part] | None:
    """The parts of a policy; None where it is not told, too large or no sum of such parts."""
    names = (policy.variable, *policy.reads)
    if isinstance(policy.how, Untold) or any(name not in levels for name in names):
        return None
    if prod(len(levels[name].levels) for name in names) > MOST:
        return None
    own = levels[policy.variable]
    others = [name for name in policy.reads if name != policy.variable]
    by_read: dict[Read, Laws] = {}
    for cell, law in policy_rows(policy, own, {name: levels[name] for name in policy.reads}):
        at = dict(zip(policy.reads, cell, strict=True))
        read: Read = tuple((name, at[name]) for name in others)
        by_read.setdefault(read, {})[at.get(policy.variable, "")] = law
    found: list[_Part] = []
    for at_read, laws in _without_idle(by_read).items():
        if (split := _parts_at(own, laws, at_read)) is None:
            return None
        found += split
    return found


def _without_idle(by_read: Mapping[Read, Laws]) -> Mapping[Read, Laws]:
    """The laws by what the policy reads, without the variables that change none of them."""
    place = 0
    while place < len(next(iter(by_read))):
        found: dict[Read, Laws] = {}
        for read, laws in by_read.items():
            rest = (*read[:place], *read[place + 1 :])
            if found.setdefault(rest, laws) != laws:
                place += 1
                break
        else:
            by_read = found
    return by_read


def _parts_at(
    own: FiniteType,
    laws: Laws,
    read: Read,
) -> list[_Part] | None:
    found = []
    for place, level in enumerate(own.levels):
        rest = {law[place] for natural, law in laws.items() if natural != level}
        if len(rest) > 1:
            return None
        weight = rest.pop()
        more = laws[level][place] - weight if level in laws else Fraction(0)
        found += [_Part(weight, level, read, is_natural=False)] if weight else []
        found += [_Part(more, level, read, is_natural=True)] if more else []
    return found


def _split(case: _Case, name: str, policy: Policy, parts: Sequence[_Part]) -> Iterator[_Case]:
    """The case at each part of a policy; itself where the policy is not in it."""
    worlds = [world for term, _ in case.terms for world in _policy_worlds(term, name)]
    if not worlds:
        yield case
        return
    for part in parts:
        value = None if part.is_natural else part.level
        terms = [(_without(term, name, value), symbol) for term, symbol in case.terms]
        read = [*part.read, *([(policy.variable, part.level)] if part.is_natural else [])]
        for world in dict.fromkeys(worlds):
            inside = (_set(each, name, value) for each in world)
            kept = tuple(each for each in inside if each is not None)
            terms += [(Term(name=v, subscript=kept, value=level), level) for v, level in read]
        yield _Case(case.weight * part.weight, tuple(dict.fromkeys(terms)))


def _policy_worlds(term: Term, name: str) -> Iterator[World]:
    """The worlds in which the term reads what the policy of that name gives."""
    for each in term.walk():
        if each.name == name:
            yield each.subscript


def _without(term: Term, name: str, value: Value | None) -> Term:
    made = (_set(each, name, value) for each in term.subscript)
    return replace(term, subscript=tuple(each for each in made if each is not None))


def _set(each: Intervention, name: str, value: Value | None) -> Intervention | None:
    """The intervention with the policy's value in its place; None: natural, so there is none."""
    if each.nested is None:
        return each
    if each.nested.name == name:
        return None if value is None else replace(each, value=value)
    return replace(each, value=_without(each.nested, name, value))
