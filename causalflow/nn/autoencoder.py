"""Autoencoder: an image as a small map of numbers, its latent, and back.

Notation: x an image in [-1, 1], z its latent, of 1/factor of the height and width.

An autoencoder is made by ``make(channels, options)``: channels of the image, and the options
`causalflow.graph.latent_options.Latent`, of which it may read ``factor``, ``channels``, ``width``
and ``folder``. What it makes is a module with

    encode(x) -> z     x (batch, image channels, height, width), whose sides `factor` divides;
                       z (batch, `channels`, height / factor, width / factor), near unit scale
    decode(z) -> x     not bounded to [-1, 1]; differentiable; of a z of any height and width where
                       it is fitted with ``shrinking``
    factor, channels   of the latent that it makes
    trained            whether its weights come with it; a fit then leaves them as they are

One that is trained here has its parameters under two modules, ``encoder`` and ``decoder``: a fit
holds the first still once the flow begins.

The package's own halves a side by folding 2 x 2 pixels into channels (PixelUnshuffle), so that no
convolution runs at the size of the image, where a CPU is slow at it: level l has ``width 2^l``
channels at 1/2^(l + 1) of the sides, one residual block, and one more at the coarsest. The way back
is its mirror image (PixelShuffle). The latent is standardised by channel, z = (e - m) / s: in
training m and s are those of the batch (over all processes), later their running averages, so that
its scale is nothing the weights could use, and the noise that is added to it bounds what it says.

Sources: Rombach et al. (2022), High-Resolution Image Synthesis with Latent Diffusion Models; Shi et
al. (2016), sub-pixel convolution; Ioffe & Szegedy (2015), batch normalisation.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import gcd
from typing import Protocol, TypeAlias, cast, runtime_checkable

import torch
from torch import Tensor, nn

from causalflow import plugins
from causalflow.graph.latent_options import Latent
from causalflow.nn.encoder import GROUPS, activated
from causalflow.nn.unet import Block
from causalflow.registry import Registry

__all__ = ["AUTOENCODERS", "Autoencoder", "ConvolutionalAutoencoder"]

MOMENTUM = 0.02
"""The share of a batch in the running averages, once there were 50; before, all count alike."""
LEAST_VARIANCE = 1e-6


@runtime_checkable
class Autoencoder(Protocol):
    """What an entry of `AUTOENCODERS` makes; a ``torch.nn.Module``.

    Attributes:
        factor: how many pixels of a side one cell stands for.
        channels: numbers in a cell.
        trained: its weights come with it, and no fit changes them.
    """

    factor: int
    channels: int
    trained: bool

    def encode(self, x: Tensor) -> Tensor:
        """The latents of images in [-1, 1]."""

    def decode(self, z: Tensor) -> Tensor:
        """The images of latents."""


Make: TypeAlias = Callable[[int, Latent], nn.Module]
AUTOENCODERS: Registry[Make] = plugins.AUTOENCODERS


class ConvolutionalAutoencoder(nn.Module):
    """The package's own.

    Args:
        channels: the channels of the image.
        options: ``factor``, ``channels`` and ``width``.
    """

    trained = False

    def __init__(self, channels: int, options: Latent) -> None:
        super().__init__()
        self.factor, self.channels = options.factor, options.channels
        levels = range(options.factor.bit_length() - 1)
        widths = [options.width << level for level in levels] or [options.width]
        self.encoder = _Encoder(channels, widths, self.factor, self.channels)
        self.decoder = _Decoder(channels, widths, self.factor, self.channels)

    def encode(self, x: Tensor) -> Tensor:
        """The latents, of unit scale over the data."""
        return cast(Tensor, self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """The images."""
        return cast(Tensor, self.decoder(z))


class _Encoder(nn.Module):
    """Levels from fine to coarse, and the standardised latent."""

    def __init__(self, channels: int, widths: list[int], factor: int, latent: int) -> None:
        super().__init__()
        self.fold = _Fold(2 if factor > 1 else 1)
        folded = 4 if factor > 1 else 1
        self.enter = nn.ModuleList(
            nn.Conv2d(folded * a, b, 3, padding=1) for a, b in pairwise([channels, *widths])
        )
        self.blocks = nn.ModuleList(Block(width, None) for width in widths)
        self.last = Block(widths[-1], None)
        self.norm = nn.GroupNorm(gcd(widths[-1], GROUPS), widths[-1])
        self.leave = nn.Conv2d(widths[-1], latent, 3, padding=1)
        self.standard = _Standard(latent)

    def forward(self, x: Tensor) -> Tensor:
        h = x.contiguous(memory_format=torch.channels_last)
        for enter, block in zip(self.enter, self.blocks, strict=True):
            h = block(enter(self.fold(h)), None)
        h = activated(self.norm(self.last(h, None)))
        return cast(Tensor, self.standard(self.leave(h)))


class _Decoder(nn.Module):
    """Levels from coarse to fine."""

    def __init__(self, channels: int, widths: list[int], factor: int, latent: int) -> None:
        super().__init__()
        self.unfold = _Unfold(2 if factor > 1 else 1)
        folded = 4 if factor > 1 else 1
        self.enter = nn.Conv2d(latent, widths[-1], 3, padding=1)
        self.first = Block(widths[-1], None)
        self.blocks = nn.ModuleList(Block(width, None) for width in reversed(widths))
        self.leave = nn.ModuleList(
            nn.Conv2d(b, folded * a, 3, padding=1)
            for a, b in reversed([*pairwise([channels, *widths])])
        )

    def forward(self, z: Tensor) -> Tensor:
        h = self.first(self.enter(z.contiguous(memory_format=torch.channels_last)), None)
        for block, leave in zip(self.blocks, self.leave, strict=True):
            h = self.unfold(leave(block(h, None)))
        return cast(Tensor, h)


class _Fold(nn.PixelUnshuffle):
    """Pixels into channels; of no rows too, which torch leaves as they are."""

    def forward(self, h: Tensor) -> Tensor:
        n, channels, height, width = h.shape
        by = self.downscale_factor
        if n:
            return super().forward(h)
        return h.reshape(0, channels * by**2, height // by, width // by)


class _Unfold(nn.PixelShuffle):
    """The way back."""

    def forward(self, h: Tensor) -> Tensor:
        n, channels, height, width = h.shape
        by = self.upscale_factor
        if n:
            return super().forward(h)
        return h.reshape(0, channels // by**2, height * by, width * by)


class _Standard(nn.Module):
    """Each channel less its mean, in deviations: of the batch in training, else of its average."""

    mean: Tensor
    variance: Tensor
    batches: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def forward(self, z: Tensor) -> Tensor:
        z, mean, variance = z.float(), self.mean, self.variance
        if self.training and torch.is_grad_enabled():
            mean, variance, seen = _moments(z)
            self._follow(mean.detach(), variance.detach(), seen)
        scale = (variance + LEAST_VARIANCE).rsqrt()
        return (z - mean[:, None, None]) * scale[:, None, None]

    def _follow(self, mean: Tensor, variance: Tensor, seen: Tensor) -> None:
        """A batch without rows leaves the averages as they are."""
        self.batches += seen
        share = (1 / self.batches.clamp_min(1)).clamp_min(MOMENTUM) * seen
        self.mean.lerp_(mean.to(self.mean), share.to(self.mean))
        self.variance.lerp_(variance.to(self.variance), share.to(self.mean))


def _moments(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance of each channel over the rows of all processes, and whether there is one.

    Rows without image are none, so that a process may have fewer than another, or no row.
    """
    from torch import distributed

    over, rows = (0, 2, 3), torch.full((1,), float(len(z)), device=z.device)
    both = torch.cat([z.mean(over), z.square().mean(over)] if len(z) else [z.sum(over)] * 2)
    if distributed.is_available() and distributed.is_initialized():
        from torch.distributed.nn.functional import all_reduce

        total, rows = all_reduce(torch.cat([len(z) * both, rows])).split([len(both), 1])
        both = total / rows.clamp_min(1)
    first, second = both.chunk(2)
    return first, second - first.square(), rows[0] > 0
