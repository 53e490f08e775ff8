"""Drawing: a causal graph on a matplotlib Figure, one inch a unit, without pyplot's globals.

Below the graph stands a legend, in centred rows: what its shapes and lines stand for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from causalflow.admg.admg import ADMG
from causalflow.graph.graph import Graph
from causalflow.plot.layout import layered_layout
from causalflow.plot.routes import Box, Curve, Wire, route
from causalflow.plot.strokes import RING, draw_ground, draw_halo, draw_line, draw_shape, text_width
from causalflow.plot.style import (
    BIDIRECTED,
    EXOGENOUS,
    INNER_GROUND,
    OUTER_GROUND,
    EdgeStyle,
    Highlight,
    NodeStyle,
    caption,
    edge_style,
    node_style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_figure", "draw_legend", "legend_entries"]

Entry: TypeAlias = NodeStyle | EdgeStyle
Point: TypeAlias = tuple[float, float]

ROW = 0.27
SIZE = 8.5
MARGIN = 0.22


def legend_entries(nodes: Iterable[NodeStyle], edges: Iterable[EdgeStyle]) -> list[Entry]:
    """What needs explaining, each once: nothing in a purely symbolic graph."""
    shapes = list(dict.fromkeys(nodes))
    lines = [style for style in dict.fromkeys(edges) if style.legend]
    return [*shapes, *lines] if any(style.legend != "variable" for style in shapes) else []


def draw_legend(
    axes: Axes, entries: Sequence[Entry], low: Point, high: Point
) -> tuple[Point, Point]:
    """Rows under the drawing, as wide as it is (5.7 inches at least); the new corners."""
    if not entries:
        return low, high
    rows = list(_rows(entries, max(high[0] - low[0] - 2 * MARGIN, 5.7)))
    top = low[1] - 0.06
    for number, row in enumerate(rows):
        left = (low[0] + high[0] - _row_width(row)) / 2
        for x, style in row:
            _draw_entry(axes, style, left + x, top - (number + 0.5) * ROW)
    wider = max(map(_row_width, rows)) + 2 * MARGIN - (high[0] - low[0])
    extra = max(0.0, wider / 2)
    return (low[0] - extra, top - len(rows) * ROW - 0.1), (high[0] + extra, high[1])


def _rows(entries: Sequence[Entry], widest: float) -> Iterator[list[tuple[float, Entry]]]:
    """The entries with their distance from the row's left end."""
    row: list[tuple[float, Entry]] = []
    x = 0.0
    for style in entries:
        if row and x + _entry_width(style) > widest:
            yield row
            row, x = [], 0.0
        row.append((x, style))
        x += _entry_width(style) + 0.24
    yield row


def _row_width(row: Sequence[tuple[float, Entry]]) -> float:
    return row[-1][0] + _entry_width(row[-1][1])


def _swatch_width(style: Entry) -> float:
    return 0.26 if isinstance(style, NodeStyle) else 0.42


def _entry_width(style: Entry) -> float:
    return _swatch_width(style) + 0.09 + text_width(style.legend, SIZE)


def _draw_entry(axes: Axes, style: Entry, x: float, y: float) -> None:
    if isinstance(style, NodeStyle):
        ellipse = style.shape == "ellipse"
        draw_shape(axes, style, Box(x=x + 0.13, y=y, width=0.24, height=0.16, ellipse=ellipse), 1.0)
    else:
        straight = np.linspace([x, y], [x + 0.42, y], 9)
        draw_line(axes, style, straight, both=style is BIDIRECTED)
    axes.text(
        x + _swatch_width(style) + 0.09,
        y,
        style.legend,
        size=SIZE,
        va="center_baseline",
        color="#4a525d",
    )


NAME_SIZE, CAPTION_SIZE, SMALL_SIZE = 12.5, 8.0, 8.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """A node as drawn."""

    name: str
    caption: str
    style: NodeStyle
    width: float
    height: float

    @property
    def small(self) -> bool:
        return self.style is EXOGENOUS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """An edge as drawn."""

    source: str
    target: str
    style: EdgeStyle
    both: bool = False


def draw_figure(
    graph: Graph,
    *,
    exogenous: bool,
    legend: bool,
    title: str | None,
    highlight: Highlight | None = None,
) -> Figure:
    """The figure; its size follows from the graph."""
    from matplotlib.figure import Figure

    marks, lines = _marks(graph, exogenous, highlight), _lines(graph, exogenous)
    directed = frozenset((line.source, line.target) for line in lines if not line.both)
    sizes = {mark.name: (mark.width, mark.height) for mark in marks}
    places = layered_layout(ADMG(tuple(sizes), directed), sizes)
    boxes = {mark.name: _box(mark, *places[mark.name]) for mark in marks}
    wires = [Wire(source=e.source, target=e.target, bowed=e.both) for e in lines]
    curves = route(wires, boxes)
    figure = Figure()
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    if highlight is not None:
        _draw_grounds(axes, highlight, lines, curves, boxes)
    for line, curve in zip(_shown(lines, highlight), curves, strict=True):
        draw_line(axes, line.style, curve, line.both)
    for mark in marks:
        _draw_mark(axes, mark, boxes[mark.name])
    low, high = _extent(list(boxes.values()), curves)
    entries = legend_entries((mark.style for mark in marks), (line.style for line in lines))
    if highlight is not None:
        entries, title = highlight.legend, title or highlight.title
    low, high = draw_legend(axes, entries if legend else [], low, high)
    high = _draw_title(axes, title, low, high)
    _fit(figure, axes, low, high)
    return figure


