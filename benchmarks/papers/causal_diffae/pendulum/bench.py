"""Bench: one run on the pendulum: pictures, interventions, truth, and what the pictures show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

import causalflow as cf
from benchmarks.nets import PENDULUM_SIZE
from benchmarks.papers.experiment import Run
from causalflow.data.sets.pendulum import LABELS, join_picture
from causalflow.evaluation.readers import read_pendulum, shadow_inside
from causalflow.evaluation.score import Score, mean_score

__all__ = ["CENTRE", "FLOOR", "HALF", "NETS", "STILL", "UNIT", "Asked", "Bench"]

PARTS = "causal_diffae_pendulum_parts"
NETS = {
    PARTS: "ours, three parts of the picture as nodes",
    "causal_diffae_pendulum_labels": "ours, one image node told the labels",
    "causal_diffae_pendulum": "ours, one image node told representations",
}
CENTRE = {"angle": 2.0, "light": 104.0, "shadow_length": 7.5, "shadow_position": 11.0}
HALF = {"angle": 42.0, "light": 44.0, "shadow_length": 4.5, "shadow_position": 8.0}
UNIT = dict(zip(LABELS, ("steps of .9 degrees",) * 2 + ("units",) * 2, strict=True))
STILL, FLOOR = "the picture left as it was", "measuring floor"
Scores = Mapping[tuple[str, str], Score]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One intervention: its values, the true worlds, and the rows whose true shadow is in sight."""

    do: Mapping[str, Tensor]
    truth: Mapping[str, Tensor]
    seen: Tensor


class Bench:
    """One run: pictures, interventions, truth and worlds, each made when first asked."""

    def __init__(self, run: Run, nets: list[str]) -> None:
        self.run, self.nets = run, nets

    @cached_property
    def data(self) -> Any:
        """Test pictures, spread evenly over the grid."""
        return cf.data.pendulum("test", PENDULUM_SIZE, n=min(self.run.n, 1826))

    @cached_property
    def asked(self) -> dict[str, Asked]:
        """The four interventions."""
        generator, found = torch.Generator().manual_seed(0), {}
        n, rows = len(self.data), range(len(self.data))
        for name in LABELS:
            share = torch.rand(n, generator=generator, dtype=torch.float64)
            do = {name: CENTRE[name] + HALF[name] * (2 * share - 1)}
            truth = self.data.true_counterfactual(rows, do)
            seen = shadow_inside(truth["shadow_length"], truth["shadow_position"])
            found[name] = Asked(do=do, truth=truth, seen=seen)
        return found

    @cached_property
    def images(self) -> dict[str, dict[str, Tensor]]:
        """By who made them and by intervention: pictures in [0, 1]."""
        still = self.data.images.float() / 255
        return {
            STILL: dict.fromkeys(LABELS, still),
            **{NETS[name]: self._made(name) for name in self.nets},
            FLOOR: {name: asked.truth["image"] for name, asked in self.asked.items()},
        }

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """By who made the pictures: the error in raw units of each label under each do."""
        return {who: self._errors(made) for who, made in self.images.items()}

    @cached_property
    def unread(self) -> dict[str, int]:
        """By who made the pictures: readings that found nothing to read."""
        return {
            who: sum(
                int(value[self.asked[do].seen].isnan().sum())
                for do, images in made.items()
                for value in read_pendulum(images).values()
            )
            for who, made in self.images.items()
        }

    def _made(self, name: str) -> dict[str, Tensor]:
        """A net's counterfactual pictures, from one abduction."""
        model = self.run.net(name)
        noise = model.abduct(self.data.parts if name == PARTS else self.data.columns)
        worlds = {do: model.predict(noise, asked.do) for do, asked in self.asked.items()}
        return {
            do: (join_picture(world) if name == PARTS else world["image"]).cpu()
            for do, world in worlds.items()
        }

    def _errors(self, made: Mapping[str, Tensor]) -> dict[tuple[str, str], Score]:
        found = {}
        for do, images in made.items():
            asked, read = self.asked[do], read_pendulum(images)
            for name in LABELS:
                shown = torch.where(read[name].isnan(), CENTRE[name], read[name])
                error = (shown - asked.truth[name]).abs()[asked.seen]
                found[name, do] = mean_score(error, UNIT[name])
        return found
