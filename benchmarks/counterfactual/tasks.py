"""Tasks: test pictures, interventions on them, and judges that know nothing of the nets.

morpho   do(thickness), its intensity following; do(intensity); do(digit). Values are drawn from the
         marginal of the same rows (a permutation of them), so pairs occur that the data never show
bar      do(color), do(bar), do(digit), the other labels held at their values: what is judged is the
         picture, and not how the labels' own mechanisms couple two worlds, which no data determine

The true picture of each is known, but under do(digit). The digit is read by a classifier fitted to
all real training pictures (of the bar kind: under colours and bars drawn independently of it, or by
the strokes alone, where trainings and not single nets are compared),
thickness and intensity by morphology, colour and bar off the pixels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from causalflow.data.sets.bar_mnist import BarMNIST, bar_mnist, render
from causalflow.data.sets.digits import mnist
from causalflow.data.sets.morpho_mnist import morpho_mnist
from causalflow.data.sets.morphology import thickness
from causalflow.data.sets.rendering import by_pieces
from causalflow.evaluation.judges import Judge
from causalflow.evaluation.networks import ImageClassifier
from causalflow.evaluation.readers import DigitReader, read_bar, read_color, read_intensity

SIZE = 28
_PIECE = 16  # as many as `thickness` reads together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Intervention:
    """One intervention on every row of a task.

    Attributes:
        name: shown in tables.
        do: what the model is asked, a value a row.
        expected: by attribute, what the picture should show, shape (n,).
        truth: the true pictures in [0, 1]; None where nobody knows them.
        moved: the attributes that are set, or follow; the others are to stay.
    """

    name: str
    do: Mapping[str, Tensor]
    expected: Mapping[str, Tensor]
    truth: Tensor | None
    moved: tuple[str, ...]

    def first(self, n: int) -> Intervention:
        """The same on the first n rows."""
        return replace(
            self,
            do={name: value[:n] for name, value in self.do.items()},
            expected={name: value[:n] for name, value in self.expected.items()},
            truth=None if self.truth is None else self.truth[:n],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """Rows to ask about.

    Attributes:
        name: shown in tables.
        evidence: every node of the graph, n rows.
        interventions: on them.
        judges: by attribute.
        groups: rows of which hit rates are told apart, by name, shape (n,).
    """

    name: str
    evidence: Mapping[str, Tensor]
    interventions: tuple[Intervention, ...]
    judges: Mapping[str, Judge]
    groups: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def images(self) -> Tensor:
        """The factual pictures in [0, 1]."""
        return self.evidence["image"]

    def __len__(self) -> int:
        return len(self.images)

    def first(self, n: int, names: tuple[str, ...] | None = None) -> Task:
        """The first n rows, and the interventions of these names."""
        kept = (each for each in self.interventions if names is None or each.name in names)
        return replace(
            self,
            evidence={name: value[:n] for name, value in self.evidence.items()},
            interventions=tuple(each.first(n) for each in kept),
            groups={name: rows[:n] for name, rows in self.groups.items()},
        )


def judged(node: str, read: Callable[[Tensor], Tensor], unit: str = "share") -> Judge:
    """A judge of a class, or of a number that has a unit."""
    return Judge(node=node, how="", read=read, is_class=unit == "share", unit=unit)


def stroke_judge(size: int) -> Judge:
    """A reader of the digit by its strokes alone, fitted to all real training digits."""
    strokes = bar_data("train", size=size, kind="backdoor", n=1).strokes
    return judged("digit", DigitReader.fit(replace(mnist("train"), images=strokes)))


def digit_judge(kind: str, device: str, *, quick: bool = False) -> Judge:
    """A reader of digits fitted to real training pictures: of "morpho" or "bar"."""
    if kind == "morpho":
        data = morpho_mnist("train", n=512 if quick else None)
        images, labels = data.images, torch.from_numpy(data.labels["digit"])
    else:
        real, random = mnist("train"), np.random.default_rng(0)
        color, bar = random.integers(0, 2, (2, len(real)))
        images = torch.from_numpy(render(real.images, color, bar))
        labels = torch.from_numpy(real.digits)
    if quick:
        images, labels = images[:1024], labels[:1024]
    epochs = 1 if quick else 6
    return judged(
        "digit", ImageClassifier.fit(images, labels, levels=10, epochs=epochs, device=device)
    )


def morpho_task(split: str, n: int, judge: Judge, seed: int = 0) -> Task:
    """Morpho-MNIST: thickness, intensity, digit."""
    data, random = morpho_mnist(split), np.random.default_rng([seed, 5])
    n = min(n, len(data))
    labels = {name: torch.from_numpy(np.asarray(v)[:n]) for name, v in data.labels.items()}
    names = ("thickness", "intensity")
    asked = {name: labels[name][torch.from_numpy(random.permutation(n))] for name in names}
    moved = {"thickness": names, "intensity": names[1:]}
    return Task(
        name="morpho",
        evidence={**labels, "image": data.images[:n].float() / 255},
        interventions=(
            *(_known(data, labels, name, {name: asked[name]}, moved[name]) for name in names),
            _digit(labels, {}, random),
        ),
        judges={
            "digit": judge,
            "thickness": judged("thickness", _thickness, "pixels"),
            "intensity": judged("intensity", read_intensity, "grey levels"),
        },
    )


def bar_task(data: BarMNIST, n: int, judge: Judge, seed: int = 0) -> Task:
    """Bar-MNIST: colour, bar, digit, each with the other labels held."""
    n, random = min(n, len(data)), np.random.default_rng([seed, 6])
    labels = {name: torch.from_numpy(np.asarray(v)[:n]) for name, v in data.labels.items()}
    held = {name: labels[name] for name in ("color", "bar")}
    return Task(
        name="bar",
        evidence={**labels, "image": data.images[:n].float() / 255},
        interventions=(
            *(_known(data, labels, k, held | {k: 1 - held[k]}, (k,)) for k in held),
            _digit(labels, held, random),
        ),
        judges={
            "digit": judge,
            "color": judged("color", read_color),
            "bar": judged("bar", read_bar),
        },
        groups={"rare": (labels["digit"] >= 5) == (labels["color"] == 1)},
    )


def bar_data(split: str, kind: str, *, size: int = SIZE, **options: Any) -> BarMNIST:
    """The pictures of a bar task."""
    return bar_mnist(kind, split=split, size=size, source="mnist", **options)


def _known(
    data: Any,
    labels: Mapping[str, Tensor],
    name: str,
    do: Mapping[str, Tensor],
    moved: tuple[str, ...],
) -> Intervention:
    """An intervention whose true counterfactuals the data know."""
    true = data.true_counterfactual(torch.arange(len(labels[name])), do)
    expected = {other: true[other] for other in labels}
    return Intervention(name=name, do=do, expected=expected, truth=true["image"], moved=moved)


def _digit(
    labels: Mapping[str, Tensor], held: Mapping[str, Tensor], random: np.random.Generator
) -> Intervention:
    """Another digit, each of the nine as likely."""
    shift = torch.from_numpy(random.integers(1, 10, len(labels["digit"])))
    other = (labels["digit"] + shift) % 10
    return Intervention(
        name="digit",
        do={**held, "digit": other},
        expected={**labels, "digit": other},
        truth=None,
        moved=("digit",),
    )


def _thickness(images: Tensor) -> Tensor:
    """Stroke width, 0 where nothing is drawn."""
    gray = 255 * images[:, 0].double().cpu().numpy()
    workers = min(os.cpu_count() or 1, -(-len(gray) // _PIECE))
    return torch.from_numpy(
        np.nan_to_num(by_pieces(thickness, (gray,), piece=_PIECE, workers=workers))
    )
