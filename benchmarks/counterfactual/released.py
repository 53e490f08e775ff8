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

import torch
from torch import Tensor

from causalflow.diffusion.guidance.anticausal import Pull
from causalflow.diffusion.guidance.contrast import guide
from causalflow.diffusion.network import Field
from causalflow.diffusion.path import TAU_MIN, data_of, enter, leave, linear_alpha_bar, tau_of
from causalflow.diffusion.solver.solver import SOLVERS, ascend, descend
from causalflow.mechanisms.image.mechanism import ImageMechanism
from causalflow.mechanisms.image.reader import ParentReader

__all__ = ["CALLS", "Released"]

SPACING, KEPT = 10, 75
CALLS = 2.0 * (KEPT - 1)
QUANTILE = 0.99


class Released:
    """Abduction and prediction of pictures under given labels.

    Args:
        mechanism: of the image node.
        clipped: whether the predicted image is clamped.
    """

    def __init__(self, mechanism: ImageMechanism, *, clipped: bool) -> None:
        self._mechanism, self._clipped = mechanism, clipped
        self._nodes = tau_of(linear_alpha_bar())[: SPACING * KEPT : SPACING].clone()
        self._nodes[0] = TAU_MIN

    def abduct(self, images: Tensor, parents: Mapping[str, Tensor]) -> Tensor:
        """The position at level 740; images in [-1, 1]."""
        field = self._limited(lambda y, tau: self._mechanism.denoiser.velocity(y, tau, parents))
        generator = torch.Generator(images.device)
        return ascend(SOLVERS.get("ddim"), field, enter(images), self._nodes, generator)[0]

    def predict(
        self, position: Tensor, target: Mapping[str, Tensor], reference: Mapping[str, Tensor]
    ) -> Tensor:
        """Images in [-1, 1]; guided where anything changes."""
        mechanism = self._mechanism
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
        state = descend(SOLVERS.get("ddim"), self._limited(field), (position,), self._nodes)
        return leave(state).clamp(-1, 1).float()

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
