"""Combination: sums and ratios of causal questions, which no single question says.

    P(y=1 | do(x=1)) - P(y=1 | do(x=0))      risk difference
    P(y=1 | do(x=1)) / P(y=1 | do(x=0))      risk ratio
    E[y[x=0] | x=1] - E[y | x=0]             two conditions: the spurious effect

Expectations under one condition are one question: E[y | do(x=1)] - E[y | do(x=0)] is
E[y[x=1] - y[x=0]], and `combined` says it so. What is free is free in every part alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

from causalflow.errors import QueryError
from causalflow.query.query import Kind, Query, Term

__all__ = ["AnyQuery", "Combination", "Part", "combined"]

Part: TypeAlias = tuple[Fraction, Query]


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """c1*Q1 + c2*Q2 + ..., or one such sum divided by another.

    Attributes:
        sum: coefficients and questions.
        divisor: those of the sum below; none: nothing is divided.
    """

    sum: tuple[Part, ...]
    divisor: tuple[Part, ...] = ()

    @property
    def parts(self) -> tuple[Query, ...]:
        """The questions, those below last."""
        return tuple(query for _, query in self.sum + self.divisor)

    @property
    def is_plain_sum(self) -> bool:
        """Whether nothing is divided, nor known."""
        return not self.divisor and not any(part.conditions for part in self.parts)

    @property
    def as_mean(self) -> Query | None:
        """The expectation that a sum of single events' probabilities is, of variables 0 and 1.

        None where it is none: joint events, events that are free, several of one variable, a
        divisor, several conditions.
        """
        single = all(
            query.kind is Kind.PROBABILITY
            and len(query.outcomes) == 1
            and query.outcomes[0].value is not None
            for query in self.parts
        )
        if self.divisor or not single:
            return None
        events = {query.outcomes[0].name: query.outcomes[0].value for query in self.parts}
        if any(events[query.outcomes[0].name] != query.outcomes[0].value for query in self.parts):
            return None
        means = [(scale, _mean(query)) for scale, query in self.sum]
        whole = combined(means)
        return whole if isinstance(whole, Query) else None

    @property
    def variables(self) -> frozenset[str]:
        """Every variable that the questions mention."""
        return frozenset().union(*(part.variables for part in self.parts))

    @property
    def free_variables(self) -> tuple[str, ...]:
        """The names of the answer's axes: those of the questions, each once."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.free_variables))

    def given(self, conditions: tuple[Term, ...]) -> Combination:
        """The same questions where more is known."""
        above, below = (
            tuple((scale, query.given(conditions)) for scale, query in parts)
            for parts in (self.sum, self.divisor)
        )
        return Combination(sum=above, divisor=below)

    def __str__(self) -> str:
        if not self.divisor:
            return _text(self.sum)
        return " / ".join(map(_bracketed, (self.sum, self.divisor)))


AnyQuery: TypeAlias = Query | Combination


def combined(parts: Sequence[Part], divisor: Sequence[Part] = ()) -> AnyQuery:
    """The sum of questions, over another if there is one: a single question where that says it.

    Raises:
        QueryError: nothing is left to ask.

    Example:
        >>> from causalflow.query.query import Intervention
        >>> def mean(level: int) -> Query:
        ...     do = (Intervention(variable="x", value=level),)
        ...     return Query(kind=Kind.EXPECTATION, outcomes=(Term(name="y"),), do=do,
        ...                  coefficients=(Fraction(1),))
        >>> print(combined([(Fraction(1), mean(1)), (Fraction(-1), mean(0))]))
        E[y[x=1] - y[x=0]]
    """
    above, below = _merged(parts), _merged(divisor)
    if not above or (divisor and not below):
        raise QueryError("query: the parts cancel: nothing is left to ask")
    if not below and len(above) == 1:
        scale, query = above[0]
        if scale == 1 or query.kind is Kind.EXPECTATION:
            return _scaled(query, scale)
    return Combination(sum=above, divisor=below)


def _merged(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Equal questions once; expectations under one condition as one, in the place of the first."""
    groups: dict[object, list[Part]] = {}
    for scale, query in parts:
        form = query.counterfactual_form()
        mean = query.kind is Kind.EXPECTATION
        groups.setdefault(frozenset(form.conditions) if mean else query, []).append((scale, query))
    found = (_one(group) for group in groups.values())
    return tuple(part for part in found if part is not None)


def _one(group: Sequence[Part]) -> Part | None:
    """The sum of equal probabilities, or of expectations under one condition."""
    first = group[0][1]
    if first.kind is Kind.PROBABILITY or len(group) == 1:
        total = sum((scale for scale, _ in group), Fraction(0))
        return (total, first) if total else None
    sums: dict[Term, Fraction] = {}
    for scale, query in group:
        form = query.counterfactual_form()
        for coefficient, term in zip(form.coefficients, form.outcomes, strict=True):
            sums[term] = sums.get(term, Fraction(0)) + scale * coefficient
    kept = {term: scale for term, scale in sums.items() if scale}
    whole = replace(
        first.counterfactual_form(), outcomes=tuple(kept), coefficients=tuple(kept.values())
    )
    return (Fraction(1), whole) if kept else None


def _mean(query: Query) -> Query:
    """The expectation of the one outcome."""
    outcomes, one = (query.outcomes[0].free,), (Fraction(1),)
    return replace(query, kind=Kind.EXPECTATION, outcomes=outcomes, coefficients=one)


def _scaled(query: Query, scale: Fraction) -> Query:
    coefficients = tuple(scale * coefficient for coefficient in query.coefficients)
    return replace(query, coefficients=coefficients)


def _text(parts: Sequence[Part]) -> str:
    shown = ""
    for scale, query in parts:
        sign = (" - " if shown else "-") if scale < 0 else (" + " if shown else "")
        factor = "" if abs(scale) == 1 else f"{abs(scale)}*"
        shown += f"{sign}{factor}{query}"
    return shown


def _bracketed(parts: Sequence[Part]) -> str:
    return _text(parts) if len(parts) == 1 and parts[0][0] == 1 else f"({_text(parts)})"
