"""Likelihoods of the two values on the way up: the paper's figure 3."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.folders import DOCS
from benchmarks.papers.balanced.bench import Bench
from benchmarks.papers.balanced.cells import at
from benchmarks.papers.balanced.curves import UPS, Curve, curve, draw_curves
from benchmarks.papers.balanced.spaces import CHOSEN
from benchmarks.papers.experiment import Table

__all__ = ["likelihoods"]

TIMES = (0.25, 0.5, 0.75, 0.995)


def likelihoods(benches: Sequence[Bench]) -> Table:
    """The likelihoods on the way up, by the learned predictor."""
    found: dict[str, dict[str, Curve]] = {}
    cells = []
    for bench in benches:
        rows = bench.rows("test", min(bench.run.few, bench.run.n))
        _, push, noise = CHOSEN[bench.task.name]
        learned = bench.mechanisms["learned"]
        levels = bench.levels
        curves = {up: curve(learned, up, rows, levels, push, noise) for up in UPS}
        cells += [at(bench.task.name, up, curves[up], tau) for up in UPS for tau in TIMES]
        found[bench.task.name] = curves
    draw_curves(found, DOCS / "balanced_forward.svg")
    return Table(
        title="Likelihoods on the way up (the paper's figure 3): the learned predictor's",
        columns=["task", "way up", "tau", "pictures", "p(y_F)", "p(y_CF)", "|p(y_F) - p(y_CF)|"],
        rows=cells,
        notes=[
            f"{levels} steps to the end of the path. In a balanced latent space the two are equal "
            "(the paper's theorem 2; of two values, one half each).",
            "![likelihoods](balanced_forward.svg)",
        ],
    )
