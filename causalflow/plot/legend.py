"""Legend: what the shapes and lines of a drawing stand for, in centred rows below it.

An entry is a *swatch*, the shape or line itself, with words to its right. Lengths are inches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from causalflow.plot.arrangement import MARGIN, Measure, Point
from causalflow.plot.routes import Box
from causalflow.plot.style import EdgeStyle, NodeStyle

__all__ = ["LEGEND_SIZE", "Entry", "Key", "legend_entries", "placed"]

Entry: TypeAlias = NodeStyle | EdgeStyle

LEGEND_SIZE = 8.5
ROW = 0.27
NARROWEST = 5.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An entry in its place: ``x`` is its left end, ``y`` its middle."""

    style: Entry
    x: float
    y: float

    @property
    def box(self) -> Box:
        """The swatch of a node."""
        ellipse = getattr(self.style, "shape", "") == "ellipse"
        return Box(x=self.x + 0.13, y=self.y, width=0.24, height=0.16, ellipse=ellipse)

    @property
    def line(self) -> tuple[Point, Point]:
        """The ends of the swatch of an edge."""
        return (self.x, self.y), (self.x + _swatch(self.style), self.y)

    @property
    def words(self) -> float:
        """The left end of the words."""
        return self.x + _swatch(self.style) + 0.09


def legend_entries(nodes: Iterable[NodeStyle], edges: Iterable[EdgeStyle]) -> list[Entry]:
    """What needs explaining, each once: nothing in a purely symbolic graph."""
    shapes = list(dict.fromkeys(nodes))
    lines = [style for style in dict.fromkeys(edges) if style.legend]
    return [*shapes, *lines] if any(style.legend != "variable" for style in shapes) else []


def placed(
    entries: Sequence[Entry], low: Point, high: Point, measure: Measure
) -> tuple[list[Key], Point, Point]:
    """Rows under a drawing, as wide as it is (5.7 inches at least); its new corners.

    Args:
        entries: what is explained.
        low: the left bottom corner of the drawing.
        high: the right top corner.
        measure: how wide a text is.
    """
    if not entries:
        return [], low, high
    rows = list(_rows(entries, max(high[0] - low[0] - 2 * MARGIN, NARROWEST), measure))
    top, keys = low[1] - 0.06, []
    widths = [row[-1][0] + _width(row[-1][1], measure) for row in rows]
    for number, (row, width) in enumerate(zip(rows, widths, strict=True)):
        left, y = (low[0] + high[0] - width) / 2, top - (number + 0.5) * ROW
        keys += [Key(style=style, x=left + x, y=y) for x, style in row]
    extra = max(0.0, (max(widths) + 2 * MARGIN - (high[0] - low[0])) / 2)
    return keys, (low[0] - extra, top - len(rows) * ROW - 0.1), (high[0] + extra, high[1])


def _rows(
    entries: Sequence[Entry], widest: float, measure: Measure
) -> Iterator[list[tuple[float, Entry]]]:
    """The entries with their distance from the row's left end."""
    row: list[tuple[float, Entry]] = []
    x = 0.0
    for style in entries:
        width = _width(style, measure)
        if row and x + width > widest:
            yield row
            row, x = [], 0.0
        row.append((x, style))
        x += width + 0.24
    yield row


def _swatch(style: Entry) -> float:
    return 0.26 if isinstance(style, NodeStyle) else 0.42


def _width(style: Entry, measure: Measure) -> float:
    return _swatch(style) + 0.09 + measure(style.legend, LEGEND_SIZE)
