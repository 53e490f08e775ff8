"""Bench: one run on Morpho-MNIST: pictures, interventions, truth and worlds, and what they show."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

import causalflow as cf
from benchmarks.papers.experiment import Run
from causalflow.evaluation.readers import read_intensity, read_thickness
from causalflow.model.world import World

__all__ = ["INTENSITIES", "NET", "PLAIN", "UNITS", "Bench", "Shown"]

NET, PLAIN = "causal_diffae_morpho", "morpho"
UNITS = {"thickness": ("px", 2.4), "intensity": ("grey levels", 94.0)}
"""The unit of a factor, and how many of it are one of the paper's normalised units."""

INTENSITIES = (66.0, 250.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """What a picture shows: thickness in pixels (0: nothing is drawn) and intensity."""

    thickness: Tensor
    intensity: Tensor

    @classmethod
    def of(cls, images: Tensor) -> Shown:
        """Read pictures in [0, 1]."""
        found = images.float().cpu()
        return cls(thickness=read_thickness(found).nan_to_num(0.0), intensity=read_intensity(found))

    def __getitem__(self, factor: str) -> Tensor:
        return self.thickness if factor == "thickness" else self.intensity


class Bench:
    """One run: pictures, interventions, truth and worlds, each made when first asked."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._worlds: dict[str, dict[str, World]] = {}

    @cached_property
    def data(self) -> Any:
        """The test pictures."""
        return cf.data.morpho_mnist("test", n=self.run.n)

    @cached_property
    def evidence(self) -> dict[str, Tensor]:
        """Their labels and images in [0, 1]."""
        columns = {name: torch.as_tensor(value) for name, value in self.data.columns.items()}
        return columns | {"image": columns["image"].float() / 255}

    @cached_property
    def actions(self) -> dict[str, dict[str, Tensor]]:
        """do(thickness) and do(intensity), one value a picture."""
        n, random = len(self.data), torch.Generator().manual_seed(0)
        low, high = INTENSITIES
        other = self.evidence["thickness"][torch.randperm(n, generator=random)]
        drawn = low + (high - low) * torch.rand(n, generator=random, dtype=torch.float64)
        return {"thickness": {"thickness": other}, "intensity": {"intensity": drawn}}

    @cached_property
    def truth(self) -> dict[str, dict[str, Tensor]]:
        """The true counterfactual of each intervention: labels and image."""
        rows = range(len(self.data))
        return {do: self.data.true_counterfactual(rows, act) for do, act in self.actions.items()}

    @cached_property
    def floor(self) -> dict[str, Shown]:
        """What the true counterfactual pictures show."""
        return {do: Shown.of(world["image"]) for do, world in self.truth.items()}

    @cached_property
    def factual(self) -> Shown:
        """What the factual pictures show."""
        return Shown.of(self.evidence["image"])

    @cached_property
    def model(self) -> cf.Model:
        """The net with representations."""
        return self.run.net(NET)

    def worlds(self, way: str) -> dict[str, World]:
        """The counterfactual worlds of a way, by intervention, from one abduction."""
        if way not in self._worlds:
            model = self.run.net(PLAIN) if way == "plain" else self.model
            given = {"image": self.evidence["image"]} if way == "image" else self.evidence
            noise = model.abduct(given)
            self._worlds[way] = {do: model.predict(noise, act) for do, act in self.actions.items()}
        return self._worlds[way]

    def ways(self) -> dict[str, str]:
        """The ways to a counterfactual that can be had, and how they are called."""
        found = {
            "labels": "ours, representations; labels and picture given",
            "image": "ours, representations; the picture alone given",
        }
        if self.run.has_net(PLAIN):
            found["plain"] = "ours, the network told labels (net `morpho`)"
        return found
