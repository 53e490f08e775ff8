"""Parts of the benchmark of counterfactual images.

A part writes counterfactual_PART.json after every row; what it left out, and why, is in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray

import causalflow as cf
from benchmarks.counterfactual.roofline import CAUSES, roofline
from benchmarks.counterfactual.run import CONFOUNDED, INDEPENDENT, Run
from benchmarks.counterfactual.settings import (
    DEFAULT,
    PAPERS,
    Setting,
    settings,
)
from benchmarks.counterfactual.speed import BATCH as SPEED_IMAGES
from benchmarks.counterfactual.speed import speeds, stream_report
from benchmarks.counterfactual.tasks import Task
from benchmarks.counterfactual.trials import SHOWN, as_data
from causalflow.errors import CausalflowError
from causalflow.evaluation.score import mean_score

TABLE: tuple[str, ...] = (
    *("morpho", "bar", "bar_papers", "bar_anticausal", "morpho_plain", "bar_nulls"),
    *("morpho_latent", "bar_latent"),
)
FULL, ALONE, PARTLY = "labels_all", "labels_fifth_only", ("labels_fifth", "labels_fifth_posterior")
AGAINST = {
    "morpho": [("morpho", PAPERS), ("morpho_plain", "default")],
    "bar": [("bar_anticausal", PAPERS), ("bar_papers", PAPERS), ("bar_anticausal", "default")],
}
LABELS = (FULL, ALONE, *PARTLY)
QUICK_EVERY = 6
RESAMPLES = 2000
STREAM_SECONDS = 60.0
FEW_SECONDS = 60.0
RATIOS = (("color", "pixels"), ("bar", "pixels"), ("color", "digit"), ("digit", "digit"))


def _rows(
    run: Run, part: str, nets: Iterable[tuple[str, Setting, Task]], *, axioms: bool = True
) -> dict[str, Any]:
    """Run rows while there is time, and write after each; a row that fails is named, and left."""
    found: dict[str, Any] = {"rows": [], "skipped": []}
    models: dict[str, cf.Model] = {}
    for net, setting, task in nets:
        if not run.allows(net, setting, len(task)):
            why = "no time left"
        else:
            models = models if net in models else {net: run.model(net)}
            try:
                outcome = run.trial(net, models[net], setting, task, axioms=axioms)
                found["rows"].append(outcome.row)
                run.write(part, found)
                continue
            except (RuntimeError, CausalflowError) as error:
                why = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        found["skipped"].append({"net": net, "setting": setting.name, "why": why})
        click.echo(f"{net:22} {setting.name}: {why}", err=True)
    return found


def _table(run: Run, main: bool) -> Iterable[tuple[str, Setting, Task]]:
    for net in filter(run.has, TABLE):
        task = run.task(net)
        chosen = [setting for setting in settings("table", net) if setting.main == main]
        for setting in chosen[:: 1 if main or not run.quick else QUICK_EVERY]:
            yield net, setting, task.first(run.n if main else run.few)


def main_rows(run: Run) -> None:
    """The default and the papers' procedure on every net, and their paired differences."""
    found = _rows(run, "main", _table(run, True))
    found["pairs"] = [
        pair
        for net, others in AGAINST.items()
        for other in others
        for pair in _pairs(run, (net, DEFAULT), other)
    ]
    run.write("main", found)
    _save_images(run)


def other_rows(run: Run) -> None:
    """Every other setting, on fewer images."""
    run.write("others", _rows(run, "others", _table(run, False)))


def confounding(run: Run) -> None:
    """do(color) by nets that saw colour and digit together."""
    plan = [
        (net, setting, run.task(net).first(run.n, ("color",)))
        for net in filter(run.has, CONFOUNDED)
        for setting in settings("confounding", net)
    ]
    found = _rows(run, "confounding", plan, axioms=False)
    found["evidence"] = f"colour independent of digit (confounding {INDEPENDENT})"
    run.write("confounding", found)


def partial(run: Run) -> None:
    """What a fifth of the labels costs, as a share of what training on that fifth alone costs."""
    plan = [(n, s, run.task(n)) for n in filter(run.has, LABELS) for s in settings("partial", n)]
    found = _rows(run, "partial", plan, axioms=False)
    each = {key: outcome.each for key, outcome in run.outcomes.items() if key[0] in LABELS}
    ends = (FULL, DEFAULT), (ALONE, DEFAULT)
    found["ratios"] = [
        {"net": net, "setting": setting, "error": error}
        | _ratio(*(each[key][error] for key in (ends[0], (net, setting), ends[1])))
        for net, setting in each
        for error in (f"{what}/{name}" for what, name in RATIOS)
        if net in PARTLY and each.keys() >= set(ends)
    ]
    run.write("partial", found)


