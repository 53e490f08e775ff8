r"""Query: a causal question as data.

Notation: ``y[x=1, m[x=0]]`` is the counterfactual Y_{x=1, M_{x=0}}: the value of y in the world
where x is set to 1 and m to the value that it takes in the world where x is set to 0.

    Term            y, y[x=1], y[x=1]=0    a variable, the world it lives in, its value (None: free)
    Intervention    x=1, x, m[x=0]         sets a variable: to a value, any value, another term's
                    x ~ {0: .3, 1: .7}     ... by a policy (`causalflow.query.policy`)
    Query           P(terms | do(...), terms), E[c1*term + c2*term | ...]

A term may be *told* short of a value (`causalflow.values.likelihood`): ``age in [60, 70]``,
``t > 5``, ``digit in {3, 5}``, and as a condition ``digit likely {3: 0.8, 5: 0.2}``.

A *free* occurrence has no value: the answer is a table with one axis for each
(`Query.free_variables`). ``str`` gives the canonical text, which
`causalflow.query.parse.parse_query` reads back to an equal query. In it stand

    name      letters, digits and _, no digit first     y, größe, m_2
    level     anything without blanks , | ( ) [ ] = ' " red, 2.5, -1, 1e-3, a/b
    quoted    '...' or "...", \ before a character keeps it: 'very yes', "it's", 'it\'s'

What looks like a number is one; in quotes it is a name (`unquoted`, `literal`).

Source: Correa, Lee & Bareinboim (2021), section 2, for nested counterfactuals.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from typing import TypeAlias

from causalflow.errors import QueryError, one_of
from causalflow.query.policy import Policy, Value
from causalflow.values.likelihood import Levels, Span

__all__ = [
    "BARE",
    "NAME",
    "NUMBER",
    "OPENED",
    "QUOTED",
    "WORD",
    "Intervention",
    "Kind",
    "Query",
    "Term",
    "Value",
    "World",
    "is_number",
    "literal",
    "unknown_node",
    "unquoted",
]

NAME = r"[^\W\d]\w*"
"""A name that is written without quotes."""
BARE = r"\w[\w.]*"
"""A name that is read without quotes; digits are a number where a number can stand."""
NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
WORD = r"[^\s,|()\[\]='\"]+"
QUOTED = r"""'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*\""""
OPENED = r"""'(?:[^'\\]|\\[\s\S])*(?:'|\Z)|"(?:[^"\\]|\\[\s\S])*(?:"|\Z)"""
"""A quoted text, or all that is left behind a quote that never closes: one way to read it."""

_DIGITS = 4_000
"""Of a whole number: Python converts no more than 4,300."""


class Kind(Enum):
    """What is asked of the outcomes."""

    PROBABILITY = "P"
    EXPECTATION = "E"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    """What sets a variable in a world.

    Attributes:
        variable: the variable that is set.
        value: its level or number; None: any (free); a term of the same variable: the value it
            takes in that term's world; a policy: the value that this gives it; a term called as a
            policy is written: the same (`causalflow.query.regime`).
    """

    variable: str
    value: Value | Term | Policy | None = None

    @property
    def nested(self) -> Term | None:
        """The term whose value the variable takes, if it is set to one."""
        return self.value if isinstance(self.value, Term) else None

    def __str__(self) -> str:
        match self.value:
            case None:
                return _named(self.variable)
            case Term(name=name, subscript=world) if name != self.variable:
                return f"{name}[{', '.join(map(str, world))}]" if world else name
            case Term(subscript=()):
                return f"{_named(self.variable)}[]"
            case Term() | Policy():
                return str(self.value)
            case value:
                return f"{_named(self.variable)}={_valued(value)}"


