"""Asked: a net under a setting, abducted and predicted, whichever sampler the setting names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import causalflow as cf
from benchmarks.counterfactual.released import Released
from benchmarks.counterfactual.settings import Setting

__all__ = ["Asked", "AskedReleased"]


class Asked:
    """A net under a setting, asked as the facade is."""

    def __init__(self, model: cf.Model, setting: Setting) -> None:
        self.model, self.setting = model, setting
        self.options = {**setting.options, "residual": setting.residual}

    def abduct(self, evidence: Mapping[str, Tensor], **options: Any) -> Any:
        return self.model.abduct(evidence, **{**self.options, **options})

    def predict(self, noise: Any, do: Mapping[str, Tensor], **options: Any) -> dict[str, Tensor]:
        world = self.model.predict(noise, do, **{**self.options, **options})
        return {name: value.cpu() for name, value in world.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Position:
    """What the released sampler abducts."""

    position: Tensor
    parents: Mapping[str, Tensor]

    @property
    def rows(self) -> int:
        return len(self.position)


class AskedReleased:
    """The released sampler, asked in the same way; labels that are not set keep their values."""

    def __init__(self, model: cf.Model, setting: Setting) -> None:
        (mechanism,) = model.scm.images.values()
        self.model, self._mechanism = model, mechanism
        self._sampler = Released(mechanism, clipped=setting.levels == "clipped")

    @torch.no_grad()
    def abduct(self, evidence: Mapping[str, Tensor], **options: Any) -> Any:
        values = {n: v.to(self.model.device) for n, v in evidence.items()}
        parents = {n: values[n] for n in self._mechanism.parents}
        position = self._sampler.abduct(2 * values["image"].float() - 1, parents)
        return _Position(position=position, parents=parents)

    @torch.no_grad()
    def predict(self, noise: Any, do: Mapping[str, Tensor], **options: Any) -> dict[str, Tensor]:
        parents = noise.parents
        target = {n: do[n].to(value) if n in do else value for n, value in parents.items()}
        image = (self._sampler.predict(noise.position, target, parents) + 1) / 2
        return {name: value.cpu() for name, value in {**target, "image": image}.items()}
