"""Kernel function: a smooth function of several inputs, whose smoothness the data choose.

Notation: z the inputs, standardised, shape (n, p); l a length for each input; Z inducing points,
rows of the data; k a kernel of r = |z / l - z' / l|:

    smooth   k = exp(-r^2 / 2)                  rough   k = (1 + s + s^2 / 3) exp(-s), s = sqrt(5) r
    f(z) = t(z) . b + k(z, Z) . a

t(z) is a polynomial trend: 1, z, and where the data ask for it the products of two inputs, or of
two and of three. Far from the data the kernels are 0 and f is the trend alone; so beside kernels
the factors of products are held within the middle 99 % of their columns. Without kernels, a = 0,
they are held within the columns and a quarter of their width beyond.

As a prior a has the covariance v K^-1, K = k(Z, Z), and b a wide one, both in units of the noise's
variance. The *evidence* is then the density of the targets y with a and b integrated out and the
noise's variance at its best (or known), a closed form. Kernel, trend, l and v are where it is
greatest on a part of the rows, by a quasi-Newton method; then a and b are the posterior means given
all rows, which may have weights. Where a polynomial alone is likelier than kernels beside a line,
no others are tried.

Source: Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, sections 2.7, 5.4 and
8.3 (subset of regressors).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement

import torch
from torch import Tensor, nn

__all__ = ["Evidence", "KernelFunction", "judged", "searched"]

SEARCHED_ROWS, SEARCHED_POINTS = 1000, 80
"""Rows and inducing points of the search."""
STEPS, MORE_STEPS = 25, 12
"""Quasi-Newton steps of the first kernel and of the last, and of those in between."""
PLAIN_ROWS, PLAIN_POINTS = 2000, 40
"""Rows and points of a search for the first kernel alone."""
JUDGED_ROWS, JUDGED_POINTS = 4000, 150
"""Those on which what two searches found is compared."""
WIDE = 10.0
"""Prior standard deviation of b, in those of the noise."""
LOG_LENGTHS, LOG_VARIANCES = (-4.0, 6.0), (-12.0, 16.0)
JITTER = 1e-6
LARGEST = {2: 8, 3: 4}
"""With more inputs there are no products of so many."""
INNER = (0.005, 0.995)
BEYOND = 0.25
"""Of a column's width, on either side."""
CHUNK = 8192
FAR = 1e12
"""A squared distance at which every kernel is 0; those of larger numbers are no numbers."""


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
                value = value + _products(z.clamp(self.low, self.high), degree) @ factors
        used = self.weights.nonzero()[:, 0]
        if not len(used):
            return value
        similar = _kernel(z / self.lengths, self.points[used] / self.lengths, bool(self.rough))
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
        some = z[torch.randperm(len(z), generator=_generator(3))[:CHUNK].to(z.device)]
        low, high = _bounds(some, alone=found.alone)
        self.low.copy_(low)
        self.high.copy_(high)
        chosen = _some(z, 0 if found.alone else most, seed=1)
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
        self.root = _root(_kernel(self.points, self.points, found.rough))

    def raw(self, z: Tensor) -> Tensor:
        """The columns at ``z`` as they are: the trend's, and the kernels."""
        own = self.function
        similar = _kernel(z / own.lengths, self.points, bool(own.rough))
        return torch.cat([_trend(z, self.degree, (own.low, own.high)), similar], dim=1)

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


def searched(z: Tensor, y: Tensor, noise: float | None = None, *, plain: bool = False) -> Evidence:
    """The kernel, lengths, variance and trend of greatest evidence.

    Args:
        z: inputs, shape (n, p), p at least 1.
        y: targets, shape (n,), of mean about 0 and standard deviation about 1.
        noise: the noise's variance where it is known.
        plain: whether to look at smooth kernels beside a line only, and at a constant.
    """
    rows, points = (PLAIN_ROWS, PLAIN_POINTS) if plain else (SEARCHED_ROWS, SEARCHED_POINTS)
    keep = torch.randperm(len(z), generator=_generator(0))[:rows].to(z.device)
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


def judged(z: Tensor, y: Tensor, found: Evidence) -> float:
    """The log-evidence a row of what a search found, on more rows than it saw."""
    keep = torch.randperm(len(z), generator=_generator(0))[:JUDGED_ROWS].to(z.device)
    search = _Search(z[keep], y[keep], None, JUDGED_POINTS)
    return float(search.value(found.log_lengths, found.log_variance, found)) / len(keep)


