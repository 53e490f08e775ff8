"""Expression: a formula made of probabilities, as a closed set of frozen terms.

Notation: an *index* x, x', x'' ranges over the levels of the variable x; an *event* x=x' says that
a variable takes the value of an index, or a literal value. Indices are *bound* by sums and *free*
elsewhere: a formula is a function of its free indices.

    Probability   P(outcomes | do(...), given)      events on every side, in the order of names
    Sum           sum over indices of a body        binds its indices in the body only
    Product, Ratio, One, Zero                       0/0 counts as 0
    Chosen        [x ~ {0: 0.3, 1: 0.7}]            what a policy sets, given what it reads
    Linear        c1*y1 + c2*y2                     numbers as values, for expectations
    Weighted      c1*f1 + c2*f2                     of formulas

Terms are values: two are equal when they are written alike. Make products, sums and ratios with
`causalflow.symbolic.simplify`, which keeps them in normal form. How they are written,
`causalflow.symbolic.render` registers here when it is loaded.

Source: Pearl (2009), *Causality*, section 3.4; bound variables as in the lambda calculus.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache, singledispatch
from typing import NamedTuple, TypeAlias

from causalflow.query.policy import Policy
from causalflow.query.query import Value

__all__ = [
    "ONE",
    "ZERO",
    "Chosen",
    "Event",
    "Expression",
    "Index",
    "Linear",
    "One",
    "Probability",
    "Product",
    "Ratio",
    "Sum",
    "Weighted",
    "Written",
    "Zero",
    "as_latex",
    "as_text",
    "by_name",
    "event_key",
    "index_key",
    "natural",
    "own_events",
    "own_indices",
    "probability",
]


class Index(NamedTuple):
    """A value that ranges over the levels of a variable; primes tell several of them apart."""

    name: str
    primes: int = 0

    def __str__(self) -> str:
        return self.name + "'" * self.primes


class Event(NamedTuple):
    """A variable takes a value: an index or a literal."""

    name: str
    value: Index | Value

    def __lt__(self, other: object) -> bool:
        """By name, then indices before literals: a total order whatever the values are."""
        assert isinstance(other, Event)
        return event_key(self) < event_key(other)


@lru_cache(maxsize=65_536)
def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key under which v2 comes before v10.

    Example:
        >>> sorted(["v10", "v2", "v"], key=natural)
        ['v', 'v2', 'v10']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return tuple((0, int(p), p) if p[0] in "0123456789" else (1, 0, p) for p in parts)


def by_name(event: Event) -> tuple[tuple[int, int, str], ...]:
    """The sort key of events of different variables."""
    return natural(event[0])


def event_key(event: Event) -> tuple[object, ...]:
    """The sort key of any events."""
    return (natural(event.name), index_key(event.value))


def index_key(value: Index | Value) -> tuple[object, ...]:
    """The sort key of the values of events."""
    if isinstance(value, Index):
        return (0, natural(value.name), value.primes)
    return (1, natural(str(value)), 0)


@singledispatch
def as_text(term: object) -> str:
    """The term in plain text."""
    return repr(term)


@singledispatch
def as_latex(term: object) -> str:
    """The term in LaTeX."""
    return rf"\text{{{term!r}}}"


class Written:
    """A term with ``str``, and LaTeX in a notebook."""

    __slots__ = ()

    def __str__(self) -> str:
        return as_text(self)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {as_latex(self)}$"


Rank: TypeAlias = tuple[int, int, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Probability(Written):
    """P(outcomes | do(do), given); the events of each part are kept sorted by name."""

    outcomes: tuple[Event, ...]
    given: tuple[Event, ...] = ()
    do: tuple[Event, ...] = ()
    free: frozenset[Index] = field(init=False, compare=False, repr=False)
    _rank: Rank | None = field(init=False, compare=False, repr=False, default=None)

    def __post_init__(self) -> None:
        for part in ("outcomes", "given", "do"):
            if len(events := getattr(self, part)) > 1:
                object.__setattr__(self, part, tuple(sorted(events, key=by_name)))
        object.__setattr__(self, "free", _indices(self.events))

    @classmethod
    def of(
        cls,
        outcomes: tuple[Event, ...],
        given: tuple[Event, ...],
        do: tuple[Event, ...],
        free: frozenset[Index] | None = None,
    ) -> Probability:
        """A probability of events that are sorted already, and their indices if known."""
        term, put = object.__new__(cls), object.__setattr__
        put(term, "outcomes", outcomes)
        put(term, "given", given)
        put(term, "do", do)
        put(term, "free", _indices(term.events) if free is None else free)
        put(term, "_rank", None)
        return term

    @property
    def events(self) -> tuple[Event, ...]:
        """All events: outcomes, given, do."""
        return self.outcomes + self.given + self.do

    @property
    def rank(self) -> Rank:
        """The place in a product: many conditions first, then by name; computed once."""
        if self._rank is None:
            object.__setattr__(self, "_rank", _probability_rank(self))
        assert self._rank is not None
        return self._rank


@dataclass(frozen=True, slots=True)
class Sum(Written):
    """The sum of ``body`` over all values of the indices ``over``."""

    over: tuple[Index, ...]
    body: Expression
    free: frozenset[Index] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        ordered = sorted(self.over, key=lambda index: (natural(index.name), index.primes))
        object.__setattr__(self, "over", tuple(ordered))
        object.__setattr__(self, "free", self.body.free.difference(self.over))


@dataclass(frozen=True, slots=True)
class Product(Written):
    """The product of two or more factors, kept in an order of their own."""

    factors: tuple[Expression, ...]
    free: frozenset[Index] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", tuple(sorted(self.factors, key=_rank)))
        object.__setattr__(self, "free", frozenset().union(*(f.free for f in self.factors)))


@dataclass(frozen=True, slots=True)
class Ratio(Written):
    """A quotient; where both are zero it is zero."""

    numerator: Expression
    denominator: Expression
    free: frozenset[Index] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "free", self.numerator.free | self.denominator.free)


@dataclass(frozen=True, slots=True)
class One(Written):
    """The number 1."""

    free: frozenset[Index] = field(init=False, compare=False, repr=False, default=frozenset())


@dataclass(frozen=True, slots=True)
class Zero(Written):
    """The number 0: an impossible event."""

    free: frozenset[Index] = field(init=False, compare=False, repr=False, default=frozenset())


@dataclass(frozen=True, slots=True)
class Chosen(Written):
    """The probability that a policy gives a variable a value, from the values that it reads."""

    policy: Policy
    outcome: Event
    given: tuple[Event, ...]
    free: frozenset[Index] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "free", _indices((self.outcome, *self.given)))


@dataclass(frozen=True, slots=True)
class Linear(Written):
    """A linear combination of values, as a number: sum of coefficient times value."""

    terms: tuple[tuple[Fraction, Event], ...]
    free: frozenset[Index] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        found = (event.value for _, event in self.terms)
        object.__setattr__(self, "free", frozenset(v for v in found if isinstance(v, Index)))


@dataclass(frozen=True, slots=True)
class Weighted(Written):
    """A linear combination of formulas, as a combination of questions and a complement need it."""

    terms: tuple[tuple[Fraction, Expression], ...]
    free: frozenset[Index] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "free", frozenset().union(*(f.free for _, f in self.terms)))


Expression: TypeAlias = (
    Probability | Sum | Product | Ratio | One | Zero | Chosen | Linear | Weighted
)

ONE = One()
ZERO = Zero()


@lru_cache(maxsize=65_536)
def _own_index(name: str) -> Index:
    return Index(name)


@lru_cache(maxsize=65_536)
def _own_event(name: str) -> Event:
    return Event(name, _own_index(name))


def own_indices(names: Iterable[str]) -> tuple[Index, ...]:
    """Every variable's own unprimed index."""
    return tuple(map(_own_index, names))


