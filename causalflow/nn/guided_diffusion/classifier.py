"""Classifier: the published classifier of noisy images, the way down of a U-Net and a pool.

Source: Dhariwal & Nichol (2021), Diffusion Models Beat GANs on Image Synthesis, section 4.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from causalflow.errors import CompileError
from causalflow.nn.guided_diffusion.attention import AttentionPool
from causalflow.nn.guided_diffusion.configuration import Configuration
from causalflow.nn.guided_diffusion.embedding import embedded, step_mlp
from causalflow.nn.guided_diffusion.norm import Norm
from causalflow.nn.guided_diffusion.trunk import convert, middle, run, way_down

__all__ = ["Classifier"]


class Classifier(nn.Module):
    """The classifier of a configuration, whose grid is given."""

    def __init__(self, sizes: Configuration) -> None:
        super().__init__()
        assert sizes.grid is not None, "a classifier pools over a grid"
        self.sizes = sizes
        self.side = sizes.grid * 2 ** (len(sizes.widths) - 1)
        self.time_embed = step_mlp(sizes.width, sizes.features)
        self.input_blocks, _ = way_down(sizes)
        self.middle_block = middle(sizes)
        end = sizes.widths[-1]
        pool = AttentionPool(end, sizes.heads_of(end), sizes.grid, sizes.outputs)
        self.out = nn.Sequential(Norm(end), nn.SiLU(), pool)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """The logits at x.

        Args:
            x: shape (batch, inputs, side, side).
            t: steps, shape (batch,).

        Returns:
            Shape (batch, outputs), in the precision of x.

        Raises:
            CompileError: an image of another size.
        """
        if x.shape[-2:] != (self.side, self.side):
            height, width = x.shape[-2:]
            raise CompileError(
                f"a classifier of images of {self.side} x {self.side} is given {height} x {width}"
            )
        embedding = embedded(t, self.time_embed, self.sizes.width)
        h = x.to(self.dtype)
        for stage in self.input_blocks:
            h = run(cast(nn.ModuleList, stage), h, embedding)
        return self.out(run(self.middle_block, h, embedding).to(x.dtype))

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the convolutions."""
        return cast(nn.Conv2d, cast(nn.ModuleList, self.input_blocks[0])[0]).weight.dtype

    def convert(self, dtype: torch.dtype) -> Classifier:
        """Give the convolutions of the trunk this precision; returns the network itself."""
        convert((self.input_blocks, self.middle_block), dtype)
        return self
