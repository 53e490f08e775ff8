"""ADM layers: blocks, attention, norms, and the embedding of the step, as they were published.

Notation: h hidden channels, shape (batch, channels, height, width) or (batch, channels, T) at T
positions; e the embedding.

A `Block` is residual and hears e. With r the resampling (none, halved by average pooling, or
doubled by nearest neighbour) and a, b the two halves of a linear map of silu(e),

    h <- skip(r(h)) + conv(silu((1 + a) norm(u) + b)),     u = conv(r(silu(norm(h)))),

where skip is a 1x1 convolution if the channels change; without scale-shift the map has one half,
and silu(norm(u + b)) is convolved. Levels may also be joined by a convolution with stride 2
(`Halving`) or after doubling (`Doubling`). A `Norm` is a group norm over 32 groups, computed in
float32 whatever the precision around it.

*Attention* mixes the values of all positions, in each of H heads of d channels,

    a = v softmax((q d^-1/4)^T (k d^-1/4))^T,

q and k scaled each by itself, so that half precision does not overflow, the softmax in float32.
One map gives the 3 d H channels of q, k and v together, in one of two orders:

    legacy   head 1: q k v, head 2: q k v, ...    the blocks of a U-Net and of a classifier
    new      q of all heads, k of all heads, v of all heads    the pool, always

The *embedding* of the step t in 0..999 is cos(t omega_k), then sin(t omega_k), with
omega_k = 10000^(-k / K), k = 0..K-1, through an MLP with SiLU; t counts the 1000 steps of training,
also where a solver visits few of them. An odd length ends in a zero.

Sources: Dhariwal & Nichol (2021), Diffusion Models Beat GANs on Image Synthesis, section 3; Radford
et al. (2021), CLIP, section 2.4 (the pool); Vaswani et al. (2017), Attention Is All You Need,
section 3.5 (the step; cosines come first here).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.errors import CheckpointError

__all__ = [
    "GROUPS",
    "LONGEST_PERIOD",
    "AttentionPool",
    "Block",
    "Configuration",
    "Doubling",
    "Halving",
    "Norm",
    "SpatialAttention",
    "doubled",
    "embedded",
    "halved",
    "mixed",
    "precise",
    "step_features",
    "step_mlp",
]

GROUPS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The sizes of a network. The last three are in no tensor's name or shape.

    Attributes:
        inputs: channels of the image.
        outputs: channels of the prediction; of a classifier the number of classes.
        width: length of the time's features.
        widths: channels of each level.
        blocks: residual blocks of each level on the way down, one more on the way up.
        attention: whether each level attends.
        block_resampling: levels are joined by residual blocks that halve or double; else by
            convolutions.
        scale_shift: the embedding scales and shifts; else it is added.
        classes: number of classes that a U-Net is told; None: none.
        grid: height and width of the last level, where a classifier pools; None: a U-Net.
        head_channels: channels of a head of attention.
        heads: heads of every attention, in place of ``head_channels``.
        legacy_attention: whether U-Net blocks split the heads first, then q, k and v.

    Raises:
        CheckpointError: channels that cannot be split into groups, or into heads.
    """

    inputs: int
    outputs: int
    width: int
    widths: tuple[int, ...]
    blocks: int
    attention: tuple[bool, ...]
    block_resampling: bool = True
    scale_shift: bool = True
    classes: int | None = None
    grid: int | None = None
    head_channels: int = 64
    heads: int | None = None
    legacy_attention: bool = True

    def __post_init__(self) -> None:
        """Refuse what no network can be built with."""
        for channels in self.widths:
            if channels < 1 or channels % GROUPS:
                raise CheckpointError(
                    f"{channels} channels at a level; group norm expects a multiple of {GROUPS}"
                )
        for channels in self._attended():
            self._check_heads(channels)

    @property
    def features(self) -> int:
        """Length of the embedding of the time."""
        return 4 * self.width

    def heads_of(self, channels: int) -> int:
        """The number of heads of an attention over so many channels."""
        return self.heads or channels // self.head_channels

    def _attended(self) -> list[int]:
        """Channels of every attention; the last level always has one, between the two ways."""
        levels = zip(self.widths, self.attention, strict=True)
        return [channels for channels, attends in levels if attends] + [self.widths[-1]]

    def _check_heads(self, channels: int) -> None:
        if self.heads is None:
            if self.head_channels < 1 or channels % self.head_channels:
                raise CheckpointError(
                    f"attention over {channels} channels cannot have heads of "
                    f"{self.head_channels}; shapes do not tell: give head_channels= or heads="
                )
        elif self.heads < 1 or channels % self.heads:
            raise CheckpointError(
                f"attention over {channels} channels cannot have {self.heads} heads; shapes do "
                "not tell: give head_channels= or heads="
            )


EPSILON = 1e-5


def precise(h: Tensor) -> Tensor:
    """The tensor in float32; float64 stays."""
    return h.to(torch.promote_types(h.dtype, torch.float32))


class Norm(nn.Module):
    """Group norm of (batch, channels, ...), with a learned scale and shift of each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, h: Tensor) -> Tensor:
        """The normalised h; same shape and precision."""
        normal = functional.group_norm(precise(h), GROUPS, self.weight, self.bias, EPSILON)
        return normal.to(h.dtype)


Resample: TypeAlias = Callable[[Tensor], Tensor]


def halved(h: Tensor) -> Tensor:
    """Half the height and width, by average pooling."""
    return functional.avg_pool2d(h, 2)


def doubled(h: Tensor) -> Tensor:
    """Twice the height and width, by nearest neighbour."""
    return functional.interpolate(h, scale_factor=2.0, mode="nearest")


class Halving(nn.Module):
    """A convolution with stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        """Half the height and width."""
        return self.op(h)


