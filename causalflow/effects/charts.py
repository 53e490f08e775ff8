"""Charts: effects and overlaps, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from causalflow.effects.complete_rows import Array

__all__ = ["FAINT", "LINE", "OTHER", "SOFT", "plain", "plot_curve", "plot_points", "plot_shares"]

LINE, SOFT, FAINT, OTHER = "#2f6ca8", "#a9c8e6", "#8a929d", "#c03a32"


def plain(axes: Any, size: tuple[float, float]) -> Any:
    """The axes given, or new ones; without a frame at the top and the right."""
    from matplotlib import pyplot as plt

    if axes is None:
        _, axes = plt.subplots(figsize=size, layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def plot_curve(
    along: Array,
    values: Array,
    low: Array,
    high: Array,
    band: tuple[Array, Array] | None,
    name: str,
    label: str,
    axes: Any = None,
) -> Any:
    """A curve with its intervals and its uniform band."""
    axes = plain(axes, (5.6, 3.6))
    if band is not None:
        axes.fill_between(along, *band, color=SOFT, alpha=0.45, linewidth=0, label="band")
    axes.fill_between(along, low, high, color=SOFT, linewidth=0, label="interval")
    axes.plot(along, values, color=LINE, linewidth=1.8, label="estimate")
    axes.set_xlabel(name)
    axes.set_ylabel(label)
    axes.legend(frameon=False, fontsize="small")
    return axes


def plot_points(
    names: Sequence[str],
    values: Array,
    low: Array,
    high: Array,
    label: str,
    name: str = "",
    axes: Any = None,
) -> Any:
    """Answers one above the other, with their intervals."""
    axes = plain(axes, (5.6, 1.2 + 0.35 * len(names)))
    rows = np.arange(len(names))
    axes.hlines(rows, low, high, color=LINE, linewidth=2)
    axes.plot(values, rows, "o", color=LINE, markersize=5)
    axes.axvline(0, color=FAINT, linewidth=0.8, linestyle=":")
    axes.set_yticks(rows, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(label)
    axes.set_ylabel(name)
    return axes


def plot_shares(
    names: Sequence[str],
    pairs: Sequence[tuple[Array, Array]],
    edges: Array,
    least: float,
    axes: Any = None,
) -> Any:
    """For each treatment the propensities of the rows that had it, up, and of others, down."""
    from matplotlib import pyplot as plt

    if axes is None:
        size = (5.6, 1.0 + 1.5 * len(names))
        _, axes = plt.subplots(len(names), figsize=size, sharex=True, layout="constrained")
    axes = np.atleast_1d(axes)
    for own, name, (had, had_not) in zip(axes, names, pairs, strict=True):
        plain(own, (0, 0))
        for numbers, sign, colour, text in (
            (had, 1, LINE, "had it"),
            (had_not, -1, FAINT, "not"),
        ):
            counts, _ = np.histogram(numbers, edges)
            own.bar(
                edges[:-1], sign * counts, np.diff(edges), align="edge", color=colour, label=text
            )
        own.axvline(least, color=OTHER, linewidth=1, linestyle="--")
        own.axhline(0, color=FAINT, linewidth=0.8)
        own.set_ylabel(f"rows, {name}")
        own.yaxis.set_major_formatter(lambda number, _: f"{abs(number):g}")
    axes[0].legend(frameon=False, fontsize="small")
    axes[-1].set_xlabel("propensity")
    return axes
