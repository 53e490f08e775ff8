"""SVG: a causal graph as text that browsers and notebooks draw; no other program or library.

Its look is that of `causalflow.plot.drawing`, whose arrangement it shares. An inch is 72 units.
Where the reader's system is dark, so is the drawing. A node tells its type when it is pointed at.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html import escape

import numpy as np

from causalflow.graph.graph import Graph
from causalflow.identify.hedge import Hedge
from causalflow.plot.arrangement import (
    CAPTION_SIZE,
    NAME_SIZE,
    RING,
    SMALL_SIZE,
    Arrangement,
    Mark,
    arranged,
)
from causalflow.plot.legend import LEGEND_SIZE, Key, legend_entries, placed
from causalflow.plot.routes import Box, Curve
from causalflow.plot.style import BIDIRECTED, EdgeStyle, Highlight, NodeStyle, highlight_of

__all__ = ["graph_svg", "plain_width"]

UNITS = 72
WIDEST, TALLEST = 880, 520
"""The largest drawing in a page, in pixels."""
ENLARGED = 1.25
HEAD, HEAD_WIDTH = 0.13, 0.10
HALO, BAND = 0.3, 0.32
GAP = 0.1
"""Between a drawing and its title."""

_LOOK = (
    "<style>@media (prefers-color-scheme: dark) "
    "{.causalflow-graph {filter: invert(.88) hue-rotate(180deg)}}</style>"
)
_NARROW, _WIDE = set("iljtfrI.,:;!|'()[] "), set("mwMW%@")


def graph_svg(
    graph: Graph,
    *,
    exogenous: bool = True,
    legend: bool = True,
    highlight: Hedge | None = None,
) -> str:
    """The drawing of a graph as an SVG element, at most 880 by 520 pixels large.

    Args:
        graph: any causal graph.
        exogenous: show declared exogenous variables; otherwise the bidirected edges they amount to.
        legend: explain node types and edge kinds.
        highlight: the hedge of a verdict, shown in colour while the rest of the graph is pale.

    Raises:
        GraphError: the hedge of another graph.
    """
    look = highlight_of(highlight, graph)
    shown = exogenous and look is None
    plan = arranged(graph, plain_width, exogenous=shown, highlight=look)
    entries = legend_entries((m.style for m in plan.marks), (e.style for e in plan.lines))
    low, high = plan.corners
    keys, low, high = placed(
        (look.legend if look else entries) if legend else [], low, high, plain_width
    )
    pen = _Pen(low[0], high[1])
    parts = [*_grounds(pen, plan, look), *_body(pen, plan), *(_key(pen, key) for key in keys)]
    return _element(graph, (high[0] - low[0], high[1] - low[1]), "".join(parts))


def plain_width(text: str, size: float) -> float:
    """About the width in inches of a text of ``size`` points in a font without serifs.

    Example:
        >>> plain_width("image", 12) < plain_width("IMAGES", 12)
        True
    """
    return sum(map(_letter, text)) * size / UNITS


def _letter(letter: str) -> float:
    """The width of a letter, by that of its line."""
    if unicodedata.combining(letter):
        return 0.0
    if letter in _NARROW:
        return 0.34
    if letter in _WIDE or unicodedata.east_asian_width(letter) in "WF":
        return 0.95
    return 0.68 if letter.isupper() else 0.58


class _Pen:
    """Inches, upward, as units, downward."""

    def __init__(self, left: float, top: float) -> None:
        self.left, self.top = left, top

    def x(self, x: float) -> str:
        return f"{(x - self.left) * UNITS:.1f}"

    def y(self, y: float) -> str:
        return f"{(self.top - y) * UNITS:.1f}"

    def points(self, curve: Curve) -> str:
        return " ".join(f"{self.x(x)},{self.y(y)}" for x, y in curve.tolist())


def _element(graph: Graph, size: tuple[float, float], body: str) -> str:
    width, height = (side * UNITS for side in size)
    scale = min(ENLARGED, WIDEST / width, TALLEST / height)
    named = f"causal graph {graph.name}" if graph.name else "causal graph"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="causalflow-graph" role="img" '
        f'aria-label="{_text(named)}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width * scale:.0f}" height="{height * scale:.0f}" '
        'style="max-width: 100%; height: auto" '
        f'font-family="system-ui, Helvetica, Arial, sans-serif" text-anchor="middle">{_LOOK}'
        f'<rect width="100%" height="100%" rx="6" fill="#ffffff"/>{body}</svg>'
    )


def _text(text: str) -> str:
    """Escaped, without the characters that XML does not have."""
    return escape(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text))


def _grounds(pen: _Pen, plan: Arrangement, look: Highlight | None) -> Iterator[str]:
    """Bands under what belongs to a hedge, those of its inner forest last."""
    if look is None:
        return
    forest, inner = look.hedge.forest, look.hedge.inner
    for wanted in (False, True):
        for line, curve in zip(plan.lines, plan.curves, strict=True):
            ends = {line.source, line.target}
            if look.covers(line.source, line.target, line.style) and (ends <= inner) is wanted:
                colour = look.ground(line.source, line.target)
                yield _band(pen, curve, colour)
        for name in sorted(forest if not wanted else inner):
            if (name in inner) is wanted:
                yield _halo(pen, plan.boxes[name], look.ground(name, name))


def _band(pen: _Pen, curve: Curve, colour: str) -> str:
    return (
        f'<polyline points="{pen.points(curve)}" fill="none" stroke="{colour}" '
        f'stroke-width="{BAND * UNITS:.0f}" stroke-linecap="round"/>'
    )


def _halo(pen: _Pen, box: Box, colour: str) -> str:
    radii = (box.width + HALO) / 2 * UNITS, (box.height + HALO) / 2 * UNITS
    return (
        f'<ellipse cx="{pen.x(box.x)}" cy="{pen.y(box.y)}" rx="{radii[0]:.1f}" '
        f'ry="{radii[1]:.1f}" fill="{colour}"/>'
    )


def _body(pen: _Pen, plan: Arrangement) -> Iterator[str]:
    for line, curve in zip(plan.lines, plan.curves, strict=True):
        yield _line(pen, line.style, curve, line.both)
    for mark in plan.marks:
        yield _mark(pen, mark, plan.boxes[mark.name])


def _line(pen: _Pen, style: EdgeStyle, curve: Curve, both: bool) -> str:
    """An edge with its heads; a head covers the end of the line."""
    dashes = ' stroke-dasharray="6 4"' if style.dashed else ""
    scale = 1.0 if style.width > 1 else 0.7
    shaft = (
        f'<polyline points="{pen.points(curve)}" fill="none" stroke="{style.colour}" '
        f'stroke-width="{style.width:g}"{dashes}/>'
    )
    ends = [curve, curve[::-1]] if both else [curve]
    return shaft + "".join(_head(pen, style, end, scale) for end in ends)


def _head(pen: _Pen, style: EdgeStyle, curve: Curve, scale: float) -> str:
    tip = curve[-1]
    reach = np.hypot(*(curve - tip).T)
    base = curve[max(int(np.flatnonzero(reach >= HEAD * scale).max(initial=0)), 0)]
    along = (tip - base) / max(float(np.hypot(*(tip - base))), 1e-9)
    across = HEAD_WIDTH * scale / 2 * np.array([-along[1], along[0]])
    foot = tip - HEAD * scale * along
    fill = "#ffffff" if style.hollow else style.colour
    return (
        f'<polygon points="{pen.points(np.array([tip, foot + across, foot - across]))}" '
        f'fill="{fill}" stroke="{style.colour}" stroke-width="{1.2 if style.hollow else 0.6}"/>'
    )


def _mark(pen: _Pen, mark: Mark, box: Box) -> str:
    said = f"{mark.name}: {mark.style.legend}{', ' if mark.caption else ''}{mark.caption}"
    size = SMALL_SIZE if mark.small else NAME_SIZE
    down = size * 0.35 - (5.4 if mark.caption else 0.0)
    texts = _words(pen, box.x, box.y, mark.name, size, mark.style.text, down)
    if mark.caption:
        small = CAPTION_SIZE
        texts += _words(pen, box.x, box.y, mark.caption, small, mark.style.line, small * 0.35 + 9.7)
    shape = _shape(pen, mark.style, box, 0.9 if mark.small else 1.4)
    return f"<g><title>{_text(said)}</title>{shape}{texts}</g>"


def _words(
    pen: _Pen, x: float, y: float, text: str, size: float, colour: str, down: float = 0.0
) -> str:
    """A text centred at x, its baseline so many units below y."""
    place = f'x="{pen.x(x)}" y="{float(pen.y(y)) + down:.1f}"'
    return f'<text {place} font-size="{size:g}" fill="{colour}">{_text(text)}</text>'


def _shape(pen: _Pen, style: NodeStyle, box: Box, width: float) -> str:
    """A node's outline; a ring is a second one around it, a card has another behind it."""
    outer = [(box, 0.0, "#ffffff")] if style.ring else []
    inset = 2 * min(RING, box.height / 6) if style.ring else 0.0
    own = Box(x=box.x, y=box.y, width=box.width - inset, height=box.height - inset)
    behind = [(own, 0.05, style.fill)] if style.shape == "card" else []
    return "".join(
        _outline(pen, style, each, shift, fill, width)
        for each, shift, fill in [*outer, *behind, (own, 0.0, style.fill)]
    )


