"""Evidence: which kernel, lengths, variance and trend the rows ask for.

Notation: y targets, shape (n,); C = (T, sqrt(v) B) columns whose weights w have the prior N(0, q),
q the noise's variance: T the trend's, times a wide deviation; B = k(z, Z) L^-T, L L^T = k(Z, Z).
The *evidence* is the density of y with w integrated out and q at its best (or known),

    E = -n/2 log(2 pi e S / n) - log|A| / 2,   A = I + C^T C,   S = y^T y - y^T C A^-1 C^T y

(known: -S / 2q - n/2 log(2 pi q) - log|A| / 2). With a = A^-1 C^T y and r = y - C a its slope by C
is r a^T / q - C A^-1, q = S / n where it is not known; from there to those by log l and log v it is
the chain rule, in closed form. Kernel, trend, l and v are where E and a weak prior are greatest on
a part of the rows, by a quasi-Newton method. Where a polynomial alone is likelier than kernels
beside a line, no other kernels are tried.

Source: Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, sections 2.7, 5.4 and
8.3 (subset of regressors).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from causalflow.mechanisms.regression.kernel import (
    LARGEST,
    bounds_of,
    kernel_slopes,
    root_of,
    seeded,
    some_of,
    trend,
)

__all__ = ["WIDE", "Evidence", "searched"]

SEARCHED_ROWS, SEARCHED_POINTS = 1000, 80
"""Rows and inducing points of the search."""
STEPS, MORE_STEPS = 25, 12
"""Quasi-Newton steps of the first kernel and of the last, and of those in between."""
SETTLED = 1e-5
"""Nats a row: a search ends where a step gains less."""
PLAIN_ROWS, PLAIN_POINTS = 2000, 40
"""Rows and points of a search for the first kernel alone."""
WIDE = 10.0
"""Prior standard deviation of the trend's weights, in those of the noise."""
LOG_LENGTHS, LOG_VARIANCES = (-4.0, 6.0), (-12.0, 16.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What a search found.

    Attributes:
        value: the log-evidence a row, in nats.
        log_lengths: log l, shape (p,).
        log_variance: log v, shape ().
        rough: which kernel.
        degree: that of the trend; 0: it is constant.
        alone: whether there are no kernels.
    """

    value: float
    log_lengths: Tensor
    log_variance: Tensor
    rough: bool = False
    degree: int = 1
    alone: bool = False


def searched(z: Tensor, y: Tensor, noise: float | None = None, *, plain: bool = False) -> Evidence:
    """The kernel, lengths, variance and trend of greatest evidence.

    Args:
        z: inputs, shape (n, p), p at least 1.
        y: targets, shape (n,), of mean about 0 and standard deviation about 1.
        noise: the noise's variance where it is known.
        plain: whether to look at smooth kernels beside a line only, and at a constant.
    """
    rows, points = (PLAIN_ROWS, PLAIN_POINTS) if plain else (SEARCHED_ROWS, SEARCHED_POINTS)
    keep = torch.randperm(len(z), generator=seeded(0))[:rows].to(z.device)
    search = _Search(z[keep], y[keep], noise, points)
    start = Evidence(
        value=-math.inf,
        log_lengths=torch.full((z.shape[1],), 0.7, dtype=z.dtype, device=z.device),
        log_variance=z.new_tensor(2.0),
    )
    first = search.climb(start, MORE_STEPS if plain else STEPS)
    alone = max(search.polynomials(start, least=0 if plain else 1), key=lambda each: each.value)
    if alone.value > first.value or plain:
        return max(alone, first, key=lambda each: each.value)
    best = max(first, *search.others(first), key=lambda each: each.value)
    return search.climb(best, STEPS)


class _Search:
    """The rows of a search, and the evidence on them."""

    def __init__(self, z: Tensor, y: Tensor, noise: float | None, points: int) -> None:
        self.z, self.y, self.noise = z, y, noise
        self.points = some_of(z, points, seed=2)
        self.trends: dict[tuple[int, bool], Tensor] = {}

    def others(self, first: Evidence) -> Iterator[Evidence]:
        """The other kernels and trends, from where the first ended."""
        for degree in (1, 2) if self.z.shape[1] <= LARGEST[2] else (1,):
            for rough in (False, True):
                if (degree, rough) != (1, False):
                    yield self.climb(replace(first, rough=rough, degree=degree), MORE_STEPS)

    def polynomials(self, start: Evidence, least: int) -> Iterator[Evidence]:
        """The trends alone."""
        for degree in range(least, 4):
            if self.z.shape[1] <= LARGEST.get(degree, math.inf):
                tried = replace(start, degree=degree, alone=True)
                yield replace(tried, value=self.value(tried) / len(self.y))

    def climb(self, start: Evidence, steps: int) -> Evidence:
        """The greatest evidence found from a start in so many steps."""
        place = torch.cat([start.log_lengths, start.log_variance[None]])
        best = [replace(start, value=-math.inf)]
        optimizer = torch.optim.LBFGS(
            [place],
            max_iter=steps,
            max_eval=3 * steps // 2,
            tolerance_change=SETTLED,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            lengths, variance = place[:-1].clamp(*LOG_LENGTHS), place[-1].clamp(*LOG_VARIANCES)
            at = replace(start, log_lengths=lengths, log_variance=variance)
            value, slopes = self.value_and_slopes(at)
            prior, pull = _prior(place)
            value, inside = (value + prior) / len(self.y), torch.cat([lengths, variance[None]])
            if value > best[0].value:
                best[0] = replace(at, value=value)
            place.grad = -(slopes * (inside == place) + pull) / len(self.y)
            return place.new_tensor(-value)

        optimizer.step(closure)
        return best[0]

    def value(self, at: Evidence) -> float:
        """The log-evidence."""
        if at.alone:
            return _Weights(self._trend(at), self.y, self.noise).evidence
        return self.value_and_slopes(at)[0]

    def value_and_slopes(self, at: Evidence) -> tuple[float, Tensor]:
        """The log-evidence with kernels, and its derivatives by log l and log v, shape (p + 1,)."""
        lengths, deviation = at.log_lengths.exp(), (at.log_variance / 2).exp()
        points, z, plain = self.points / lengths, self.z / lengths, self._trend(at)
        inner, inner_slopes = kernel_slopes(points, points, at.rough)
        similar, slopes = kernel_slopes(z, points, at.rough)
        root = root_of(inner)
        bumps = deviation * _divided(similar, root.T, upper=True)
        found = _Weights(torch.cat([plain, bumps], dim=1), self.y, self.noise)
        pull = found.by_columns[:, plain.shape[1] :]
        by_variance = (pull * bumps).sum() / 2
        within = torch.linalg.solve_triangular(root.T, _divided(pull.T @ bumps, root), upper=True)
        by_lengths = _by_lengths(z, points, deviation * _divided(pull, root) * slopes)
        by_lengths = by_lengths - _by_lengths(points, points, within * inner_slopes) / 2
        return found.evidence, torch.cat([by_lengths, by_variance[None]])

    def _trend(self, at: Evidence) -> Tensor:
        """T, which is kept."""
        key = at.degree, at.alone
        if key not in self.trends:
            bounds = bounds_of(self.z, alone=at.alone)
            self.trends[key] = WIDE * trend(self.z, at.degree, bounds)
        return self.trends[key]


class _Weights:
    """The columns' weights given the targets, and the evidence of the columns."""

    def __init__(self, columns: Tensor, y: Tensor, noise: float | None) -> None:
        self.columns, self.y, n = columns, y, len(y)
        eye = torch.eye(columns.shape[1], dtype=y.dtype, device=y.device)
        self.root = torch.linalg.cholesky(eye + columns.T @ columns)
        right = (columns.T @ y)[:, None]
        part = torch.linalg.solve_triangular(self.root, right, upper=False)
        square = float((y.square().sum() - part.square().sum()).clamp_min(1e-12 * n))
        self.mean = torch.linalg.solve_triangular(self.root.T, part, upper=True)[:, 0]
        self.noise = square / n if noise is None else noise
        width = float(self.root.diagonal().log().sum())
        self.evidence = -square / (2 * self.noise) - width
        self.evidence -= n / 2 * math.log(2 * math.pi * self.noise)

    @property
    def by_columns(self) -> Tensor:
        """The derivative of the evidence by every number of the columns."""
        inverse = torch.cholesky_inverse(self.root)
        residual = (self.y - self.columns @ self.mean) / self.noise
        return torch.addmm(torch.outer(residual, self.mean), self.columns, inverse, alpha=-1.0)


def _divided(rows: Tensor, root: Tensor, *, upper: bool = False) -> Tensor:
    """Rows times the inverse of a triangular matrix."""
    return torch.linalg.solve_triangular(root, rows, upper=upper, left=False)


def _by_lengths(first: Tensor, second: Tensor, weights: Tensor) -> Tensor:
    """What pulls on the squared distances are as pulls on log l, shape (p,)."""
    squares = weights.sum(1) @ first.square() + weights.sum(0) @ second.square()
    return 4 * ((weights.T @ first) * second).sum(0) - 2 * squares


def _prior(place: Tensor) -> tuple[float, Tensor]:
    """A weak prior of log l and log v, so that a search runs off on no plateau, and its slopes."""
    middle, spread = torch.full_like(place, 1.0), torch.full_like(place, 2.5)
    middle[-1], spread[-1] = 2.0, 5.0
    away = (place - middle) / spread
    return -float(away.square().sum()) / 2, -away / spread
