"""Labels: what counterfactual pictures show, held against the true counterfactual.

Every label is intervened on, with a value of its own for each picture. Labels are measured on the
pixels (`causalflow.evaluation.readers`), by no network, and held against those of the true
counterfactual, which the data sets know; beside them stand the pictures left as they were, and the
measuring floor: the true pictures, read likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

import causalflow as cf
from benchmarks.papers.experiment import Run, Table, declared
from causalflow.evaluation.axioms import true_error
from causalflow.evaluation.dci import DCI, dci
from causalflow.evaluation.score import Score, mean_score

STILL, FLOOR = "the picture left as it was", "measuring floor"
SHOWN = 8

Readings = Mapping[str, Mapping[str, Tensor]]
"""By intervention and label: what is read, shape (n,)."""
Scores = Mapping[tuple[str, str], Score]
"""By label and intervention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label that is read off pictures.

    Attributes:
        unit: of its values.
        guess: what stands for it where nothing can be read.
        scale: how much of it is one of the paper's normalised units.
    """

    unit: str
    guess: float = 0.0
    scale: float = 1.0


@dataclass(kw_only=True, eq=False)
class Bench:
    """One run on one data set; what takes long is made when first asked.

    Attributes:
        run: what was asked for.
        data: test rows, which know their true counterfactuals.
        labels: by name.
        actions: an intervention on each label, by its name.
        read: pictures -> label -> values, NaN where nothing can be read.
        made: by who makes them, a function that gives pictures under each intervention.
        inside: whether a true world can be read, shape (n,); None: always.
    """

    run: Run
    data: Any
    labels: Mapping[str, Label]
    actions: Mapping[str, Mapping[str, Tensor]]
    read: Callable[[Tensor], Mapping[str, Tensor]]
    made: Mapping[str, Callable[[], Mapping[str, Tensor]]]
    inside: Callable[[Mapping[str, Tensor]], Tensor] | None = None

    @cached_property
    def truth(self) -> dict[str, Mapping[str, Tensor]]:
        """The true counterfactuals, by intervention: labels and picture."""
        rows = list(range(len(self.data)))
        return {do: self.data.true_counterfactual(rows, act) for do, act in self.actions.items()}

    @cached_property
    def seen(self) -> dict[str, Tensor]:
        """Which rows count, by intervention."""
        every = torch.ones(len(self.data), dtype=torch.bool)
        return {do: self.inside(t) if self.inside else every for do, t in self.truth.items()}

    @cached_property
    def images(self) -> dict[str, Mapping[str, Tensor]]:
        """By who made them and by intervention: pictures in [0, 1]."""
        still = self.data.images.float() / 255
        return {
            STILL: dict.fromkeys(self.labels, still),
            **{who: make() for who, make in self.made.items()},
            FLOOR: {do: world["image"] for do, world in self.truth.items()},
        }

    @cached_property
    def readings(self) -> dict[str, Readings]:
        """By who made the pictures: what they show."""
        return {
            who: {do: self.read(each) for do, each in made.items()}
            for who, made in self.images.items()
        }

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """By who made the pictures: the error of each label under each do."""
        return {who: self.errors(read) for who, read in self.readings.items()}

    def shown(self, read: Mapping[str, Tensor], name: str) -> Tensor:
        """A label as it is read, or guessed."""
        return torch.where(read[name].isnan(), self.labels[name].guess, read[name])

    def errors(self, read: Readings) -> dict[tuple[str, str], Score]:
        """The error of each label read under each do."""
        found = {}
        for do, seen in self.seen.items():
            for name, label in self.labels.items():
                error = (self.shown(read[do], name) - self.truth[do][name]).abs()[seen]
                found[name, do] = mean_score(error, label.unit)
        return found

    def constant(self, guesses: Mapping[str, float]) -> dict[tuple[str, str], Score]:
        """The error of the same value for every picture."""
        n = len(self.data)
        guess = {name: torch.full((n,), value) for name, value in guesses.items()}
        return self.errors(dict.fromkeys(self.labels, guess))

    def values(self, raw: bool = True) -> dict[str, dict[str, float]]:
        """The scores in full, in raw units or half-ranges."""
        return {
            who: {
                f"do({do}) {name}": each.value / (1 if raw else self.labels[name].scale)
                for (name, do), each in scores.items()
            }
            for who, scores in self.scores.items()
        }

    def lines(self, name: str, head: str, *, raw: bool, constant: str = "") -> list[list[str]]:
        """A label's rows, ``head`` first: of its guess, so called, and of who made pictures."""
        unit = 1 if raw else self.labels[name].scale
        guesses = {name: label.guess for name, label in self.labels.items()}
        given = ({constant: self.constant(guesses)} if constant else {}) | self.scores
        return [
            [head, who, *(cell(scores[name, do], unit) for do in self.labels)]
            for who, scores in given.items()
        ]

    @cached_property
    def distances(self) -> dict[str, dict[str, Score]]:
        """By who made them and by intervention: distance to the true pictures."""
        return {
            who: {do: true_error(each[do].cpu(), self.truth[do]["image"]) for do in self.labels}
            for who, each in self.images.items()
            if who != FLOOR
        }

    def of_pictures(self) -> Table:
        """The table of `distances`."""
        return Table(
            rows=[[who, *map(cell, each.values())] for who, each in self.distances.items()],
            values={
                who: {do: score.value for do, score in each.items()}
                for who, each in self.distances.items()
            },
        )

    def draw(self, name: str) -> None:
        """Rows: the factual pictures; then of each intervention the truth and what was made."""
        rows = torch.arange(min(SHOWN, len(self.data))) * max(1, len(self.data) // SHOWN)
        lines = {"factual": self.data.images[rows].float() / 255}
        for do in self.labels:
            lines[f"do({do}), true"] = self.truth[do]["image"][rows]
            lines |= {f"do({do}), {who}": self.images[who][do][rows] for who in self.made}
        self.run.draw(name, lines)


def cell(score: Score | None, unit: float = 1.0) -> str:
    """A score and its interval, three digits that count, as multiples of a unit."""
    if score is None:
        return "-"
    low, high = (end / unit for end in score.interval)
    return f"{score.value / unit:.3g} ({low:.3g}, {high:.3g})"


def disentanglement(data: str, rows: str, found: Mapping[str, DCI]) -> Table:
    """A table of DCI.

    Args:
        data: whose printed numbers stand above.
        rows: how many pictures these have, or a word in place of it.
        found: by code.
    """
    printed = declared("causal_diffae")["printed"]["dci"][data]
    dashes = "-" * (1 + len(next(iter(found.values())).informativeness))
    return Table(
        rows=[
            *([f"paper, {who}", "512", rows, value, *dashes] for who, value in printed.items()),
            *([f"ours, {who}", *_scored(each)] for who, each in found.items()),
        ],
        values={
            who: {
                "disentanglement": each.disentanglement,
                "completeness": each.completeness,
                "informativeness": dict(each.informativeness),
                "importances": each.importances.tolist(),
            }
            for who, each in found.items()
        },
    )


def dci_of(model: cf.Model, given: Mapping[str, Any], factors: Mapping[str, Tensor]) -> DCI:
    """DCI of the latents of the factors, read off what is given."""
    z = model.represent(dict(given))
    return dci(torch.cat([z[name].cpu() for name in factors], dim=1), factors)


def _scored(found: DCI) -> list[str]:
    numbers = (found.disentanglement, found.completeness, *found.informativeness.values())
    shown = [f"{number:.3f}" for number in numbers]
    return [str(found.importances.shape[0]), f"{found.count:,}", *shown]
