"""UNet: the published U-Net, a map of images to images given a step and perhaps a class.

The hidden states of the way down are given to the way up beside its own, channels after channels
(`causalflow.nn.guided_diffusion.trunk`); the embedding is that of the step, plus a learned vector
of the class where the network is told one.

Source: Dhariwal & Nichol (2021), Diffusion Models Beat GANs on Image Synthesis.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from causalflow.errors import CompileError
from causalflow.nn.guided_diffusion.configuration import Configuration
from causalflow.nn.guided_diffusion.embedding import embedded, step_mlp
from causalflow.nn.guided_diffusion.norm import Norm
from causalflow.nn.guided_diffusion.trunk import convert, middle, run, way_down, way_up

__all__ = ["UNet"]


class UNet(nn.Module):
    """The network of a configuration."""

    def __init__(self, sizes: Configuration) -> None:
        super().__init__()
        self.sizes = sizes
        self.time_embed = step_mlp(sizes.width, sizes.features)
        self.label_emb = _vectors(sizes)
        self.input_blocks, left = way_down(sizes)
        self.middle_block = middle(sizes)
        self.output_blocks = way_up(sizes, left)
        end = sizes.widths[0]
        self.out = nn.Sequential(Norm(end), nn.SiLU(), nn.Conv2d(end, sizes.outputs, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """The prediction at x.

        Args:
            x: shape (batch, inputs, height, width), both multiples of 2^(levels - 1).
            t: steps, shape (batch,).
            condition: what `label_vectors` makes of the classes; None: nothing is added.

        Returns:
            Shape (batch, outputs, height, width), in the precision of x.

        Raises:
            CompileError: a height or width that the levels do not divide.
        """
        self._check_size(x)
        embedding = embedded(t, self.time_embed, self.sizes.width)
        embedding = embedding if condition is None else embedding + condition
        h, states = x.to(self.dtype), []
        for stage in self.input_blocks:
            h = run(cast(nn.ModuleList, stage), h, embedding)
            states.append(h)
        h = run(self.middle_block, h, embedding)
        for stage in self.output_blocks:
            h = run(cast(nn.ModuleList, stage), torch.cat([h, states.pop()], dim=1), embedding)
        return self.out(h.to(x.dtype))

    def label_vectors(self, labels: Tensor) -> Tensor:
        """The vectors of the classes, shape (batch,), as (batch, features); 0 for a missing one."""
        assert self.label_emb is not None, "a class is given to a network that is told none"
        return torch.where((labels >= 0)[:, None], self.label_emb(labels.long().clamp_min(0)), 0.0)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the convolutions."""
        return cast(nn.Conv2d, cast(nn.ModuleList, self.input_blocks[0])[0]).weight.dtype

    def convert(self, dtype: torch.dtype) -> UNet:
        """Give the convolutions of the trunk this precision; returns the network itself."""
        convert((self.input_blocks, self.middle_block, self.output_blocks), dtype)
        return self

    def _check_size(self, x: Tensor) -> None:
        multiple = 2 ** (len(self.sizes.widths) - 1)
        height, width = x.shape[-2:]
        if height % multiple or width % multiple:
            raise CompileError(
                f"a network of {len(self.sizes.widths)} levels is given images of {height} x "
                f"{width}; expected multiples of {multiple}"
            )


def _vectors(sizes: Configuration) -> nn.Embedding | None:
    """A vector for each class, not drawn: a file has them."""
    if sizes.classes is None:
        return None
    return nn.Embedding.from_pretrained(torch.zeros(sizes.classes, sizes.features), freeze=False)
