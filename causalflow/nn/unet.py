"""UNet: a map of images to images, conditioned on a vector.

Notation: h hidden channels, e the embedding, shape (batch, features). Level l has ``width *
multipliers[l]`` channels and 1/2^l of the height and width. A residual block is

    h <- h + conv(silu(ada(conv(silu(norm(h))), e))),     ada(h, e) = (1 + a(e)) norm(h) + b(e),

with group norms, a and b linear, and the second convolution zero at the start: every block starts
as the identity, and the net, whose last convolution is zero too, as the constant 0. Going down,
each level runs its blocks and then halves by average pooling; going up, each level adds the hidden
state that went down (a sum is cheaper than a concatenation), runs its blocks and then doubles by
nearest neighbour. Between levels a 1x1 convolution changes the channels, always at the smaller
size. At the levels that attend, each block is followed by an attention over the positions, added,
and zero at the start too. A patch U-Net works on patches of p x p pixels, whose pixels stand in the
channels of one position.

Sources: Ronneberger et al. (2015), U-Net; Dhariwal & Nichol (2021), adaptive group norm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise, repeat
from math import gcd
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.errors import CompileError
from causalflow.nn.attention import SelfAttention
from causalflow.nn.encoder import GROUPS, Modulation, activated, zeroed

__all__ = ["AttentiveBlock", "Block", "PatchUNet", "UNet"]


class Block(nn.Module):
    """A residual block of ``channels`` channels, given an embedding of ``features`` numbers.

    Without ``features`` it is given None.
    """

    def __init__(self, channels: int, features: int | None) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(gcd(channels, GROUPS), channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.modulation = Modulation(channels, features)
        self.second = zeroed(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, h: Tensor, embedding: Tensor | None) -> Tensor:
        """The next hidden state; same shape as h."""
        change = self.first(activated(self.norm(h)))
        return h + self.second(activated(self.modulation(change, embedding)))


class AttentiveBlock(nn.Module):
    """A residual block, and an attention of ``heads`` heads over all positions."""

    def __init__(self, channels: int, features: int, heads: int) -> None:
        super().__init__()
        self.block = Block(channels, features)
        self.norm = nn.GroupNorm(gcd(channels, GROUPS), channels)
        self.attention = SelfAttention(channels, heads, zero=True)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """The next hidden state; same shape as h."""
        h = self.block(h, embedding)
        read = self.attention(self.norm(h).flatten(2).transpose(1, 2))
        return h + read.transpose(1, 2).reshape(h.shape)


class UNet(nn.Module):
    """The network; any height and width, padded inside to a multiple of 2^(levels - 1).

    Args:
        channels: the channels of the image, both in and out.
        width: channels of the first level.
        multipliers: channels of each level, in multiples of ``width``.
        blocks: residual blocks of each level, on each of the two ways.
        features: length of the embedding.
        attention: the levels that attend, from 1, that of the full size.
        heads: heads of an attention, which divide the channels of its level.

    Raises:
        CompileError: a level that there is none of, or heads that do not divide its channels.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        multipliers: Sequence[int],
        blocks: int,
        features: int,
        *,
        attention: Sequence[int] = (),
        heads: int = 1,
    ) -> None:
        super().__init__()
        if absent := [level for level in attention if level > len(multipliers)]:
            raise CompileError(
                f"attention at level {absent[0]} of a U-Net of {len(multipliers)} levels; expected "
                f"levels from 1 to {len(multipliers)}"
            )
        widths = [width * multiplier for multiplier in multipliers]
        self.enter = nn.Conv2d(channels, widths[0], 3, padding=1)
        at = [heads if level in attention else 0 for level in range(1, len(widths) + 1)]
        self.down = nn.ModuleList(map(_level, widths, repeat(blocks), repeat(features), at))
        self.up = nn.ModuleList(map(_level, widths, repeat(blocks), repeat(features), at))
        self.widen = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairwise(widths))
        self.narrow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.norm = nn.GroupNorm(gcd(widths[0], GROUPS), widths[0])
        self.leave = zeroed(nn.Conv2d(widths[0], channels, 3, padding=1))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """The value at x (batch, channels, height, width) and embedding (batch, features)."""
        height, width = x.shape[-2:]
        multiple = 2 ** len(self.widen)
        x = functional.pad(x, (0, -width % multiple, 0, -height % multiple))
        h = self.enter(x.contiguous(memory_format=torch.channels_last))
        h = self._ascend(self._descend(h, embedding), embedding)
        return self.leave(activated(self.norm(h)))[..., :height, :width]

    def _descend(self, h: Tensor, embedding: Tensor) -> list[Tensor]:
        """The hidden state at the end of each level, on the way down."""
        states: list[Tensor] = []
        for level, blocks in enumerate(self.down):
            if level:
                h = self.widen[level - 1](functional.avg_pool2d(h, 2))
            for block in cast(nn.ModuleList, blocks):
                h = block(h, embedding)
            states.append(h)
        return states

    def _ascend(self, states: Sequence[Tensor], embedding: Tensor) -> Tensor:
        """The hidden state at full size, on the way up."""
        h = states[-1]
        for level in reversed(range(len(self.up))):
            if level < len(self.widen):
                h = states[level] + functional.interpolate(self.narrow[level](h), scale_factor=2)
            for block in cast(nn.ModuleList, self.up[level]):
                h = block(h, embedding)
        return h


class PatchUNet(nn.Module):
    """A U-Net on patches of ``patch`` x ``patch`` pixels; any height and width, padded inside.

    Args:
        channels: the channels of the image, both in and out.
        patch: p, pixels of a patch's side.
        unet: makes the U-Net of so many channels.
    """

    def __init__(self, channels: int, patch: int, unet: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.patch = patch
        self.unet = unet(channels * patch**2)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """The value at x (batch, channels, height, width) and embedding (batch, features)."""
        height, width = x.shape[-2:]
        x = functional.pad(x, (0, -width % self.patch, 0, -height % self.patch))
        h = self.unet(functional.pixel_unshuffle(x, self.patch), embedding)
        return functional.pixel_shuffle(h, self.patch)[..., :height, :width]


def _level(channels: int, blocks: int, features: int, heads: int) -> nn.ModuleList:
    """The blocks of a level, which attend in so many heads; 0: they do not."""
    return nn.ModuleList(
        AttentiveBlock(channels, features, heads) if heads else Block(channels, features)
        for _ in range(blocks)
    )
