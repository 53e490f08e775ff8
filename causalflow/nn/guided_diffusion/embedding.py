"""Embedding of the step: t in 0..999 as a feature vector.

    features  cos(t omega_k), then sin(t omega_k),  omega_k = 10000^(-k / K), k = 0..K-1

through an MLP with SiLU; t counts the 1000 steps of training, also where a solver visits few of
them. An odd length ends in a zero.

Source: Vaswani et al. (2017), Attention Is All You Need, section 3.5; cosines come first here.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["LONGEST_PERIOD", "embedded", "step_features", "step_mlp"]

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