def own_events(names: Iterable[str]) -> tuple[Event, ...]:
    """Every variable at its own unprimed index."""
    return tuple(map(_own_event, names))


def probability(
    outcomes: Iterable[str], given: Iterable[str] = (), do: Iterable[str] = ()
) -> Probability:
    """P(outcomes | do, given) with every variable at its own unprimed index.

    Example:
        >>> probability("y", given="x").outcomes
        (Event(name='y', value=Index(name='y', primes=0)),)
    """
    return Probability(own_events(outcomes), own_events(given), own_events(do))


def conditions(expression: Expression) -> bool:
    """Whether a formula conditions on something: it has a conditional probability, or a ratio.

    Example:
        >>> conditions(probability("y", "x")), conditions(probability("y", do="x"))
        (True, False)
    """
    match expression:
        case Probability():
            return bool(expression.given)
        case Ratio():
            return True
        case Sum():
            return conditions(expression.body)
        case Product():
            return any(map(conditions, expression.factors))
        case Weighted():
            return any(conditions(term) for _, term in expression.terms)
        case One() | Zero() | Chosen() | Linear():
            return False


def _rank(factor: Expression) -> Rank:
    """The order of factors: probabilities, the most conditions first; then what they make up."""
    match factor:
        case Probability():
            return factor.rank
        case Chosen():
            events = tuple(map(event_key, (factor.outcome, *factor.given)))
            return (1, 0, ((natural(factor.outcome.name),), (str(factor.policy),), events))
        case Linear():
            return (0, 0, tuple((c, event_key(event)) for c, event in factor.terms))
        case Ratio():
            return (2, 0, (_rank(factor.numerator), _rank(factor.denominator)))
        case Sum():
            return (3, 0, (tuple(map(index_key, factor.over)), _rank(factor.body)))
        case Product():
            return (4, 0, tuple(map(_rank, factor.factors)))
        case Weighted():
            return (6, 0, tuple((c, _rank(term)) for c, term in factor.terms))
        case One() | Zero():
            return (5, 0, (isinstance(factor, One),))


def _probability_rank(term: Probability) -> Rank:
    """The names of the outcomes decide but for ties; events are compared only then."""
    names = tuple([natural(event.name) for event in term.outcomes])
    sides = (term.given, term.do, term.outcomes)
    return (1, -len(term.given) - len(term.do), (names, *sides))


def _indices(events: Iterable[Event]) -> frozenset[Index]:
    return frozenset([value for _, value in events if isinstance(value, Index)])
