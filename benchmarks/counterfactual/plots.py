"""Plots of the benchmark of counterfactual images: error against calls, and the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.counterfactual.report import results
from benchmarks.counterfactual.settings import PAPERS
from causalflow.plot.images import image_grid, save_figure

LEAST = 1e-4  # below it, an error is drawn at it
CALLS = (10, 20, 50, 100, 200, 500, 1000, 2000)
NARROW = 8  # below this ratio of its ends, a logarithmic axis is labelled in plain numbers
PANELS = {
    "morpho": ("thickness", "intensity"),
    "bar": ("color", "bar"),
}
Row = Mapping[str, Any]


def plots(out: Path) -> list[Path]:
    """Draw what the results in ``out`` allow; the files written."""
    found, written = results(out), []
    rows = [row for part in ("main", "others") for row in found.get(part, {}).get("rows", ())]
    for net, names in PANELS.items():
        own = _comparable([row for row in rows if row["net"] == net])
        if own:
            written.append(_curves(own, names, out / f"counterfactual_calls_{net}.png"))
        pictures = out / f"counterfactual_images_{net}.npz"
        if pictures.exists():
            with np.load(pictures, allow_pickle=False) as arrays:
                images = {name: arrays[name] for name in arrays.files}
            written.append(_grid(images, out / f"counterfactual_images_{net}.png"))
    return written


def _comparable(rows: Sequence[Row]) -> list[Row]:
    """The points of the sweep, and the marked rows of as many images; none without a sweep."""
    counts = {row["n"] for row in rows if _is_point(row)}
    return [row for row in rows if row["n"] in counts]


def _curves(rows: Sequence[Row], names: Sequence[str], path: Path) -> Path:
    """Composition, then the true error of each intervention, against network calls."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * (1 + len(names)), 4.2), layout="constrained")
    axes = figure.subplots(1, 1 + len(names))
    _panel(axes[0], rows, lambda row: row["composition"]["plain"]["value"])
    axes[0].set_title(f"no intervention (plain; at least {LEAST:g}), n = {rows[0]['n']}")
    for axis, name in zip(axes[1:], names, strict=True):
        _panel(axis, rows, lambda row, name=name: row["interventions"][name]["true plain"]["value"])
        axis.set_title(f"do({name}), to the true picture (plain)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    figure.savefig(path, dpi=130)
    return path


def _panel(axis: Any, rows: Sequence[Row], error: Any) -> None:
    """One line a solver; the default and the papers' procedure are marked."""
    from matplotlib import colormaps

    plain = [row for row in rows if _is_point(row)]
    solvers = sorted({row["solver"] for row in plain})
    for index, solver in enumerate(solvers):
        points = sorted(
            (r["calls_plain"], max(error(r), LEAST)) for r in plain if r["solver"] == solver
        )
        calls, errors = zip(*points, strict=True)
        axis.plot(calls, errors, "o-", ms=3, lw=1, color=colormaps["tab10"](index), label=solver)
    for name, mark in (("default", "*"), (PAPERS, "X")):
        for row in (r for r in rows if r["setting"] == name):
            axis.plot(
                row["calls_plain"], max(error(row), LEAST), mark, ms=11, color="black", label=name
            )
    axis.set(
        xscale="log", yscale="log", xlabel="network calls an image", ylabel="error, grey levels"
    )
    low, high = axis.get_xlim()
    axis.set_xticks([calls for calls in CALLS if low <= calls <= high], minor=False)
    axis.set_xticks([], minor=True)
    axis.xaxis.set_major_formatter("{x:g}")
    low, high = axis.get_ylim()
    if high < NARROW * low:
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter("{x:g}")
    axis.grid(alpha=0.3, which="both", lw=0.4)


def _is_point(row: Row) -> bool:
    """A row of the plain sweep over solvers: the cosine grid, the same solver both ways."""
    named = row["setting"] == f"{row['solver']} {row['options'].get('steps')}"
    return named and row["setting"] != "default"


def _grid(images: Mapping[str, Any], path: Path) -> Path:
    """A row of pictures each: factual, then true, default, papers and their differences."""
    rows = {"factual": images["factual"]}
    for name in dict.fromkeys(n.rpartition(" ")[0] for n in images if n != "factual"):
        for kind in ("true", "default", "papers"):
            if f"{name} {kind}" in images:
                rows[f"do({name})\n{kind}"] = images[f"{name} {kind}"]
        if f"{name} true" in images:
            true, ours = (images[f"{name} {k}"].astype(float) for k in ("true", "default"))
            rows[f"do({name})\n|default - true|"] = np.abs(ours - true).astype(np.uint8)
    save_figure(image_grid({n: torch.from_numpy(each) for n, each in rows.items()}), path)
    return path
