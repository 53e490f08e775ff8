"""Combination: sums and ratios of causal questions, which no single question says.

    P(y=1 | do(x=1)) - P(y=1 | do(x=0))      risk difference
    P(y=1 | do(x=1)) / P(y=1 | do(x=0))      risk ratio
    E[y[x=0] | x=1] - E[y | x=0]             two conditions: the spurious effect

Expectations under one condition are one question: E[y | do(x=1)] - E[y | do(x=0)] is
E[y[x=1] - y[x=0]], and `combined` says it so. What is free is free in every part alike.

`read_combination` cuts a text into its questions and numbers:

    combination   sum  |  one / one
    one           question  |  ( sum )
    sum           [-] part (+|- part)...          part   [number [*]] question [/ number]
    question      letters, then brackets that close: P(...), E[...], Ctf-DE(...)

What a question is, `causalflow.query.parse` knows. Here its brackets are counted, quotes left
alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NoReturn, TypeAlias

from causalflow.errors import QueryError
from causalflow.query.policy import Policy
from causalflow.query.query import OPENED, Kind, Query, Term

__all__ = [
    "COUNT",
    "AnyQuery",
    "Combination",
    "Part",
    "combined",
    "counted",
    "no_value",
    "read_combination",
]

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
    def policies(self) -> tuple[Policy, ...]:
        """The policies of the questions, each once."""
        return tuple(dict.fromkeys(each for part in self.parts for each in part.policies))

    @property
    def free_variables(self) -> tuple[str, ...]:
        """The names of the answer's axes: those of the questions, each once."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.free_variables))

    @property
    def told(self) -> tuple[Term, ...]:
        """The terms that are known, or asked about, short of a value."""
        return tuple(term for part in self.parts for term in part.told)

    @property
    def spread(self) -> Combination:
        """The distributions that the answer is made of, where terms are told."""
        above, below = (
            tuple((scale, query.spread) for scale, query in parts)
            for parts in (self.sum, self.divisor)
        )
        return replace(self, sum=above, divisor=below)

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


def no_value(query: AnyQuery, what: str) -> QueryError:
    """Why a question with a term that is told short of a value is not answered without a model.

    Args:
        query: the question; at least one of its terms is `told`.
        what: who refuses it.
    """
    return QueryError(
        f"{what}: '{query.told[0]}' is no value; ask for {query.spread}, of which the answer is a "
        "weighted sum, or ask a model: compile(graph).ask(...)"
    )


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


COUNT = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?"

_HEAD = r"[A-Za-z]+(?:-[A-Za-z]+)?\s*[(\[]"
_TOKEN = re.compile(
    rf"\s*(?:(?P<head>{_HEAD})|(?P<number>{COUNT})|(?P<mark>[-+*/()])|(?P<other>\S))"
)
_BRACKET = re.compile(rf"[][()]|{OPENED}")
_DIGITS = 100
_FORM = "P(...) - P(...), 1/2*E[...] + E[...], or P(...) / P(...)"

Ask: TypeAlias = Callable[[str], AnyQuery]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


def read_combination(text: str, ask: Ask) -> AnyQuery | None:
    """The combination that a text is; None if it is one question alone, or cannot be cut at all.

    Args:
        text: the text as the user wrote it.
        ask: reads the text of one question.

    Raises:
        QueryError: a part that cannot be read, with its place in the text.
    """
    tokens = _tokens(text)
    asks = any(token.kind == "question" for token in tokens)
    signs = any(token.kind == "mark" and token.text in "-+*/" for token in tokens)
    return _Sums(text, tokens, ask).whole() if asks and signs else None


def counted(text: str) -> Fraction | None:
    """The number that a `COUNT` is; None if it is longer than any that a question needs."""
    return Fraction(text) if len(text) <= _DIGITS else None


def _tokens(text: str) -> list[_Token]:
    """Questions, numbers and marks; what is none of them, or never closes, is the last token."""
    found: list[_Token] = []
    at = 0
    while token := _TOKEN.match(text, at):
        kind = str(token.lastgroup)
        start, at = token.start(kind), token.end()
        if kind == "head":
            end = _closed(text, at - 1)
            kind, at = ("other", len(text)) if end is None else ("question", end)
        found.append(_Token(kind, text[start:at], start))
        if kind == "other":
            break
    return found


