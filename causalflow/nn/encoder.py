"""Encoder: an image as a vector, by strided convolutions; and MLP, a map of vectors.

Notation: h hidden channels, e an embedding of the diffusion time, shape (batch, time_features).
Three levels, each halving height and width: convolution with stride 2, group norm, SiLU; then one
residual convolution, the mean over positions and a linear map. With e, each norm is adaptive
(`Modulation`):

    ada(h, e) = (1 + a(e)) norm(h) + b(e),     a, b linear, zero at the start.

Sources: Wu & He (2018), group normalisation; Perez et al. (2018), FiLM.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import gcd
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["MLP", "Encoder", "Halving", "Modulation", "activated", "zeroed"]

GROUPS = 4
Layer = TypeVar("Layer", bound=nn.Module)


def zeroed(layer: Layer) -> Layer:
    """The same layer, its weights zero."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def activated(h: Tensor) -> Tensor:
    """SiLU of what nothing else reads: written in its place where no gradient is recorded."""
    return functional.silu(h, inplace=not torch.is_grad_enabled())


class Modulation(nn.Module):
    """Adaptive group norm, (1 + a(e)) norm(h) + b(e); without e, a and b are learned constants.

    Args:
        channels: the channels of h, shape (batch, channels, height, width).
        features: the length of e, shape (batch, features); None where there is no e.
    """

    def __init__(self, channels: int, features: int | None) -> None:
        super().__init__()
        self.groups = gcd(channels, GROUPS)
        if features is None:
            self.constants = nn.Parameter(torch.zeros(2 * channels))
        else:
            self.affine = zeroed(nn.Linear(features, 2 * channels))

    def forward(self, h: Tensor, embedding: Tensor | None) -> Tensor:
        """The normalised and modulated h; same shape."""
        if embedding is None:
            scale, shift = self.constants.chunk(2)
            return functional.group_norm(h, self.groups, 1 + scale, shift)
        scale, shift = self.affine(embedding)[:, :, None, None].chunk(2, dim=1)
        normed = functional.group_norm(h, self.groups)
        out = None if torch.is_grad_enabled() else normed
        return torch.addcmul(shift, normed, 1 + scale, out=out)


class Halving(nn.Conv2d):
    """A 3x3 convolution of every second row and column, from ``channels`` to ``others``."""

    def __init__(self, channels: int, others: int) -> None:
        super().__init__(channels, others, 3, stride=2, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        """The value at h (batch, channels, height, width), half as high and wide, rounded up."""
        # Of one column every second is the first. oneDNN 3.12 leaves a part of the gradient of the
        # weights unwritten if it is told to look for more, in bfloat16.
        stride = (2, 1) if h.shape[-1] == 1 else (2, 2)
        return functional.conv2d(h, self.weight, self.bias, stride, padding=1)


class Encoder(nn.Module):
    """A map of images of any size, (batch, channels, height, width) -> (batch, features).

    Args:
        channels: the channels of the image.
        width: channels of the first level; the next two have 2 and 4 times as many.
        features: length of the result.
        time_features: length of the time embedding that `forward` then expects; None: not
            conditioned.
    """

    def __init__(
        self, channels: int, width: int, features: int, time_features: int | None = None
    ) -> None:
        super().__init__()
        self.time_features = time_features
        widths = (channels, width, 2 * width, 4 * width)
        self.halvings = nn.ModuleList(Halving(a, b) for a, b in pairwise(widths))
        self.residual = nn.Conv2d(4 * width, 4 * width, 3, padding=1)
        self.norms = nn.ModuleList(Modulation(c, time_features) for c in (*widths[1:], 4 * width))
        self.readout = nn.Linear(4 * width, features)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """The code of x; ``time`` (batch, time_features) exactly when built with time_features."""
        assert (time is None) == (self.time_features is None)
        h = x.to(self.readout.weight.dtype).contiguous(memory_format=torch.channels_last)
        *norms, last = self.norms
        for halve, norm in zip(self.halvings, norms, strict=True):
            h = activated(norm(halve(h), time))
        h = h + activated(last(self.residual(h), time))
        return self.readout(h.mean(dim=(2, 3)))


class MLP(nn.Module):
    """A map of the last axis, (..., inputs) -> (..., outputs).

    Args:
        inputs: length of the input's last axis; 0 is allowed, the map is then a constant.
        outputs: length of the output's last axis.
        hidden: widths of the hidden layers; none: a linear map.
        dtype: the type of the parameters; inputs are converted to it.
        zero: start the last layer at zero, so that the map starts as the constant 0.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: Sequence[int] = (64, 64),
        dtype: torch.dtype = torch.float32,
        zero: bool = False,
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.dtype = dtype
        widths = (max(inputs, 1), *hidden, outputs)
        self.layers = nn.ModuleList(nn.Linear(a, b, dtype=dtype) for a, b in pairwise(widths))
        if zero:
            zeroed(self.layers[-1])

    def forward(self, x: Tensor) -> Tensor:
        """The value at x, shape (..., inputs) -> (..., outputs)."""
        first, *rest = self.layers
        # torch cannot initialise a linear map of no columns: one column of zeros stands for them.
        x = x if self.inputs else x.new_zeros(*x.shape[:-1], 1)
        x = first(x.to(self.dtype))
        for layer in rest:
            x = layer(nn.functional.silu(x))
        return x
