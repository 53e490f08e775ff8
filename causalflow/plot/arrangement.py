"""Arrangement: where a graph's nodes and edges are drawn, in inches, whatever draws them.

A node is a *mark*, with its box; an edge is a *line*, with its curve. What is no part of a hedge
that is highlighted is pale already. x grows to the right, y upward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from causalflow.admg.admg import ADMG
from causalflow.graph.graph import Graph
from causalflow.plot.layout import layered_layout, settled
from causalflow.plot.routes import Box, Curve, Wire, route
from causalflow.plot.style import (
    BIDIRECTED,
    EXOGENOUS,
    EdgeStyle,
    Highlight,
    NodeStyle,
    caption,
    edge_style,
    node_style,
)

__all__ = [
    "CAPTION_SIZE",
    "MARGIN",
    "NAME_SIZE",
    "RING",
    "SMALL_SIZE",
    "Arrangement",
    "Line",
    "Mark",
    "Measure",
    "Point",
    "arranged",
]

Point: TypeAlias = tuple[float, float]
Measure: TypeAlias = Callable[[str, float], float]
"""The width in inches of a text of so many points."""

NAME_SIZE, CAPTION_SIZE, SMALL_SIZE = 12.5, 8.0, 8.5
MARGIN = 0.22
RING = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A node as drawn."""

    name: str
    caption: str
    style: NodeStyle
    width: float
    height: float

    @property
    def small(self) -> bool:
        """Whether it is an exogenous variable."""
        return self.style is EXOGENOUS


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An edge as drawn; ``both``: with a head at either end."""

    source: str
    target: str
    style: EdgeStyle
    both: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """A graph with the place of everything in it.

    Attributes:
        marks: the nodes.
        boxes: where each stands, by name.
        lines: the edges.
        curves: the run of each, shape (points, 2).
    """

    marks: Sequence[Mark]
    boxes: Mapping[str, Box]
    lines: Sequence[Line]
    curves: Sequence[Curve]

    @property
    def corners(self) -> tuple[Point, Point]:
        """(left, bottom) and (right, top) of all that is drawn, with a margin."""
        corners = [
            (box.x + i * box.width / 2, box.y + j * box.height / 2)
            for box in self.boxes.values()
            for i, j in ((-1, -1), (1, 1))
        ]
        points = np.vstack([np.array(corners or [(0.0, 0.0)]), *self.curves])
        low, high = points.min(axis=0) - MARGIN, points.max(axis=0) + MARGIN
        return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))


def arranged(
    graph: Graph, measure: Measure, *, exogenous: bool, highlight: Highlight | None = None
) -> Arrangement:
    """The arrangement of a graph.

    Args:
        graph: any causal graph.
        measure: how wide a text is.
        exogenous: show declared exogenous variables; otherwise the bidirected edges they amount to.
        highlight: how what belongs to a hedge looks, and what does not.
    """
    marks, lines = _marks(graph, exogenous, highlight, measure), _lines(graph, exogenous)
    directed = frozenset((line.source, line.target) for line in lines if not line.both)
    sizes = {mark.name: (mark.width, mark.height) for mark in marks}
    hidden = frozenset(frozenset((line.source, line.target)) for line in lines if line.both)
    layered = layered_layout(ADMG(tuple(sizes), directed, hidden), sizes)
    places = settled(layered, graph.layout, sizes)
    boxes = {mark.name: _box(mark, *places[mark.name]) for mark in marks}
    wires = [Wire(source=e.source, target=e.target, bowed=e.both) for e in lines]
    curves = route(wires, boxes)
    return Arrangement(marks=marks, boxes=boxes, lines=_shown(lines, highlight), curves=curves)


def _shown(lines: Sequence[Line], highlight: Highlight | None) -> list[Line]:
    """The edges, pale where they are no part of what is highlighted."""
    if highlight is None:
        return [*lines]
    return [
        replace(each, style=highlight.edge(each.source, each.target, each.style)) for each in lines
    ]


def _marks(
    graph: Graph, exogenous: bool, highlight: Highlight | None, measure: Measure
) -> list[Mark]:
    styles = {name: node_style(node) for name, node in graph.nodes.items()}
    if highlight is not None:
        styles = {name: highlight.node(name, style) for name, style in styles.items()}
    nodes = graph.nodes.items()
    marks = [_mark(name, caption(node), styles[name], measure) for name, node in nodes]
    hidden = graph.exogenous if exogenous else ()
    return [*marks, *(_mark(name, "", EXOGENOUS, measure) for name in hidden)]


def _mark(name: str, below: str, style: NodeStyle, measure: Measure) -> Mark:
    if style is EXOGENOUS:
        width = max(0.34, measure(name, SMALL_SIZE) + 0.18)
        return Mark(name=name, caption="", style=style, width=width, height=0.34)
    text = max(measure(name, NAME_SIZE), measure(below, CAPTION_SIZE))
    pad = 0.42 if style.shape == "ellipse" else 0.3
    ring = 2 * RING if style.ring else 0.0
    return Mark(
        name=name,
        caption=below,
        style=style,
        width=max(0.56, text + pad) + ring,
        height=(0.58 if below else 0.54) + ring,
    )


def _lines(graph: Graph, exogenous: bool) -> list[Line]:
    lines = [
        Line(source=e.source, target=e.target, style=edge_style(e.kind, graph.nodes[e.target]))
        for e in graph.edges
    ]
    explicit = exogenous and bool(graph.exogenous)
    declared = [tuple(pair) for pair in graph.bidirected]
    implied = sorted(graph.admg.ordered(pair) for pair in graph.admg.bidirected)
    pairs = declared if explicit else implied
    lines += [Line(source=a, target=b, style=BIDIRECTED, both=True) for a, b in pairs]
    if explicit:
        thin = EdgeStyle(legend="", colour=EXOGENOUS.line, width=0.9)
        lines += [
            Line(source=u, target=name, style=thin)
            for name in graph.nodes
            for u in graph.exogenous_parents(name)
        ]
    return lines


def _box(mark: Mark, x: float, y: float) -> Box:
    ellipse = mark.style.shape == "ellipse"
    return Box(x=x, y=y, width=mark.width, height=mark.height, ellipse=ellipse)
