"""Panels: ranges of rows, and the fit of mechanisms, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from causalflow.certainty.ranges import Ranges

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["canvas", "drawn_ranges"]

INK, FAINT, GRID = "#1c2733", "#6a717c", "#d0d5dc"
OWN, OTHER = "#3a6ea5", "#f0a73a"
WIDTH, HEIGHT, MOST_TICKS = 7.0, 2.4, 20


def canvas(panels: int, height: float = HEIGHT) -> tuple[Figure, list[Any]]:
    """A figure with so many panels below one another, and their axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 0.5 + height * max(panels, 1)), layout="constrained")
    axes = list(np.ravel(figure.subplots(max(panels, 1), 1)))
    for each in axes:
        each.tick_params(colors=FAINT, labelsize=8)
        each.grid(color=GRID, linewidth=0.6)
        each.set_axisbelow(True)
        for side, spine in each.spines.items():
            spine.set_color(GRID)
            spine.set_visible(side in ("left", "bottom"))
    return figure, axes


def drawn_ranges(title: str, nodes: Sequence[Ranges], numbers: Sequence[int]) -> Figure:
    """Some rows: what was, what would have been, and the ranges of it; one panel a node.

    Args:
        title: the figure's.
        nodes: their ranges; the first rows of each are drawn.
        numbers: those of the rows that are drawn.
    """
    rows = len(numbers)
    figure, axes = canvas(len(nodes))
    figure.suptitle(title, fontsize=10, color=INK)
    at = np.arange(rows)
    for each, axis in zip(nodes, axes, strict=False):
        part = len(each.names) - 1
        for ends, width, colour, label in (
            (each.any_noise, 6.0, GRID, "any noise"),
            (each.interval, 3.0, OWN, "interval"),
        ):
            axis.vlines(
                at, ends[:rows, part, 0], ends[:rows, part, 1], colour, linewidth=width, label=label
            )
        axis.plot(
            at, each.value[:rows, part], "o", color=INK, markersize=4, label="would have been"
        )
        if each.levels is None:
            known = [np.nan if v is None else float(v) for v in each.factual[:rows]]
            axis.plot(at, known, "x", color=OTHER, markersize=5, label="factual")
        shown = at[:: max(1, rows // MOST_TICKS)]
        axis.set_xticks(shown, [str(numbers[row]) for row in shown])
        axis.set_ylabel(_label(each, part), fontsize=9, color=INK)
    axes[-1].set_xlabel("row", fontsize=9, color=INK)
    axes[0].legend(
        fontsize=7, frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.2)
    )
    return figure


def _label(each: Ranges, part: int) -> str:
    level = each.names[part]
    if level is not None:
        return f"P({each.node} = {level})"
    return f"{each.node} [{each.unit}]" if each.unit else each.node


def drawn_transforms(title: str, nodes: Mapping[str, Sequence[float]], rows: int) -> Figure:
    """The shares of each node's transform in bins, with the band in which chance leaves them."""
    figure, axes = canvas(len(nodes), height=1.4)
    figure.suptitle(title, fontsize=10, color=INK)
    for (name, shares), axis in zip(nodes.items(), axes, strict=False):
        even = 1 / len(shares)
        side = 3 * np.sqrt(even * (1 - even) / max(rows, 1))
        axis.axhspan(even - side, even + side, color=GRID, label="3 standard errors")
        axis.bar(np.arange(len(shares)) + 0.5, shares, width=0.9, color=OWN)
        axis.set_xticks(
            range(len(shares) + 1), [f"{k / len(shares):g}" for k in range(len(shares) + 1)]
        )
        axis.set_ylabel(name, fontsize=9, color=INK)
    axes[-1].set_xlabel("probability integral transform", fontsize=9, color=INK)
    return figure
