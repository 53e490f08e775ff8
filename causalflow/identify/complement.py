"""Complement: what a variable of two levels tells of the one level by the other.

Notation: E an event, t a term of a variable that has the levels a and b and no others. Then

    P(E, t=a) = P(E) - P(E, t=b)            complement
    P(E) = P(E, t=a) + P(E, t=b)            cases

and the right side may be known where the left side is in conflict: of a binary treatment,
P(y[x=1], x=0) = P(y | do(x=1)) - P(y, x=1). With a third level it is not determined.

Source: Pearl (2009), section 8.2.5: the effect on the treated, from an experiment and P(v).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, cast

from causalflow.graph.schema import Level
from causalflow.identify.ctf_factor import CtfWitness
from causalflow.identify.step import Step
from causalflow.identify.symbols import Symbol
from causalflow.query.query import Term
from causalflow.symbolic.expression import ONE, ZERO, Expression, Index
from causalflow.symbolic.simplify import ratio_of
from causalflow.symbolic.weighted import weighted_of

if TYPE_CHECKING:
    from causalflow.identify.problem import Problem

__all__ = ["Pairs", "by_complement"]

Pairs: TypeAlias = Mapping[str, tuple[Level, Level]]
Terms: TypeAlias = tuple[Term, ...]
Symbols: TypeAlias = Mapping[Term, Symbol]


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
    claim = f"P({', '.join(map(str, terms))})"
    reason = reason.replace("{", "{{").replace("}", "}}")
    problem.steps.append(Step(rule, reason, (), claim, formula))


def _other(pairs: Pairs, term: Term) -> Term | None:
    """The term at its variable's other level, if it has a level and the variable two."""
    if term.value is None or isinstance(term.value, Index) or term.name not in pairs:
        return None
    rest = [level for level in pairs[term.name] if str(level) != str(term.value)]
    return replace(term, value=rest[0]) if len(rest) == 1 else None