def speed(run: Run) -> None:
    """Seconds of the default and the papers' procedure, in turns."""
    found: dict[str, Any] = {"rows": []}
    for net in ("morpho", "bar_anticausal"):
        if run.has(net) and run.allows(net, settings("table", net)[1], SPEED_IMAGES):
            found["rows"] += speeds(run, net)
            run.write("speed", found)


def engine(run: Run) -> None:
    """The ways of running the engine, beside what the device can do at most."""
    found: dict[str, Any] = {"rows": []}
    for net in filter(run.has, CAUSES):
        if run.has_seconds(FEW_SECONDS):
            found["rows"] += roofline(run, net)
            run.write("engine", found)


def stream(run: Run) -> None:
    """Ten thousand pictures to disk."""
    net = next((net for net in ("bar", "bar_anticausal", "confounded_naive") if run.has(net)), None)
    if net is not None and run.has_seconds(STREAM_SECONDS):
        run.write("stream", {"net": net, **stream_report(run, net)})


def _pairs(run: Run, ours: tuple[str, str], other: tuple[str, str]) -> list[dict[str, Any]]:
    """Differences of true errors on the same images, other - ours, and the ratio other : ours."""
    if ours not in run.outcomes or other not in run.outcomes:
        return []
    mine, theirs = run.outcomes[ours].each, run.outcomes[other].each
    names = [name for name in mine if name.endswith("/pixels") and name in theirs]
    return [
        {
            "ours": list(ours),
            "other": list(other),
            "intervention": name.partition("/")[0],
            "difference": as_data(
                mean_score(torch.from_numpy(theirs[name] - mine[name]), "grey levels")
            ),
            "ratio": _interval(lambda a, b: b.mean() / a.mean(), mine[name], theirs[name]),
        }
        for name in names
    ]


def _ratio(
    full: NDArray[np.float64], fifth: NDArray[np.float64], alone: NDArray[np.float64]
) -> dict[str, Any]:
    """Of mean errors: (fifth - all) / (fifth alone - all), and fifth - all."""

    def share(a: Any, b: Any, c: Any) -> float:
        return float((b.mean() - a.mean()) / (c.mean() - a.mean()))

    means = {"all": full.mean(), "fifth": fifth.mean(), "fifth_only": alone.mean()}
    return {name: float(value) for name, value in means.items()} | {
        "ratio": _interval(share, full, fifth, alone),
        "lost": _interval(lambda a, b: float(b.mean() - a.mean()), full, fifth),
    }


def _interval(statistic: Callable[..., float], *columns: NDArray[np.float64]) -> dict[str, Any]:
    """A statistic of images, with the 95 % interval of the bootstrap over them."""
    random, n = np.random.default_rng(0), len(columns[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = [
            statistic(*(column[rows] for column in columns))
            for rows in random.integers(0, n, (RESAMPLES, n))
        ]
        value = float(statistic(*columns))
        known = np.asarray(drawn)[np.isfinite(drawn)]
        low, high = np.percentile(known, [2.5, 97.5]).tolist() if len(known) else (-inf, inf)
    return {"value": value, "low": low, "high": high, "count": n, "unit": "ratio"}


def _save_images(run: Run) -> None:
    """The first pictures of the main rows, for the plots."""
    for kind, papers in (("morpho", "morpho"), ("bar", "bar_papers")):
        sources = {"default": (kind, "default"), "papers": (papers, PAPERS)}
        if any(key not in run.outcomes for key in sources.values()):
            continue
        task = run.task(kind).first(SHOWN)
        arrays = {"factual": task.images}
        for what in task.interventions:
            arrays |= {
                f"{what.name} {n}": run.outcomes[k].images[what.name] for n, k in sources.items()
            }
            if what.truth is not None:
                arrays[f"{what.name} true"] = what.truth
        levels: dict[str, Any] = {
            name: (255 * image).round().to(torch.uint8).numpy() for name, image in arrays.items()
        }
        np.savez_compressed(run.out / f"counterfactual_images_{kind}.npz", **levels)


PARTS: dict[str, Callable[[Run], None]] = {
    "main": main_rows,
    "others": other_rows,
    "confounding": confounding,
    "partial": partial,
    "engine": engine,
    "speed": speed,
    "stream": stream,
}
