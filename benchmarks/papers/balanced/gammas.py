"""Gammas: the constants of a balanced way up, searched on validation pictures at its own levels.

The push adds up over the levels, so that what is found with few levels says little of many: the
search is made with as many as the sweep has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace

from benchmarks.papers.balanced.bench import Bench
from benchmarks.papers.balanced.cells import heads, numbers, values
from benchmarks.papers.balanced.spaces import ODDS, PRESERVING, PRINTED, Gammas, balanced_way
from benchmarks.papers.balanced.tasks import Outcome
from benchmarks.papers.experiment import Table

__all__ = ["GUIDES", "SEARCHED", "gammas", "taken"]

GUIDES = ("learned", "readers")
SEARCH_SCALES = {"coloured": 20.0, "masked": 1.0}
ROWS = 16
SEARCHED = {
    PRINTED: (
        Gammas(end=0.5, push=0.05, noise=0.1),
        Gammas(end=0.75, push=0.05, noise=0.1),
        Gammas(end=0.75, push=5.0, noise=0.1),
        Gammas(end=0.75, push=0.05, noise=0.5),
        Gammas(end=0.9, push=0.5, noise=0.5),
        Gammas(end=0.995, push=0.5, noise=1.0),
    ),
    PRESERVING: (
        Gammas(end=0.35, push=0.05, noise=0.0),
        Gammas(end=0.5, push=0.05, noise=0.0),
        Gammas(end=0.75, push=0.05, noise=0.0),
    ),
    ODDS: (
        Gammas(end=0.35, push=0.01, noise=0.1),
        Gammas(end=0.35, push=0.05, noise=0.1),
        Gammas(end=0.5, push=0.01, noise=0.1),
        Gammas(end=0.5, push=0.05, noise=0.1),
        Gammas(end=0.5, push=0.2, noise=0.1),
        Gammas(end=0.75, push=0.05, noise=0.1),
        Gammas(end=0.75, push=0.05, noise=0.5),
    ),
}


def gammas(bench: Bench) -> Table:
    """The constants of the printed form and of ours, with either predictor."""
    task, cells, kept, found = bench.task, [], {}, {}
    for guide in GUIDES:
        for name in SEARCHED:
            tried = list(_tried(bench, guide, name))
            best, _ = max(tried, key=lambda each: _merit(each[1]))
            kept[f"{guide}: {name}"] = asdict(best)
            for each, outcome in tried:
                start = [f"{number:g}" for number in (each.end, each.push, each.noise)]
                mark = "taken" if each == best else ""
                cells.append([guide, name, *start, *numbers(outcome), mark])
                found[f"{guide}: {name}, {', '.join(start)}"] = values(outcome)
    scale = SEARCH_SCALES[task.name]
    return Table(
        title=f"{task.name.capitalize()} MNIST: gammas and end, {bench.few(ROWS)} validation "
        f"pictures, {bench.levels} levels, s = {scale:g}",
        columns=["predictor", "space", "end, tau", "gamma_1", "gamma_2, of the whole way",
                 *heads(task), "choice"],
        rows=cells,
        notes=[
            "Taken: the largest share of both, then of the kept, then the smallest distance. "
            "In the printed form gamma_1 hardly counts: its gradient has the factor p(y_CF), which "
            "is 0 where the predictor is sure of the factual value. That form is then noise added "
            "to the picture.",
        ],
        values={"taken": kept, "tried": found},
    )  # fmt: skip


def taken(bench: Bench, guide: str, name: str) -> Gammas:
    """The constants that the search took, read from its table."""
    path = bench.run.out / f"balanced_gammas_{bench.task.net.removesuffix('_mnist')}.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    return Gammas(**table["values"]["taken"][f"{guide}: {name}"])


def _tried(bench: Bench, guide: str, name: str) -> Iterator[tuple[Gammas, Outcome]]:
    rows = bench.rows("validation", bench.few(ROWS))
    scale = SEARCH_SCALES[bench.task.name]
    for each in SEARCHED[name]:
        way = balanced_way(bench.task.name, guide, name, each, bench.levels)
        ((_, pictures),) = bench.made(replace(way, scales=(scale,)), rows, "validation")
        yield each, bench.judged(pictures.images, rows)


def _merit(outcome: Outcome) -> tuple[float, float, float]:
    both = (outcome.hit & outcome.kept).float().mean()
    return float(both), float(outcome.kept.float().mean()), -float(outcome.distance.mean())
