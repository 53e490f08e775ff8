"""Edges: the entries of ``edges:`` as links that know their line.

An entry is an edge string, or a mapping with one key, the links, and the kind as value:

    - a, b -> c                                   - color -> image: anticausal
    - a <-> b                                     - color -> image: {kind: anticausal, scale: 2}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from causalflow.errors import one_of
from causalflow.graph.document import Fields, Scalar, Value, described
from causalflow.graph.events import from_yaml
from causalflow.graph.fields import (
    Place,
    declared_fields,
    field_names,
    items,
    readers_for,
    real,
    record,
    trusted,
)
from causalflow.graph.names import written
from causalflow.graph.schema import Anticausal, EdgeKind, Neural
from causalflow.graph.syntax import parse_links, split_kind
from causalflow.limits import EDGES

__all__ = ["EDGE_KINDS", "Link", "read_links"]

EDGE_KINDS: Mapping[str, type[Neural | Anticausal]] = {"neural": Neural, "anticausal": Anticausal}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One edge of the file; ``kind`` is None for a bidirected one."""

    source: str
    target: str
    kind: EdgeKind | None
    line: int | None

    @property
    def place(self) -> Place:
        """The edge in an error message."""
        return Place(f"edge '{self}'")

    def __str__(self) -> str:
        """The edge as it is written."""
        mark = "<->" if self.kind is None else "->"
        return f"{written(self.source)} {mark} {written(self.target)}"


def read_links(value: Value | None) -> tuple[Link, ...]:
    """Every link of ``edges:``, each once and between different nodes.

    Raises:
        DeclarationError: the first mistake, with its line.
    """
    if value is None:
        return ()
    entries = items(value, Place("edges"), "edges such as 'a -> b'")
    return tuple(_distinct(link for entry in entries for link in _entry(entry)))


def _distinct(links: Iterable[Link]) -> Iterator[Link]:
    first: dict[tuple[object, bool], Link] = {}
    for link in links:
        if len(first) == EDGES:
            Place("edges").fail(f"more than {EDGES:,} edges", link.line)
        if link.source == link.target:
            link.place.fail("an edge must join two different nodes", link.line)
        ends = (link.source, link.target)
        key = (frozenset(ends), True) if link.kind is None else (ends, False)
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
    if parsed.bidirected and kind is not None:
        place.fail("a bidirected edge has no kind; leave it out", line)
    known = Neural() if kind is None else _kind(kind, place, line)
    for source, target in parsed.directed:
        yield Link(source=source, target=target, kind=known, line=line)
    for source, target in parsed.bidirected:
        yield Link(source=source, target=target, kind=None, line=line)


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
    return kind(**options)


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


_OPTIONS = readers_for(Anticausal, {"scale": _scale})