class Doubling(nn.Module):
    """A convolution of the doubled image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        """Twice the height and width."""
        return self.conv(doubled(h))


class Block(nn.Module):
    """A residual block.

    Args:
        inputs: channels of h.
        outputs: channels of the next h.
        features: length of the embedding.
        scale_shift: whether the embedding scales too.
        resample: `halved`, `doubled` or None.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        features: int,
        *,
        scale_shift: bool,
        resample: Resample | None = None,
    ) -> None:
        super().__init__()
        self.resample, self.scale_shift = resample, scale_shift
        heard = 2 * outputs if scale_shift else outputs
        self.in_layers = nn.Sequential(
            Norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(features, heard))
        # The third place is that of the dropout, which the names count and an answer leaves out.
        self.out_layers = nn.Sequential(
            Norm(outputs), nn.SiLU(), nn.Identity(), nn.Conv2d(outputs, outputs, 3, padding=1)
        )
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """The next hidden state, given the embedding (batch, features)."""
        change = self.in_layers[1](self.in_layers[0](h))
        if self.resample is not None:
            change, h = self.resample(change), self.resample(h)
        change = self._heard(self.in_layers[2](change), embedding)
        return self.skip_connection(h) + self.out_layers[1:](change)

    def _heard(self, change: Tensor, embedding: Tensor) -> Tensor:
        """The normalised change that has heard the embedding."""
        heard, norm = self.emb_layers(embedding).to(change.dtype)[..., None, None], self.out_layers
        if not self.scale_shift:
            return norm[0](change + heard)
        scale, shift = heard.chunk(2, dim=1)
        return norm[0](change) * (1 + scale) + shift


def mixed(qkv: Tensor, heads: int, *, legacy: bool) -> Tensor:
    """The mixed values of all heads.

    Args:
        qkv: q, k and v of all heads, shape (batch, 3 channels, T).
        heads: how many there are.
        legacy: the order of the channels.

    Returns:
        Shape (batch, channels, T), the heads one after the other.
    """
    batch, _, positions = qkv.shape
    if legacy:
        q, k, v = qkv.reshape(batch, heads, 3, -1, positions).unbind(dim=2)
    else:
        q, k, v = qkv.reshape(batch, 3, heads, -1, positions).unbind(dim=1)
    scale = q.shape[2] ** -0.25
    scores = (q * scale).transpose(2, 3) @ (k * scale)
    weights = precise(scores).softmax(dim=-1).to(v.dtype)
    return (v @ weights.transpose(2, 3)).reshape(batch, -1, positions)


class SpatialAttention(nn.Module):
    """Every position of an image attends to every other; added to what comes in.

    Args:
        channels: the channels of h.
        heads: the number of heads, a divisor of them.
        legacy: the order of q, k and v.
    """

    def __init__(self, channels: int, heads: int, *, legacy: bool) -> None:
        super().__init__()
        self.heads, self.legacy = heads, legacy
        self.norm = Norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, h: Tensor) -> Tensor:
        """The next hidden state; same shape as h, (batch, channels, height, width)."""
        flat = h.flatten(2)
        change = mixed(self.qkv(self.norm(flat)), self.heads, legacy=self.legacy)
        return (flat + self.proj_out(change)).reshape(h.shape)


class AttentionPool(nn.Module):
    """What one more position, the mean of all, finds when it attends to them.

    Args:
        channels: the channels of h.
        heads: the number of heads, a divisor of them.
        grid: height and width of h; each position has a learned vector.
        outputs: length of the result.
    """

    def __init__(self, channels: int, heads: int, grid: int, outputs: int) -> None:
        super().__init__()
        self.heads = heads
        self.positional_embedding = nn.Parameter(torch.zeros(channels, grid**2 + 1))
        self.qkv_proj = nn.Conv1d(channels, 3 * channels, 1)
        self.c_proj = nn.Conv1d(channels, outputs, 1)

    def forward(self, h: Tensor) -> Tensor:
        """(batch, channels, grid, grid) -> (batch, outputs)."""
        flat = h.flatten(2)
        flat = torch.cat([flat.mean(dim=-1, keepdim=True), flat], dim=-1)
        flat = flat + self.positional_embedding.to(flat.dtype)
        return self.c_proj(mixed(self.qkv_proj(flat), self.heads, legacy=False))[:, :, 0]


LONGEST_PERIOD = 10_000


def step_features(t: Tensor, width: int) -> Tensor:
    """The features of the steps t, shape (batch,), as (batch, width); float32 or better."""
    half = width // 2
    t = t if t.dtype == torch.float64 else t.float()
    exponents = torch.arange(half, device=t.device, dtype=t.dtype) / max(half, 1)
    angles = t[:, None] * torch.exp(-math.log(LONGEST_PERIOD) * exponents)
    return functional.pad(torch.cat([angles.cos(), angles.sin()], dim=-1), (0, width % 2))


def step_mlp(width: int, features: int) -> nn.Sequential:
    """The MLP of the features."""
    return nn.Sequential(nn.Linear(width, features), nn.SiLU(), nn.Linear(features, features))


def embedded(t: Tensor, mlp: nn.Module, width: int) -> Tensor:
    """The embedding of the steps t, shape (batch,), in the precision of the MLP's weights."""
    return mlp(step_features(t, width).to(next(mlp.parameters()).dtype))