World: TypeAlias = tuple[Intervention, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A variable in a world, with its value if it is given.

    Attributes:
        name: the variable.
        subscript: the interventions that make its world, sorted: values first, then nested terms,
            by variable; none: the actual world.
        value: a level or number; what is known short of one; None: free.
    """

    name: str
    subscript: World = ()
    value: Value | Levels | Span | None = None

    def __post_init__(self) -> None:
        ordered = tuple(
            sorted(self.subscript, key=lambda each: (each.nested is not None, each.variable))
        )
        object.__setattr__(self, "subscript", ordered)

    @property
    def free(self) -> Term:
        """The same term without its value: the random variable."""
        return self if self.value is None else replace(self, value=None)

    @property
    def nested(self) -> tuple[Term, ...]:
        """The terms directly within the subscript."""
        return tuple(each.nested for each in self.subscript if each.nested is not None)

    def walk(self) -> Iterator[Term]:
        """The terms nested at any depth, innermost first, then the term itself."""
        for term in self.nested:
            yield from term.walk()
        yield self

    def __str__(self) -> str:
        inside = f"[{', '.join(map(str, self.subscript))}]" if self.subscript else ""
        match self.value:
            case None:
                value = ""
            case Levels() | Span() as told:
                value = f" {told}"
            case level:
                value = f"={_valued(level)}"
        return f"{_named(self.name)}{inside}{value}"

    @property
    def level(self) -> Value | None:
        """The value, where no less than one is wanted.

        Raises:
            QueryError: the variable is told short of one.
        """
        if isinstance(self.value, Levels | Span):
            raise QueryError(f"query: '{self}' is no value of '{self.name}'; give one")
        return self.value

    @property
    def is_told(self) -> bool:
        """Whether it is known short of a value."""
        return isinstance(self.value, Levels | Span)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A causal question.

    ``do`` applies to every term, outcomes and conditions; it is never given together with
    subscripts (`counterfactual_form` turns the one into the other).

    Attributes:
        kind: the probability of the outcomes, or the expectation of their linear combination.
        outcomes: what is asked about, in the order of the answer's axes.
        conditions: what is known.
        do: what is set, for all terms alike.
        coefficients: the factors of an expectation, one for each outcome; empty for a probability.
    """

    kind: Kind = Kind.PROBABILITY
    outcomes: tuple[Term, ...]
    conditions: tuple[Term, ...] = ()
    do: World = ()
    coefficients: tuple[Fraction, ...] = ()

    @property
    def terms(self) -> tuple[Term, ...]:
        """Outcomes, then conditions."""
        return self.outcomes + self.conditions

    @property
    def variables(self) -> frozenset[str]:
        """Every variable the query mentions, in subscripts and ``do`` too."""
        mentioned = (term for top in self.terms for term in top.walk())
        names = {name for term in mentioned for name in (term.name, *_targets(term.subscript))}
        read = {name for policy in self.policies for name in policy.reads}
        return frozenset(names | set(_targets(self.do)) | read)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies by which it sets variables, in any of its worlds."""
        terms = (term for top in self.terms for term in top.walk())
        worlds = (self.do, *(term.subscript for term in terms))
        every = (each.value for world in worlds for each in world)
        return tuple(dict.fromkeys(each for each in every if isinstance(each, Policy)))

    @property
    def worlds(self) -> tuple[World, ...]:
        """The distinct worlds in which the terms live, each after those nested in it."""
        terms = (term for top in self.counterfactual_form().terms for term in top.walk())
        return tuple(dict.fromkeys(term.subscript for term in terms))

    @property
    def free_terms(self) -> tuple[Term, ...]:
        """The terms without a value; an expectation's outcomes are averaged, so not among them."""
        asked = self.outcomes if self.kind is Kind.PROBABILITY else ()
        return tuple(term for term in asked + self.conditions if term.value is None)

    @property
    def free_interventions(self) -> tuple[str, ...]:
        """The variables set to any value, in ``do`` or in a subscript."""
        worlds = (self.do, *(term.subscript for term in self.terms))
        return tuple(dict.fromkeys(name for world in worlds for name in _free(world)))

    @property
    def free_variables(self) -> tuple[str, ...]:
        """The names of the answer's axes: free terms, then free interventions.

        A term's axis bears its variable's name, or the term's text where the variable is free more
        than once.

        Example:
            >>> worlds = [(Intervention(variable="x", value=level),) for level in (1, 0)]
            >>> Query(outcomes=(Term(name="y", subscript=worlds[0]),)).free_variables
            ('y',)
            >>> Query(outcomes=tuple(Term(name="y", subscript=w) for w in worlds)).free_variables
            ('y[x=1]', 'y[x=0]')
        """
        names = [*(term.name for term in self.free_terms), *self.free_interventions]
        count = Counter(names)
        axes = [t.name if count[t.name] == 1 else str(t) for t in self.free_terms]
        return (*axes, *self.free_interventions)

    @property
    def is_interventional(self) -> bool:
        """Whether all terms live in one world, made by setting variables that are no terms."""
        if self.do:
            return True
        worlds = {term.subscript for term in self.terms}
        world = next(iter(worlds), ())
        plain = all(each.nested is None for each in world)
        terms = {term.name for term in self.terms}
        return len(worlds) == 1 and bool(world) and plain and terms.isdisjoint(_targets(world))

    @property
    def is_counterfactual(self) -> bool:
        """Whether the question cannot be put with ``do`` alone: several worlds, or nested ones."""
        return not self.is_interventional and any(term.subscript for term in self.terms)

    @property
    def told(self) -> tuple[Term, ...]:
        """The terms that are known, or asked about, short of a value."""
        return tuple(term for term in self.terms if term.is_told)

    @property
    def spread(self) -> Query:
        """The distribution that the answer is a weighted sum of, where terms are told.

        Example:
            >>> z = Term(name="z", value=Span(low=0.0))
            >>> print(Query(outcomes=(Term(name="y"),), conditions=(z,)).spread)
            P(y, z)
        """
        if not self.told:
            return self
        left = tuple(term for term in self.conditions if not term.is_told)
        open_ = {term.free for term in self.told}
        outcomes = (
            *(t.free if t.free in open_ else t for t in self.outcomes),
            *sorted(open_, key=str),
        )
        return replace(
            self,
            kind=Kind.PROBABILITY,
            outcomes=tuple(dict.fromkeys(outcomes)),
            conditions=left,
            coefficients=(),
        )

    def given(self, conditions: tuple[Term, ...]) -> Query:
        """The same question where more is known."""
        return replace(self, conditions=self.conditions + conditions) if conditions else self

    def counterfactual_form(self) -> Query:
        """The same question with every ``do`` written as the terms' subscripts."""
        if not self.do:
            return self
        outcomes, conditions = (
            tuple(replace(term, subscript=self.do) for term in terms)
            for terms in (self.outcomes, self.conditions)
        )
        return replace(self, outcomes=outcomes, conditions=conditions, do=())

    def interventional_form(self) -> Query:
        """The same question with ``do`` instead of subscripts.

        Raises:
            QueryError: it is counterfactual.
        """
        if self.is_counterfactual:
            raise QueryError(
                f"query: {self} asks about several worlds and has no form with do(...)"
            )
        if self.do or not self.is_interventional:
            return self
        outcomes, conditions = (
            tuple(replace(term, subscript=()) for term in terms)
            for terms in (self.outcomes, self.conditions)
        )
        return replace(
            self, outcomes=outcomes, conditions=conditions, do=self.outcomes[0].subscript
        )

    def __str__(self) -> str:
        do = (f"do({_joined(self.do)})",) if self.do else ()
        given = ", ".join((*do, *map(str, self.conditions)))
        behind = f" | {given}" if given else ""
        match self.kind:
            case Kind.PROBABILITY:
                return f"P({_joined(self.outcomes)}{behind})"
            case Kind.EXPECTATION:
                return f"E[{_combination_text(self.coefficients, self.outcomes)}{behind}]"


def _targets(world: World) -> tuple[str, ...]:
    return tuple(each.variable for each in world)


def _free(world: World) -> Iterator[str]:
    """The variables that a world sets to any value, as written."""
    for each in world:
        if each.nested is not None:
            yield from _free(each.nested.subscript)
        elif each.value is None:
            yield each.variable


def _joined(parts: Iterable[object]) -> str:
    return ", ".join(map(str, parts))


def _combination_text(coefficients: tuple[Fraction, ...], terms: tuple[Term, ...]) -> str:
    """``a - 2*b``: the first sign is written only if it is a minus."""
    parts: list[str] = []
    for coefficient, term in zip(coefficients, terms, strict=True):
        sign = ("- " if parts else "-") if coefficient < 0 else "+ " if parts else ""
        factor = "" if abs(coefficient) == 1 else f"{abs(coefficient)}*"
        parts.append(f"{sign}{factor}{term}")
    return " ".join(parts)


def _named(name: str) -> str:
    """A name as a question writes it."""
    return name if re.fullmatch(NAME, name) else _quoted(name)


def _valued(value: Value) -> str:
    """Numbers as numbers; names quoted where they would read as something else."""
    if not isinstance(value, str):
        return repr(value.item() if hasattr(value, "item") else value)
    return value if re.fullmatch(WORD, value) and not is_number(value) else _quoted(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def is_number(text: str) -> bool:
    """Whether a text without quotes is a number, whole or not."""
    return bool(re.fullmatch(NUMBER, text))


def unquoted(text: str) -> str:
    """A name, without quotes and backslashes if it has them."""
    return re.sub(r"\\([\s\S])", r"\1", text[1:-1]) if text[:1] in ("'", '"') else text


def unknown_node(name: str, known: Iterable[str]) -> str:
    """The message that no node is called so, with the way to write one of several words.

    Example:
        >>> unknown_node("drug", ["drug given", "y"])
        "unknown node 'drug'; a name of several words is quoted: 'drug given'"
    """
    names = [*known]
    whole = next((each for each in names if name in each.split()), None)
    if whole is not None and "'" not in whole:
        return f"unknown node '{name}'; a name of several words is quoted: '{whole}'"
    return f"unknown node '{name}'; {one_of(name, names)}"


def literal(text: str) -> Value:
    """A level or number, as it is written; a number beyond all others is infinite.

    Example:
        >>> literal("2.5"), literal("-1"), literal("'-1'"), literal("red")
        (2.5, -1, '-1', 'red')
    """
    if not is_number(text):
        return unquoted(text)
    if re.fullmatch(r"[+-]?\d+", text) and len(text) <= _DIGITS:
        return int(text)
    return float(text)
