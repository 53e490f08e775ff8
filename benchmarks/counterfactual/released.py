"""The released Diff-SCM sampler, as far as it is published, on the engine's own functions.

100 of the 1000 levels of the linear schedule (t = 0, 10, ..., 990), of which the first 75 are gone
up and down by DDIM; the printed anti-causal guidance with scale 1 on the way down. *Clipped*: at
every call, both ways, the predicted image is clamped to its 99 % quantile q = max(1, Q99 |x_0|) of
each channel, divided by q, and clamped to [-1, 1].

Flow coordinates put the data at tau = .01 and level 0 at .0099, so 74 steps join the 75 levels.

Source: the repository of Sanchez & Tsaftaris (2022), ``mnist_configs.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import causalflow as cf
from causalflow.diffusion.field import Field
from causalflow.diffusion.guidance.anticausal import Pull
from causalflow.diffusion.guidance.contrast import guide
from causalflow.diffusion.path import TAU_MIN, data_of, enter, leave, linear_alpha_bar, tau_of
from causalflow.diffusion.solver.solver import SOLVERS, ascend, descend
from causalflow.mechanisms.image.parent_reader import ParentReader

SPACING, KEPT = 10, 75
CALLS = 2.0 * (KEPT - 1)
QUANTILE = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What the sampler abducts: a position at level 740, under the factual labels."""

    position: Tensor
    parents: Mapping[str, Tensor]

    @property
    def rows(self) -> int:
        """How many pictures."""
        return len(self.position)


class Released:
    """The sampler, asked as a model is; labels that are not set keep their values.

    Args:
        model: of one image node.
        clipped: whether the predicted image is clamped.
    """

    def __init__(self, model: cf.Model, *, clipped: bool) -> None:
        (self._mechanism,) = model.scm.images.values()
        self.device, self._clipped = model.device, clipped
        self._nodes = tau_of(linear_alpha_bar())[: SPACING * KEPT : SPACING].clone()
        self._nodes[0] = TAU_MIN

    @torch.no_grad()
    def abduct(self, evidence: Mapping[str, Tensor], **options: Any) -> Position:
        """The position of pictures in [0, 1] and their labels."""
        values = {name: value.to(self.device) for name, value in evidence.items()}
        parents = {name: values[name] for name in self._mechanism.parents}
        images = 2 * values["image"].float() - 1
        field = self._limited(lambda y, tau: self._mechanism.denoiser.velocity(y, tau, parents))
        generator = torch.Generator(images.device)
        up = ascend(SOLVERS.get("ddim"), field, enter(images), self._nodes, generator)[0]
        return Position(position=up, parents=parents)

    @torch.no_grad()
    def predict(
        self, noise: Position, do: Mapping[str, Tensor], **options: Any
    ) -> dict[str, Tensor]:
        """The world of some labels; guided where anything changes."""
        mechanism, reference = self._mechanism, noise.parents
        target = {n: do[n].to(value) if n in do else value for n, value in reference.items()}
        reader = ParentReader(learned=mechanism.predictor, given={})
        pulled = Pull(predictor=reader, scales=mechanism.scales, aim="printed")
        moved = any(not torch.equal(target[name], reference[name]) for name in target)
        field = guide(
            mechanism.denoiser.velocity,
            target,
            reference,
            neural=tuple(mechanism.neural),
            pulled=pulled if moved else None,
        )
        state = descend(SOLVERS.get("ddim"), self._limited(field), (noise.position,), self._nodes)
        return {**target, "image": (leave(state).clamp(-1, 1).float() + 1) / 2}

    def _limited(self, field: Field) -> Field:
        """The velocity that points back to a clamped image."""
        if not self._clipped:
            return field

        def limited(y: Tensor, tau: float | Tensor) -> Tensor:
            image = data_of(field(y, tau), y, tau)
            flat = image.abs().flatten(2)
            most = flat.quantile(QUANTILE, dim=2).clamp(min=1)[:, :, None, None]
            return (y - (image.clamp(-most, most) / most).clamp(-1, 1)) / tau

        return limited
