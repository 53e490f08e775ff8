"""Drawing: a causal graph on a matplotlib Figure, one inch a unit, without pyplot's globals.

Below the graph stands a legend, in centred rows: what its shapes and lines stand for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from causalflow.graph.graph import Graph
from causalflow.plot.arrangement import (
    CAPTION_SIZE,
    NAME_SIZE,
    SMALL_SIZE,
    Arrangement,
    Mark,
    Point,
    arranged,
)
from causalflow.plot.legend import LEGEND_SIZE, Key, legend_entries, placed
from causalflow.plot.routes import Box
from causalflow.plot.strokes import draw_ground, draw_halo, draw_line, draw_shape, text_width
from causalflow.plot.style import (
    BIDIRECTED,
    INNER_GROUND,
    OUTER_GROUND,
    Highlight,
    NodeStyle,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_figure"]


def draw_figure(
    graph: Graph,
    *,
    exogenous: bool,
    legend: bool,
    title: str | None,
    highlight: Highlight | None = None,
) -> Figure:
    """The figure; its size follows from the graph."""
    from causalflow.plot.figure import ShownFigure

    plan = arranged(graph, text_width, exogenous=exogenous, highlight=highlight)
    figure = ShownFigure()
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
    keys, low, high = placed(entries if legend else [], low, high, text_width)
    for key in keys:
        _draw_key(axes, key)
    high = _draw_title(axes, title, low, high)
    _fit(figure, axes, low, high)
    return figure


def _draw_key(axes: Axes, key: Key) -> None:
    """An entry of the legend."""
    if isinstance(key.style, NodeStyle):
        draw_shape(axes, key.style, key.box, 1.0)
    else:
        draw_line(axes, key.style, np.linspace(*key.line, 9), both=key.style is BIDIRECTED)
    words = {"va": "center_baseline", "color": "#4a525d"}
    axes.text(key.words, key.y, key.style.legend, size=LEGEND_SIZE, **words)  # type: ignore[arg-type]


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
