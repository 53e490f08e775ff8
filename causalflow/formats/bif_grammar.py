"""BIF grammar: text of the Bayesian network interchange format to blocks, with their lines.

    network name { property* }
    variable name { type discrete [ n ] { name ... }; property* }
    probability ( name | name ... ) { row* property* }
    row: table, default or (name ...), then numbers ;        property ... ;

Blanks, commas and comments (``// ...``, ``/* ... */``, also next to a word) part the words; a text
in double quotes has JSON's escapes. One pass over the text, with no recursion.

Source: Cozman (1998), "The interchange format for Bayesian networks", version 0.15; quotes,
commas and properties as bnlearn, pgmpy, pyAgrum and SamIam write them.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from causalflow.errors import GraphError
from causalflow.limits import BIF_LETTERS

__all__ = ["Block", "Entry", "Network", "Variable", "parse_bif"]

_COMMENT = r"//[^\n]*|/\*.*?\*/"
_TOKEN = re.compile(
    rf"""(?P<blank>(?:[\s,]+|{_COMMENT})+)
    |(?P<text>"(?:\\.|[^"\\])*")
    |(?P<word>(?:[^\s,;{{}}()\[\]|"/]|/(?![/*]))+)
    |(?P<sign>[;{{}}()\[\]|])""",
    re.VERBOSE | re.DOTALL,
)
_NUMBERS = re.compile(rf"""(?:[^;{{}}()\[\]|"/]+|/(?![/*])|{_COMMENT})*""", re.DOTALL)
_PROPERTY = re.compile(r'("(?:\\.|[^"\\])*"|[^;"])*;', re.DOTALL)
_REMARK = re.compile(_COMMENT, re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of a probability block: ``kind`` is "table", "default" or "row" (with its ``cell``)."""

    kind: str
    cell: tuple[str, ...]
    numbers: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable's block; ``levels`` with whether each was quoted."""

    name: str
    levels: tuple[tuple[str, bool], ...]
    properties: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A probability block: of the child given its parents."""

    child: str
    parents: tuple[str, ...]
    entries: tuple[Entry, ...]
    properties: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A whole text."""

    name: str | None
    variables: tuple[Variable, ...]
    blocks: tuple[Block, ...]


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse_bif(text: str, source: str) -> Network:
    """Read a text; ``source`` names it in messages.

    Raises:
        GraphError: ``source:line:`` and the first mistake.
    """
    if len(text) > BIF_LETTERS:
        raise GraphError(f"{source}: larger than {BIF_LETTERS >> 20} MiB")
    return _Parser(text, source).network()


class _Parser:
    """The state of one reading."""

    def __init__(self, text: str, source: str) -> None:
        self._text, self._source, self._at = text, source, 0
        self._lines = [found.start() for found in re.finditer("\n", text)]
        self._next = self._scan()

    def network(self) -> Network:
        """Everything that the text says."""
        name: str | None = None
        variables: list[Variable] = []
        blocks: list[Block] = []
        while self._next.kind != "end":
            token = self._take()
            match token.text:
                case "network" if name is None and not variables and not blocks:
                    name = self._network_name()
                case "variable":
                    variables.append(self._variable())
                case "probability":
                    blocks.append(self._block())
                case _:
                    self._unexpected(token)
        return Network(name=name or None, variables=tuple(variables), blocks=tuple(blocks))

    def _network_name(self) -> str:
        name = "" if self._next.text == "{" else self._name()
        self._inside(self._unexpected)
        return name

    def _variable(self) -> Variable:
        first = self._next
        name = self._name()
        kinds: list[tuple[_Token, list[_Token]]] = []
        properties = self._inside(lambda token: kinds.append(self._kind(token)))
        if len(kinds) != 1:
            what = f"expected one 'type discrete [...]', not {len(kinds)}"
            self._fail(first, f"variable '{name}': {what}")
        size, levels = kinds[0]
        if size.text != str(len(levels)):
            what = f"{size.text[:40]} levels are announced, {len(levels)} are listed"
            self._fail(size, f"variable '{name}': {what}")
        return Variable(
            name=name,
            levels=tuple((self._plain(level), level.kind == "text") for level in levels),
            properties=properties,
            line=self._line(first),
        )

    def _kind(self, token: _Token) -> tuple[_Token, list[_Token]]:
        """``type discrete [ n ] { names };``: n and the names."""
        if token.text != "type":
            self._unexpected(token)
        self._expect("discrete")
        self._expect("[")
        size = self._take()
        self._expect("]")
        self._expect("{")
        levels = self._names("}")
        self._expect(";")
        return size, levels

    def _block(self) -> Block:
        first = self._next
        self._expect("(")
        names = [self._plain(token) for token in self._names(")", "|")]
        if not names:
            self._unexpected(first)
        entries: list[Entry] = []
        properties = self._inside(lambda token: entries.append(self._entry(token)))
        return Block(
            child=names[0],
            parents=tuple(names[1:]),
            entries=tuple(entries),
            properties=properties,
            line=self._line(first),
        )

    def _entry(self, token: _Token) -> Entry:
        cell: tuple[str, ...] = ()
        if token.text == "(" and token.kind == "sign":
            cell = tuple(self._plain(each) for each in self._names(")"))
        elif token.text not in ("table", "default"):
            self._unexpected(token)
        words = self._numbers()
        self._expect(";")
        kind = "row" if token.kind == "sign" else token.text
        return Entry(kind=kind, cell=cell, numbers=words, line=self._line(token))

    def _numbers(self) -> tuple[str, ...]:
        """Words up to the next sign; one match reads a row."""
        found = _NUMBERS.match(self._text, self._next.at) if self._next.kind == "word" else None
        if found is None:
            return ()
        self._at = found.end()
        self._next = self._scan()
        row = _REMARK.sub(" ", found[0]) if "/" in found[0] else found[0]
        return tuple(row.replace(",", " ").split())

    def _inside(self, read: Callable[[_Token], None]) -> tuple[str, ...]:
        """A block in braces: its properties; ``read`` goes on from any other first word."""
        self._expect("{")
        properties = []
        while (token := self._take()).text != "}" or token.kind != "sign":
            if token.text == "property" and token.kind == "word":
                properties.append(self._property(token))
            else:
                read(token)
        return tuple(properties)

    def _property(self, token: _Token) -> str:
        start = token.at + len(token.text)
        found = _PROPERTY.match(self._text, start)
        if found is None:
            self._unexpected(_Token("end", "", -1))
        self._at = found.end()
        self._next = self._scan()
        return found[0].removesuffix(";").strip()

    def _names(self, end: str, *skipped: str) -> list[_Token]:
        """Words and texts up to the sign ``end``."""
        names = []
        while (token := self._take()).text != end or token.kind != "sign":
            if token.kind in ("word", "text"):
                names.append(token)
            elif token.text not in skipped:
                self._unexpected(token)
        return names

    def _name(self) -> str:
        token = self._take()
        if token.kind not in ("word", "text"):
            self._unexpected(token)
        return self._plain(token)

    def _plain(self, token: _Token) -> str:
        """A word, or a quoted text with JSON's escapes."""
        if token.kind == "word":
            text = token.text
        else:
            try:
                text = str(json.loads(token.text, strict=False))
            except ValueError:
                what = "has an unknown escape; write a backslash as \\\\"
                self._fail(token, f"the text {token.text[:40]} {what}")
        is_lone = not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)
        if is_lone or not text.strip():
            self._fail(token, f"expected a text, not {token.text[:40]!r}")
        return text

    def _expect(self, text: str) -> None:
        token = self._take()
        if token.text != text or token.kind == "text":
            self._unexpected(token)

    def _take(self) -> _Token:
        token = self._next
        if token.kind == "end":
            self._unexpected(token)
        self._next = self._scan()
        return token

    def _scan(self) -> _Token:
        while self._at < len(self._text):
            found = _TOKEN.match(self._text, self._at)
            if found is None:
                return _Token("bad", self._text[self._at], self._at)
            start, self._at = self._at, found.end()
            if found.lastgroup != "blank":
                return _Token(found.lastgroup or "", found[0], start)
        return _Token("end", "", -1)

    def _line(self, token: _Token) -> int:
        return bisect_left(self._lines, token.at) + 1

    def _unexpected(self, token: _Token) -> NoReturn:
        if token.kind == "end":
            raise GraphError(f"{self._source}: not BIF: the text ends early")
        self._fail(token, f"not BIF: unexpected {token.text[:40]!r}")

    def _fail(self, token: _Token, message: str) -> NoReturn:
        raise GraphError(f"{self._source}:{self._line(token)}: {message}")
