"""Studies: pictures of a graph that ships, interventions on them, and what is known of the answer.

    morpho_mnist                 do(thickness), do(intensity), do(digit)
    bar_mnist_frontdoor_neural   do(color), do(bar), do(digit), the other labels held
    causal_diffae_circuit        do(arm), do(blue), do(green), do(red)
    pendulum_parts               do(angle), do(light), do(shadow_length), do(shadow_position)

The values set are those of `benchmarks.counterfactual` and `benchmarks.papers`. The true picture is
known, but under do(digit): there the digit is read, and what was to stay: thickness and intensity
of a stroke, or the colour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

import causalflow as cf
from benchmarks.counterfactual.tasks import (
    Task,
    bar_data,
    bar_task,
    judged,
    morpho_task,
    stroke_judge,
)
from benchmarks.nets import CIRCUIT_SIZE, PENDULUM_SIZE
from benchmarks.papers.causal_diffae.circuit import RANGES as CIRCUIT
from benchmarks.papers.causal_diffae.pendulum import RANGES as PENDULUM
from causalflow.data.sets.pendulum import join_picture
from causalflow.evaluation.judges import Judge

__all__ = ["STUDIES", "Study"]

Values = Mapping[str, Tensor]
Errors = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """Rows of a data set, and what they are asked.

    Attributes:
        evidence: every node of the graph, n rows.
        pictures: the factual ones in [0, 1].
        actions: the interventions by name, a value a row.
        truth: the true pictures of those that have one.
        readings: of the others, by name: the errors that pictures show, (n, ...) -> (n,).
        picture: the picture of a world.
    """

    evidence: Values
    pictures: Tensor
    actions: Mapping[str, Values]
    truth: Mapping[str, Tensor]
    readings: Mapping[str, Mapping[str, Errors]] = field(default_factory=dict)
    picture: Callable[[Values], Tensor] = lambda world: world["image"]

    def __len__(self) -> int:
        return len(self.pictures)

    def rows(self, first: int, last: int) -> Study:
        """Some of the rows; readings stay those of all."""
        some = slice(first, last)
        return Study(
            evidence={name: value[some] for name, value in self.evidence.items()},
            pictures=self.pictures[some],
            actions={
                name: {node: value[some] for node, value in act.items()}
                for name, act in self.actions.items()
            },
            truth={name: value[some] for name, value in self.truth.items()},
            readings={
                name: {what: _of_rows(each, some) for what, each in read.items()}
                for name, read in self.readings.items()
            },
            picture=self.picture,
        )


def _of_rows(errors: Any, some: slice) -> Errors:
    return _Reading(judge=errors.judge, wanted=errors.wanted[some])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Reading:
    """The errors of an attribute; 1 where a class is another."""

    judge: Judge
    wanted: Tensor

    def __call__(self, pictures: Tensor) -> Tensor:
        read = self.judge.read(pictures)
        return (
            (read != self.wanted) if self.judge.is_class else (read - self.wanted).abs()
        ).double()


def _of_task(task: Task, without: tuple[str, ...]) -> Study:
    asked = task.interventions
    return Study(
        evidence=task.evidence,
        pictures=task.images,
        actions={each.name: each.do for each in asked},
        truth={each.name: each.truth for each in asked if each.truth is not None},
        readings={
            each.name: {
                name: _Reading(judge=judge, wanted=each.expected[name])
                for name, judge in task.judges.items()
                if name not in without
            }
            for each in asked
            if each.truth is None
        },
    )


def _morpho(split: str, n: int, *, quick: bool = False) -> Study:
    judge = judged("digit", lambda images: images) if quick else stroke_judge(28)
    return _of_task(morpho_task(split, n, judge), ("digit", "thickness") if quick else ())


def _bar(split: str, n: int, *, quick: bool = False) -> Study:
    judge = judged("digit", lambda images: images) if quick else stroke_judge(28)
    return _of_task(bar_task(bar_data(split, "frontdoor"), n, judge), ("digit",) if quick else ())


def _circuit(split: str, n: int, *, quick: bool = False) -> Study:
    data = cf.data.causal_circuit(split, CIRCUIT_SIZE, n=n, synthetic=True)
    return _known(data, data.columns, _drawn(CIRCUIT, len(data)), lambda world: world["image"])


def _pendulum(split: str, n: int, *, quick: bool = False) -> Study:
    data = cf.data.pendulum(split, PENDULUM_SIZE, n=n)
    ranges = {
        k: (label.guess - label.scale, label.guess + label.scale) for k, label in PENDULUM.items()
    }
    return _known(data, data.parts, _drawn(ranges, len(data)), join_picture)


def _drawn(ranges: Mapping[str, tuple[float, float]], n: int) -> dict[str, dict[str, Tensor]]:
    """Each label set to a value of its own, uniform on its range."""
    random = torch.Generator().manual_seed(0)
    shares = {name: torch.rand(n, generator=random, dtype=torch.float64) for name in ranges}
    return {name: {name: a + (b - a) * shares[name]} for name, (a, b) in ranges.items()}


def _known(
    data: Any,
    evidence: Mapping[str, Any],
    actions: Mapping[str, Values],
    picture: Callable[[Values], Tensor],
) -> Study:
    """The study of a data set that knows its true counterfactuals."""
    rows = list(range(len(data)))
    return Study(
        evidence={name: torch.as_tensor(value) for name, value in evidence.items()},
        pictures=data.images.float() / 255,
        actions=actions,
        truth={do: data.true_counterfactual(rows, act)["image"] for do, act in actions.items()},
        picture=picture,
    )


STUDIES: dict[str, Callable[..., Study]] = {
    "morpho_mnist": _morpho,
    "bar_mnist_frontdoor_neural": _bar,
    "causal_diffae_circuit": _circuit,
    "pendulum_parts": _pendulum,
}
"""By checkpoint: ``study(split, n, quick=...)``; quick: without the readings that take long."""
