"""Real digits: MNIST's pictures and labels as tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from causalflow.data.sets.digits import mnist

__all__ = ["real_digits"]


def real_digits(split: str) -> tuple[Tensor, Tensor]:
    """Pictures, uint8, shape (n, 1, 28, 28), and their digits, shape (n,)."""
    real = mnist(split)
    return torch.from_numpy(real.images)[:, None], torch.from_numpy(real.digits)
