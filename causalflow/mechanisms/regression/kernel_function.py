"""Kernel function: a smooth function of several inputs, whose smoothness the data choose.

Notation: z the inputs, standardised, shape (n, p); Z inducing points, rows of the data; k a kernel
and t(z) a polynomial trend (`causalflow.mechanisms.regression.kernel`):

    f(z) = t(z) . b + k(z, Z) . a

Far from the data the kernels are 0 and f is the trend alone. As a prior a has the covariance
v K^-1, K = k(Z, Z), and b a wide one, both in units of the noise's variance. Kernel, trend, lengths
and v are those of greatest evidence (`causalflow.mechanisms.regression.evidence`); a and b are the
posterior means given all rows, which may have weights.

Source: Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, sections 2.7 and 8.3
(subset of regressors).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from causalflow.mechanisms.regression.evidence import WIDE, Evidence
from causalflow.mechanisms.regression.kernel import (
    LARGEST,
    bounds_of,
    kernel,
    products,
    root_of,
    seeded,
    some_of,
    trend,
)

__all__ = ["KernelFunction"]

CHUNK = 8192
"""Rows that pass at once."""


class KernelFunction(nn.Module):
    """One function; all that is fitted are buffers of fixed shape.

    Args:
        inputs: p.
        points: the number of inducing points.
    """

    lengths: Tensor
    points: Tensor
    weights: Tensor
    line: Tensor
    curve: Tensor
    cubes: Tensor
    low: Tensor
    high: Tensor
    rough: Tensor

    def __init__(self, inputs: int, points: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.products = math.comb(inputs + 1, 2) if inputs <= LARGEST[2] else 0
        shapes = {
            "lengths": (inputs,),
            "points": (points, inputs),
            "weights": (points,),
            "line": (1 + inputs,),
            "curve": (self.products,),
            "cubes": (math.comb(inputs + 2, 3) if inputs <= LARGEST[3] else 0,),
            "low": (inputs,),
            "high": (inputs,),
            "rough": (),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))
        self.lengths.fill_(1.0)

    def forward(self, z: Tensor) -> Tensor:
        """f(z), shape (n,)."""
        parts = [self._value(part) for part in z.split(CHUNK)]
        return torch.cat(parts) if parts else z.new_empty(0)

    def _value(self, z: Tensor) -> Tensor:
        value = self.line[0] + z @ self.line[1:]
        for degree, factors in ((2, self.curve), (3, self.cubes)):
            if factors.any():
                value = value + products(z.clamp(self.low, self.high), degree) @ factors
        used = self.weights.nonzero()[:, 0]
        if not len(used):
            return value
        similar = kernel(z / self.lengths, self.points[used] / self.lengths, bool(self.rough))
        return value + similar @ self.weights[used]

    @property
    def description(self) -> str:
        """What it is: kernels, or a polynomial."""
        if self.weights.any():
            return "rough curve" if self.rough else "smooth curve"
        if self.cubes.any():
            return "cubic"
        return "quadratic" if self.curve.any() else "line" if self.line[1:].any() else "constant"

    def constant(self, value: Tensor) -> None:
        """Make it the same everywhere."""
        for part in (self.weights, self.line, self.curve, self.cubes):
            part.zero_()
        self.line[0] = value

    def choose(self, z: Tensor, found: Evidence, most: int | None = None) -> Basis:
        """Take the kernel, lengths and inducing points; the function's basis for a fit to ``z``."""
        most = len(self.points) if most is None else min(most, len(self.points))
        self.lengths.copy_(found.log_lengths.exp())
        self.rough.fill_(float(found.rough))
        some = z[torch.randperm(len(z), generator=seeded(3))[:CHUNK].to(z.device)]
        low, high = bounds_of(some, alone=found.alone)
        self.low.copy_(low)
        self.high.copy_(high)
        chosen = some_of(z, 0 if found.alone else most, seed=1)
        self.points.zero_()
        self.points[: len(chosen)] = chosen
        return Basis(self, len(chosen), found)

    def fit(
        self,
        z: Tensor,
        y: Tensor,
        found: Evidence,
        weights: Tensor | None = None,
        most: int | None = None,
        copies: int = 1,
    ) -> None:
        """The posterior mean given all rows.

        Args:
            z: inputs, shape (n, p).
            y: targets, shape (n,).
            found: what a search found.
            weights: the rows' inverse noise variances, shape (n,); None: all are the same.
            most: inducing points at most; None: all there is room for.
            copies: how many of the rows count as one.
        """
        basis = self.choose(z, found, most)
        size = basis.raw(z[:1]).shape[1]
        gram, right = z.new_zeros((size, size)), z.new_zeros((size, 1))
        for rows in torch.arange(len(z)).split(CHUNK):
            columns = basis.raw(z[rows])
            weighted = columns if weights is None else columns * weights[rows, None]
            gram, right = gram + weighted.T @ columns, right + weighted.T @ y[rows, None]
        gram, right = basis.scaled(basis.scaled(gram).T), basis.scaled(right)
        basis.set(torch.linalg.solve(gram + copies * torch.eye(size).to(gram), right)[:, 0])


class Basis:
    """The columns whose weights a fit finds, scaled so that the prior of each is N(0, 1)."""

    def __init__(self, function: KernelFunction, points: int, found: Evidence) -> None:
        self.function, self.degree = function, found.degree
        self.points = function.points[:points] / function.lengths
        self.deviation = (found.log_variance / 2).exp()
        self.root = root_of(kernel(self.points, self.points, found.rough))

    def raw(self, z: Tensor) -> Tensor:
        """The columns at ``z`` as they are: the trend's, and the kernels."""
        own = self.function
        similar = kernel(z / own.lengths, self.points, bool(own.rough))
        return torch.cat([trend(z, self.degree, (own.low, own.high)), similar], dim=1)

    def scaled(self, rows: Tensor) -> Tensor:
        """What stands, by rows, for raw columns as what stands for scaled ones."""
        plain = len(rows) - len(self.points)
        bumps = torch.linalg.solve_triangular(self.root, rows[plain:], upper=False)
        return torch.cat([WIDE * rows[:plain], self.deviation * bumps])

    def __call__(self, z: Tensor) -> Tensor:
        """The scaled columns at ``z``."""
        return self.scaled(self.raw(z).T).T

    def set(self, found: Tensor) -> None:
        """Give the function these weights of the scaled columns."""
        own, plain = self.function, len(found) - len(self.points)
        trend = WIDE * found[:plain]
        for part in (own.line, own.curve, own.cubes):
            part.zero_()
            given, trend = trend[: len(part)], trend[len(part) :]
            part[: len(given)] = given
        bumps = self.deviation * found[plain:, None]
        own.weights.zero_()
        solved = torch.linalg.solve_triangular(self.root.T, bumps, upper=True)
        own.weights[: len(self.points)] = solved[:, 0]
