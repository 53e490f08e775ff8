"""Strokes: what drawings are made of: outlines of nodes, edges with heads, widths of texts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from causalflow.plot.arrangement import RING
from causalflow.plot.routes import Box, Curve
from causalflow.plot.style import EdgeStyle, NodeStyle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_ground", "draw_halo", "draw_line", "draw_shape", "text_width"]

HEAD_LENGTH, HEAD_WIDTH = 0.13, 0.10
BAND, HALO = 0.32, 0.3


def text_width(text: str, size: float) -> float:
    """The width in inches of a text of ``size`` points, measured without a renderer."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().width) / 72 if text else 0.0


def draw_line(axes: Axes, style: EdgeStyle, curve: Curve, both: bool) -> None:
    """An edge along ``curve``, shape (points, 2), with a head at its end, or at both."""
    from matplotlib.lines import Line2D

    scale = 1.0 if style.width > 1 else 0.7
    start, end = (HEAD_LENGTH * scale if both else 0.0), HEAD_LENGTH * scale
    shaft = _shorten(_shorten(curve, end)[::-1], start)[::-1]
    line = Line2D(*shaft.T, color=style.colour, linewidth=style.width, zorder=1)
    line.set_solid_capstyle("butt")
    if style.dashed:
        line.set_dashes((4.2, 2.6))
    axes.add_line(line)
    _draw_head(axes, style, curve, scale)
    if both:
        _draw_head(axes, style, curve[::-1], scale)


def _shorten(curve: Curve, length: float) -> Curve:
    """The curve without its last ``length`` inches."""
    if length == 0:
        return curve
    steps = np.hypot(*np.diff(curve, axis=0).T)
    to_end = np.concatenate([np.cumsum(steps[::-1])[::-1], [0.0]])
    kept = int(np.sum(to_end > length))
    if kept == 0:
        return curve[:1]
    share = (to_end[kept - 1] - length) / max(to_end[kept - 1] - to_end[kept], 1e-12)
    return np.vstack([curve[:kept], curve[kept - 1] + share * (curve[kept] - curve[kept - 1])])


def _draw_head(axes: Axes, style: EdgeStyle, curve: Curve, scale: float) -> None:
    from matplotlib.patches import Polygon

    tip, base = curve[-1], _shorten(curve, HEAD_LENGTH * scale)[-1]
    along = (tip - base) / max(float(np.hypot(*(tip - base))), 1e-9)
    across = HEAD_WIDTH * scale / 2 * np.array([-along[1], along[0]])
    axes.add_patch(
        Polygon(
            np.array([tip, base + across, base - across]),
            closed=True,
            facecolor="white" if style.hollow else style.colour,
            edgecolor=style.colour,
            linewidth=1.2 if style.hollow else 0.6,
            joinstyle="miter",
            zorder=2,
        )
    )


def draw_shape(axes: Axes, style: NodeStyle, box: Box, width: float) -> None:
    """A node's outline, ``width`` points wide, filling ``box``."""
    from matplotlib.patches import Ellipse, FancyBboxPatch, Patch

    if style.ring:
        draw_shape(axes, replace(style, ring=False, fill="#ffffff"), box, width)
        gap = 2 * min(RING, box.height / 6)
        box = replace(box, width=box.width - gap, height=box.height - gap)
    left, bottom = box.x - box.width / 2, box.y - box.height / 2
    look = {"facecolor": style.fill, "edgecolor": style.line, "linewidth": width}
    shapes: list[Patch]
    if style.shape == "ellipse":
        shapes = [Ellipse((box.x, box.y), box.width, box.height)]
    else:
        radius = min(0.13, box.height / 4) if style.shape == "rounded" else 0.02
        inset = box.width - 2 * radius, box.height - 2 * radius
        shifts = (0.05, 0.0) if style.shape == "card" else (0.0,)
        shapes = [
            FancyBboxPatch(
                (left + radius + shift, bottom + radius - shift),
                *inset,
                boxstyle=f"round,pad={radius}",
            )
            for shift in shifts
        ]
    for level, shape in enumerate(shapes):
        shape.update({**look, "zorder": 3 + style.ring + level / 10})
        axes.add_patch(shape)


def draw_ground(axes: Axes, colour: str, curve: Curve, level: float) -> None:
    """A broad soft band along ``curve``; ``level`` orders what lies on each other."""
    from matplotlib.lines import Line2D

    band = Line2D(*curve.T, color=colour, linewidth=BAND * 72, zorder=level)
    band.set_solid_capstyle("round")
    band.set_solid_joinstyle("round")
    axes.add_line(band)


def draw_halo(axes: Axes, colour: str, box: Box, level: float) -> None:
    """The same colour around a node."""
    from matplotlib.patches import Ellipse

    wide = (box.x, box.y), box.width + HALO, box.height + HALO
    axes.add_patch(Ellipse(*wide, facecolor=colour, edgecolor="none", zorder=level))
