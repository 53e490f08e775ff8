"""Likelihoods of the two values on the way up: the paper's figure 3."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.folders import DOCS
from benchmarks.papers.balanced.bench import Bench
from benchmarks.papers.balanced.cells import at
from benchmarks.papers.balanced.curves import Curve, curve, draw_curves
from benchmarks.papers.balanced.gammas import SEARCHED, taken
from benchmarks.papers.balanced.spaces import FORMS, ORIGINAL
from benchmarks.papers.experiment import Table

__all__ = ["likelihoods"]

TIMES = (0.25, 0.5, 0.75)
FEW = 48


def likelihoods(benches: Sequence[Bench]) -> Table:
    """The likelihoods on the way up, by the learned predictor, to the end of each way."""
    found: dict[str, dict[str, Curve]] = {}
    cells = []
    for bench in benches:
        rows = bench.rows("test", bench.few(FEW))
        learned, levels = bench.mechanisms["learned"], bench.levels
        curves = {ORIGINAL: curve(learned, rows, levels)}
        for name in SEARCHED:
            curves[name] = curve(learned, rows, levels, FORMS[name], taken(bench, "learned", name))
        cells += [
            at(bench.task.name, name, each, tau)
            for name, each in curves.items()
            for tau in (*(t for t in TIMES if t < float(each.tau[-1])), float(each.tau[-1]))
        ]
        found[bench.task.name] = curves
    draw_curves(found, DOCS / "balanced_forward.svg")
    return Table(
        title="Likelihoods on the way up (the paper's figure 3): the learned predictor's",
        columns=["task", "way up", "tau", "pictures", "p(y_F)", "p(y_CF)", "|p(y_F) - p(y_CF)|"],
        rows=cells,
        notes=[
            f"{levels} steps to the end of each way up, with the gammas that the search took; the "
            "last line of a way is the position that is decoded. In a balanced latent space the "
            "two are equal (the paper's theorem 2; of two values, one half each).",
            "![likelihoods](balanced_forward.svg)",
        ],
    )
