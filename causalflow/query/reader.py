"""Reader: the syntax tree of a causal question becomes a `Query`, checked for sense and names.

The tree is that of the grammar in `causalflow.query.parse`; every check knows the place of what
it checks. A variable takes, by its declared type,

class             a level, exogenous ones too: see `causalflow.values.finite`
continuous        a number within the support
discrete image    the code 0..levels^pixels - 1 of the whole image
image             none
symbol            any
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NoReturn, TypeAlias

from lark import Token, Tree

from causalflow.errors import CausalflowError, QueryError
from causalflow.graph.node import Exogenous, Family, Finite, Node
from causalflow.query.combination import counted
from causalflow.query.policy import Policy
from causalflow.query.policy_reader import read_policy, word_mark
from causalflow.query.policy_text import Mark
from causalflow.query.query import (
    Intervention,
    Kind,
    Query,
    Term,
    Value,
    is_number,
    literal,
    unknown_node,
    unquoted,
)
from causalflow.values.finite import finite_of
from causalflow.values.image import image_of
from causalflow.values.likelihood import Levels, Span, above, below, likely, within
from causalflow.values.variable import UNTYPED

__all__ = ["Branch", "Reader", "Variables", "resolve"]

Branch: TypeAlias = Tree[Token]
Variables: TypeAlias = Mapping[str, Node | Exogenous]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads the tree of one text.

    Attributes:
        text: what the user wrote, for the errors.
        variables: the names allowed, with their types; None: any name, any value.
        marks: the policies of the text, by their place.
    """

    text: str
    variables: Variables | None
    marks: Mapping[int, Mark] = field(default_factory=dict)

    def query(self, tree: Branch) -> Query:
        """The query of a whole tree.

        Raises:
            QueryError: the tree makes no sense as a question; with the place of the mistake.
        """
        asked, *given = _branches(tree)
        known = [part for each in given for part in _branches(each)]
        parts = _branches(asked)
        outcomes = [self._outcome(part) for part in parts]
        conditions = [self._term(part) for part in known if part.data == "event"]
        settings = [each for part in known if part.data == "do" for each in _branches(part)]
        do = [self._intervention(each) for each in settings]
        self._check_terms(outcomes, conditions)
        self._check_do(do, outcomes, conditions)
        query = Query(
            kind=Kind.PROBABILITY if tree.data == "probability" else Kind.EXPECTATION,
            outcomes=tuple(each for each, _ in outcomes),
            conditions=tuple(each for each, _ in conditions),
            do=tuple(each for each, _ in do),
            coefficients=tuple(self._coefficient(part) for part in parts if part.data == "part"),
        )
        self._check_free(query, [*outcomes, *conditions])
        return query

    def _fail(self, message: str, position: int) -> NoReturn:
        raise QueryError(f"query: {message}", self.text, position)

    def _outcome(self, tree: Branch) -> tuple[Term, int]:
        if tree.data == "event":
            term, position = self._term(tree)
            if isinstance(term.value, Levels) and not term.value.certain:
                self._fail(
                    f"'{term}' weighs evidence and is a condition; an event is {term.name} in "
                    "{...}",
                    position,
                )
            return term, position
        term, position = self._term(_branches(tree)[-1])
        if term.value is not None:
            self._fail(f"an expectation is of variables; give '{term.free}' no value", position)
        return term, position

    def _coefficient(self, part: Branch) -> Fraction:
        sign = -1 if isinstance(part.children[0], Token) else 1
        for tree in _branches(part, "coefficient"):
            numerator, *denominator = (counted(str(count)) for count in tree.children)
            below = denominator[0] if denominator else Fraction(1)
            if numerator is None or below is None:
                self._fail("the number is too long", tree.meta.start_pos)
            if not below:
                self._fail("division by zero", tree.meta.start_pos)
            return sign * numerator / below
        return Fraction(sign)

    def _term(self, tree: Branch) -> tuple[Term, int]:
        """A term at the top: a variable of one world, perhaps with a value."""
        name, position = self._name(tree)
        for subscript in _branches(tree, "subscript"):
            if not subscript.children:
                self._fail(f"'{name}[]' sets nothing; write '{name}'", position)
        value: Value | Levels | Span | None = self._told(name, tree)
        if value is None:
            value = self._value(name, tree)
        return Term(name=name, subscript=self._world(tree), value=value), position

    def _told(self, name: str, tree: Branch) -> Levels | Span | None:
        """What an event says of a variable short of a value."""
        for part in tree.children:
            if not isinstance(part, Tree) or part.data not in TOLD:
                continue
            tokens = [child for child in part.children if isinstance(child, Token)]
            position = tokens[0].start_pos or 0
            try:
                found = TOLD[part.data](tokens)
                return found if self.variables is None else _told(name, self.variables[name], found)
            except CausalflowError as error:
                message = getattr(error, "message", str(error)).removeprefix("query: ")
                self._fail(message, position)
        return None

    def _world(self, tree: Branch) -> tuple[Intervention, ...]:
        """What the subscript of an event sets."""
        settings = [each for part in _branches(tree, "subscript") for each in _branches(part)]
        interventions = [self._intervention(each) for each in settings]
        self._check_set_once(interventions)
        return tuple(each for each, _ in interventions)

    def _intervention(self, tree: Branch) -> tuple[Intervention, int]:
        name, position = self._name(tree)
        declared = None if self.variables is None else self.variables[name]
        if isinstance(declared, Finite | Family):
            self._fail(f"exogenous variable '{name}' cannot be set", position)
        if (told := self._told(name, tree)) is not None:
            self._fail(
                f"'{name} {told}' says what was seen, and cannot be set; '{name}' takes a value, or"
                " draws one by ~",
                position,
            )
        value = self._policy(name, tree)
        if value is None:
            value = self._value(name, tree)
        if not _branches(tree, "subscript"):
            return Intervention(variable=name, value=value), position
        if value is not None:
            self._fail(f"'{name}' is set to its value in another world; give no other", position)
        nested = Term(name=name, subscript=self._world(tree))
        return Intervention(variable=name, value=nested), position

    def _policy(self, name: str, tree: Branch) -> Value | Policy | None:
        """The policy that sets a variable, or what it always gives; None: it is set by none."""
        for part in _branches(tree, "value"):
            token = _token(part)
            position = token.start_pos or 0
            mark = self.marks.get(position)
            is_word = token.type != "QUOTED" and not is_number(str(token))
            if mark is None and self.variables is not None and is_word:
                mark = word_mark(name, str(token), self.variables)
            if mark is not None:
                try:
                    return read_policy(name, mark, self.variables)
                except QueryError as error:
                    raise QueryError(error.message, self.text, position) from None
        return None

    def _name(self, tree: Branch) -> tuple[str, int]:
        token = _token(tree)
        name, position = unquoted(str(token)), token.start_pos or 0
        if self.variables is not None and name not in self.variables:
            self._fail(unknown_node(name, self.variables), position)
        return name, position

    def _value(self, name: str, tree: Branch) -> Value | None:
        for part in _branches(tree, "value"):
            token = _token(part)
            value, position = literal(str(token)), token.start_pos or 0
            if isinstance(value, float) and math.isinf(value):
                self._fail(f"the number {str(token)[:40]} is too large", position)
            if self.variables is None:
                return value
            self._check_level(name, value, token)
            try:
                return _written_level(name, self.variables[name], str(token))
            except QueryError as error:
                raise QueryError(error.message, self.text, position) from None
        return None

    def _check_level(self, name: str, value: Value, token: Token) -> None:
        """A bare word that is a node's name is no level, where no levels say that it is one."""
        names = self.variables or {}
        if (
            name in names
            and names[name].type is UNTYPED
            and value in names
            and token.type != "QUOTED"
        ):
            position = token.start_pos or 0
            self._fail(
                f"'{value}' is a node, and '{name}' cannot be set or compared to one; a level of"
                f" that name is quoted: {name}='{value}'",
                position,
            )

    def _check_set_once(self, interventions: Sequence[tuple[Intervention, int]]) -> None:
        seen: set[str] = set()
        for each, position in interventions:
            if each.variable in seen:
                self._fail(f"'{each.variable}' is set twice", position)
            seen.add(each.variable)

    def _check_terms(
        self, outcomes: Sequence[tuple[Term, int]], conditions: Sequence[tuple[Term, int]]
    ) -> None:
        """Every variable of a world is at most one outcome or condition."""
        seen: dict[Term, tuple[Term, bool]] = {}
        asked = len(outcomes)
        for index, (term, position) in enumerate([*outcomes, *conditions]):
            first, was_outcome = seen.setdefault(term.free, (term, index < asked))
            if first is term:
                continue
            valued = None not in (first.value, term.value)
            if was_outcome and index >= asked:
                if valued or term.is_told:
                    continue
                self._fail(f"'{term.free}' is both an outcome and a condition", position)
            if None not in (first.value, term.value) and first.value != term.value:
                ranges = isinstance(first.value, Span) and isinstance(term.value, Span)
                remedy = f"; give one interval, as in {term.free} in [1, 2]" if ranges else ""
                self._fail(f"'{term.free}' has two values, {first} and {term}{remedy}", position)
            self._fail(f"'{term.free}' appears twice", position)

    def _check_do(
        self,
        do: Sequence[tuple[Intervention, int]],
        outcomes: Sequence[tuple[Term, int]],
        conditions: Sequence[tuple[Term, int]],
    ) -> None:
        """``do`` sets variables once each, that are not terms, in queries without subscripts."""
        self._check_set_once(do)
        for each, position in do:
            if each.nested is not None:
                self._fail(f"do(...) takes no nested term '{each}'; write y[{each}]", position)
        names = {each.variable for each, _ in do}
        for role, terms in (("an outcome", outcomes), ("a condition", conditions)):
            for term, position in terms:
                if term.name in names and not term.subscript:
                    self._fail(f"'{term.name}' is set by do(...) and cannot be {role}", position)
                if names and term.subscript:
                    self._fail(
                        f"do(...) already applies to '{term}'; use one of do(...) and subscripts",
                        position,
                    )

    def _check_free(self, query: Query, terms: Sequence[tuple[Term, int]]) -> None:
        """A name stands for one axis of the answer."""
        free, settings = frozenset(query.free_terms), frozenset(query.free_interventions)
        for term, position in terms:
            if not term.subscript and term in free and term.name in settings:
                self._fail(
                    f"'{term}' is free as a value and as an intervention; give one a level",
                    position,
                )


