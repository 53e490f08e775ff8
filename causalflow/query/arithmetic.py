"""Arithmetic: the text of a combination of questions, cut into its questions and numbers.

    combination   sum  |  one / one
    one           question  |  ( sum )
    sum           [-] part (+|- part)...          part   [number [*]] question [/ number]
    question      letters, then brackets that close: P(...), E[...], Ctf-DE(...)

What a question is, `causalflow.query.language` knows. Here its brackets are counted, quotes left
alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn, TypeAlias

from causalflow.errors import QueryError
from causalflow.query.combination import AnyQuery, Combination, Part, combined
from causalflow.query.query import Query
from causalflow.query.words import OPENED

__all__ = ["COUNT", "counted", "read_combination"]

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
        text: as the user wrote it.
        ask: reads the text of one question.

    Raises:
        QueryError: with its place in the text.
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
