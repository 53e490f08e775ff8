"""Edges: edits that add an edge, cut it, turn it, make it a hidden cause or say what it becomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from causalflow.edit.chain import Chain, Ends
from causalflow.edit.drawn import Drawn, ends_of, require_known, stated_edge
from causalflow.edit.graph_text import GraphText
from causalflow.edit.source import Change, put_behind
from causalflow.errors import GraphError

__all__ = ["AddEdge", "CompileEdge", "ConfoundEdge", "CutEdge", "DirectEdge", "ReverseEdge"]


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
        require_known(self.source, drawn)
        require_known(self.target, drawn)
        edge = ends_of(self.source, self.target, self.bidirected)
        if edge in drawn.edges:
            raise GraphError(f"the edge {edge} is there already")
        if any(each.target == self.target for each in drawn.by_equation) and not self.bidirected:
            raise GraphError(f"'{self.target}' has an equation; name '{self.source}' in it")
        return Drawn(drawn.names, drawn.edges | {edge})

    def changes(self, file: GraphText) -> Iterator[Change]:
        """An entry of ``edges:``."""
        ends = Ends(source=self.source, target=self.target, bidirected=self.bidirected)
        letters = file.entry_letters(str(ends), self.kind)
        yield file.with_entry("edges", letters, ("latent", "queries", "layout"))


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
        edge = stated_edge(self.source, self.target, self.bidirected, drawn)
        return Drawn(drawn.names, drawn.edges - {edge})

    def changes(self, file: GraphText) -> Iterator[Change]:
        """Its entry goes, or draws the others alone."""
        yield from _parted(file, ends_of(self.source, self.target, self.bidirected))


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
        edge = stated_edge(self.source, self.target, False, drawn)
        return Drawn(drawn.names, drawn.edges - {edge} | {ends_of(self.target, self.source, False)})

    def changes(self, file: GraphText) -> Iterator[Change]:
        """Its entry draws the others, and one behind it the edge from the other end."""
        turned = Chain(((self.target,), (self.source,)), ("->",))
        yield from _parted(file, ends_of(self.source, self.target, False), turned)


@dataclass(frozen=True, slots=True)
class ConfoundEdge:
    """A directed edge becomes a bidirected one.

    Attributes:
        source: where it begins.
        target: where it leads.
    """

    source: str
    target: str

    def after(self, drawn: Drawn) -> Drawn:
        """A hidden common cause in the place of the arrow."""
        edge = stated_edge(self.source, self.target, False, drawn)
        return _redrawn(drawn, edge, ends_of(self.source, self.target, True))

    def changes(self, file: GraphText) -> Iterator[Change]:
        """Its entry draws the others, and one behind it the hidden cause."""
        edge = Ends(source=self.source, target=self.target)
        bent = Ends(source=self.source, target=self.target, bidirected=True)
        yield from _replaced(file, edge, file.entry_letters(str(bent), ""))


@dataclass(frozen=True, slots=True)
class DirectEdge:
    """A bidirected edge becomes a directed one.

    Attributes:
        source: where it is to begin.
        target: where it is to lead.
    """

    source: str
    target: str

    def after(self, drawn: Drawn) -> Drawn:
        """An arrow in the place of the hidden common cause."""
        edge = stated_edge(self.source, self.target, True, drawn)
        return _redrawn(drawn, edge, ends_of(self.source, self.target, False))

    def changes(self, file: GraphText) -> Iterator[Change]:
        """Its entry draws the others, and one behind it the arrow."""
        edge = ends_of(self.source, self.target, True)
        arrow = Ends(source=self.source, target=self.target)
        yield from _replaced(file, edge, file.entry_letters(str(arrow), ""))


@dataclass(frozen=True, slots=True)
class CompileEdge:
    """A directed edge compiles to something else.

    Attributes:
        source: where it begins.
        target: where it leads.
        kind: what it compiles to as a file says it: ``{kind: anticausal, scale: 3}``; nothing for
            the default.
    """

    source: str
    target: str
    kind: str = ""

    def after(self, drawn: Drawn) -> Drawn:
        """What was drawn."""
        stated_edge(self.source, self.target, False, drawn)
        return drawn

    def changes(self, file: GraphText) -> Iterator[Change]:
        """Its entry draws the others, and one behind it the edge with its kind."""
        edge = Ends(source=self.source, target=self.target)
        yield from _replaced(file, edge, file.entry_letters(str(edge), self.kind))


def _redrawn(drawn: Drawn, edge: Ends, other: Ends) -> Drawn:
    if other in drawn.edges:
        raise GraphError(f"the edge {other} is there already")
    return Drawn(drawn.names, drawn.edges - {edge} | {other})


def _replaced(file: GraphText, edge: Ends, letters: str) -> Iterator[Change]:
    """The entry that draws an edge draws what else it drew; the letters are another's."""
    section = file.section("edges")
    assert section is not None
    for entry in file.entries:
        if entry.chain.place_of(edge) is None:
            continue
        chains = entry.chain.without_edge(edge)
        if not chains:
            yield Change(entry.piece.start, entry.piece.end, letters)
            continue
        yield from file.with_chains(entry, chains)
        yield put_behind(file.text, section, entry.number, letters)


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
