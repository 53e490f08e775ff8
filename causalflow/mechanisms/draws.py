"""Draws: random tensors from an explicit generator, in float64, on the device that is asked for.

Numbers are drawn on the generator's own device and then moved, so that one seed means one draw on
every device.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["gumbel", "index", "normal", "uniform"]


def uniform(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device | None = None
) -> Tensor:
    """Draws of U[0, 1)."""
    drawn = torch.rand(shape, generator=generator, dtype=torch.float64, device=generator.device)
    return drawn if device is None else drawn.to(device)


def normal(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device | None = None
) -> Tensor:
    """Draws of N(0, 1)."""
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64, device=generator.device)
    return drawn if device is None else drawn.to(device)


def gumbel(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device | None = None
) -> Tensor:
    """Draws of the standard Gumbel law, -log(-log U); always finite."""
    waiting = -torch.log1p(-uniform(shape, generator, device))
    return -torch.log(waiting.clamp_min(torch.finfo(torch.float64).tiny))


def index(log_weight: Tensor, generator: torch.Generator) -> Tensor:
    """One index a row, drawn with probability proportional to exp(log_weight).

    Args:
        log_weight: shape (batch, states); each row has a finite entry.

    Returns:
        int64, shape (batch,).
    """
    share = torch.cumsum(torch.softmax(log_weight.double(), dim=-1), dim=-1)
    drawn = uniform((log_weight.shape[0], 1), generator, log_weight.device) * share[:, -1:]
    # U < 1, but rounding may still reach the last partial sum: never step past a possible state.
    drawn = torch.minimum(drawn, torch.nextafter(share[:, -1:], torch.zeros_like(drawn)))
    return (drawn >= share).sum(dim=-1)