def _interval(tokens: Sequence[Token]) -> Span:
    """``in [60, 70]``; in round brackets without the ends."""
    _, bracket, low, _, high, _ = tokens
    span = within(float(low), float(high))
    return span if bracket == "[" else replace(span, strict=True)


def _comparison(tokens: Sequence[Token]) -> Span:
    """``> 5``, ``<= 2``."""
    sign, bound = str(tokens[0]), float(tokens[1])
    span = above(bound) if sign[0] == ">" else below(bound)
    return replace(span, strict=len(sign) == 1)


def _weights(tokens: Sequence[Token]) -> Levels:
    """``likely {3: 0.8, 5: 0.2}``."""
    pairs = zip(tokens[1::2], tokens[2::2], strict=True)
    return likely({literal(str(level)): Fraction(str(weight)) for level, weight in pairs})


TOLD: Mapping[str, Callable[[Sequence[Token]], Levels | Span]] = {
    "within": _interval,
    "among": lambda tokens: likely([literal(str(level)) for level in tokens[1:]]),
    "likely": _weights,
    "compared": _comparison,
}
"""How what is told of a variable is read from the tokens of its rule in the grammar."""


def _told(name: str, declared: Node | Exogenous, found: Levels | Span) -> Levels | Span:
    """What is told of a variable, its levels as they are declared.

    Raises:
        CausalflowError: levels that it does not have, or an interval of what is no number.
    """
    kind = declared.type
    if kind is UNTYPED:
        return found
    if isinstance(found, Span):
        if not kind.numeric:
            found.of(name, kind, kind.levels or ())
        return found
    if kind.numeric:
        raise QueryError(
            f"'{name}' is {kind.predicate}: it has no levels; tell an interval, as in {name} in "
            "[1, 2]"
        )
    return likely({resolve(name, declared, level): weight for level, weight in found.weights})


