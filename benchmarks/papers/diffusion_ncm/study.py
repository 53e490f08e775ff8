"""Models: both graphs of Bar-MNIST, fitted, and what their pictures would have been.

The picture is made of digit, color and bar by the same mechanism in both graphs, whoever decides
the three. So it is taken from the net that was fitted to the front door's pictures
(`causalflow.model.storage`); the mechanisms of the labels, with their latent class, are fitted
to 200,000 rows of labels of either graph.

Noise of the bar: *gumbel* is the default. With two levels it is monotone: whoever had no bar at the
lower probability of one gets it at the higher, and nobody loses it. Among all models of the data
and the graph that is an extreme one, so that answers lie at an end of the bounds. *response* has a
noise of its own for each combination of the parents: answers lie within.

The noise of a picture is abducted once, from the picture and its labels, and serves every
intervention. The bar is read off the blue of the top rows, the colour off the brighter of red and
green (`causalflow.evaluation.readers`), the digit by a classifier of the strokes alone, which has
seen real digits and no picture that a model made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

import causalflow as cf
from benchmarks.papers.diffusion_ncm.queries import EDGES, KINDS, QUESTIONS, Question, answer
from benchmarks.papers.experiment import Run, real_digits
from causalflow.data.sets.bar_mnist import BarMNIST, bar_mnist
from causalflow.evaluation.networks import ImageClassifier
from causalflow.evaluation.readers import read_bar, read_color
from causalflow.graph.node import Class
from causalflow.shipped import graph_path

LEVELS = {"digit": 10, "color": 2, "bar": 2}
LABELS = tuple(LEVELS)
NOISES = ("gumbel", "response")
ROWS, DRAWS = 200_000, 400_000
MOST, SIZE = 500, 28
EPOCHS = 4
"""How often the judge sees each of the 55,000 real training digits."""
POOL = {"backdoor": 20, "frontdoor": 60}
"""Test rows for each picture of a question: the rarest evidence holds in .026 of the rows."""

Judge: TypeAlias = Callable[[Tensor], Tensor]
"""Pictures, (n, 3, size, size) in [0, 1], to digits (n,)."""


def rows_of(kind: str, rows: int = ROWS, seed: int = 0) -> dict[str, torch.Tensor]:
    """Labels drawn from the explicit graph, each of shape (rows,)."""
    drawn = cf.compile(cf.load(graph_path(f"bar_mnist_{kind}_scm"))).sample(rows, generator=seed)
    return {name: drawn[name] for name in LABELS}


def fitted(kind: str, noise: str, donor: cf.Model, rows: int = ROWS) -> cf.Model:
    """A graph's model: labels fitted to its rows, the image from ``donor``.

    Args:
        kind: one of `KINDS`.
        noise: of the bar, one of `NOISES`.
        donor: any model of Bar-MNIST whose edges into the image are all neural.
        rows: of labels.
    """
    nodes = dict(donor.graph.nodes)
    bar = nodes["bar"]
    assert isinstance(bar, Class)
    graph = cf.Graph(
        nodes={**nodes, "bar": replace(bar, noise=noise)},
        edges=[*EDGES[kind], "digit, color, bar -> image: neural"],
        name=f"bar-mnist-{kind}",
    )
    model = cf.compile(graph, image=donor.scm.images["image"].options)
    model.fit(rows_of(kind, rows), nodes=LABELS, progress=False, device="cpu")
    return model.transplant("image", donor).to(donor.device)


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

    def read(self, side: str, judge: Judge) -> dict[str, Tensor]:
        """The labels that the pictures "before" or "after" show."""
        images: Tensor = getattr(self, side)
        return {"digit": judge(images), "color": read_color(images), "bar": read_bar(images)}


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


@dataclass(kw_only=True, eq=False)
class Study:
    """What both tables are made from; computed once, when it is first read.

    Attributes:
        run: one run.
        size: height and width of the pictures.
    """

    run: Run
    size: int = SIZE
    rows: int = ROWS
    draws: int = DRAWS
    _models: dict[tuple[str, str], cf.Model] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Pictures of a question."""
        return min(self.run.n, MOST)

    @cached_property
    def donor(self) -> cf.Model:
        """The net whose image mechanism serves both graphs."""
        return self.run.net("bar")

    def model(self, kind: str, noise: str) -> cf.Model:
        """The model of a graph."""
        if (kind, noise) not in self._models:
            self._models[kind, noise] = fitted(kind, noise, self.donor, self.rows)
        return self._models[kind, noise]

    @cached_property
    def data(self) -> Mapping[str, BarMNIST]:
        """Test rows of each graph."""
        return {
            kind: bar_mnist(kind, "test", size=self.size, n=POOL[kind] * self.n, source="mnist")
            for kind in KINDS
        }

    @cached_property
    def judge(self) -> Judge:
        """It reads the digit."""
        return digit_judge(self.run.device)

    @cached_property
    def answered(self) -> list[tuple[Question, Changed]]:
        """The pictures of every question; questions with the same evidence share the abduction."""
        evidences = dict.fromkeys((q.kind, q.digits, q.color, q.bar) for q in QUESTIONS)
        return [each for evidence in evidences for each in self._answered(evidence)]

    def _answered(self, evidence: tuple[str, bool, int, int]) -> list[tuple[Question, Changed]]:
        asked = [q for q in QUESTIONS if (q.kind, q.digits, q.color, q.bar) == evidence]
        kind = evidence[0]
        known = labelled(self.data[kind], picked(self.data[kind], asked[0], self.n))
        interventions = [(q.target, set_to(q, len(known["bar"]))) for q in asked]
        pictures = changed(self.model(kind, "response"), kind, known, interventions)
        return list(zip(asked, pictures, strict=True))

    @cached_property
    def further(self) -> list[Changed]:
        """do(digit) and do(bar) in the front-door graph, on any pictures."""
        kind = "frontdoor"
        known = labelled(self.data[kind], torch.arange(self.n))
        random = torch.Generator().manual_seed(0)
        other = (known["digit"] + torch.randint(1, 10, (self.n,), generator=random)) % 10
        interventions = [("digit", other), ("bar", 1 - known["bar"])]
        return changed(self.model(kind, "response"), kind, known, interventions)

    def asked(self, question: Question, noise: str) -> float:
        """The answer of `Model.ask` from labels alone."""
        model = self.model(question.kind, noise)
        return float(answer(lambda q: model.ask(q, draws=self.draws).table, question))
