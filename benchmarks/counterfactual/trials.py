"""Trials: one net under one setting, on the rows of a task, judged.

calls        passes of an image through the denoiser, abduction and prediction together
seconds      of abducting all rows and predicting one intervention, the device waited for, after
             a call with two steps at the same batch (so warm)
memory       the most that the device held allocated in these calls, the net included (CUDA)
composition  no intervention, once and ten times over; *plain* without the residual
reversible   the first intervention, and undone
true error   to the true pictures; *plain* without the residual
readings     every attribute, beside the same reading of true (or factual) pictures: its floor,
             and of the factual ones: of a method that changes nothing
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import causalflow as cf
from benchmarks.counterfactual.released import Released
from benchmarks.counterfactual.settings import Setting
from benchmarks.counterfactual.tasks import Intervention, Task
from causalflow.evaluation.axioms import (
    amplification,
    composition,
    largest_error,
    pixel_errors,
    reversibility,
    total_variation,
    true_error,
)
from causalflow.evaluation.score import Score, mean_score

CYCLES = 10
CYCLED, FEW = 64, 200
MANY_STEPS = 200
SHOWN = 8
Each = dict[str, NDArray[np.float64]]
Calls = tuple[float, float]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a trial found.

    Attributes:
        row: as JSON.
        each: errors by image, by "intervention/attribute" ("pixels": the true error).
        images: the first few counterfactual pictures by intervention.
    """

    row: dict[str, Any]
    each: Each = field(default_factory=dict)
    images: dict[str, Tensor] = field(default_factory=dict)


def as_data(score: Score | None) -> dict[str, Any]:
    """A score for JSON; every picture here can be read."""
    assert score is not None
    (low, high), about = score.interval, {"count": score.count, "unit": score.unit}
    return {"value": score.value, "low": low, "high": high} | about


def synchronised(device: torch.device) -> float:
    """The time, when the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


class Readings:
    """Readings of reference pictures, made once for each task and number of rows."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int, str, str], Tensor] = {}

    def of(self, task: Task, attribute: str, name: str, images: Tensor) -> Tensor:
        """An attribute of the reference pictures called ``name``."""
        key = (task.name, len(images), attribute, name)
        if key not in self._kept:
            self._kept[key] = task.judges[attribute].read(images)
        return self._kept[key]


class Asked:
    """A net under a setting, asked by the sampler that the setting names; worlds on the CPU."""

    def __init__(self, model: cf.Model, setting: Setting) -> None:
        self.device, self._options = model.device, setting.asked
        released = setting.levels is not None
        self._model: Any = (
            Released(model, clipped=setting.levels == "clipped") if released else model
        )

    def abduct(self, evidence: Mapping[str, Tensor], **options: Any) -> Any:
        """The noise."""
        return self._model.abduct(evidence, **{**self._options, **options})

    def predict(self, noise: Any, do: Mapping[str, Tensor], **options: Any) -> dict[str, Tensor]:
        """A world."""
        world = self._model.predict(noise, do, **{**self._options, **options})
        return {name: value.cpu() for name, value in world.items()}


def run(
    model: cf.Model,
    setting: Setting,
    task: Task,
    readings: Readings,
    *,
    calls: Calls,
    axioms: bool = True,
) -> Outcome:
    """One row of the table.

    Args:
        model: fitted, on its device.
        setting: of its image node.
        task: what is asked.
        readings: of reference pictures.
        calls: of one image, with and without the residual.
        axioms: composition and reversibility too.
    """
    asked, many = Asked(model, setting), setting.steps > MANY_STEPS
    noise, first, cost = _timed(asked, task)
    row: dict[str, Any] = {"setting": setting.name, "solver": setting.solver, "n": len(task)}
    row |= {"steps": setting.steps, "options": {k: str(v) for k, v in setting.options.items()}}
    row |= {"residual": setting.residual, "calls": calls[0], "calls_plain": calls[1]} | cost
    outcome = Outcome(row=row)
    row["interventions"] = {}
    for index, what in enumerate(task.interventions):
        part, own = task, noise
        if many and what.truth is None and len(task) > FEW:
            part = task.first(FEW, (what.name,))
            what, own = part.interventions[0], asked.abduct(part.evidence)
        world = first if index == 0 else asked.predict(own, what.do)
        plain = asked.predict(own, what.do, residual=False) if setting.residual else world
        found = _judged(part, what, world, plain["image"], readings, outcome)
        row["interventions"][what.name] = found
    if axioms:
        few = task.first(FEW if many else len(task))
        noise = noise if len(few) == noise.rows else asked.abduct(few.evidence)
        row["composition"] = _composition(asked, setting, few, noise)
        row["reversibility"] = _reversibility(asked, task.first(CYCLED), setting)
    return outcome