def _branches(tree: Branch, data: str | None = None) -> list[Branch]:
    """The children that are trees, of one kind if named."""
    trees = [child for child in tree.children if isinstance(child, Tree)]
    return [child for child in trees if data is None or child.data == data]


def _token(tree: Branch) -> Token:
    token = tree.children[0]
    assert isinstance(token, Token)
    return token


def resolve(name: str, declared: Node | Exogenous, value: Value) -> Value:
    """The value itself: a class's level as it is declared, a float for a continuous variable.

    Raises:
        QueryError: the variable cannot take the value.

    Example:
        >>> from causalflow.graph.node import Class
        >>> resolve("color", Class(levels=("green", "red")), 1)
        'red'
    """
    where = f"query: node '{name}'"
    kind = declared.type
    if kind is UNTYPED:
        return value
    if (levels := finite_of(kind)) is not None:
        return levels.levels[levels.position(value, where=where, error=QueryError)]
    if (image := image_of(kind)) is not None:
        if image.depth is None:
            raise QueryError(f"query: image node '{name}' takes no value in a query; name it alone")
        return _code(name, image.depth ** math.prod(image.shape), value)
    if not kind.scalar:
        raise QueryError(
            f"query: {kind.word} node '{name}' takes no value in a query; name it alone"
        )
    number = kind.read(value, where=where, error=QueryError)
    if math.isnan(number):
        raise QueryError(f"{where}: {value!r} is no number")
    shown: float = kind.show(number).item()
    return shown


def _written_level(name: str, declared: Node | Exogenous, text: str) -> Value:
    """The value that a text says; a level keeps all its digits, and the zeros before them.

    Raises:
        QueryError: the variable cannot take the value.
    """
    value = literal(text) if declared.type.levels is None else unquoted(text)
    return resolve(name, declared, value)


def _code(name: str, count: int, value: Value) -> int:
    code = _whole(value)
    if code is None or not 0 <= code < count:
        limit = f"{count - 1}" if count <= 10**12 else "levels^pixels - 1"
        given = repr(value)[:40]
        raise QueryError(
            f"query: image node '{name}' is given {given}; expected its code, 0 to {limit}"
        )
    return code


def _whole(value: Value) -> int | None:
    """The value as an integer, if it is a whole number."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) else None
