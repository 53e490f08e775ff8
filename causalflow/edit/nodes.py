"""Nodes: edits that add a node, drop it, name it, type it, hide it or show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from causalflow.edit.drawn import Drawn, ends_of, require_known, require_new
from causalflow.edit.graph_text import GraphText
from causalflow.edit.mentions import (
    named_in_question,
    renamed_in_equation,
    renamed_in_question,
)
from causalflow.edit.source import Change, Piece, rewritten
from causalflow.errors import GraphError
from causalflow.graph.writer import flow

__all__ = ["AddNode", "DropNode", "HideNode", "RenameNode", "ShowNode", "TypeNode"]


@dataclass(frozen=True, slots=True)
class AddNode:
    """A node is declared, behind the others.

    Attributes:
        name: what it is called.
        fields: its type and the rest as a file says it: ``{type: class, levels: 2}``.
    """

    name: str
    fields: str = "{}"

    def after(self, drawn: Drawn) -> Drawn:
        """One name more."""
        require_new(self.name, drawn)
        return Drawn((*drawn.names, self.name), drawn.edges)

    def changes(self, file: GraphText) -> Iterator[Change]:
        """An entry of ``nodes:``; a list takes the name alone."""
        section = file.section("nodes")
        typed = self.fields != "{}"
        if section is None and not (typed and file.entries):
            letters = f"{flow(self.name)}: {self.fields}"
            if typed:
                yield file.with_entry("nodes", letters, ("edges", "latent", "queries", "layout"))
        elif section is None or (typed and not section.is_mapping):
            raise GraphError(f"the nodes have no types, so '{self.name}' cannot have one")
        else:
            behind = f": {self.fields}" if section.is_mapping else ""
            yield file.with_entry("nodes", f"{flow(self.name)}{behind}")


@dataclass(frozen=True, slots=True)
class DropNode:
    """A node goes, with its edges and the questions that name it.

    Attributes:
        name: what it is called.
    """

    name: str

    def after(self, drawn: Drawn) -> Drawn:
        """One name less."""
        require_known(self.name, drawn)
        edges = {each for each in drawn.edges if self.name not in (each.source, each.target)}
        if lost := [each for each in drawn.by_equation if each.source == self.name]:
            raise GraphError(f"the equation of '{lost[0].target}' names '{self.name}'")
        return Drawn(tuple(name for name in drawn.names if name != self.name), frozenset(edges))

    def changes(self, file: GraphText) -> Iterator[Change]:
        """Its entries go from every section."""
        left = {entry.number: entry.chain.without_node(self.name) for entry in file.entries}
        yield from file.without("edges", (number for number, chains in left.items() if not chains))
        for entry in file.entries:
            yield from file.with_chains(entry, left[entry.number])
        for section in _NAMING:
            yield from file.without(section, _numbers(file.section(section), self.name))
        asked = enumerate(map(_question, _parts(file.section("queries"))))
        named = [n for n, ask in asked if ask and self.name in named_in_question(ask.text or "")]
        yield from file.without("queries", named)


@dataclass(frozen=True, slots=True)
class RenameNode:
    """A node, or an exogenous variable, is called something else wherever it is named.

    Attributes:
        old: what it is called.
        new: what it is to be called.
    """

    old: str
    new: str

    def after(self, drawn: Drawn) -> Drawn:
        """Another name in its place."""
        require_known(self.old, drawn)
        require_new(self.new, drawn)
        edges = (
            ends_of(self._of(each.source), self._of(each.target), each.bidirected)
            for each in drawn.edges
        )
        return Drawn(tuple(map(self._of, drawn.names)), frozenset(edges))

    def changes(self, file: GraphText) -> Iterator[Change]:
        """The name changes wherever it stands."""
        for entry in file.entries:
            if self.old in entry.chain.names:
                yield from file.with_chains(entry, (entry.chain.renamed(self._of),))
            yield from self._in_cause(entry.piece)
        for holder in filter(None, map(file.section, _NAMING)):
            for number in _numbers(holder, self.old):
                first, _ = holder.entries()[number]
                yield rewritten(first, self.new, in_brackets=holder.in_brackets)
        yield from self._in_nodes(file.section("nodes"))
        for ask in map(_question, _parts(file.section("queries"))):
            if ask is not None:
                yield from _reworded(ask, renamed_in_question(ask.text or "", self.old, self.new))

    def _in_cause(self, entry: Piece) -> Iterator[Change]:
        """What is said of a hidden cause names nodes too."""
        said = entry.pairs[0][1] if entry.is_mapping else entry
        for scalar in (*_scalars(said.get("through")), *_scalars(said.get("on"))):
            yield from _reworded(scalar, self._of(scalar.text or ""))

    def _in_nodes(self, section: Piece | None) -> Iterator[Change]:
        for _, node in () if section is None else section.pairs:
            for scalar in _scalars(node.get("equation")):
                renamed = renamed_in_equation(scalar.text or "", self.old, self.new)
                yield from _reworded(scalar, renamed)
            marked = node.get("missing")
            if marked is not None and marked.text == self.old:
                yield from _reworded(marked, self.new)

    def _of(self, name: str) -> str:
        return self.new if name == self.old else name


@dataclass(frozen=True, slots=True)
class TypeNode:
    """A node gets another type.

    Attributes:
        name: what it is called.
        fields: its type and the rest as a file says it: ``{type: continuous, unit: mm}``.
        others: the type of all others in a file whose nodes have none; one that leaves them
            without is no graph, and is refused.
    """

    name: str
    fields: str
    others: str = ""

    def after(self, drawn: Drawn) -> Drawn:
        """What was drawn."""
        require_known(self.name, drawn)
        return drawn

    def changes(self, file: GraphText) -> Iterator[Change]:
        """Its fields under ``nodes:``, or all nodes' where they had none."""
        section = file.section("nodes")
        if section is not None and section.is_mapping:
            yield self._own(file, section)
            return
        listed = [part.text or "" for part in _parts(section)]
        ends = (name for entry in file.entries for group in entry.chain.groups for name in group)
        names = list(dict.fromkeys(listed or ends))
        hidden = {part.text for part in _parts(file.section("latent"))} - {self.name}
        if not self.others and set(names) - hidden != {self.name}:
            raise GraphError(f"the nodes have no types; '{self.name}' cannot be the only one")
        rows = "".join(f"\n  {flow(name)}: {self._fields(name, hidden)}" for name in names)
        key = file.key("nodes")
        if section is None or key is None:
            yield file.with_section(f"nodes:{rows}", ("edges", "latent", "queries", "layout"))
        else:
            yield Change(key.end, section.end, f":{rows}")

    def _own(self, file: GraphText, section: Piece) -> Change:
        """The fields of the one node."""
        for key, value in section.pairs:
            if key.text == self.name:
                is_bare = file.text[key.end : value.start].strip() == ":"
                if is_bare:
                    return Change(key.end, max(value.end, key.end + 1), f": {self.fields}")
                return Change(value.start, value.end, self.fields)
        return file.with_entry("nodes", f"{flow(self.name)}: {self.fields}")

    def _fields(self, name: str, hidden: set[str | None]) -> str:
        if name == self.name:
            return self.fields
        return "{}" if name in hidden else self.others