def _shown(lines: Sequence[_Line], highlight: Highlight | None) -> list[_Line]:
    """The edges, pale where they are no part of what is highlighted."""
    if highlight is None:
        return [*lines]
    return [
        replace(each, style=highlight.edge(each.source, each.target, each.style)) for each in lines
    ]


def _draw_grounds(
    axes: Axes,
    highlight: Highlight,
    lines: Sequence[_Line],
    curves: Sequence[Curve],
    boxes: Mapping[str, Box],
) -> None:
    """Bands under the edges and nodes of a hedge, the inner forest's above the outer's."""
    levels = {INNER_GROUND: -1.0, OUTER_GROUND: -2.0}
    for line, curve in zip(lines, curves, strict=True):
        if highlight.covers(line.source, line.target, line.style):
            colour = highlight.ground(line.source, line.target)
            ends = ((boxes[name].x, boxes[name].y) for name in (line.source, line.target))
            whole = np.insert(curve, [0, len(curve)], [*ends], axis=0)
            draw_ground(axes, colour, whole, levels[colour])
    for name in sorted(highlight.hedge.forest):
        colour = highlight.ground(name, name)
        draw_halo(axes, colour, boxes[name], levels[colour])


def _marks(graph: Graph, exogenous: bool, highlight: Highlight | None) -> list[_Mark]:
    styles = {name: node_style(node) for name, node in graph.nodes.items()}
    if highlight is not None:
        styles = {name: highlight.node(name, style) for name, style in styles.items()}
    marks = [_mark(name, caption(node), styles[name]) for name, node in graph.nodes.items()]
    hidden = graph.exogenous if exogenous else ()
    return [*marks, *(_mark(name, "", EXOGENOUS) for name in hidden)]


def _mark(name: str, below: str, style: NodeStyle) -> _Mark:
    if style is EXOGENOUS:
        return _Mark(
            name=name,
            caption="",
            style=style,
            width=max(0.34, text_width(name, SMALL_SIZE) + 0.18),
            height=0.34,
        )
    text = max(text_width(name, NAME_SIZE), text_width(below, CAPTION_SIZE))
    pad = 0.42 if style.shape == "ellipse" else 0.3
    ring = 2 * RING if style.ring else 0.0
    return _Mark(
        name=name,
        caption=below,
        style=style,
        width=max(0.56, text + pad) + ring,
        height=(0.58 if below else 0.54) + ring,
    )


def _lines(graph: Graph, exogenous: bool) -> list[_Line]:
    lines = [
        _Line(source=e.source, target=e.target, style=edge_style(e.kind, graph.nodes[e.target]))
        for e in graph.edges
    ]
    explicit = exogenous and bool(graph.exogenous)
    declared = [tuple(pair) for pair in graph.bidirected]
    implied = sorted(graph.admg.ordered(pair) for pair in graph.admg.bidirected)
    pairs = declared if explicit else implied
    lines += [_Line(source=a, target=b, style=BIDIRECTED, both=True) for a, b in pairs]
    if explicit:
        thin = EdgeStyle(legend="", colour=EXOGENOUS.line, width=0.9)
        lines += [
            _Line(source=u, target=name, style=thin)
            for name in graph.nodes
            for u in graph.exogenous_parents(name)
        ]
    return lines


def _box(mark: _Mark, x: float, y: float) -> Box:
    ellipse = mark.style.shape == "ellipse"
    return Box(x=x, y=y, width=mark.width, height=mark.height, ellipse=ellipse)


def _draw_mark(axes: Axes, mark: _Mark, box: Box) -> None:
    draw_shape(axes, mark.style, box, 0.9 if mark.small else 1.4)
    size = SMALL_SIZE if mark.small else NAME_SIZE
    rise = 0.075 if mark.caption else 0.0
    text = {"ha": "center", "va": "center_baseline", "zorder": 5}
    axes.text(box.x, box.y + rise, mark.name, size=size, color=mark.style.text, **text)  # type: ignore[arg-type]
    if mark.caption:
        below = {"size": CAPTION_SIZE, "color": mark.style.line}
        axes.text(box.x, box.y - 0.135, mark.caption, **below, **text)  # type: ignore[arg-type]


def _extent(
    boxes: Sequence[Box], curves: Sequence[Curve]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The corners (left, bottom) and (right, top) of all that is drawn."""
    corners = [
        (box.x + i * box.width / 2, box.y + j * box.height / 2)
        for box in boxes
        for i, j in ((-1, -1), (1, 1))
    ]
    points = np.vstack([np.array(corners or [(0.0, 0.0)]), *curves])
    low, high = points.min(axis=0) - MARGIN, points.max(axis=0) + MARGIN
    return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))


def _draw_title(
    axes: Axes, title: str | None, low: tuple[float, float], high: tuple[float, float]
) -> tuple[float, float]:
    if not title:
        return high
    middle = (low[0] + high[0]) / 2
    axes.text(middle, high[1] + 0.1, title, size=11, ha="center", va="center", color="#4a525d")
    return high[0], high[1] + 0.3


def _fit(figure: Figure, axes: Axes, low: tuple[float, float], high: tuple[float, float]) -> None:
    """One unit is one inch; a very large graph is scaled down to 100 inches."""
    width, height = high[0] - low[0], high[1] - low[1]
    scale = min(1.0, 100 / max(width, height))
    figure.set_size_inches(width * scale, height * scale)
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
