"""Shares: the pendulum in the paper's form, by the share of rows in which the shadow was set.

Angle and light decide the shadow, so that observations cannot tell which of the four labels draws
it; rows in which an experiment set it can (`causalflow.data.sets.pendulum`). The nets differ in the
share of such rows alone; beside them stands the graph that is told the parts of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.folders import DOCS
from benchmarks.papers.causal_diffae.labels import Bench, cell
from benchmarks.papers.causal_diffae.pendulum import (
    AGAINST,
    PARTS,
    PRINTED,
    RANGES,
    pendulum_bench,
)
from benchmarks.papers.causal_diffae.verdicts import PARTS as TOLD
from benchmarks.papers.experiment import Run, Table
from causalflow.data.sets.pendulum import LABELS
from causalflow.evaluation.score import Score
from causalflow.plot.images import save_figure

NAME = "causal_diffae_pendulum_shares"
PLOT = f"{NAME}.svg"
SHARES = (0, 1, 5, 20)
NETS = {f"causal_diffae_pendulum_experiments_{share}": f"{share} %" for share in SHARES}


def share_tables(run: Run) -> None:
    """The table by share, of the nets that are there."""
    if any(run.has_net(name) for name in NETS):
        run.table(NAME, lambda: _by_share(share_bench(run)))


def share_bench(run: Run) -> Bench:
    """The test pictures of the pendulum's other tables, made by the nets of the shares."""
    nets = {name: who for name, who in (NETS | {PARTS: TOLD}).items() if run.has_net(name)}
    return pendulum_bench(run, nets)


def _by_share(bench: Bench) -> Table:
    """Every cell, by intervention and label."""
    draw_shares(bench, DOCS / PLOT)
    rows = []
    for column, do in enumerate(LABELS):
        for name in LABELS:
            printed = f"{PRINTED[AGAINST][name][column]:g}"
            scores = (bench.scores[who][name, do] for who in bench.made)
            shown = [cell(score, RANGES[name].scale) for score in scores]
            rows.append([f"do({do})", name, printed, *shown])
    facts = {"n": len(bench.data), "heads": [*bench.made]}
    return Table(rows=rows, values=bench.values(raw=False), facts=facts)


def draw_shares(bench: Bench, path: Path) -> None:
    """A panel for each intervention: errors by share, the paper's dotted, the parts at the end."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.2), layout="constrained")
    panels = figure.subplots(1, len(LABELS), sharey=True)
    for panel, (column, do) in zip(panels, enumerate(LABELS), strict=True):
        for number, name in enumerate(LABELS):
            scores = {who: bench.scores[who][name, do] for who in bench.made}
            _line(panel, scores, name, f"C{number}")
            panel.axhline(PRINTED[AGAINST][name][column], color=f"C{number}", lw=0.8, ls=":")
        panel.set(title=f"do({do})", yscale="log", xlabel="rows from experiments")
        panel.grid(alpha=0.3, lw=0.4)
    panels[0].set_ylabel("error, half-ranges; dotted: paper")
    panels[-1].legend(fontsize=7, frameon=False)
    save_figure(figure, path)


def _line(panel: Any, scores: Mapping[str, Score], name: str, color: str) -> None:
    """The errors of one label, by who made the pictures."""
    places, unit = range(len(scores)), RANGES[name].scale
    middle = [score.value / unit for score in scores.values()]
    low, high = ([score.interval[end] / unit for score in scores.values()] for end in (0, 1))
    panel.plot(places, middle, "o-", ms=3, lw=1.2, label=name, color=color)
    panel.fill_between(places, low, high, alpha=0.15, lw=0, color=color)
    panel.set_xticks(places, [*scores], fontsize=7)
