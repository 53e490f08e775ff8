"""HVAE network: encoder, top-down decoder and pixel law of a hierarchical VAE with parents.

Notation: x the picture in [-1, 1], pa its parents as numbers, z = (z_1, ..., z_L) latents from 1x1
to fine maps. The prior is *exogenous*, it does not see the parents; the path to the pixels does:

    q(z | x, pa) = prod_i N(z_i; h_i, x, pa)      h_i: what z_<i and pa made of the picture so far
    p(z)         = prod_i N(z_i; s_i)             s_i: a stream of z_<i alone
    h_{i+1}      = conv(h_i + features(s_i) + W [z_i, pa])
    p(x | z, pa) = discretised Gaussian of mean mu(h) and scale sigma(h), a number a pixel

    -ELBO = E_q[-log p(x | z, pa)] + KL(q(z | x, pa) || p(z)), nats a pixel and channel

Source: Ribeiro et al. (2023), High fidelity image counterfactuals with probabilistic causal models,
section 3, the variant with an exogenous prior; Child (2021), Very deep VAEs. Smaller here: one or
two latents a size, none finer than 32x32; above 32 pixels a first convolution of stride 2 and a
last one that shuffles to pixels; the channels of a pixel are independent given z; no scale below a
fifth of a grey level, where the mass of a level is 1 already (theirs: a 63rd).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Latents", "Network", "NetworkOptions", "discretised_nll", "gaussian_kl"]

GREY_STEP = 2 / 255
LEAST_LOG_SCALE = math.log(GREY_STEP / 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """The network's shape.

    Attributes:
        shape: (channels, height, width) of the pictures, square.
        parents: numbers that say the parents of a picture.
        latent: channels of each latent.
        widths: size of a map -> its channels; the sizes halve from 32 to 4, and end in 1.
        levels: size of a map -> how many latents it has.
    """

    shape: tuple[int, int, int]
    parents: int
    latent: int = 16
    widths: dict[int, int] = field(
        default_factory=lambda: {128: 24, 64: 32, 32: 48, 16: 96, 8: 128, 4: 192, 1: 256}
    )
    levels: dict[int, int] = field(default_factory=lambda: {32: 1, 16: 2, 8: 2, 4: 2, 1: 1})

    @property
    def stride(self) -> int:
        """Of the first convolution."""
        return 2 if self.padded > 32 else 1

    @property
    def padded(self) -> int:
        """The side in pixels, up to the next power of two."""
        return 1 << math.ceil(math.log2(max(self.shape[1:])))

    @property
    def sizes(self) -> list[int]:
        """The sizes of the maps, finest first."""
        return [size for size in self.widths if size <= self.padded // self.stride]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Latents:
    """What the encoder says of a picture.

    Attributes:
        values: the latents z_1, ..., z_L.
        divergence: KL(q(z | x, pa) || p(z)) of each picture, nats, shape (batch,).
        maps: the last maps h that they were drawn beside.
    """

    values: list[Tensor]
    divergence: Tensor
    maps: Tensor


def gaussian_kl(mean: Tensor, log_scale: Tensor, mean_2: Tensor, log_scale_2: Tensor) -> Tensor:
    """KL(N(mean, scale^2) || N(mean_2, scale_2^2)), of each number, nats."""
    ratio = 2 * (log_scale - log_scale_2)
    return (ratio.exp() - ratio - 1 + ((mean - mean_2) * (-log_scale_2).exp()).square()) / 2


def discretised_nll(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """-log of the mass that a Gaussian puts on each grey level, nats.

    The darkest level takes the whole lower tail, the brightest the upper. Where the mass is lost to
    rounding, the density at the level times its width stands for it.
    """
    inverse = (-log_scale).exp()
    upper = _normal((x - mean + GREY_STEP / 2) * inverse)
    lower = _normal((x - mean - GREY_STEP / 2) * inverse)
    upper = torch.where(x > 1 - GREY_STEP / 2, torch.ones_like(upper), upper)
    lower = torch.where(x < GREY_STEP / 2 - 1, torch.zeros_like(lower), lower)
    mass = upper - lower
    density = -((x - mean) * inverse).square() / 2 - log_scale - math.log(2 * math.pi) / 2
    found = mass > 1e-5
    return -torch.where(found, mass.clamp_min(1e-5).log(), density + math.log(GREY_STEP))


def _normal(x: Tensor) -> Tensor:
    return (1 + torch.erf(x / math.sqrt(2))) / 2


class Block(nn.Module):
    """Two convolutions with half of the channels between, added to a projection of what came in."""

    def __init__(self, given: int, made: int, size: int, *, residual: bool = True) -> None:
        super().__init__()
        side, inner = (3 if size > 2 else 1), made // 2
        self.first = nn.Conv2d(given, inner, side, padding=side // 2)
        self.last = nn.Conv2d(inner, made, side, padding=side // 2)
        same = given == made
        self.skip = nn.Identity() if same or not residual else nn.Conv2d(given, made, 1)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """(batch, given, size, size) -> (batch, made, size, size)."""
        made = self.last(functional.relu(self.first(functional.relu(x))))
        return self.skip(x) + made if self.residual else made


class Level(nn.Module):
    """One latent: its prior, its posterior, and what it adds to the picture."""

    def __init__(self, options: NetworkOptions, size: int, made: int) -> None:
        super().__init__()
        given, z, parents = options.widths[size], options.latent, options.parents
        self.size, self.latent = size, z
        self.prior = Block(given, 2 * z + given, size, residual=False)
        self.posterior = Block(2 * given + parents, 4 * z, size, residual=False)
        self.moments = nn.Conv2d(4 * z, 2 * z, 1)
        self.enter = nn.Conv2d(z + parents, given, 1)
        self.stream = nn.Conv2d(z + given, made, 1)
        self.out = Block(given, made, size)

    def law(self, stream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and log scale of the prior, and the features that it adds."""
        mean, log_scale, features = self.prior(stream).split(
            [self.latent, self.latent, stream.shape[1]], dim=1
        )
        return mean, log_scale, features

    def inferred(self, h: Tensor, seen: Tensor, parents: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log scale of the posterior."""
        found = self.moments(self.posterior(torch.cat([h, seen, parents], dim=1)))
        mean, log_scale = found.chunk(2, dim=1)
        return mean, log_scale

    def add(self, h: Tensor, z: Tensor, features: Tensor, parents: Tensor) -> tuple[Tensor, Tensor]:
        """The next maps, and the next stream of latents alone."""
        h = self.out(h + features + self.enter(torch.cat([z, parents], dim=1)))
        return h, self.stream(torch.cat([z, features], dim=1))


class Network(nn.Module):
    """Encoder, decoder and pixel law."""

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        self.options, sizes, widths = options, options.sizes, options.widths
        channels, stride = options.shape[0], options.stride
        self.stem = nn.Conv2d(channels, widths[sizes[0]], 7, stride, padding=3)
        self.seen = nn.ModuleList(Block(widths[s], widths[s], s) for s in sizes)
        self.shrink = nn.ModuleList(nn.Conv2d(widths[a], widths[b], 1) for a, b in pairwise(sizes))
        upward = [size for size in sizes[::-1] for _ in range(options.levels.get(size, 1))]
        self.levels = nn.ModuleList(
            Level(options, size, widths[after])
            for size, after in zip(upward, [*upward[1:], upward[-1]], strict=True)
        )
        self.bias = nn.ParameterDict(
            {str(s): nn.Parameter(torch.zeros(1, widths[s], s, s)) for s in sizes if s <= 64}
        )
        self.pixels = nn.Conv2d(widths[sizes[0]], 2 * channels * stride**2, 3, padding=1)
        self._scale_weights()

    def _own(self) -> list[Level]:
        """The levels, from the coarsest."""
        return cast("list[Level]", list(self.levels))

    @torch.no_grad()
    def _scale_weights(self) -> None:
        """Begin with the standard normal prior, and depth that adds little."""
        for level in self._own():
            for weight in level.prior.last.parameters():
                weight.zero_()
            for part in (level.enter, level.out.last):
                part.weight.mul_(1 / math.sqrt(len(self.levels)))

    def infer(
        self, x: Tensor, parents: Tensor, temperature: float, random: torch.Generator
    ) -> Latents:
        """z ~ q(z | x, pa), its scale times ``temperature``.

        Args:
            x: pictures in [-1, 1], shape (batch, channel, height, width).
            parents: shape (batch, parents).
            temperature: 1: the posterior itself; 0: its means.
            random: draws z.
        """
        seen, divergence, values = self._seen(x), x.new_zeros(len(x)), []
        h = s = self._start(len(x))
        for level in self._own():
            h, s, pa = *self._grown(h, s, level.size), _as_maps(parents, level.size)
            mean, log_scale, features = level.law(s)
            mean_q, log_scale_q = level.inferred(h, seen[level.size], pa)
            noise = torch.randn(mean_q.shape, generator=random).to(mean_q)
            z = mean_q + temperature * log_scale_q.exp() * noise
            every = gaussian_kl(mean_q, log_scale_q, mean, log_scale)
            divergence = divergence + every.flatten(1).sum(dim=1)
            values.append(z)
            h, s = level.add(h, z, features, pa)
        return Latents(values=values, divergence=divergence, maps=h)

    def decode(self, latents: list[Tensor], parents: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log scale of every pixel, given latents and parents."""
        h = s = self._start(len(parents))
        for level, z in zip(self._own(), latents, strict=True):
            h, s, pa = *self._grown(h, s, level.size), _as_maps(parents, level.size)
            h, s = level.add(h, z, level.law(s)[2], pa)
        return self.pixel_law(h)

    def pixel_law(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log scale of every pixel, given the last maps."""
        height, width = self.options.shape[1:]
        made = functional.pixel_shuffle(self.pixels(maps), self.options.stride)
        mean, log_scale = made[..., :height, :width].chunk(2, dim=1)
        return mean, log_scale.clamp_min(LEAST_LOG_SCALE)

    def negative_elbo(
        self, x: Tensor, parents: Tensor, random: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """-log p(x | z, pa) and the divergence of each picture, nats, z drawn once."""
        latents = self.infer(x, parents, 1.0, random)
        nll = discretised_nll(x, *self.pixel_law(latents.maps)).flatten(1).sum(dim=1)
        return nll, latents.divergence

    def _seen(self, x: Tensor) -> dict[int, Tensor]:
        """Maps of the picture at each size."""
        side, (_, height, width) = self.options.padded, self.options.shape
        x = functional.pad(x, (0, side - width, 0, side - height), mode="replicate")
        found, h = {}, self.stem(x)
        for place, (size, block) in enumerate(zip(self.options.sizes, self.seen, strict=True)):
            if place:
                h = self.shrink[place - 1](functional.adaptive_avg_pool2d(h, size))
            found[size] = h = block(h)
        return found

    def _start(self, count: int) -> Tensor:
        return self.bias["1"].expand(count, -1, -1, -1)

    def _grown(self, h: Tensor, s: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Both streams at a size, with its learnt places where they come to it."""
        if h.shape[-1] == size:
            return h, s
        own = self.bias.get(str(size), 0.0)
        return (
            own + functional.interpolate(h, size=size),
            own + functional.interpolate(s, size=size),
        )


def _as_maps(parents: Tensor, size: int) -> Tensor:
    return parents[:, :, None, None].expand(-1, -1, size, size)
