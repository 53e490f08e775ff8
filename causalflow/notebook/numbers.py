"""Numbers: views of what is a table, an answer, an estimate, bounds, or an effect."""

from __future__ import annotations

from itertools import islice
from math import isfinite
from typing import Any

from causalflow.bounds.bounds import Bounds
from causalflow.effects.effect import Effect
from causalflow.estimate.plug_in import Estimate
from causalflow.factors.table import Table
from causalflow.notebook.parts import (
    GOOD,
    MOST_ROWS,
    OPEN,
    Html,
    badge,
    block,
    facts,
    folded,
    listed,
    number,
    table,
    text,
    title,
)
from causalflow.query.answer import Answer

__all__ = ["answer_view", "bounds_view", "effect_view", "estimate_view", "table_view"]


def table_view(given: Table) -> Html:
    """The first cells, with a bar for each that is a share."""
    return block(_cells(given))


def _cells(given: Table, header: str = "P") -> Html:
    """One row a cell, levels first; exact numbers as fractions beside them."""
    cells = [*islice(given.cells(), MOST_ROWS)]
    values = given.values.ravel()[:MOST_ROWS].tolist()
    columns: dict[str, Any] = {
        axis: [str(cell[place]) for cell in cells] for place, axis in enumerate(given.axes)
    }
    if given.is_exact:
        columns[_free("exact", columns)] = [str(value) for value in values]
    name = _free(header, columns)
    numbers = [float(value) for value in values]
    columns[name] = numbers
    shares = all(0 <= value <= 1 or not isfinite(value) for value in numbers)
    return table(columns, bars=name if shares else "", more=given.values.size - len(values))


def _free(name: str, taken: dict[str, Any]) -> str:
    return name if name not in taken else _free(f"{name} ", taken)


def answer_view(answer: Answer) -> Html:
    """The number or its table, how it was found, and what it rests on."""
    colour = {"exact": GOOD, "identified": GOOD}.get(answer.route, OPEN)
    value = answer.value
    single = value is not None and not answer.rows
    head = f"{answer.query} = {number(value)}" if single else answer.query
    shown = "" if single else _cells(answer.table)
    return block(
        title(head, badge(answer.route, colour)),
        shown,
        listed([answer.error_text] if answer.error_text else []),
        listed([answer.interval] if answer.interval is not None else []),
        listed(answer.assumptions, "note"),
    )


def effect_view(effect: Effect) -> Html:
    """One row an answer with its interval; how it was found, and what it rests on."""
    unit = f" [{effect.unit}]" if effect.unit else ""
    places = range(min(len(effect.cells), MOST_ROWS))
    columns: dict[str, Any] = {
        axis: [number(effect.cells[place][i]) for place in places]
        for i, axis in enumerate(effect.axes)
    }
    if effect.bounds is None:
        columns[f"estimate{unit}"] = effect.values[: len(places)].tolist()
    else:
        columns |= {
            f"{k}{unit}": effect.bounds[i].tolist() for i, k in enumerate(("least", "most"))
        }
    ends = zip(effect.low.tolist(), effect.high.tolist(), strict=True)
    columns[f"{effect.confidence:.0%} interval"] = [f"{a:.4g} to {b:.4g}" for a, b in ends]
    columns["standard error"] = [f"{each:.2g}" for each in effect.standard_errors.tolist()]
    columns = {name: entries[: len(places)] for name, entries in columns.items()}
    incomplete = {"left out, incomplete": f"{effect.dropped:,}"} if effect.dropped else {}
    overlap = [] if effect.overlap is None else effect.overlap.lines
    return block(
        title(effect.query, badge(effect.kind, GOOD if effect.kind == "estimate" else OPEN)),
        table(columns, more=len(effect.cells) - len(places)),
        facts({"rows": f"{effect.rows:,}", **incomplete, "method": effect.method}),
        listed(effect.warnings, "warning"),
        listed(effect.assumptions, "note"),
        folded("overlap", listed(overlap)),
    )


def estimate_view(estimate: Estimate) -> Html:
    """What it prints, line by line."""
    return _printed(estimate)


def bounds_view(bounds: Bounds) -> Html:
    """What they print, line by line."""
    return _printed(bounds)


def _printed(given: object) -> Html:
    lines = str(given).splitlines()
    most = 2 * MOST_ROWS
    more = [f"… {len(lines) - most:,} more lines"] if len(lines) > most else []
    shown = "\n".join(text(line) for line in [*lines[:most], *more])
    return block(f'<pre style="margin: 0; background: none; white-space: pre-wrap">{shown}</pre>')
