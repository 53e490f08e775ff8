"""Edit: what one does to a graph in a drawing, done to the text of its file.

Only the lines that an edit touches change: comments, order, kinds and options stay. The text that
comes out is read again, and declares the names and edges from before but for the edit; where that
is not so, the edit is refused.

    AddNode(x)             x is declared
    DropNode(x)            x, its edges, and the questions under ``queries:`` that name it, go
    RenameNode(x, z)       z stands wherever x stood: in edges, equations and questions too
    AddEdge(x, y)          x -> y, or x <-> y where it is bidirected
    CutEdge(x, y)          the edge goes; the others of its entry stay
    ReverseEdge(x, y)      y -> x in the place of x -> y, of its kind

An edge that follows from an equation is the equation's, and one into a node with a table is the
table's: these are changed by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from causalflow.edit.chain import Chain, Ends
from causalflow.edit.graph_text import GraphText
from causalflow.edit.mentions import (
    named_in_question,
    renamed_in_equation,
    renamed_in_question,
)
from causalflow.edit.source import Change, Piece, changed, rewritten
from causalflow.errors import GraphError, one_of
from causalflow.graph.declaration import declare
from causalflow.graph.edges import read_links
from causalflow.graph.tree import Fields
from causalflow.graph.writer import flow
from causalflow.graph.yaml import from_yaml
from causalflow.names import NAME_RULE, is_name

__all__ = [
    "AddEdge",
    "AddNode",
    "CutEdge",
    "Drawn",
    "DropNode",
    "Edit",
    "RenameNode",
    "ReverseEdge",
    "edited",
]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a drawing of the graph shows.

    Attributes:
        names: the variables, in their order.
        edges: the edges; the names of a bidirected one are sorted.
        by_equation: those of them that follow from equations.
    """

    names: tuple[str, ...]
    edges: frozenset[Ends]
    by_equation: frozenset[Ends] = frozenset()

    @classmethod
    def of(cls, text: str) -> Drawn:
        """What the text of a graph file declares, latent nodes and all.

        Raises:
            GraphError: the first mistake in it.
        """
        tree = from_yaml(text)
        if tree is None:
            return cls((), frozenset())
        declaration = declare(tree)
        links = read_links(tree.get("edges") if isinstance(tree, Fields) else None)
        stated = {_ends(link.source, link.target, link.kind is None) for link in links}
        follow = {
            Ends(source=edge.source, target=edge.target)
            for edge in declaration.edges
            if declaration.nodes[edge.target].equation is not None
        }
        names = (*declaration.nodes, *declaration.latent, *declaration.exogenous)
        return cls(names, frozenset(stated | follow), frozenset(follow))


def _ends(source: str, target: str, bidirected: bool) -> Ends:
    first, last = sorted((source, target)) if bidirected else (source, target)
    return Ends(source=first, target=last, bidirected=bidirected)


class Edit(Protocol):
    """What is done to a graph."""

    def after(self, drawn: Drawn) -> Drawn:
        """What is drawn after it.

        Raises:
            GraphError: it cannot be done to what is drawn.
        """

    def changes(self, file: GraphText) -> Iterator[Change]:
        """What it does to the text."""


def edited(text: str, *edits: Edit) -> str:
    r"""The text of a graph file after the edits, one after another.

    Args:
        text: the graph file, in YAML.
        edits: what is done to it.

    Raises:
        GraphError: the text is no graph, before or after an edit; or the edit cannot be made.

    Example:
        >>> print(edited("edges:\n  - a, b -> c  # both\n  - a -> d\n", CutEdge("a", "c"),
        ...              AddEdge("c", "d", bidirected=True)))
        edges:
          - b -> c  # both
          - a -> d
          - c <-> d
        <BLANKLINE>
    """
    for edit in edits:
        before = Drawn.of(text)
        wanted = edit.after(before)
        text = changed(text, edit.changes(GraphText(text)))
        text = _with_names(text, wanted.names)
        made = Drawn.of(text)
        if set(made.names) != set(wanted.names) or made.edges != wanted.edges:
            raise GraphError(f"{edit}: the file does not allow it; change its text by hand")
    return text


def _with_names(text: str, names: tuple[str, ...]) -> str:
    """The text, with a list of the nodes where the edges name them no more."""
    file = GraphText(text)
    ends = {name for entry in file.entries for name in entry.chain.names}
    if file.section("nodes") is not None or ends >= set(names) or not names:
        return text
    listed = f"nodes: {flow(list(names))}"
    return changed(text, [file.with_section(listed, ("edges", "latent", "queries"))])


def _known(name: str, drawn: Drawn) -> None:
    if name not in drawn.names:
        raise GraphError(f"unknown node '{name}'; {one_of(name, drawn.names)}")


