"""Drawing: a causal graph on a matplotlib Figure, one inch a unit, without pyplot's globals.

Below the graph stands a legend, in centred rows: what its shapes and lines stand for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from causalflow.graph.graph import Graph
from causalflow.plot.arrangement import (
    CAPTION_SIZE,
    MARGIN,
    NAME_SIZE,
    SMALL_SIZE,
    Arrangement,
    Mark,
    Point,
    arranged,
)
from causalflow.plot.routes import Box
from causalflow.plot.strokes import draw_ground, draw_halo, draw_line, draw_shape, text_width
from causalflow.plot.style import (
    BIDIRECTED,
    INNER_GROUND,
    OUTER_GROUND,
    EdgeStyle,
    Highlight,
    NodeStyle,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_figure", "draw_legend", "legend_entries"]

Entry: TypeAlias = NodeStyle | EdgeStyle

ROW = 0.27
SIZE = 8.5


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

    plan = arranged(graph, text_width, exogenous=exogenous, highlight=highlight)
    figure = Figure()
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    if highlight is not None:
        _draw_grounds(axes, highlight, plan)
    for line, curve in zip(plan.lines, plan.curves, strict=True):
        draw_line(axes, line.style, curve, line.both)
    for mark in plan.marks:
        _draw_mark(axes, mark, plan.boxes[mark.name])
    low, high = plan.corners
    entries = legend_entries((m.style for m in plan.marks), (e.style for e in plan.lines))
    if highlight is not None:
        entries, title = highlight.legend, title or highlight.title
    low, high = draw_legend(axes, entries if legend else [], low, high)
    high = _draw_title(axes, title, low, high)
    _fit(figure, axes, low, high)
    return figure


def _draw_grounds(axes: Axes, highlight: Highlight, plan: Arrangement) -> None:
    """Bands under the edges and nodes of a hedge, the inner forest's above the outer's."""
    levels = {INNER_GROUND: -1.0, OUTER_GROUND: -2.0}
    for line, curve in zip(plan.lines, plan.curves, strict=True):
        if highlight.covers(line.source, line.target, line.style):
            colour = highlight.ground(line.source, line.target)
            ends = ((plan.boxes[n].x, plan.boxes[n].y) for n in (line.source, line.target))
            whole = np.insert(curve, [0, len(curve)], [*ends], axis=0)
            draw_ground(axes, colour, whole, levels[colour])
    for name in sorted(highlight.hedge.forest):
        colour = highlight.ground(name, name)
        draw_halo(axes, colour, plan.boxes[name], levels[colour])


def _draw_mark(axes: Axes, mark: Mark, box: Box) -> None:
    draw_shape(axes, mark.style, box, 0.9 if mark.small else 1.4)
    size = SMALL_SIZE if mark.small else NAME_SIZE
    rise = 0.075 if mark.caption else 0.0
    text = {"ha": "center", "va": "center_baseline", "zorder": 5}
    axes.text(box.x, box.y + rise, mark.name, size=size, color=mark.style.text, **text)  # type: ignore[arg-type]
    if mark.caption:
        below = {"size": CAPTION_SIZE, "color": mark.style.line}
        axes.text(box.x, box.y - 0.135, mark.caption, **below, **text)  # type: ignore[arg-type]


def _draw_title(axes: Axes, title: str | None, low: Point, high: Point) -> Point:
    if not title:
        return high
    middle = (low[0] + high[0]) / 2
    axes.text(middle, high[1] + 0.1, title, size=11, ha="center", va="center", color="#4a525d")
    return high[0], high[1] + 0.3


def _fit(figure: Figure, axes: Axes, low: Point, high: Point) -> None:
    """One unit is one inch; a very large graph is scaled down to 100 inches."""
    width, height = high[0] - low[0], high[1] - low[1]
    scale = min(1.0, 100 / max(width, height))
    figure.set_size_inches(width * scale, height * scale)
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
