"""Parts of the benchmark of counterfactual images, and what they share.

A part writes counterfactual_PART.json after every row. With a budget of minutes, what would end too
late is left out, and the file says so: a row is expected to take what the net's rows took so far,
for each image and step.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray

import causalflow as cf
from benchmarks.counterfactual_settings import PAPERS, Setting, confounded_settings, settings
from benchmarks.counterfactual_speed import speeds, stream_report
from benchmarks.counterfactual_tasks import (
    Reader,
    Task,
    bar_data,
    bar_task,
    digit_judge,
    morpho_task,
)
from benchmarks.counterfactual_trials import SHOWN, Outcome, Readings, as_data, run
from benchmarks.report import machine
from causalflow.metrics.score import mean_score

__all__ = ["PARTS", "Run"]

TABLE = ("morpho", "bar", "bar_papers", "bar_plain", "morpho_plain", "bar_neural")
CONFOUNDED = ("confounded_naive", "confounded_reweighted", "confounded_neural")
PARTIAL = ("labels_all", "labels_fifth", "labels_fifth_only")
AGAINST = {
    "morpho": [("morpho", PAPERS), ("morpho_plain", PAPERS), ("morpho_plain", "default")],
    "bar": [("bar", PAPERS), ("bar_plain", PAPERS), ("bar_papers", PAPERS)],
}
INDEPENDENT = 0.5
QUICK_STEPS, QUICK_EVERY = 30, 6
RESAMPLES = 2000
FIXED_SECONDS = 5.0
RATIO_OF = (("thickness", "thickness"), ("intensity", "intensity"), ("digit", "digit"))
PIXELS = (("thickness", "pixels"), ("intensity", "pixels"))


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of the benchmark: its options, its clock, and what has been made so far."""

    nets: Path
    out: Path
    only: tuple[str, ...] = ()
    device: str = "cpu"
    n: int = 1000
    few: int = 200
    split: str = "test"
    minutes: float | None = None
    graphs: bool = True
    quick: bool = False
    began: float = field(default_factory=time.monotonic)
    readings: Readings = field(default_factory=Readings)
    rates: dict[str, float] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    outcomes: dict[tuple[str, str], Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.quick:
            self.n, self.few = 8, 8

    def has(self, net: str) -> bool:
        """Whether there is a file of the net, and it is wanted."""
        return (self.nets / f"{net}.safetensors").exists() and (not self.only or net in self.only)

    def model(self, net: str, *, graphs: bool | None = None) -> cf.Model:
        """The net on the device, its launches recorded if wanted."""
        path = self.nets / f"{net}.safetensors"
        model = cf.Model.load(path, device=self.device)
        return model.accelerate(graphs=self.graphs if graphs is None else graphs)

    def judge(self, kind: str) -> Reader:
        """The reader of digits, fitted once."""
        return self._once(f"judge {kind}", lambda: digit_judge(kind, self.device, quick=self.quick))

    def task(self, net: str) -> Task:
        """What a net is asked: rows of the split, for the confounding test with free colours."""
        if net.startswith(("morpho", "labels")):
            return self._once(
                "morpho", lambda: morpho_task(self.split, self.n, self.judge("morpho"))
            )
        if net in CONFOUNDED:
            data = {"kind": "backdoor", "confounding": INDEPENDENT, "n": 5000}
            return self._once("confounded", lambda: self._bar("confounded", **data))
        return self._once("bar", lambda: replace(self._bar("bar", kind="frontdoor"), groups={}))

    def allows(self, net: str, setting: Setting, n: int) -> bool:
        """Whether a row is expected to end in time."""
        if self.minutes is None:
            return True
        left = 60 * self.minutes - (time.monotonic() - self.began)
        return left > FIXED_SECONDS + self.rates.get(net, 0.0) * setting.steps * n

    def trial(self, net: str, model: cf.Model, setting: Setting, task: Task) -> Outcome:
        """One row, timed for the clock."""
        if self.quick and setting.steps > QUICK_STEPS:
            setting = replace(setting, options={**setting.options, "steps": QUICK_STEPS})
        begun = time.monotonic()
        calls = self._calls(net, setting, task)
        outcome = run(model, setting, task, self.readings, calls=calls)
        generating = len(task.interventions) + 2
        cost = outcome.row["seconds"] * generating / (setting.steps * len(task))
        self.rates[net] = max(cost, self.rates.get(net, 0.0) if setting.main else 0.0)
        outcome.row |= {"net": net, "trial_seconds": time.monotonic() - begun}
        self.outcomes[net, setting.name] = outcome
        click.echo(_line(outcome.row))
        return outcome

    def write(self, part: str, found: Mapping[str, Any]) -> None:
        """The part's file, with the machine and the options of this run."""
        about = {
            "machine": {**machine(), "device": _device(self.device), "torch": torch.__version__},
            "arguments": {
                "device": self.device,
                "n": self.n,
                "few": self.few,
                "split": self.split,
                "graphs": self.graphs,
                "quick": self.quick,
            },
        }
        path = self.out / f"counterfactual_{part}.json"
        path.write_text(json.dumps(about | dict(found), indent=1) + "\n", encoding="utf-8")

    def _bar(self, name: str, **options: Any) -> Task:
        data = bar_data(self.split, **options)
        return replace(bar_task(data, self.n, self.judge("bar")), name=name)

    def _calls(self, net: str, setting: Setting, task: Task) -> float | None:
        """Calls as a net without recorded launches counts them, on one row; linear in the steps."""
        if not (self.graphs and self.device.startswith("cuda")) or setting.levels:
            return None
        pilot = self._once(f"pilot {net}", lambda: self.model(net, graphs=False))
        row, counts = task.first(1), []
        for steps in sorted({min(setting.steps, 40), min(setting.steps, 80)}):
            options = {**setting.options, "steps": steps, "residual": setting.residual}
            noise = pilot.abduct(row.evidence, **options)
            counts.append(
                pilot.predict(noise, row.interventions[0].do, **options).info.network_calls
            )
        if len(counts) == 1:
            return counts[0]
        low, high = min(setting.steps, 40), min(setting.steps, 80)
        return counts[0] + (setting.steps - low) * (counts[1] - counts[0]) / (high - low)

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]


