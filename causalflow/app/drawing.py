"""Drawing: what a graph file declares, as one looks at it.

Latent and exogenous variables are nodes too, and an edge has the line that it stands on, or that of
the equation it follows from. Positions are those of ``layout:``; other nodes stand where they are
shown already, and else where there is room. Lengths are in the units of ``layout:``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from unicodedata import east_asian_width

from causalflow.admg.admg import ADMG
from causalflow.errors import GraphError
from causalflow.graph.declaration import Declaration, declare
from causalflow.graph.edges import EDGE_KINDS, Link, read_links
from causalflow.graph.graph import Graph
from causalflow.graph.tree import DeclarationError, Fields
from causalflow.graph.writer import flow, raw
from causalflow.graph.yaml import from_yaml
from causalflow.plot.layout import INCH, layered_layout, settled

__all__ = ["MOST", "Drawing", "drawing_of"]

MOST = 400
"""Variables of the largest graph that is drawn."""

_KIND_WORDS = {kind: word for word, kind in EDGE_KINDS.items()}


@dataclass(frozen=True)
class Drawing:
    """A graph file.

    Attributes:
        tree: its text as it was read.
        declaration: what that declares.
    """

    tree: Fields
    declaration: Declaration

    @cached_property
    def graph(self) -> Graph:
        """The graph that it declares."""
        return Graph.of(self.declaration)

    @property
    def names(self) -> tuple[str, ...]:
        """Every variable."""
        said = self.declaration
        return (*said.nodes, *said.latent, *said.exogenous)

    def nodes(self) -> Iterator[dict[str, Any]]:
        """Every variable: what it is called, its type and how large it is drawn."""
        said = self.declaration
        for name in self.names:
            node = said.nodes.get(name)
            label = "" if node is None else node.type.caption
            yield {
                "name": name,
                "type": "" if node is None else node.type.word,
                "label": label,
                "fields": "" if node is None else flow(raw(node)),
                "latent": name in said.latent,
                "exogenous": name in said.exogenous,
                "equation": node is not None and node.equation is not None,
                "line": self._lines.get(name),
                "width": _width(name, label),
                "height": 44 if name not in said.exogenous else 32,
            }

    @cached_property
    def _lines(self) -> dict[str, int | None]:
        """The line on which each variable is declared."""
        parts = (self.tree.get(section) for section in ("nodes", "exogenous"))
        found = (pair for part in parts if isinstance(part, Fields) for pair in part.pairs)
        return {key.text: key.line for key, _ in found}

    def edges(self) -> Iterator[dict[str, Any]]:
        """Every edge: the file's own with their lines, then those that follow from equations."""
        for link in read_links(self.tree.get("edges")):
            if link.kind is None or not self._has_equation(link.target):
                yield _edge(link)
        for name, node in self.declaration.nodes.items():
            used = node.equation.names if node.equation else frozenset()
            for parent in (each for each in self.names if each in used):
                text = f"follows from the equation of {name}"
                arrow = {"from": parent, "to": name, "kind": "->", "compiled": "equation"}
                yield {**arrow, "line": self._lines.get(name), "text": text, "fixed": True}

    def _has_equation(self, name: str) -> bool:
        node = self.declaration.nodes.get(name)
        return node is not None and node.equation is not None

    def positions(self, shown: Mapping[str, tuple[float, float]]) -> dict[str, list[int]]:
        """The centre of each variable: the file's, where it is shown, or where there is room."""
        stated = dict(self.declaration.layout)
        known = {name: shown[name] for name in self.names if name in shown}
        return self._settled({**known, **stated})

    def arranged(self) -> dict[str, list[int]]:
        """The centre of each variable in columns, the first at the left and top."""
        found = self._settled({})
        left, top = (min((at[k] for at in found.values()), default=0) for k in (0, 1))
        return {name: [x - left, y - top] for name, (x, y) in found.items()}

    def _settled(self, stated: Mapping[str, tuple[float, float]]) -> dict[str, list[int]]:
        sizes = {
            each["name"]: (each["width"] / INCH, each["height"] / INCH) for each in self.nodes()
        }
        ends = [(each["from"], each["to"], each["kind"]) for each in self.edges()]
        arrows = [(a, b) for a, b, kind in ends if kind == "->"]
        hidden = [frozenset((a, b)) for a, b, kind in ends if kind == "<->" and a != b]
        dag = ADMG(self.names, arrows, hidden)
        layered = layered_layout(dag, sizes, column_gap=0.7, row_gap=0.5)
        places = settled(layered, stated, sizes)
        return {name: [round(x * INCH), round(-y * INCH)] for name, (x, y) in places.items()}


def _edge(link: Link) -> dict[str, Any]:
    return {
        "from": link.source,
        "to": link.target,
        "kind": "<->" if link.kind is None else "->",
        "compiled": "" if link.kind is None else _KIND_WORDS[type(link.kind)],
        "line": link.line,
        "text": str(link),
        "fixed": link.implied,
    }


def _width(name: str, label: str) -> int:
    """How wide a node is drawn for its name to stand in it."""
    wide = sum(2 if east_asian_width(letter) in "WF" else 1 for letter in name)
    return max(56, 9 * wide + 34, 6 * len(label) + 34)


def drawing_of(text: str) -> Drawing | None:
    """What a text declares; None where it declares nothing yet.

    Raises:
        GraphError: the first mistake, as ``loads(text)`` has it; or too many variables.
    """
    try:
        tree = from_yaml(text)
        if tree is None:
            return None
        declaration = declare(tree)
        assert isinstance(tree, Fields)
        found = Drawing(tree, declaration)
    except DeclarationError as error:
        raise GraphError(f"<text>:{error.line or 1}: {error}") from None
    if (count := len(found.names)) > MOST:
        raise GraphError(f"{count:,} variables; the page draws {MOST} at most")
    return found