def _new(name: str, drawn: Drawn) -> None:
    if not is_name(name):
        raise GraphError(f"{name[:40]!r}: {NAME_RULE}")
    if name in drawn.names:
        raise GraphError(f"a variable '{name}' is there already")


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
        _new(self.name, drawn)
        return Drawn((*drawn.names, self.name), drawn.edges)

    def changes(self, file: GraphText) -> Iterator[Change]:
        """An entry of ``nodes:``; a list takes the name alone."""
        section = file.section("nodes")
        typed = self.fields != "{}"
        if section is None and not (typed and file.entries):
            letters = f"{flow(self.name)}: {self.fields}"
            if typed:
                yield file.with_entry("nodes", letters, ("edges", "latent", "queries"))
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
        _known(self.name, drawn)
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
        for section in ("nodes", "exogenous", "latent"):
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
        _known(self.old, drawn)
        _new(self.new, drawn)
        edges = (
            _ends(self._of(each.source), self._of(each.target), each.bidirected)
            for each in drawn.edges
        )
        return Drawn(tuple(map(self._of, drawn.names)), frozenset(edges))

    def changes(self, file: GraphText) -> Iterator[Change]:
        """The name changes wherever it stands."""
        for entry in file.entries:
            if self.old in entry.chain.names:
                yield from file.with_chains(entry, (entry.chain.renamed(self._of),))
            yield from self._in_cause(entry.piece)
        for holder in filter(None, map(file.section, ("nodes", "exogenous", "latent"))):
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
class AddEdge:
    """An edge is drawn, behind the others.

    Attributes:
        source: where it begins.
        target: where it leads.
        bidirected: whether it stands for a hidden common cause.
        kind: what it compiles to as a file says it: ``anticausal``; nothing for the default.
    """

    source: str
    target: str
    bidirected: bool = False
    kind: str = ""

    def after(self, drawn: Drawn) -> Drawn:
        """One edge more."""
        _known(self.source, drawn)
        _known(self.target, drawn)
        edge = _ends(self.source, self.target, self.bidirected)
        if edge in drawn.edges:
            raise GraphError(f"the edge {edge} is there already")
        if any(each.target == self.target for each in drawn.by_equation) and not self.bidirected:
            raise GraphError(f"'{self.target}' has an equation; name '{self.source}' in it")
        return Drawn(drawn.names, drawn.edges | {edge})

    def changes(self, file: GraphText) -> Iterator[Change]:
        """An entry of ``edges:``."""
        ends = Ends(source=self.source, target=self.target, bidirected=self.bidirected)
        letters = file.entry_letters(str(ends), self.kind)
        yield file.with_entry("edges", letters, ("latent", "queries"))


@dataclass(frozen=True, slots=True)
class CutEdge:
    """An edge goes.

    Attributes:
        source: where it begins.
        target: where it leads.
        bidirected: whether it stands for a hidden common cause.
    """

    source: str
    target: str
    bidirected: bool = False

    def after(self, drawn: Drawn) -> Drawn:
        """One edge less."""
        edge = _there(self.source, self.target, self.bidirected, drawn)
        return Drawn(drawn.names, drawn.edges - {edge})

    def changes(self, file: GraphText) -> Iterator[Change]:
        """Its entry goes, or draws the others alone."""
        yield from _parted(file, _ends(self.source, self.target, self.bidirected))


@dataclass(frozen=True, slots=True)
class ReverseEdge:
    """An edge leads the other way.

    Attributes:
        source: where it begins.
        target: where it leads.
    """

    source: str
    target: str

    def after(self, drawn: Drawn) -> Drawn:
        """The edge between the two, from the other one."""
        edge = _there(self.source, self.target, False, drawn)
        return Drawn(drawn.names, drawn.edges - {edge} | {_ends(self.target, self.source, False)})

    def changes(self, file: GraphText) -> Iterator[Change]:
        """Its entry draws the others, and one behind it the edge from the other end."""
        turned = Chain(((self.target,), (self.source,)), ("->",))
        yield from _parted(file, _ends(self.source, self.target, False), turned)


def _there(source: str, target: str, bidirected: bool, drawn: Drawn) -> Ends:
    """The edge, which is drawn and no equation's."""
    edge = _ends(source, target, bidirected)
    if edge in drawn.by_equation:
        raise GraphError(f"the edge {edge} follows from the equation of '{target}'; change that")
    if edge not in drawn.edges:
        raise GraphError(f"there is no edge {edge}")
    return edge


def _parted(file: GraphText, edge: Ends, *more: Chain) -> Iterator[Change]:
    """The entry that draws an edge draws what else it drew, and more."""
    for entry in file.entries:
        if entry.chain.place_of(edge) is None:
            continue
        chains = (*entry.chain.without_edge(edge), *more)
        if chains:
            yield from file.with_chains(entry, chains)
        else:
            yield from file.without("edges", [entry.number])


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