def _line(row: Mapping[str, Any]) -> str:
    true = {
        name: round(found["true"]["value"], 2)
        for name, found in row["interventions"].items()
        if "true" in found
    }
    return (
        f"{row['net']:22} {row['setting']:34} n={row['n']:<5} calls {row['calls']:6.0f} "
        f"{row['seconds']:7.2f} s  true {true}"
    )


def _device(name: str) -> str:
    return torch.cuda.get_device_name() if name.startswith("cuda") else name


def _rows(run: Run, part: str, nets: Iterable[tuple[str, Setting, Task]]) -> dict[str, Any]:
    """Run rows while there is time, and write after each."""
    found: dict[str, Any] = {"rows": [], "skipped": []}
    models: dict[str, cf.Model] = {}
    for net, setting, task in nets:
        if not run.allows(net, setting, len(task)):
            found["skipped"].append({"net": net, "setting": setting.name, "why": "no time left"})
            click.echo(f"{net:22} {setting.name}: skipped, no time left")
            continue
        if net not in models:
            models = {net: run.model(net)}
        found["rows"].append(run.trial(net, models[net], setting, task).row)
        run.write(part, found)
    return found


def _table(run: Run, main: bool) -> Iterable[tuple[str, Setting, Task]]:
    for net in filter(run.has, TABLE):
        task = run.task(net)
        chosen = [setting for setting in settings(net) if setting.main == main]
        for setting in chosen[:: 1 if main or not run.quick else QUICK_EVERY]:
            yield net, setting, task.first(run.n if main else run.few)


def main_rows(run: Run) -> None:
    """The default and the papers' procedure on every net, and their paired differences."""
    found = _rows(run, "main", _table(run, True))
    found["pairs"] = [
        pair
        for net, others in AGAINST.items()
        for other in others
        for pair in _pairs(run, (net, "default"), other)
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
        for setting in confounded_settings(net)
    ]
    found = _rows(run, "confounding", plan)
    found["evidence"] = f"colour independent of digit (confounding {INDEPENDENT})"
    run.write("confounding", found)


def partial(run: Run) -> None:
    """What a fifth of the labels costs, as a share of what training on that fifth alone costs."""
    plan = [(net, settings("morpho")[0], run.task(net)) for net in filter(run.has, PARTIAL)]
    found = _rows(run, "partial", plan)
    done = [
        run.outcomes[net, "default"].each for net in PARTIAL if (net, "default") in run.outcomes
    ]
    if len(done) == len(PARTIAL):
        keys = [f"{what}/{name}" for what, name in (*RATIO_OF, *PIXELS)]
        found["ratios"] = {key: _ratio(*(each[key] for each in done)) for key in keys}
    run.write("partial", found)


def speed(run: Run) -> None:
    """Seconds of the default and the papers' procedure, in turns."""
    found: dict[str, Any] = {"rows": []}
    for net in ("morpho", "bar", "bar_papers"):
        if run.has(net):
            found["rows"] += speeds(run, net)
            run.write("speed", found)


def stream(run: Run) -> None:
    """Ten thousand pictures to disk."""
    net = next((net for net in ("bar", "bar_plain", "confounded_naive") if run.has(net)), None)
    if net is not None:
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
    """(fifth - all) / (fifth alone - all) of mean errors."""

    def share(a: Any, b: Any, c: Any) -> float:
        return float((b.mean() - a.mean()) / (c.mean() - a.mean()))

    means = {"all": full.mean(), "fifth": fifth.mean(), "fifth_only": alone.mean()}
    return {name: float(value) for name, value in means.items()} | {
        "ratio": _interval(share, full, fifth, alone)
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
        low, high = (float(q) for q in np.nanpercentile(drawn, [2.5, 97.5]))
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
        bytes_ = {n: (255 * v).round().to(torch.uint8).numpy() for n, v in arrays.items()}
        np.savez_compressed(run.out / f"counterfactual_images_{kind}.npz", **bytes_)


PARTS: dict[str, Callable[[Run], None]] = {
    "main": main_rows,
    "others": other_rows,
    "confounding": confounding,
    "partial": partial,
    "speed": speed,
    "stream": stream,
}