def _closed(text: str, start: int) -> int | None:
    """Behind the bracket that closes the one at ``start``."""
    depth = 0
    for mark in _BRACKET.finditer(text, start):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(mark[0], 0)
        if not depth:
            return mark.end()
    return None


class _Sums:
    """Reads the tokens in their order."""

    def __init__(self, text: str, tokens: list[_Token], ask: Ask) -> None:
        self.text, self.tokens, self.ask, self.at = text, tokens, ask, 0

    def whole(self) -> AnyQuery:
        above, divisor = self.sum(), []
        if self.taken("/"):
            if not self.bracketed and len(above) > 1:
                self.fail("what is divided? put the sum in brackets, (A - B) / C", self.at - 1)
            divisor = self.one()
        if self.at < len(self.tokens):
            self.fail(f"found {self.tokens[self.at].text[:20]!r}; a combination is {_FORM}")
        return combined(above, divisor)

    @property
    def bracketed(self) -> bool:
        """Whether what was read last ended in a bracket of its own."""
        return self.tokens[self.at - 2].text == ")" if self.at > 1 else False

    def sum(self) -> list[Part]:
        if self.kind == "mark" and self.tokens[self.at].text == "(":
            return self.one()
        parts = [self.part(-1 if self.taken("-") else 1)]
        while sign := self.taken("-", "+"):
            parts.append(self.part(-1 if sign == "-" else 1))
        return parts

    def one(self) -> list[Part]:
        """A question, or a sum in brackets."""
        if not self.taken("("):
            return [(Fraction(1), self.question())]
        parts = [self.part(-1 if self.taken("-") else 1)]
        while sign := self.taken("-", "+"):
            parts.append(self.part(-1 if sign == "-" else 1))
        if not self.taken(")"):
            self.fail("expected ')' behind the sum")
        return parts

    def part(self, sign: int) -> Part:
        scale = Fraction(sign)
        if self.kind == "number":
            scale *= self.number()
            if self.taken("/"):
                scale /= self.number()
            self.taken("*")
        query = self.question()
        while self.kind_after("/") == "number":
            self.at += 1
            scale /= self.number()
        return scale, query

    def question(self) -> Query:
        if self.kind != "question":
            self.fail(f"expected a question here; a combination is {_FORM}")
        token = self.tokens[self.at]
        self.at += 1
        try:
            found = self.ask(token.text)
        except QueryError as error:
            place = token.start + (error.position or 0)
            raise QueryError(error.message, self.text, place) from None
        if isinstance(found, Combination):
            self.fail(
                f"{token.text[:40]} is a combination itself; write out its parts", self.at - 1
            )
        return found

    def number(self) -> Fraction:
        if self.kind != "number":
            self.fail("expected a number")
        number = counted(self.tokens[self.at].text)
        if number is None:
            self.fail("the number is too long")
        self.at += 1
        if not number and self.at > 1 and self.tokens[self.at - 2].text == "/":
            self.fail("division by zero", self.at - 1)
        return number

    @property
    def kind(self) -> str:
        return self.tokens[self.at].kind if self.at < len(self.tokens) else "end"

    def kind_after(self, mark: str) -> str | None:
        """The kind of the token behind a mark that comes next."""
        behind = self.at + 1
        if behind >= len(self.tokens) or self.tokens[self.at].text != mark:
            return None
        return self.tokens[behind].kind

    def taken(self, *marks: str) -> str | None:
        """The mark, if it comes next."""
        if self.kind != "mark" or self.tokens[self.at].text not in marks:
            return None
        self.at += 1
        return self.tokens[self.at - 1].text

    def fail(self, message: str, at: int | None = None) -> NoReturn:
        place = self.at if at is None else at
        token = self.tokens[place] if place < len(self.tokens) else None
        raise QueryError(f"query: {message}", self.text, token.start if token else len(self.text))
