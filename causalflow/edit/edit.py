"""Edit: what one does to a graph in a drawing, done to the text of its file.

Only the lines that an edit touches change: comments, order, kinds and options stay. The text that
comes out is read again, and declares the names and edges from before but for the edit; where that
is not so, the edit is refused.

    AddNode(x)             x is declared
    TypeNode(x, fields)    x is a class, a number, an image, ...
    HideNode(x)            x is latent; ShowNode(x): it is not
    PlaceNodes({x: (0, 0)})    where x is drawn
    DropNode(x)            x, its edges, and the questions under ``queries:`` that name it, go
    RenameNode(x, z)       z stands wherever x stood: in edges, equations and questions too
    AddEdge(x, y)          x -> y, or x <-> y where it is bidirected
    CutEdge(x, y)          the edge goes; the others of its entry stay
    ReverseEdge(x, y)      y -> x in the place of x -> y, of its kind
    ConfoundEdge(x, y)     x <-> y in the place of x -> y
    DirectEdge(x, y)       x -> y in the place of x <-> y
    CompileEdge(x, y, kind)    x -> y is anti-causal, or neural

An edge that follows from an equation is the equation's, and one into a node with a table is the
table's: these are changed by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from causalflow.edit.drawn import Drawn
from causalflow.edit.graph_text import GraphText
from causalflow.edit.source import Change, changed
from causalflow.errors import GraphError
from causalflow.graph.writer import flow

__all__ = ["Edit", "edited"]


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
        >>> from causalflow.edit.edges import AddEdge, CutEdge
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
    return changed(text, [file.with_section(listed, ("edges", "latent", "queries", "layout"))])
