"""Cursor: a text read from left to right, names and levels held against the graph."""

from __future__ import annotations

import re
from typing import NoReturn

from causalflow.errors import QueryError, one_of
from causalflow.graph.admg import ADMG
from causalflow.query.domain import resolve
from causalflow.query.query import Value
from causalflow.query.reader import Variables
from causalflow.query.words import BARE, QUOTED, literal, unquoted

__all__ = ["Cursor"]

_NAME = re.compile(rf"\s*({BARE}|{QUOTED})")
_LEVEL = re.compile(rf"\s*({QUOTED}|(?:(?!->|→)[^\s,|()\[\]='\"/;])+)")
_ARROW = re.compile(r"\s*(->|→)")
_NEXT = re.compile(r"\s*(\w+|->|\S)?")


class Cursor:
    """A place in a text.

    Args:
        text: as the user wrote it.
        at: where reading begins.
        form: what the whole should look like, for the errors.
        variables: the names allowed, with their types; None: those of ``admg``.
        admg: the graph's; None: any name.
    """

    def __init__(
        self, text: str, at: int, form: str, variables: Variables | None, admg: ADMG | None
    ) -> None:
        self.text, self.at, self.form = text, at, form
        self.variables, self.admg = variables, admg

    def fail(self, message: str, at: int) -> NoReturn:
        """Raise the error of that place."""
        raise QueryError(f"query: {message}", self.text, at)

    def wrong(self, expected: str) -> NoReturn:
        """What stands here is not what should."""
        found = _NEXT.match(self.text, self.at)
        word = found[1] if found else None
        at = found.start(1) if found and word else len(self.text)
        shown = repr(word[:40]) if word else "the end of the query"
        words = "; words of one level are quoted: 'two words'" if (word or "")[:1].isalpha() else ""
        self.fail(f"expected {expected}, as in {self.form}; found {shown}{words}", at)

    def taken(self, pattern: re.Pattern[str]) -> str | None:
        """The pattern's group, if it comes next."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[1]

    def mark(self, mark: str) -> bool:
        """Whether the mark comes next, which is then read."""
        return self.taken(re.compile(rf"\s*({re.escape(mark)})")) is not None

    def arrow(self) -> bool:
        """Whether an arrow comes next, which is then read."""
        return self.taken(_ARROW) is not None

    def variable(self) -> str:
        """A name that the graph has."""
        word = self.taken(_NAME)
        if word is None:
            self.wrong("the name of a variable")
        name, known = unquoted(word), None if self.variables is None else [*self.variables]
        if known is None and self.admg is not None:
            known = [*self.admg.nodes]
        if known is not None and name not in known:
            self.fail(f"unknown node '{name}'; {one_of(name, known)}", self.at - len(word))
        return name

    def level(self, name: str) -> Value:
        """A level that the variable has."""
        word = self.taken(_LEVEL)
        if word is None:
            self.wrong(f"a level of '{name}'")
        value = literal(word)
        if self.variables is not None:
            try:
                resolve(name, self.variables[name], value)
            except QueryError as error:
                raise QueryError(error.message, self.text, self.at - len(word)) from None
        return value
