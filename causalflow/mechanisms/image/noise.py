"""Noise of an image: what a diffusion model needs besides the parents to draw one picture.

    u = (position, offset, code, latents, residuals, grain, reference)

    position   y_N, the end of the probability-flow trajectory through the factual image; normal
               when drawn
    offset     the solver's further state at y_N less its rest value; for leap-frog
               w_N - v(y_N, c); when drawn 0, or the noise of a stochastic solver
    code       z, the mean of q(z | x, parents), N(0, I) when drawn
               (`causalflow.mechanisms.image.code`)
    latents    of the parents with a representation, told in place of their labels, as read off x;
               they move with the labels (`causalflow.mechanisms.image.representation`)
    residual   r = x - decode(u, factual parents): what the solver misses; 0 when drawn, and of a
               reversible solver, which misses nothing
    guided_residual  the same of the guided solver
    grain      g, what was added to the factual image before it was abducted, and is taken off every
               image again; 0 when drawn
    reference  the parents under which u was read; unlabelled when drawn
    image, tape  kept for a balanced way up only (`causalflow.diffusion.trajectory`): x, NaN when
               drawn, and the noise of that way

Between the mechanisms u is a mapping of tensors with a row each
(`causalflow.mechanisms.mechanism`); here it has parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from causalflow.mechanisms.mechanism import Noise

__all__ = ["ImageNoise"]

_CODE, _LATENT, _OFFSET, _REFERENCE = "code.", "latent.", "offset.", "reference."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageNoise:
    """u, by part; a row an image.

    Attributes:
        position: shape (batch, channel, height, width), float64.
        residual: likewise.
        offset: likewise, as many as the solver keeps.
        reference: the parents' values, shape (batch,) each.
        latents: shape (batch, length) each; none where no parent has a representation.
        code: shape (batch, length); None where the image has none.
        guided_residual: as ``residual``; None where nothing guides.
        grain: shape (batch, channel, height, width), float64; None: nothing was added.
        image: in [-1, 1]; None where nothing is balanced.
        tape: shape (batch, steps, channel, height, width); likewise.
    """

    position: Tensor
    residual: Tensor
    offset: tuple[Tensor, ...]
    reference: Mapping[str, Tensor]
    latents: Mapping[str, Tensor]
    code: Tensor | None = None
    guided_residual: Tensor | None = None
    grain: Tensor | None = None
    image: Tensor | None = None
    tape: Tensor | None = None

    @classmethod
    def of(cls, noise: Noise) -> ImageNoise:
        """The parts of a mapping that `tensors` made."""
        return cls(
            position=noise["position"],
            residual=noise["residual"],
            offset=tuple(_named(noise, _OFFSET).values()),
            reference=_named(noise, _REFERENCE),
            latents=_named(noise, _LATENT),
            code=noise.get(_CODE),
            guided_residual=noise.get("guided_residual"),
            grain=noise.get("grain"),
            image=noise.get("image"),
            tape=noise.get("tape"),
        )

    def tensors(self) -> dict[str, Tensor]:
        """The parts that there are, by name."""
        single = {
            _CODE: self.code,
            "guided_residual": self.guided_residual,
            "grain": self.grain,
            "image": self.image,
            "tape": self.tape,
        }
        return {
            "position": self.position,
            "residual": self.residual,
            **{f"{_OFFSET}{place}": part for place, part in enumerate(self.offset)},
            **{_REFERENCE + name: value for name, value in self.reference.items()},
            **{_LATENT + name: value for name, value in self.latents.items()},
            **{name: part for name, part in single.items() if part is not None},
        }


def _named(noise: Noise, prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): part for k, part in noise.items() if k.startswith(prefix)}