def _timed(asked: Asked, task: Task) -> tuple[Any, dict[str, Tensor], dict[str, Any]]:
    """The noise, the first intervention's world, and what they cost."""
    device, do = asked.device, task.interventions[0].do
    short = {"steps": 2, "guided_steps": 2}
    asked.predict(asked.abduct(task.evidence, **short), do, **short)
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    begun = synchronised(device)
    noise = asked.abduct(task.evidence)
    between = synchronised(device)
    world = asked.predict(noise, do)
    ended = synchronised(device)
    peak = torch.cuda.max_memory_allocated(device) / 2**20 if cuda else None
    cost = {"seconds": ended - begun, "abduction_seconds": between - begun, "memory_mib": peak}
    return noise, world, cost


def _ways(setting: Setting) -> dict[str, bool]:
    """What is scored, and whether it keeps the residual."""
    return ({"kept": True} if setting.residual else {}) | {"plain": False}


def _composition(asked: Asked, setting: Setting, task: Task, noise: Any) -> dict[str, Any]:
    """Null interventions: once, ten times; with and without the residual."""
    found: dict[str, Any] = {}
    for name, residual in _ways(setting).items():
        once = asked.predict(noise, {}, residual=residual)["image"]
        found[name] = _error(task.images, once)
        if setting.steps <= MANY_STEPS and (setting.main or not residual):
            few = task.first(CYCLED)
            again = _cycled(asked, few, once[:CYCLED], residual)
            found[f"{name} {CYCLES}"] = _error(few.images, again)
    return found


def _cycled(asked: Asked, task: Task, image: Tensor, residual: bool) -> Tensor:
    """The picture after the remaining cycles."""
    for _ in range(CYCLES - 1):
        noise = asked.abduct({**task.evidence, "image": image}, residual=residual)
        image = asked.predict(noise, {}, residual=residual)["image"]
    return image


def _error(images: Tensor, made: Tensor) -> dict[str, Any]:
    return {**as_data(composition(images, made)), "largest": largest_error(images, made)}


def _reversibility(asked: Asked, few: Task, setting: Setting) -> dict[str, Any]:
    """The first intervention, and its undoing."""
    what, found = few.interventions[0], {}
    undo = {name: few.evidence[name] for name in what.do}
    for name, residual in _ways(setting).items():
        noise = asked.abduct(few.evidence, residual=residual)
        world = asked.predict(noise, what.do, residual=residual)
        if "intensity" in world:  # rounding may have put it on the end of its support
            world["intensity"] = world["intensity"].clamp(64.001, 254.999)
        again = asked.abduct(world, residual=residual)
        back = asked.predict(again, undo, residual=residual)["image"]
        found[name] = as_data(reversibility(few.images, back))
    return found


def _judged(
    task: Task,
    what: Intervention,
    world: Mapping[str, Tensor],
    plain: Tensor,
    readings: Readings,
    outcome: Outcome,
) -> dict[str, Any]:
    """Distance to the truth, and every attribute beside its floor."""
    image, found = world["image"], {}
    outcome.images[what.name] = image[:SHOWN]
    if what.truth is not None:
        found["true"] = as_data(true_error(image, what.truth))
        found["true plain"] = as_data(true_error(plain, what.truth))
        found["true unchanged"] = as_data(true_error(task.images, what.truth))
        found["variation"] = as_data(mean_score(total_variation(image), "grey levels"))
        found["variation true"] = as_data(mean_score(total_variation(what.truth), "grey levels"))
        outcome.each[f"{what.name}/pixels"] = pixel_errors(image, what.truth).mean(1).numpy()
    found["attributes"] = {
        name: _attribute(task, what, name, image, readings, outcome) for name in task.judges
    }
    return found


def _attribute(
    task: Task,
    what: Intervention,
    name: str,
    image: Tensor,
    readings: Readings,
    outcome: Outcome,
) -> dict[str, Any]:
    judge, wanted = task.judges[name], what.expected[name]
    read, moved = judge.read(image), name in what.moved
    real = unchanged = readings.of(task, name, "factual", task.images)
    if what.truth is not None:
        real = readings.of(task, name, what.name, what.truth)
    reference = task.evidence[name] if what.truth is None else wanted
    each = (read != wanted).double() if judge.is_class else (read - wanted).abs()
    outcome.each[f"{what.name}/{name}"] = each.double().numpy()
    row: dict[str, Any] = {"moved": moved, "unit": judge.unit}
    row["read"] = as_data(judge.score(read, wanted))
    row["floor"] = as_data(judge.score(real, reference))
    row["unchanged"] = as_data(judge.score(unchanged, wanted))
    if not moved or what.truth is not None:
        row["drift"] = as_data(amplification(read, real, wanted, judge.unit))
    if not judge.is_class and not moved:
        row["shift"] = as_data(mean_score((read - real).abs(), judge.unit))
    for group, rows in task.groups.items():
        if judge.is_class and rows.any():
            row[f"read, {group}"] = as_data(judge.score(read[rows], wanted[rows]))
    return row
