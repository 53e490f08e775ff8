"""ResidualNet: a map of small maps to themselves, conditioned on a vector, at one resolution.

Notation: x (batch, channels, height, width), e the embedding, (batch, features); h hidden channels.
The embedding is heard twice: by every block (`causalflow.nn.unet.Block`), and, through one linear
map, as a small picture p(e) of `PLACES` x `PLACES` cells, resized to that of x and laid beside it,

    h = enter([x, p(e)]),   h <- block(h, e), ..., block(h, e),   out = leave(silu(norm(h))),

so that a number which is a place (an object's x) can be said at that place. The last convolution
is zero at the start, and so the net. It is made for latents of up to 16 x 16: wide channels on a
small map are what a CPU is fast at.

Sources: He et al. (2016), residual blocks; Perez et al. (2018), FiLM.
"""

from __future__ import annotations

from math import gcd
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.nn.encoder import GROUPS, activated, zeroed
from causalflow.nn.unet import Block

__all__ = ["ResidualNet"]

PLACES, SAID = 8, 16
"""Cells of a side, and channels, of the picture that the embedding becomes."""


class ResidualNet(nn.Module):
    """The network.

    Args:
        channels: the channels of x, both in and out.
        hidden: those between.
        depth: the number of blocks.
        features: length of the embedding.
    """

    def __init__(self, channels: int, hidden: int, depth: int, features: int) -> None:
        super().__init__()
        self.said = nn.Linear(features, SAID * PLACES * PLACES)
        self.enter = nn.Conv2d(channels + SAID, hidden, 3, padding=1)
        self.blocks = nn.ModuleList(Block(hidden, features) for _ in range(depth))
        self.norm = nn.GroupNorm(gcd(hidden, GROUPS), hidden)
        self.leave = zeroed(nn.Conv2d(hidden, channels, 3, padding=1))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """The value at x, in its shape."""
        said = self.said(embedding).unflatten(1, (SAID, PLACES, PLACES))
        if said.shape[2:] != x.shape[2:]:
            said = functional.interpolate(said, x.shape[2:], mode="bilinear")
        h = torch.cat([x, said.expand(len(x), -1, -1, -1)], dim=1)
        h = self.enter(h.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            h = block(h, embedding)
        return cast(Tensor, self.leave(activated(self.norm(h))))
