"""Style: how nodes and edges are told apart in a drawing, by shape, colour and head.

A node's type says how it looks (`causalflow.values.variable`). Where a hedge is highlighted, what
is no part of it steps back: F is what the hedge is about, F' the part of it without treatments, and
the roots are common to both (`causalflow.identify.hedge`); the directed edges of the two forests
and the bidirected edges that join their nodes stay as they are, on a soft ground; all others are
pale.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from causalflow.errors import GraphError, one_of
from causalflow.graph.graph import Graph
from causalflow.graph.node import Anticausal, EdgeKind, Node
from causalflow.identify.hedge import Hedge
from causalflow.values.variable import UNTYPED

__all__ = [
    "BIDIRECTED",
    "EXOGENOUS",
    "INNER_GROUND",
    "OUTER_GROUND",
    "EdgeStyle",
    "Highlight",
    "NodeStyle",
    "caption",
    "edge_style",
    "highlight_of",
    "node_style",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStyle:
    """The look of a node.

    Attributes:
        legend: what it stands for.
        shape: "ellipse", "rounded" (a box with round corners) or "card" (a stack of pictures).
        ring: a second outline around the first.
    """

    legend: str
    shape: str
    fill: str
    line: str
    text: str = "#1c2733"
    ring: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeStyle:
    """The look of an edge; ``hollow`` heads are white inside."""

    legend: str
    colour: str
    width: float = 1.5
    dashed: bool = False
    hollow: bool = False


EXOGENOUS = NodeStyle(
    legend="exogenous", shape="ellipse", fill="#ffffff", line="#a3a9b2", text="#6a717c"
)
BIDIRECTED = EdgeStyle(legend="hidden cause", colour="#8059a8", dashed=True)

_NEURAL = EdgeStyle(legend="neural", colour="#3d4755")
_EQUATION = EdgeStyle(legend="equation", colour="#3d4755")
_SYMBOLIC = EdgeStyle(legend="", colour="#3d4755")
_ANTICAUSAL = EdgeStyle(legend="anti-causal", colour="#c03a32", hollow=True)


def node_style(node: Node) -> NodeStyle:
    """The look of a declared node."""
    look = node.type.look
    legend = node.type.word or "variable"
    return NodeStyle(legend=legend, shape=look.shape, fill=look.fill, line=look.line)


def edge_style(kind: EdgeKind, target: Node) -> EdgeStyle:
    """The look of a directed edge of that kind into ``target``."""
    if isinstance(kind, Anticausal):
        return _ANTICAUSAL
    if target.type is UNTYPED:
        return _SYMBOLIC
    return _NEURAL if target.equation is None else _EQUATION


def caption(node: Node) -> str:
    """The small line under a node's name: its levels, unit or shape.

    Example:
        >>> from causalflow.graph.node import Image
        >>> caption(Image(shape=(3, 28, 28)))
        '3 × 28 × 28'
    """
    return node.type.caption


OUTER_GROUND, INNER_GROUND = "#fdf1d8", "#fbdfd9"
MOST_NAMES = 5

_OUTER = {"fill": "#ffe0a3", "line": "#b57614", "text": "#3f2c07"}
_INNER = {"fill": "#f7b9ae", "line": "#b03a2e", "text": "#43130d"}
_AWAY = {"fill": "#ffffff", "line": "#c3c9d1", "text": "#8a929d"}
_PALE = "#d0d5dc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Highlight:
    """How each part of a drawing looks beside a hedge."""

    hedge: Hedge

    def node(self, name: str, style: NodeStyle) -> NodeStyle:
        """The look of a node: of F', of F, or of neither."""
        hedge = self.hedge
        look = _INNER if name in hedge.inner else _OUTER if name in hedge.forest else _AWAY
        return replace(style, **look, ring=name in hedge.roots)

    def edge(self, source: str, target: str, style: EdgeStyle) -> EdgeStyle:
        """The look of an edge: as it was if it is of F, else pale."""
        return style if self.covers(source, target, style) else replace(style, colour=_PALE)

    def covers(self, source: str, target: str, style: EdgeStyle) -> bool:
        """Whether an edge is part of F."""
        if style.dashed:
            return {source, target} <= self.hedge.forest
        return (source, target) in self.hedge.edges

    def ground(self, source: str, target: str) -> str:
        """The colour under an edge of F, or under a node (twice the same name)."""
        return INNER_GROUND if {source, target} <= self.hedge.inner else OUTER_GROUND

    @property
    def legend(self) -> list[NodeStyle | EdgeStyle]:
        """What the colours stand for, with the nodes."""
        hedge = self.hedge
        entries = [
            (f"in F, not in F′: {_names(hedge.forest - hedge.inner)}", _OUTER, False),
            (f"F′: {_names(hedge.inner)}", _INNER, False),
            (f"roots of both: {_names(hedge.roots)}", _INNER, True),
        ]
        styles = [
            NodeStyle(legend=text, shape="ellipse", ring=ring, **look)
            for text, look, ring in entries
        ]
        return [*styles, BIDIRECTED]

    @property
    def title(self) -> str:
        """What the hedge says."""
        hedge = self.hedge
        given = f"P(v | do({_names(hedge.experiment)}))" if hedge.experiment else "P(v)"
        return (
            f"hedge: {given} does not tell P({_names(hedge.outcomes)} |"
            f" do({_names(hedge.treatments)}))"
        )


def highlight_of(hedge: Hedge | None, graph: Graph) -> Highlight | None:
    """The highlight of a hedge of this graph.

    Raises:
        GraphError: no hedge, or one with a node that the graph does not have.
    """
    if hedge is None:
        return None
    if not isinstance(hedge, Hedge):
        given = type(hedge).__name__
        raise GraphError(f"plot: highlight is a {given}; expected the hedge of a verdict")
    for name in sorted(hedge.forest - graph.nodes.keys()):
        raise GraphError(f"plot: the hedge names '{name}'; {one_of(name, graph.nodes)}")
    return Highlight(hedge=hedge)


def _names(names: Iterable[str]) -> str:
    shown: Sequence[str] = sorted(names)
    more = [f"{len(shown) - MOST_NAMES} more"] if len(shown) > MOST_NAMES else []
    return ", ".join([*shown[:MOST_NAMES], *more])
