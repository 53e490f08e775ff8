"""Pictures: Bar-MNIST test images, and what they would have been, read off their pixels.

The noise of a picture is abducted once, from the picture and its labels, and serves every
intervention. The bar is read off the blue of the top rows, the colour off the brighter of red and
green (`causalflow.evaluation.readers`), the digit by a classifier of the strokes alone, which
has seen real digits and no picture that a model made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

import causalflow as cf
from benchmarks.papers.diffusion_ncm.models import LABELS
from benchmarks.papers.diffusion_ncm.queries import Question
from benchmarks.papers.digits import real_digits
from causalflow.data.sets.bar_mnist import BarMNIST
from causalflow.evaluation.networks import ImageClassifier
from causalflow.evaluation.readers import read_bar, read_color

__all__ = ["Changed", "Judge", "Read", "changed", "digit_judge", "labelled", "picked", "set_to"]

Judge: TypeAlias = Callable[[Tensor], Tensor]
"""Pictures, (n, 3, size, size) in [0, 1], to digits (n,)."""

EPOCHS = 4
"""How often the judge sees each of the 55,000 real training digits."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Changed:
    """Pictures before and after an intervention.

    Attributes:
        kind: of the graph.
        target: what was set.
        seen: the labels before, by name, shape (n,).
        there: the labels in the other world.
        before: float in [0, 1], shape (n, 3, size, size).
        after: likewise.
    """

    kind: str
    target: str
    seen: Mapping[str, Tensor]
    there: Mapping[str, Tensor]
    before: Tensor
    after: Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Read:
    """The labels that pictures show."""

    before: Mapping[str, Tensor]
    after: Mapping[str, Tensor]

    @classmethod
    def of(cls, pictures: Changed, judge: Judge) -> Read:
        """Read both."""
        found = []
        for images in (pictures.before, pictures.after):
            read = {"digit": judge(images), "color": read_color(images), "bar": read_bar(images)}
            found.append(read)
        return cls(before=found[0], after=found[1])


def digit_judge(device: str) -> Judge:
    """A classifier of strokes, fitted to MNIST's training digits."""
    classifier = ImageClassifier.fit(
        *real_digits("train"), levels=10, epochs=EPOCHS, batch_size=64, device=device
    )
    return lambda pictures: classifier(pictures[:, :2].amax(dim=1, keepdim=True))


def picked(data: BarMNIST, question: Question, n: int) -> Tensor:
    """The first n rows that fulfil the evidence of a question."""
    fits = np.isin(data.labels["digit"], question.seen)
    fits &= (data.labels["color"] == question.color) & (data.labels["bar"] == question.bar)
    return torch.from_numpy(np.flatnonzero(fits)[:n])


def labelled(data: BarMNIST, rows: Tensor) -> dict[str, Tensor]:
    """Pictures and labels of some rows, as evidence."""
    found = {name: torch.from_numpy(data.labels[name])[rows] for name in LABELS}
    return {**found, "image": data.images[rows].float() / 255}


def set_to(question: Question, n: int, seed: int = 0) -> Tensor:
    """What each of n pictures has its target set to: every level of the group as likely."""
    random = torch.Generator().manual_seed(seed)
    levels = torch.tensor(question.values)
    return levels[torch.randint(len(levels), (n,), generator=random)]


def changed(
    model: cf.Model, kind: str, evidence: Mapping[str, Tensor], interventions: Sequence[Any]
) -> list[Changed]:
    """The pictures under each intervention, from one abduction.

    Args:
        model: of the graph.
        kind: of the graph.
        evidence: pictures and labels.
        interventions: pairs of a target and its values, one a picture.
    """
    abducted = model.abduct(evidence)
    found = []
    for target, values in interventions:
        world = model.predict(abducted, {target: values})
        there = {name: world[name].cpu() for name in LABELS}
        seen = {name: evidence[name] for name in LABELS}
        found.append(
            Changed(
                kind=kind, target=target, seen=seen, there=there,
                before=evidence["image"], after=world["image"].float().cpu(),
            )
        )  # fmt: skip
    return found
