"""Kernel: how alike two inputs are; the trend that stands beside kernels; rows to stand for all.

Notation: z the inputs, standardised, shape (n, p); l a length for each input, r = |z / l - z' / l|:

    smooth   k = exp(-r^2 / 2)                  rough   k = (1 + s + s^2 / 3) exp(-s), s = sqrt(5) r

The trend is a polynomial: 1, z, and products of two inputs, or of two and of three. Beside kernels
the factors of products are held within the middle 99 % of their columns; without, within the
columns and a quarter of their width beyond.

Source: Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, section 4.2.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import torch
from torch import Tensor

__all__ = [
    "LARGEST",
    "bounds_of",
    "kernel",
    "kernel_slopes",
    "products",
    "root_of",
    "seeded",
    "some_of",
    "trend",
]

JITTER = 1e-6
LARGEST = {2: 8, 3: 4}
"""With more inputs there are no products of so many."""
INNER = (0.005, 0.995)
BEYOND = 0.25
"""Of a column's width, on either side."""
FAR = 1e12
"""A squared distance at which every kernel is 0; those of larger numbers are no numbers."""


def kernel(first: Tensor, second: Tensor, rough: bool) -> Tensor:
    """k of each two rows, which were divided by the lengths: shape (n, m)."""
    squares = _squares(first, second)
    if not rough:
        return squares.mul_(-0.5).exp_()
    s = squares.mul_(5).sqrt_()
    return (1 + s + s * s / 3) * s.neg_().exp_()


def kernel_slopes(first: Tensor, second: Tensor, rough: bool) -> tuple[Tensor, Tensor]:
    """k of each two rows, and its derivative by r^2."""
    if not rough:
        similar = kernel(first, second, rough)
        return similar, -similar / 2
    s = _squares(first, second).mul_(5).sqrt_()
    small = torch.exp(-s)
    slopes = (1 + s).mul_(small)
    return slopes + (s * s).mul_(small) / 3, slopes.mul_(-5 / 6)


def _squares(first: Tensor, second: Tensor) -> Tensor:
    norms = first.square().sum(1)[:, None] + second.square().sum(1)[None]
    squares = torch.addmm(norms, first, second.T, alpha=-2.0)
    return squares.nan_to_num_(nan=FAR).clamp_(0, FAR)


def root_of(similar: Tensor) -> Tensor:
    """The Cholesky factor, of a matrix that rounding may have left singular."""
    return torch.linalg.cholesky(similar + JITTER * torch.eye(len(similar)).to(similar))


def trend(z: Tensor, degree: int, bounds: tuple[Tensor, Tensor]) -> Tensor:
    """1, z, and the products of up to so many inputs, each held within its bounds."""
    held = z.clamp(*bounds)
    parts = [torch.ones_like(z[:, :1]), z] if degree else [torch.ones_like(z[:, :1])]
    return torch.cat(parts + [products(held, many) for many in range(2, degree + 1)], dim=1)


def products(z: Tensor, many: int) -> Tensor:
    """Those of so many inputs, with repetition."""
    chosen = list(combinations_with_replacement(range(z.shape[1]), many))
    return z[:, torch.tensor(chosen, device=z.device)].prod(dim=2)


def bounds_of(z: Tensor, *, alone: bool) -> tuple[Tensor, Tensor]:
    """Within which the factors of products are held."""
    if not alone:
        low, high = torch.quantile(z, z.new_tensor(INNER), dim=0)
        return low, high
    low, high = z.amin(0), z.amax(0)
    return low - BEYOND * (high - low), high + BEYOND * (high - low)


def some_of(z: Tensor, n: int, seed: int) -> Tensor:
    """Up to n of the rows, drawn, no two alike."""
    if not n:
        return z[:0]
    drawn = z[torch.randperm(len(z), generator=seeded(seed))[: 4 * n].to(z.device)]
    different = torch.unique(drawn, dim=0)
    return different[torch.randperm(len(different), generator=seeded(seed))[:n].to(z.device)]


def seeded(seed: int) -> torch.Generator:
    """Draws of their own."""
    return torch.Generator().manual_seed(seed)
