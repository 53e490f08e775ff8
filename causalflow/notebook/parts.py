"""Parts: the pieces that the views of a notebook are made of, as HTML.

All text is escaped. Nothing sets the colour of text or ground, which are the notebook's, light or
dark; what is long is cut with the number of what is left, or folded.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice
from math import isfinite
from typing import TypeAlias

__all__ = [
    "GOOD",
    "OPEN",
    "WRONG",
    "Html",
    "badge",
    "block",
    "curve",
    "facts",
    "folded",
    "formula",
    "listed",
    "number",
    "picture",
    "table",
    "text",
    "title",
]

Html: TypeAlias = str
"""A piece of HTML."""

GOOD, WRONG, OPEN = "#009e73", "#d55e00", "#e69f00"
"""Green, vermillion and orange of Okabe and Ito (2008), which all eyes tell apart."""

MOST_ROWS, MOST_LINES, LONGEST, MOST_POINTS = 12, 5, 300, 300
_FAINT = "opacity: .7; font-size: .9em"
_CELL = "padding: .15em .7em .15em 0"


def text(given: object, longest: int = LONGEST) -> Html:
    """A text, escaped; the middle of a long one left out."""
    said = " ".join(re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", " ", str(given)).split())
    if len(said) > longest:
        said = f"{said[: longest // 2]} … {said[-longest // 3 :]}"
    return escape(said)


def number(value: object) -> str:
    """A number to six digits; other values as they are written."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def block(*parts: Html) -> Html:
    """The whole of a view."""
    style = "max-width: 60em; line-height: 1.45; overflow-x: auto"
    return f'<div class="causalflow" style="{style}">{"".join(parts)}</div>'


def title(head: object, *badges: Html) -> Html:
    """The first line of a view."""
    return f'<div style="margin: .2em 0"><strong>{text(head)}</strong> {" ".join(badges)}</div>'


def badge(word: str, colour: str = "currentColor") -> Html:
    """A word in a frame of that colour."""
    style = f"border: 2px solid {colour}; border-radius: .8em; padding: 0 .5em; font-size: .85em"
    return f'<span style="{style}; white-space: nowrap">{text(word)}</span>'


def formula(mathml: Html) -> Html:
    """A formula in MathML, which browsers set."""
    return f'<div style="margin: .4em 0; font-size: 1.1em">{mathml}</div>'


def table(columns: Mapping[str, Sequence[object]], *, bars: str = "", more: int = 0) -> Html:
    """Columns under their headers, the first rows of them.

    Args:
        columns: header -> entries.
        bars: the header of a column of shares, each of which has a bar as long as it is.
        more: how many rows are not among the entries.
    """
    whole = max((len(entries) for entries in columns.values()), default=0)
    sides = {name: _side(entries) for name, entries in columns.items()}
    head = "".join(f'<th style="{_CELL}; {sides[name]}">{text(name)}</th>' for name in columns)
    rows = [
        "".join(_cell(entry, sides[n], n == bars) for n, entry in zip(columns, row, strict=True))
        for row in islice(zip(*columns.values(), strict=True), MOST_ROWS)
    ]
    left = whole + more - len(rows)
    under = f'<div style="{_FAINT}">… {left:,} more rows</div>' if left > 0 else ""
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f'<table style="border-collapse: collapse; margin: .3em 0"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>{under}"
    )


def _is_number(entry: object) -> bool:
    return isinstance(entry, int | float) and not isinstance(entry, bool)


def _side(entries: Sequence[object]) -> str:
    """Numbers stand to the right, under their header."""
    return f"text-align: {'right' if all(map(_is_number, entries[:MOST_ROWS])) else 'left'}"


def _cell(entry: object, side: str, barred: bool) -> Html:
    cell = f'<td style="{_CELL}; {side}; vertical-align: top">{text(number(entry), 60)}</td>'
    if not barred or not isinstance(entry, float):
        return cell
    length = 100 * min(max(entry, 0.0), 1.0) if entry == entry else 0.0
    bar = f"width: {length:.1f}%; height: .7em; background: #0072b2; border-radius: .2em"
    return f'{cell}<td style="width: 8em"><div style="{bar}"></div></td>'


def facts(pairs: Mapping[str, object]) -> Html:
    """Short facts in a line, each with its name."""
    shown = (f"{text(name)} <strong>{text(number(v), 80)}</strong>" for name, v in pairs.items())
    return f'<div style="{_FAINT}; margin: .2em 0">{" · ".join(shown)}</div>'


def listed(lines: Iterable[object], word: str = "", most: int = MOST_LINES) -> Html:
    """Sentences below one another, the first few."""
    given = [*lines]
    start = f"{text(word)}: " if word else ""
    shown = [f"<div>{start}{text(line)}</div>" for line in given[:most]]
    if len(given) > most:
        shown.append(f"<div>… {len(given) - most:,} more</div>")
    return f'<div style="{_FAINT}; margin: .2em 0">{"".join(shown)}</div>' if shown else ""


def folded(summary: str, *parts: Html) -> Html:
    """Parts that are shown when their summary is opened."""
    inner = "".join(parts)
    return f"<details><summary>{text(summary)}</summary>{inner}</details>" if inner else ""


def curve(points: Sequence[tuple[float, float]], said: str) -> Html:
    """A line through points from left to right, with the numbers at its ends; "" of fewer than two.

    Args:
        points: places and heights.
        said: what it shows, in words.
    """
    known = [(x, y) for x, y in points if isfinite(y)]
    if len(known) < 2:
        return ""
    left, right = known[0][0], known[-1][0]
    low, high = min(y for _, y in known), max(y for _, y in known)
    across, up = max(right - left, 1e-12), max(high - low, 1e-12)
    kept = known[:: max(1, len(known) // MOST_POINTS)]
    drawn = " ".join(
        f"{4 + 292 * (x - left) / across:.1f},{56 - 52 * (y - low) / up:.1f}"
        for x, y in dict.fromkeys([*kept, known[-1]])
    )
    ends = f"{number(known[0][1])} to {number(known[-1][1])}, {left:,} to {right:,}"
    return (
        f'<div style="margin: .3em 0"><svg role="img" aria-label="{text(said)}" width="300" '
        f'height="60" viewBox="0 0 300 60"><polyline points="{drawn}" fill="none" '
        f'stroke="#0072b2" stroke-width="2"/></svg>'
        f'<div style="{_FAINT}">{text(said)}: {text(ends)}</div></div>'
    )


def picture(png: bytes, said: str, width: int) -> Html:
    """A picture of ``width`` pixels, its own not smoothed, with what it shows in words."""
    style = f"width: {width}px; image-rendering: pixelated"
    style += "; border: 1px solid rgba(128, 128, 128, .4)"
    source = f"data:image/png;base64,{b64encode(png).decode()}"
    return f'<img src="{source}" alt="{text(said)}" title="{text(said)}" style="{style}">'
