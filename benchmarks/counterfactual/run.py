"""Run: one run of the benchmark of counterfactual images, its clock, and what it has made so far.

With a budget of minutes, what would end too late is left out: a row is expected to take what the
net's rows took so far, for each image and step.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import torch

import causalflow as cf
from benchmarks.counterfactual.released import CALLS as RELEASED_CALLS
from benchmarks.counterfactual.settings import Setting
from benchmarks.counterfactual.tasks import (
    Task,
    bar_data,
    bar_task,
    digit_judge,
    morpho_task,
    stroke_judge,
)
from benchmarks.counterfactual.trials import Outcome, Readings, run
from benchmarks.machine import machine
from benchmarks.nets import image_size, net_path
from causalflow.evaluation.judges import Judge

CONFOUNDED = ("confounded_naive", "confounded_reweighted", "confounded_neural")
INDEPENDENT = 0.5
QUICK_STEPS = 30
FIXED_SECONDS = 5.0
PILOT = 100


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
        return net_path(self.nets, net).exists() and (not self.only or net in self.only)

    def model(self, net: str, *, graphs: bool | None = None) -> cf.Model:
        """The net on the device, its launches recorded if wanted."""
        model = cf.Model.load(net_path(self.nets, net), device=self.device)
        return model.accelerate(graphs=self.graphs if graphs is None else graphs)

    def task(self, net: str) -> Task:
        """What a net is asked: rows of the split, for the confounding test with free colours."""
        if net.startswith("morpho"):
            judge = self._judge("morpho")
            return self._once("morpho", lambda: morpho_task(self.split, self.n, judge))
        size, free = image_size(net), {"confounding": INDEPENDENT, "n": 5000}
        if net in CONFOUNDED:
            return self._bar("confounded", size, kind="backdoor", **free)
        return self._bar("labels" if net.startswith("labels") else "bar", size, kind="frontdoor")

    def _bar(self, name: str, size: int, **options: Any) -> Task:
        def made() -> Task:
            strokes = name != "bar"
            judge = self._judge("strokes", size) if strokes else self._judge("bar")
            task = bar_task(bar_data(self.split, size=size, **options), self.n, judge)
            groups = task.groups if name == "confounded" else {}
            return replace(task, name=f"{name} {size}", groups=groups)

        return self._once(f"{name} {size}", made)

    def _judge(self, kind: str, size: int = 0) -> Judge:
        """The reader of digits, fitted once: of pictures, or of strokes of a size."""
        if kind == "strokes":
            return self._once(f"strokes {size}", lambda: stroke_judge(size))
        return self._once(f"judge {kind}", lambda: digit_judge(kind, self.device, quick=self.quick))

    def has_seconds(self, seconds: float) -> bool:
        """Whether so much time is left."""
        spent = time.monotonic() - self.began
        return self.minutes is None or 60 * self.minutes - spent > seconds

    def allows(self, net: str, setting: Setting, n: int) -> bool:
        """Whether a row is expected to end in time."""
        return self.has_seconds(FIXED_SECONDS + self.rates.get(net, 0.0) * setting.steps * n)

    def trial(
        self, net: str, model: cf.Model, setting: Setting, task: Task, *, axioms: bool
    ) -> Outcome:
        """One row, timed for the clock."""
        if self.quick and setting.steps > QUICK_STEPS:
            setting = replace(setting, options={**setting.options, "steps": QUICK_STEPS})
        begun = time.monotonic()
        calls = self._calls(net, setting, task)
        outcome = run(model, setting, task, self.readings, calls=calls, axioms=axioms)
        generating = len(task.interventions) + 1
        cost = outcome.row["seconds"] * generating / (setting.steps * len(task))
        self.rates[net] = max(cost, self.rates.get(net, 0.0) if setting.main else 0.0)
        outcome.row |= {"net": net, "trial_seconds": time.monotonic() - begun}
        outcome.row["size"] = task.images.shape[-1]
        self.outcomes[net, setting.name] = outcome
        click.echo(_line(outcome.row))
        return outcome

    def write(self, part: str, found: Mapping[str, Any]) -> None:
        """The part's file, with the machine and the options of this run."""
        device = torch.cuda.get_device_name() if self.device.startswith("cuda") else self.device
        given = ("device", "n", "few", "split", "graphs", "quick")
        about = {
            "machine": {**machine(), "device": device, "torch": torch.__version__},
            "arguments": {name: getattr(self, name) for name in given},
        }
        path = self.out / f"counterfactual_{part}.json"
        path.write_text(json.dumps(about | dict(found), indent=1) + "\n", encoding="utf-8")

    def _calls(self, net: str, setting: Setting, task: Task) -> tuple[float, float]:
        """Calls of one image, with and without the residual.

        Counted on one row, by a net without recorded launches, which are not seen; linear in the
        steps.
        """
        if setting.levels:
            return RELEASED_CALLS, RELEASED_CALLS
        pilot = self._once(f"pilot {net}", lambda: self.model(net, graphs=False))
        row = task.first(1)

        def count(residual: bool, **steps: int) -> float:
            options = {**setting.options, "residual": residual, **steps}
            noise = pilot.abduct(row.evidence, **options)
            world = pilot.predict(noise, row.interventions[0].do, **options)
            return float(world.info.network_calls)

        def extended(residual: bool) -> float:
            if setting.steps <= PILOT:
                return count(residual)
            low, high = count(residual, steps=PILOT // 2), count(residual, steps=PILOT)
            return low + (setting.steps - PILOT // 2) * (high - low) / (PILOT // 2)

        return extended(setting.residual), extended(False)

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
