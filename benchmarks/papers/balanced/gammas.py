"""Gammas: the constants of the paper's printed form, searched on validation pictures."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.papers.balanced.bench import Bench
from benchmarks.papers.balanced.cells import heads, numbers, values
from benchmarks.papers.balanced.spaces import CHOSEN, PRINTED, ways
from benchmarks.papers.experiment import Table

__all__ = ["gammas"]

SEARCH_SCALES = {"coloured": (20.0,), "masked": (3.0,)}
SEARCHED = 40
GAMMAS = (
    (0.75, 0.5, 0.1),
    (0.75, 2.0, 0.1),
    (0.75, 0.5, 0.5),
    (0.995, 0.5, 0.5),
    (0.995, 2.0, 1.0),
    (0.995, 8.0, 1.0),
)
"""End of the way up, gamma_1, gamma_2."""


def gammas(bench: Bench) -> Table:
    """The printed form's gammas and its end, on validation pictures."""
    task, rows = bench.task, bench.rows("validation", min(SEARCHED, bench.run.few))
    levels = bench.levels
    way = next(each for each in ways(task.name, levels) if each.name == PRINTED)
    cells, found = [], {}
    for end, push, noise in GAMMAS:
        constants = {"balance_end": end, "balance_push": push, "balance_noise": noise}
        name = f"end {end:g}, gammas {push:g}, {noise:g}"
        tried = replace(
            way, name=name, options={**way.options, **constants}, scales=SEARCH_SCALES[task.name]
        )
        for _, each in bench.made(tried, rows, "validation"):
            outcome = bench.judged(each.images, rows)
            start = [f"{number:g}" for number in (end, push, noise, each.scale)]
            cells.append([*start, *numbers(outcome)])
            found[f"{name}, s {each.scale:g}"] = values(outcome)
    what = f"the printed form's gammas, {len(rows)} validation pictures"
    return Table(
        title=f"{task.name.capitalize()} MNIST: {what}",
        columns=["end, tau", "gamma_1", "gamma_2, of the whole way", "scale s", *heads(task)],
        rows=cells,
        notes=[
            f"{levels} levels, the learned predictor. Taken: {CHOSEN[task.name]}: the largest "
            "share of both, then of the kept, then the smallest distance.",
            "gamma_1 hardly counts: the push follows the gradient of p(y_CF), which is 0 where the "
            "predictor is sure of the factual value, as it is up to tau = .75 and beyond (see the "
            "likelihoods). The printed form is then noise added to the picture.",
        ],
        values=found,
    )
