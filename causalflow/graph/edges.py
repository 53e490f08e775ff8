"""Edges: the entries of ``edges:`` as links that know their line.

An entry is an edge string, or a mapping with one key, the links, and the kind as value:

    - a, b -> c                                   - color -> image: anticausal
    - a <-> b                                     - color -> image: {kind: anticausal, scale: 2}
    - a <-> b: {cause: noise}                     - a <-> b: {through: c}

Edge strings: ``a, b -> c: kind``, ``a -> b -> c``, ``a <- b``, ``a <-> b``, ``"warm up" -> c``.

An edge string is a chain of groups of names; each arrow joins every name on its left with every
name on its right. A name stands as `causalflow.names` writes it. What may be said of a ``<->``:
`causalflow.graph.cause`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from causalflow.errors import GraphError, one_of
from causalflow.graph.cause import Cause, read_cause
from causalflow.graph.node import Anticausal, EdgeKind, Neural
from causalflow.graph.tree import (
    Fields,
    Place,
    Read,
    Scalar,
    Value,
    declared_fields,
    described,
    field_names,
    items,
    real,
    record,
    trusted,
)
from causalflow.graph.yaml import from_yaml
from causalflow.limits import EDGE_LETTERS, EDGE_LINKS, EDGES
from causalflow.names import NAME_RULE, PLAIN, QUOTED, is_name, unquoted, written

__all__ = ["EDGE_KINDS", "Link", "Links", "parse_chain", "parse_links", "read_links", "split_kind"]

_TOKEN = re.compile(rf"\s*(?:(?P<arrow><->|->|<-)|(?P<comma>,)|(?P<name>{PLAIN}|{QUOTED}))")
_BEFORE_COLON = re.compile(rf"(?:{QUOTED}|[^:])*")


@dataclass(frozen=True, slots=True)
class Links:
    """What an edge string says: (source, target) pairs, and unordered hidden common causes."""

    directed: tuple[tuple[str, str], ...]
    bidirected: tuple[tuple[str, str], ...]


def split_kind(text: str) -> tuple[str, str | None]:
    """The links and the kind of ``"links: kind"``; None where there is no colon.

    Raises:
        GraphError: a text that is too long.

    Example:
        >>> split_kind("a -> b: anticausal")
        ('a -> b', 'anticausal')
    """
    _check_length(text)
    found = _BEFORE_COLON.match(text)
    links, rest = (found[0], text[found.end() :]) if found else ("", text)
    return links.strip(), rest[1:].strip() if rest else None


def parse_links(text: str) -> Links:
    """Read the part of an edge string before the colon.

    Raises:
        GraphError: what cannot be read, with its column.

    Example:
        >>> parse_links("a, b -> c <-> d")
        Links(directed=(('a', 'c'), ('b', 'c')), bidirected=(('c', 'd'),))
    """
    groups, arrows = parse_chain(text)
    directed: list[tuple[str, str]] = []
    bidirected: list[tuple[str, str]] = []
    count = sum(len(left) * len(right) for left, right in pairwise(groups))
    if count > EDGE_LINKS:
        raise GraphError(f"one entry makes {count:,} edges; at most {EDGE_LINKS:,}")
    for left, arrow, right in zip(groups, arrows, groups[1:], strict=False):
        pairs = [(a, b) for a in left for b in right]
        if arrow == "<->":
            bidirected += pairs
        else:
            directed += pairs if arrow == "->" else [(b, a) for a, b in pairs]
    return Links(tuple(directed), tuple(bidirected))


def parse_chain(text: str) -> tuple[list[list[str]], list[str]]:
    """The groups of names and the arrows between them; names and separators must alternate.

    Raises:
        GraphError: what cannot be read, with its column.

    Example:
        >>> parse_chain("a, b -> c <-> d")
        ([['a', 'b'], ['c'], ['d']], ['->', '<->'])
    """
    groups: list[list[str]] = [[]]
    arrows: list[str] = []
    expect_name = True
    for kind, token, column in _tokens(text):
        if expect_name != (kind == "name"):
            wanted = "a node's name" if expect_name else "'->', '<->' or ','"
            wanted += "; a name of several words is quoted" if kind == "name" else ""
            raise GraphError(f"column {column}: unexpected '{token}'; expected {wanted}")
        if kind == "name":
            groups[-1].append(_name(token, column))
        elif kind == "arrow":
            groups.append([])
            arrows.append(token)
        expect_name = not expect_name
    if expect_name:
        raise GraphError("the edge ends early; expected a node's name")
    if not arrows:
        raise GraphError(
            "no arrow; expected 'a -> b' or 'a <-> b' (quote an edge with a comma inside [ ])"
        )
    return groups, arrows


def _check_length(text: str) -> None:
    if len(text) > EDGE_LETTERS:
        raise GraphError(f"an edge of {len(text)} characters; at most {EDGE_LETTERS} are allowed")


def _name(token: str, column: int) -> str:
    name = unquoted(token)
    if not is_name(name):
        raise GraphError(f"column {column}: {NAME_RULE}")
    return name


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    _check_length(text)
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise GraphError(
                f"column {start + 1}: unexpected {text[start]!r}; "
                "expected a node's name (letters, digits, '_', '.'; any other in quotes), "
                "'->', '<->' or ','"
            )
        yield match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup) + 1
        position = match.end()


EDGE_KINDS: Mapping[str, type[Neural | Anticausal]] = {"neural": Neural, "anticausal": Anticausal}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One edge of the file.

    Attributes:
        source: the first end.
        target: the second.
        kind: None for a bidirected one.
        line: where it stands.
        cause: what is said of a bidirected one, if anything is.
        implied: whether another edge stands for it, so that it may be declared too.
    """

    source: str
    target: str
    kind: EdgeKind | None
    line: int | None
    cause: Cause | None = None
    implied: bool = False

    @property
    def place(self) -> Place:
        """The edge in an error message."""
        return Place(f"edge '{self}'")

    def __str__(self) -> str:
        """The edge as it is written."""
        mark = "<->" if self.kind is None else "->"
        return f"{written(self.source)} {mark} {written(self.target)}"


