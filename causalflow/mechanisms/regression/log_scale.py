"""Log scale: how far residuals are spread, as a function of the inputs.

Notation: r a residual, z its inputs, r = s(z) e with e ~ N(0, 1); log s a kernel function
(`causalflow.mechanisms.regression.kernel_function`), held within what it is at the rows.

Its lengths are searched on log r^2 = 2 log s + log e^2, whose noise has a known variance, pi^2 / 2.
Then Fisher scoring maximises sum(-log s - (r / s)^2 / 2) and the same prior.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from causalflow.mechanisms.regression.evidence import Evidence, searched
from causalflow.mechanisms.regression.kernel_function import KernelFunction

__all__ = ["LogScale"]

POINTS = 60
LOG_SQUARE, LOG_SQUARE_MEAN = math.pi**2 / 2, -1.2704
"""Variance and mean of log e^2."""
LEAST, ENDS = 1e-9, (-20.0, 20.0)
"""The least s, and bounds of log s."""
STEPS = 30
FAR = 9.0
"""Residuals count no more than those so many times as far out as their median."""


class LogScale(nn.Module):
    """The log scale of one node; all that is fitted are buffers of fixed shape.

    Args:
        inputs: how many.
    """

    range: Tensor

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.function = KernelFunction(inputs, POINTS if inputs else 0)
        self.register_buffer("range", torch.tensor(ENDS, dtype=torch.float64))

    def forward(self, z: Tensor) -> Tensor:
        """log s(z), shape (n,)."""
        value: Tensor = self.function(z)
        return value.clamp(*self.range.tolist())

    def constant(self, residual: Tensor) -> None:
        """One scale for all inputs, that of the residuals."""
        self.range.copy_(self.range.new_tensor(ENDS))
        far = FAR * residual.abs().median()
        middle = residual.clamp(-far, far) if far > 0 else residual
        self.function.constant(_deviation(middle).log())

    def searched(self, z: Tensor, residual: Tensor) -> Evidence:
        """What is of greatest evidence; a constant is one scale for all inputs."""
        mean = residual.square().mean().clamp_min(LEAST**2)
        squares = (residual.square() / mean + 1e-6).log() - LOG_SQUARE_MEAN
        return searched(z, squares, noise=LOG_SQUARE, plain=True)

    def fit(self, z: Tensor, residual: Tensor, found: Evidence, copies: int = 1) -> None:
        """The likeliest function of the inputs, given its lengths; ``copies`` rows count as one."""
        basis = self.function.choose(z, found)
        fitted = _scored(basis(z), residual, copies)
        basis.set(fitted)
        values = basis(z) @ fitted
        self.range.copy_(torch.stack([values.min(), values.max()]))


def _scored(design: Tensor, residual: Tensor, copies: int) -> Tensor:
    """The columns' weights by Fisher scoring; the prior of each is that of half of log r^2."""
    prior = torch.full_like(design[0], copies * 4 / LOG_SQUARE)
    prior[0] = 0.0  # of the constant
    root = torch.linalg.cholesky(2 * design.T @ design + torch.diag(prior))
    at = torch.zeros_like(prior)
    at[0] = _deviation(residual).log() / design[0, 0]

    def value(at: Tensor) -> float:
        log_scale = (design @ at).clamp(*ENDS)
        likely = -log_scale - (residual * (-log_scale).exp()).square() / 2
        return float(likely.sum() - (prior * at.square()).sum() / 2)

    for _ in range(STEPS):
        squares = (residual * (-(design @ at).clamp(*ENDS)).exp()).square()
        gradient = design.T @ (squares - 1) - prior * at
        step, size = torch.cholesky_solve(gradient[:, None], root)[:, 0], 1.0
        while value(at + size * step) < value(at) and size > 1e-4:
            size /= 2
        at = at + size * step
        if (size * step).abs().max() < 1e-6:
            break
    return at


def _deviation(residual: Tensor) -> Tensor:
    return residual.square().mean().sqrt().clamp_min(LEAST)
