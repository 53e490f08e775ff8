"""Norm: group norm over 32 groups, computed in float32 whatever the precision around it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.nn.guided_diffusion.configuration import GROUPS

__all__ = ["Norm", "precise"]

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