@dataclass(frozen=True, slots=True)
class HideNode:
    """A node is observed by nobody.

    Attributes:
        name: what it is called.
    """

    name: str

    def after(self, drawn: Drawn) -> Drawn:
        """What was drawn."""
        require_known(self.name, drawn)
        return drawn

    def changes(self, file: GraphText) -> Iterator[Change]:
        """Its name under ``latent:``."""
        yield file.with_entry("latent", flow(self.name), ("queries", "layout"))


@dataclass(frozen=True, slots=True)
class ShowNode:
    """A node that was latent is observed.

    Attributes:
        name: what it is called.
        fields: its type, where the file types its nodes and not this one.
    """

    name: str
    fields: str = ""

    def after(self, drawn: Drawn) -> Drawn:
        """What was drawn."""
        require_known(self.name, drawn)
        return drawn

    def changes(self, file: GraphText) -> Iterator[Change]:
        """Its name goes from ``latent:``."""
        found = _numbers(file.section("latent"), self.name)
        if not found:
            raise GraphError(f"'{self.name}' is not latent")
        yield from file.without("latent", found)
        if self.fields:
            yield from TypeNode(self.name, self.fields).changes(file)


_NAMING = ("nodes", "exogenous", "latent", "layout")
"""The sections whose entries are of a name each."""


def _parts(holder: Piece | None) -> list[Piece]:
    return [] if holder is None else holder.parts


def _numbers(holder: Piece | None, name: str) -> list[int]:
    """The entries of that name."""
    entries = () if holder is None else holder.entries()
    return [number for number, (first, _) in enumerate(entries) if first.text == name]


def _question(entry: Piece) -> Piece | None:
    """The scalar that an entry of ``queries:`` asks in."""
    return entry.get("ask") if entry.is_mapping else entry


def _scalars(piece: Piece | None) -> list[Piece]:
    """The piece, or those in it where it is a list."""
    return [] if piece is None else piece.parts or [piece]


def _reworded(scalar: Piece, text: str) -> Iterator[Change]:
    """The scalar says something else; in brackets it may stand, so it is quoted as there."""
    if text != scalar.text:
        yield rewritten(scalar, text, in_brackets=True)
