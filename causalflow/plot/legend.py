"""Legend: what the shapes and lines of a drawing stand for, in centred rows below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from causalflow.plot.routes import Box
from causalflow.plot.shapes import draw_line, draw_shape, text_width
from causalflow.plot.style import BIDIRECTED, EdgeStyle, NodeStyle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_legend", "legend_entries"]

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