def read_links(value: Value | None) -> tuple[Link, ...]:
    """Every link of ``edges:``, each once and between different nodes; an empty one has none.

    Raises:
        DeclarationError: the first mistake, with its line.
    """
    if value is None or (isinstance(value, Scalar) and value.empty):
        return ()
    entries = items(value, Place("edges"), "edges such as 'a -> b'")
    return tuple(_distinct(link for entry in entries for link in _entry(entry)))


def _distinct(links: Iterable[Link]) -> Iterator[Link]:
    first: dict[tuple[object, bool], Link] = {}
    for link in sorted(links, key=lambda link: link.implied):
        if len(first) == EDGES:
            Place("edges").fail(f"more than {EDGES:,} edges", link.line)
        if link.source == link.target:
            link.place.fail("an edge must join two different nodes", link.line)
        ends = (link.source, link.target)
        key = (frozenset(ends), True) if link.kind is None else (ends, False)
        if key in first and link.implied:
            continue
        if key in first:
            where = f"; first on line {first[key].line}" if first[key].line else ""
            link.place.fail(f"the edge is declared twice{where}", link.line)
        first[key] = link
        yield link


def _entry(entry: Value) -> Iterator[Link]:
    """The links of one entry of the list."""
    if isinstance(entry, Fields) and len(entry.pairs) == 1:
        key, kind = entry.pairs[0]
        return _links(key.text, kind, key.line)
    if isinstance(entry, Scalar) and not entry.empty:
        place = Place(f"edge {described(entry)}")
        links, kind_text = trusted(lambda: split_kind(entry.text), place, entry)
        return _links(links, _kind_value(kind_text, entry), entry.line)
    given = described(entry)
    return Place("edges").fail(f"expected an edge such as 'a -> b: neural', not {given}", entry)


def _kind_value(kind: str | None, entry: Scalar) -> Value | None:
    """The kind inside an edge string: a name, or a mapping in braces."""
    if kind is None or not kind.startswith("{"):
        return None if kind is None else Scalar(kind, line=entry.line)
    place = Place(f"edge {described(entry)}")
    value: Value | None = trusted(lambda: from_yaml(kind, entry.line or 1), place, entry)
    return value


def _links(links: str, kind: Value | None, line: int | None) -> Iterator[Link]:
    shown = Scalar(" ".join(links.split()))
    place = Place(f"edge {described(shown)}")
    parsed = trusted(lambda: parse_links(links), place, line)
    if parsed.bidirected and parsed.directed and kind is not None:
        place.fail("its arrows are of two sorts, and what is said of one is not of both", line)
    said = kind if parsed.bidirected else None
    cause, through = (None, ()) if said is None else read_cause(said, place, line)
    known = Neural() if kind is None or parsed.bidirected else _kind(kind, place, line)
    for source, target in parsed.directed:
        yield Link(source=source, target=target, kind=known, line=line)
    for source, target in parsed.bidirected:
        if not through:
            yield Link(source=source, target=target, kind=None, line=line, cause=cause)
        for each in through:
            yield Link(source=source, target=each, kind=None, line=line, implied=True)
            yield Link(source=each, target=target, kind=known, line=line, implied=True)


def _kind(value: Value, place: Place, line: int | None) -> EdgeKind:
    if not isinstance(value, Fields):
        return _kind_type(value, place, line)()
    name = value.get("kind")
    if name is None:
        form = "expected options such as {kind: anticausal, scale: 2}"
        place.fail(f"the option 'kind' is missing; {form}", value.line or line)
    kind = _kind_type(name, place, line)
    record(value, place, ("kind", *field_names(kind)), "option")
    options: dict[str, Any] = declared_fields(kind, value, place, _OPTIONS)
    return kind(**options, **({"stated": True} if "scale" in options else {}))


def _kind_type(value: Value, place: Place, line: int | None) -> type[Neural | Anticausal]:
    name = value.text if isinstance(value, Scalar) else ""
    if name not in EDGE_KINDS:
        place.fail(
            f"unknown kind {described(value)}; {one_of(name, EDGE_KINDS)}", value.line or line
        )
    return EDGE_KINDS[name]


def _scale(value: Value, place: Place) -> float:
    scale = real(value, place)
    return scale if scale >= 0 else place.fail(f"expected a number >= 0, not {scale:g}", value)


_OPTIONS: Mapping[str, Read] = {"scale": _scale}