class _Search:
    """The rows of a search, and the evidence on them."""

    def __init__(self, z: Tensor, y: Tensor, noise: float | None, points: int) -> None:
        self.z, self.y, self.noise = z, y, noise
        self.points = _some(z, points, seed=2)
        self.bounds = {alone: _bounds(z, alone=alone) for alone in (False, True)}

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
                value = self.value(start.log_lengths, start.log_variance, tried)
                yield replace(tried, value=float(value) / len(self.y))

    def climb(self, start: Evidence, steps: int) -> Evidence:
        """The greatest evidence found from a start in so many steps."""
        place = torch.cat([start.log_lengths, start.log_variance[None]]).requires_grad_(True)
        best = [replace(start, value=-math.inf)]
        optimizer = torch.optim.LBFGS(
            [place], max_iter=steps, max_eval=3 * steps // 2, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            lengths, variance = place[:-1].clamp(*LOG_LENGTHS), place[-1].clamp(*LOG_VARIANCES)
            value = (self.value(lengths, variance, start) + _prior(place)) / len(self.y)
            if value > best[0].value:
                best[0] = replace(
                    start,
                    value=value.item(),
                    log_lengths=lengths.detach(),
                    log_variance=variance.detach(),
                )
            loss: Tensor = -value
            loss.backward()
            return loss

        with torch.enable_grad():
            optimizer.step(closure)
        return best[0]

    def value(self, log_lengths: Tensor, log_variance: Tensor, at: Evidence) -> Tensor:
        """The log-evidence."""
        plain = WIDE * _trend(self.z, at.degree, self.bounds[at.alone])
        if at.alone:
            return _log_evidence(plain, self.y, self.noise)
        lengths = log_lengths.exp()
        points = self.points / lengths
        root = _root(_kernel(points, points, at.rough))
        similar = _kernel(points, self.z / lengths, at.rough)
        bumps = torch.linalg.solve_triangular(root, similar, upper=False).T
        columns = torch.cat([plain, (log_variance / 2).exp() * bumps], dim=1)
        return _log_evidence(columns, self.y, self.noise)


def _log_evidence(columns: Tensor, y: Tensor, noise: float | None) -> Tensor:
    """log p(y), weights N(0, noise) and the noise's variance known or, None, at its best."""
    n = len(y)
    eye = torch.eye(columns.shape[1], dtype=y.dtype, device=y.device)
    root = torch.linalg.cholesky(eye + columns.T @ columns)
    part = torch.linalg.solve_triangular(root, (columns.T @ y)[:, None], upper=False)
    square = (y.square().sum() - part.square().sum()).clamp_min(1e-12 * n)
    width = root.diagonal().log().sum()
    if noise is None:
        return -n / 2 * torch.log(2 * math.pi * math.e * square / n) - width
    return -square / (2 * noise) - width - n / 2 * math.log(2 * math.pi * noise)


def _prior(place: Tensor) -> Tensor:
    """A weak prior of log l and log v, so that a search does not run away on a plateau."""
    lengths, variance = place[:-1] - 1.0, place[-1] - 2.0
    return -(lengths / 2.5).square().sum() / 2 - (variance / 5.0).square() / 2


def _kernel(first: Tensor, second: Tensor, rough: bool) -> Tensor:
    norms = first.square().sum(1)[:, None] + second.square().sum(1)[None]
    squares = (norms - 2 * first @ second.T).nan_to_num(nan=FAR).clamp(0, FAR)
    if not rough:
        return torch.exp(-squares / 2)
    s = torch.sqrt(5 * squares + 1e-12)
    return (1 + s + s * s / 3) * torch.exp(-s)


def _root(similar: Tensor) -> Tensor:
    """The Cholesky factor, of a matrix that rounding may have left singular."""
    return torch.linalg.cholesky(similar + JITTER * torch.eye(len(similar)).to(similar))


def _trend(z: Tensor, degree: int, bounds: tuple[Tensor, Tensor]) -> Tensor:
    """1, z, and the products of up to so many inputs, each held within its bounds."""
    held = z.clamp(*bounds)
    parts = [torch.ones_like(z[:, :1]), z] if degree else [torch.ones_like(z[:, :1])]
    return torch.cat(parts + [_products(held, many) for many in range(2, degree + 1)], dim=1)


def _products(z: Tensor, many: int) -> Tensor:
    chosen = list(combinations_with_replacement(range(z.shape[1]), many))
    return z[:, torch.tensor(chosen, device=z.device)].prod(dim=2)


def _bounds(z: Tensor, *, alone: bool) -> tuple[Tensor, Tensor]:
    """Within which the factors of products are held."""
    if not alone:
        return torch.quantile(z, INNER[0], dim=0), torch.quantile(z, INNER[1], dim=0)
    low, high = z.amin(0), z.amax(0)
    return low - BEYOND * (high - low), high + BEYOND * (high - low)


def _some(z: Tensor, n: int, seed: int) -> Tensor:
    """Up to n of the rows, drawn, no two alike."""
    if not n:
        return z[:0]
    drawn = z[torch.randperm(len(z), generator=_generator(seed))[: 4 * n].to(z.device)]
    different = torch.unique(drawn, dim=0)
    return different[torch.randperm(len(different), generator=_generator(seed))[:n].to(z.device)]


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
