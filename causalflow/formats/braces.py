"""Braces: the parser of the language that DOT and dagitty share (`causalflow.formats.statements`).

    document    [strict] kind [name] { statement* }
    statement   operand (mark operand)* [attributes] | name = value | node, edge, graph [attributes]
    operand     name [: port [: compass]] | [subgraph [name]] { statement* }
    attributes  [ name = value, name, ... ]

The text is cut into *tokens*: names, signs and edge marks. Names stand plain or in quotes; a text
in angle brackets (HTML, in DOT) is one token. Comments are ``// ...``, ``# ...`` and ``/* ... */``.
What is no token comes as one of kind "bad", the last.

Statements and attributes are parted by blanks, ';' or ','. Defaults of ``node`` and ``edge`` hold
in their braces, for what is first mentioned after them. One pass over the text with an explicit
stack: deep nesting needs no recursion, and edges are counted before they are made.

Source: the DOT language (graphviz.org/doc/info/lang.html); dagitty's GraphDotParser.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, NoReturn

from causalflow.errors import GraphError
from causalflow.formats.statements import Attributes, Document, Link
from causalflow.limits import EDGES, NODES, STATEMENT_LETTERS
from causalflow.names import PLAIN

__all__ = ["END", "Token", "parse_document", "tokens"]

_TOKEN = re.compile(
    rf"""(?P<blank>(?:\s+|//[^\n]*|\#[^\n]*|/\*.*?\*/)+)
    |(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<mark><->|->|<-@|<-|--@|--|@->|@-@|@--)
    |(?P<name>-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?!{PLAIN})|{PLAIN})
    |(?P<sign>[{{}}\[\]=;,:+])
    |(?P<html><)""",
    re.VERBOSE | re.DOTALL,
)
_ANGLE = re.compile("[<>]")


class Token(NamedTuple):
    """A piece of the text.

    Attributes:
        kind: "name", "text" (a name in quotes), "mark", "sign", "html", "bad" or "end".
        text: the token as it stands.
        at: where it begins; -1 at the end.
    """

    kind: str
    text: str
    at: int

    def word(self, *words: str) -> bool:
        """Whether it is one of these signs, or of these words without quotes."""
        return self.kind in ("sign", "name") and self.text.lower() in words

    @property
    def is_name(self) -> bool:
        """Whether it can name something."""
        return self.kind in ("name", "text")

    @property
    def plain(self) -> str:
        """The text without quotes; a backslash stands before a quote, a backslash, a line's end."""
        if self.kind != "text":
            return self.text
        return re.sub(r"\\([\"'\\]|\r?\n)", _kept, self.text[1:-1])


def _kept(found: re.Match[str]) -> str:
    return "" if found[1].endswith("\n") else found[1]


END = Token("end", "", -1)


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text, and `END`; the first that is none ends them, as one of kind "bad"."""
    position, last = 0, ""
    while position < len(text):
        found = _TOKEN.match(text, position)
        kind = (found.lastgroup if found else None) or "bad"
        end = found.end() if found and kind != "html" else _html_end(text, position)
        if end is None or kind == "bad" or kind == last == "name":
            yield Token("bad", "", position)
            return
        if kind != "blank":
            yield Token(kind, text[position:end], position)
        position, last = end, kind
    yield END


def _html_end(text: str, start: int) -> int | None:
    """Where the text in angle brackets ends that begins at ``start``."""
    depth = 0
    for found in _ANGLE.finditer(text, start):
        depth += 1 if found[0] == "<" else -1
        if depth == 0:
            return found.end()
    return None


@dataclass(slots=True)
class _Scope:
    """Open braces: their defaults, the statement that is being read, and where they began."""

    node: Attributes
    edge: Attributes
    first: int
    operands: list[tuple[str, ...]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)


def parse_document(text: str, source: str, keep: Collection[str]) -> Document:
    """Read a text.

    Args:
        text: at most `causalflow.limits.STATEMENT_LETTERS` letters.
        source: names the text in messages.
        keep: the attributes that are kept, in lower case; all others are styling.

    Raises:
        GraphError: the text is no graph, with line and column of the first mistake; or too many
            edges.

    Example:
        >>> document = parse_document("dag { u [latent] u -> {x y} x -> y }", "dagitty text", ())
        >>> [(link.source, link.target) for link in document.links]
        [('u', 'x'), ('u', 'y'), ('x', 'y')]
    """
    if len(text) > STATEMENT_LETTERS:
        raise GraphError(
            f"{source}: {len(text)} characters; a graph text may have {STATEMENT_LETTERS} at most"
        )
    return _Parser(text, source, frozenset(keep)).document()


class _Parser:
    """The state of one reading."""

    def __init__(self, text: str, source: str, keep: frozenset[str]) -> None:
        self._text, self._source, self._keep = text, source, keep
        self._tokens = tokens(text)
        self._next = next(self._tokens)
        self._nodes: dict[str, dict[str, str]] = {}
        self._mentions: list[str] = []
        self._links: list[Link] = []
        self._attributes: dict[str, str] = {}
        self._made = 0
        self._scopes = [_Scope({}, {}, 0)]

    def document(self) -> Document:
        """Everything that the text says."""
        if self._next.word("strict"):
            self._take()
        kind = self._name().lower()
        name = "" if self._next.word("{") else self._name()
        self._expect("{")
        while self._scopes:
            self._statement()
        if self._next is not END:
            self._fail()
        return Document(
            kind=kind,
            name=name,
            attributes=self._attributes,
            nodes=self._nodes,
            links=tuple(self._links),
        )

    def _statement(self) -> None:
        """One step: an operand, the end of braces, a setting, or nothing."""
        scope = self._scopes[-1]
        if self._next.word("}"):
            self._close(scope)
        elif self._next.word(";", ",") and not scope.marks:
            self._take()
        elif self._next.word("{"):
            self._open(scope)
        elif self._next.word("subgraph"):
            self._take()
            if not self._next.word("{"):
                self._name()
            self._open(scope)
        else:
            self._named(scope)

    def _open(self, scope: _Scope) -> None:
        self._expect("{")
        self._scopes.append(_Scope(scope.node, scope.edge, len(self._mentions)))

    def _close(self, scope: _Scope) -> None:
        if scope.marks:
            self._fail()
        self._take()
        self._scopes.pop()
        if self._scopes:
            outer = self._scopes[-1]
            if outer.marks or self._next.kind == "mark":
                self._spend(len(self._mentions) - scope.first)
                inside = tuple(dict.fromkeys(self._mentions[scope.first :]))
                self._operand(outer, inside)

    def _named(self, scope: _Scope) -> None:
        """A statement that begins with a name."""
        token = self._take()
        if not token.is_name:
            self._fail(token)
        if token.word("node", "edge", "graph") and self._next.word("["):
            if scope.marks:
                self._fail(token)
            self._defaults(token.text.lower(), scope)
            return
        name = self._joined(token)
        if self._next.word("=") and not scope.marks:
            self._take()
            value = self._value()
            if len(self._scopes) == 1:
                self._attributes[name] = value
            return
        self._mention(name, scope)
        if not scope.marks and self._next.word("["):
            self._nodes[name].update(self._brackets())
        elif scope.marks or self._next.kind == "mark":
            self._operand(scope, (name,))

    def _mention(self, name: str, scope: _Scope) -> None:
        """A node, perhaps for the first time; the place where an edge touches it is styling."""
        for _ in range(2):
            if self._next.word(":"):
                self._take()
                self._name()
        if name not in self._nodes:
            if len(self._nodes) == NODES:
                raise GraphError(f"{self._source}: more than {NODES:,} nodes")
            self._nodes[name] = dict(scope.node)
        self._mentions.append(name)

    def _defaults(self, what: str, scope: _Scope) -> None:
        given = self._brackets()
        if what == "node":
            scope.node = {**scope.node, **given}
        elif what == "edge":
            scope.edge = {**scope.edge, **given}
        elif len(self._scopes) == 1:
            self._attributes.update(given)

    def _operand(self, scope: _Scope, names: tuple[str, ...]) -> None:
        """An operand of a chain; the edges are made when its last one is read."""
        scope.operands.append(names)
        if self._next.kind == "mark":
            scope.marks.append(self._take().text)
            if self._next.word("[", "]", "=", ";", ",") or self._next is END:
                self._fail()
            return
        given = {**scope.edge, **(self._brackets() if self._next.word("[") else {})}
        for (left, right), mark in zip(pairwise(scope.operands), scope.marks, strict=True):
            self._spend(len(left) * len(right))
            self._links += [
                Link(source=a, mark=mark, target=b, attributes=given) for a in left for b in right
            ]
        scope.operands, scope.marks = [], []

    def _spend(self, count: int) -> None:
        self._made += count
        if self._made > EDGES:
            raise GraphError(f"{self._source}: more than {EDGES:,} edges")

    def _brackets(self) -> dict[str, str]:
        """``[a=b, c] [d=e]``."""
        given: dict[str, str] = {}
        while self._next.word("["):
            self._take()
            while not self._next.word("]"):
                key, value = self._name(), ""
                if self._next.word("="):
                    self._take()
                    value = self._value()
                if key.lower() in self._keep:
                    given[key.lower()] = value
                if self._next.word(";", ","):
                    self._take()
            self._take()
        return given

    def _value(self) -> str:
        if self._next.kind == "html":
            return self._take().text
        return self._name()

    def _name(self) -> str:
        token = self._take()
        if not token.is_name:
            self._fail(token)
        return self._joined(token)

    def _joined(self, token: Token) -> str:
        """The text of a name; quoted ones may be joined by '+'."""
        parts = [token.plain]
        while self._next.word("+"):
            self._take()
            more = self._take()
            if more.kind != "text":
                self._fail(more)
            parts.append(more.plain)
        return "".join(parts)

    def _take(self) -> Token:
        token, self._next = self._next, next(self._tokens, END)
        return token

    def _expect(self, sign: str) -> None:
        token = self._take()
        if not token.word(sign):
            self._fail(token)

    def _fail(self, token: Token | None = None) -> NoReturn:
        at = (token or self._next).at
        rest = self._text[at : at + 200].split() if at >= 0 else []
        found = f"unexpected '{rest[0][:20]}'" if rest else "the text ends too early"
        place = at if rest else len(self._text)
        line = self._text.count("\n", 0, place) + 1
        column = place - self._text.rfind("\n", 0, place) if rest else 1
        raise GraphError(
            f"{self._source}:{line}:{column}: {found}; expected 'kind {{ a -> b; a [key=value] }}'"
        ) from None