def _outline(pen: _Pen, style: NodeStyle, box: Box, shift: float, fill: str, width: float) -> str:
    look = f'fill="{fill}" stroke="{style.line}" stroke-width="{width:g}"'
    half = box.width / 2 * UNITS, box.height / 2 * UNITS
    if style.shape == "ellipse":
        centre = f'cx="{pen.x(box.x)}" cy="{pen.y(box.y)}"'
        return f'<ellipse {centre} rx="{half[0]:.1f}" ry="{half[1]:.1f}" {look}/>'
    radius = min(0.13, box.height / 4) * UNITS if style.shape == "rounded" else 1.5
    left, top = box.x - box.width / 2 + shift, box.y + box.height / 2 - shift
    return (
        f'<rect x="{pen.x(left)}" y="{pen.y(top)}" width="{2 * half[0]:.1f}" '
        f'height="{2 * half[1]:.1f}" rx="{radius:.1f}" {look}/>'
    )


def _key(pen: _Pen, key: Key) -> str:
    """An entry of the legend."""
    if isinstance(key.style, NodeStyle):
        swatch = _shape(pen, key.style, key.box, 1.0)
    else:
        swatch = _line(pen, key.style, np.linspace(*key.line, 9), key.style is BIDIRECTED)
    words = _words(pen, key.words, key.y, key.style.legend, LEGEND_SIZE, "#4a525d", 3.0)
    return swatch + words.replace("<text ", '<text text-anchor="start" ')
