"""Charts: effects, overlaps and refutations, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from causalflow.effects.complete_rows import Array

__all__ = [
    "FAINT",
    "LINE",
    "OTHER",
    "SOFT",
    "plain",
    "plot_contours",
    "plot_curve",
    "plot_distances",
    "plot_points",
    "plot_shares",
]

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


def plot_contours(
    grid: tuple[Array, Array, Array],
    robustness: float,
    covariates: Mapping[str, tuple[float, float]],
    axes: Any = None,
) -> Any:
    """The estimate that a hidden cause of given strength leaves, and covariates as strong.

    Args:
        grid: R^2 of the treatment, of the outcome, and the estimate, each of shape (n, n).
        robustness: the R^2 of both that leaves 0.
        covariates: name -> R^2 of treatment and of outcome.
        axes: matplotlib's axes; None: new ones.
    """
    axes = plain(axes, (4.6, 4.0))
    steps = np.linspace(grid[2].min(), grid[2].max(), 9)
    shown = steps[np.abs(steps) > 0.3 * (steps[1] - steps[0])]
    lines = axes.contour(*grid, levels=shown, colors=FAINT, linewidths=0.8)
    axes.clabel(lines, fontsize="x-small")
    if grid[2].min() < 0 < grid[2].max():
        zero = axes.contour(*grid, levels=[0], colors=OTHER, linewidths=1.6)
        axes.clabel(zero, fmt="0", fontsize="small")
    axes.plot([robustness], [robustness], "D", color=OTHER, markersize=5, zorder=4)
    axes.annotate(
        "robustness value",
        (robustness, robustness),
        (6, 4),
        fontsize="x-small",
        textcoords="offset points",
        color=OTHER,
    )
    for name, (of_treatment, of_outcome) in covariates.items():
        axes.plot([of_treatment], [of_outcome], "o", color=LINE, markersize=4, zorder=4)
        axes.annotate(
            name,
            (of_treatment, of_outcome),
            (5, 3),
            fontsize="x-small",
            textcoords="offset points",
            color=LINE,
        )
    axes.set_xlabel("share of treatment that a hidden cause explains")
    axes.set_ylabel("share of outcome")
    axes.set_title("estimate that is left", fontsize="medium", loc="left")
    return axes


def plot_distances(
    names: Sequence[str],
    distances: Sequence[Array],
    passes: Sequence[bool],
    beside: Callable[[Any], Any] | None,
    axes: Any = None,
) -> Any:
    """The distances of each check's repeats, in standard errors, and another drawing beside them.

    Args:
        names: the checks'.
        distances: each check's.
        passes: whether each check passes.
        beside: draws on the second axes; None: there are no second ones.
        axes: matplotlib's axes; None: new ones.
    """
    from matplotlib import pyplot as plt

    parts = 1 if beside is None else 2
    if axes is None:
        size = (5.2 * parts, 1.2 + 0.7 * len(names) if parts == 1 else 4.0)
        _, axes = plt.subplots(1, parts, figsize=size, layout="constrained")
    axes = np.atleast_1d(axes)
    own = plain(axes[0], (0, 0))
    own.axvspan(-1.96, 1.96, color=FAINT, alpha=0.15, linewidth=0)
    own.axvline(0, color=FAINT, linewidth=0.8)
    for place, (found, passed) in enumerate(zip(distances, passes, strict=True)):
        colour = LINE if passed else OTHER
        own.plot(found, np.full(len(found), place), "o", color=colour, markersize=5, alpha=0.6)
    own.set_yticks(range(len(names)), names)
    own.set_ylim(len(names) - 0.5, -0.5)
    own.set_xlabel("standard errors from what is expected")
    if beside is not None:
        beside(axes[1])
    return axes
