"""Monotone map: from a residual to its noise, u = h(e | z), u ~ N(0, 1), a convex fit.

Notation: z the inputs, standardised; q_0 < ... < q_J knots, quantiles of the residuals; H_k an
increasing function, linear between the knots and beyond the last ones on either side; C_k centres
among the inputs, w the distance between them:

    h(e | z) = sum_k B_k(z) H_k(e),   B_k(z) ~ exp(-|z - C_k|^2 / (2 w^2)), adding up to 1

so that h increases in e whatever z, and both ways are closed forms. What is fitted are H_k(q_0) and
the rises d_jk = H_k(q_j) - H_k(q_j-1) > 0. The log-likelihood of a row, -h^2 / 2 + log dh/de, is
concave in them; two ridges pull towards one map for all inputs, and towards even slopes. Newton's
method finds the maximum, kept inside by a small barrier.

Source: Hothorn, Kneib & Buehlmann (2014), Conditional transformation models.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["MonotoneMap"]

CENTRES = 6
KNOTS, KNOTS_ALONE = 12, 60
"""With inputs, and without."""
OUTER = 0.002
"""Share of the residuals beyond the last knot on either side."""
SAME, EVEN = 3.0, 0.3
"""Weights of the two ridges."""
BARRIER = 0.01
STEPS, MEANS = 40, 10
NEAR = 0.7
"""w, in distances between neighbouring centres."""
INSIDE = 0.95
"""A step goes at most so far towards a rise of 0."""
FAR = 1e100
"""Distances beyond are taken to be that; their squares are numbers."""
MOST = 2**20
"""Residuals of which quantiles are taken, spread over all."""
LEAST_GAP = 1e-6
"""Of the whole range: knots nearer than that are one."""


class MonotoneMap(nn.Module):
    """The map of one node; all that is fitted are buffers of fixed shape.

    Args:
        inputs: how many; with none there is one H, whatever z.
    """

    knots: Tensor
    rises: Tensor
    centres: Tensor
    width: Tensor

    def __init__(self, inputs: int) -> None:
        super().__init__()
        knots, count = (KNOTS, CENTRES) if inputs else (KNOTS_ALONE, 1)
        self.inputs = inputs
        self.register_buffer("knots", torch.linspace(-1, 1, knots, dtype=torch.float64))
        self.register_buffer("rises", torch.ones((knots, count), dtype=torch.float64))
        self.register_buffer("centres", torch.zeros((count, inputs), dtype=torch.float64))
        self.register_buffer("width", torch.ones((), dtype=torch.float64))
        self.reset()

    def to_noise(self, e: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """u and log du/de, each of shape (n,)."""
        values, slopes = self._columns(e)
        own = self._shares(z) @ self.rises.T
        return (values * own).sum(1), (slopes * own).sum(1).log()

    def to_residual(self, u: Tensor, z: Tensor) -> Tensor:
        """The e whose noise is u, shape (n,)."""
        own = self._shares(z) @ self.rises.T
        heights = own.cumsum(1)
        at = torch.searchsorted(heights, u[:, None].contiguous())[:, 0] - 1
        at = at.clamp(0, len(self.knots) - 2)[:, None]
        part = (u[:, None] - heights.gather(1, at)) / own.gather(1, at + 1)
        return (self.knots[at] + part * self.knots.diff()[at])[:, 0]

    def reset(self) -> None:
        """Make it u = e."""
        self.knots.copy_(torch.linspace(-1, 1, len(self.knots)))
        steps = torch.cat([self.knots[:1], self.knots.diff()])
        self.rises.copy_(steps[:, None].expand_as(self.rises))

    def fit(self, e: Tensor, z: Tensor, copies: int = 1) -> None:
        """Set all to what is likeliest given residuals e, shape (n,), and inputs z, (n, p).

        ``copies`` of the rows count as one.
        """
        self.knots.copy_(_knots(e, len(self.knots)))
        if self.inputs:
            self._place(z)
        (values, slopes), shares = self._columns(e), self._shares(z)
        steepest, at = slopes.max(1)
        problem = _Problem(
            values=(values[:, :, None] * shares[:, None]).flatten(1),
            at=at,
            slopes=steepest[:, None] * shares,
            ridge=copies * self._ridge(),
            barrier=copies * BARRIER,
        )
        start = torch.cat([self.knots[:1], self.knots.diff()])  # h(e) = e
        start = start[:, None].expand_as(self.rises).flatten()
        self.rises.copy_(problem.solved(start, self.rises.shape[1]).view_as(self.rises))

    def _place(self, z: Tensor) -> None:
        """Centres by k-means."""
        drawn = torch.randperm(len(z), generator=torch.Generator().manual_seed(0))
        centres = z[drawn[: len(self.centres)].to(z.device)]
        centres = torch.cat([centres, z[:1].expand(len(self.centres) - len(centres), -1)])
        for _ in range(MEANS):
            nearest = torch.cdist(z, centres).argmin(1)
            sums = torch.zeros_like(centres).index_add_(0, nearest, z)
            counts = nearest.bincount(minlength=len(centres))[:, None]
            centres = torch.where(counts > 0, sums / counts.clamp_min(1), centres)
        self.centres.copy_(centres)
        apart = torch.cdist(centres, centres).topk(2, largest=False).values[:, 1].mean()
        self.width.copy_(NEAR * apart if apart > 0 else torch.ones_like(apart))

    def _shares(self, z: Tensor) -> Tensor:
        """B(z), shape (n, centres)."""
        if not self.inputs:
            return z.new_ones((len(z), 1))
        near = torch.cdist(z, self.centres).clamp_max(FAR) / self.width
        return torch.softmax(-near.square() / 2, dim=1)

    def _columns(self, e: Tensor) -> tuple[Tensor, Tensor]:
        """What multiplies H(q_0) and each rise in h(e), and in its slope: (n, knots) each."""
        low, gaps = self.knots[:-1], self.knots.diff()
        part = (e[:, None] - low) / gaps
        first, last = torch.zeros_like(part).bool(), torch.zeros_like(part).bool()
        first[:, 0], last[:, -1] = e < self.knots[0], e >= self.knots[-1]
        beyond = first | last
        within = (part >= 0) & (part < 1)
        values = torch.where(beyond, part, part.clamp(0, 1))
        slopes = (within | beyond) / gaps
        one = torch.ones_like(e)[:, None]
        return torch.cat([one, values], dim=1), torch.cat([0 * one, slopes], dim=1)

    def _ridge(self) -> Tensor:
        knots, count = self.rises.shape
        gaps = self.knots.diff()
        scale = torch.cat([torch.ones_like(gaps[:1]), 1 / gaps])
        eye = torch.eye(count).to(scale)
        apart = torch.kron(torch.diag(scale.square()), eye - 1 / count)
        bend = torch.zeros((knots - 2, knots)).to(scale)
        rows = torch.arange(knots - 2)
        bend[rows, rows + 1], bend[rows, rows + 2] = -1 / gaps[:-1], 1 / gaps[1:]
        return SAME * apart + EVEN * torch.kron(bend.T @ bend, eye)


class _Problem:
    """max of sum(-h^2 / 2 + log h') - theta . R theta / 2 + barrier, h, h' linear in theta.

    Of a row h' has the rises of one knot alone.

    Args:
        values: what multiplies theta in h, shape (n, knots * centres).
        at: the knot whose rises are in h', shape (n,).
        slopes: what multiplies them, shape (n, centres).
        ridge: R.
        barrier: its weight.
    """

    def __init__(
        self, values: Tensor, at: Tensor, slopes: Tensor, ridge: Tensor, barrier: float
    ) -> None:
        self.values, self.at, self.slopes = values, at, slopes
        self.ridge, self.barrier = ridge, barrier
        self.bent = values.T @ values + ridge

    def solved(self, theta: Tensor, free: int) -> Tensor:
        """The maximum from a start inside; the first ``free`` numbers may have any sign."""
        bound = torch.arange(len(theta), device=theta.device) >= free
        value = self._value(theta, bound)
        for _ in range(STEPS):
            step = self._step(theta, bound)
            ahead = bound & (step < 0)
            size = float(torch.cat([-theta[ahead] / step[ahead] * INSIDE, theta.new_ones(1)]).min())
            while (new := self._value(theta + size * step, bound)) < value and size > 1e-8:
                size /= 2
            if not new > value:
                break
            done = new - value < 1e-8 * len(self.values)
            theta, value = theta + size * step, new
            if done:
                break
        return theta

    def _slope(self, theta: Tensor) -> Tensor:
        return (theta.view(-1, self.slopes.shape[1])[self.at] * self.slopes).sum(1)

    def _value(self, theta: Tensor, bound: Tensor) -> float:
        h, slope = self.values @ theta, self._slope(theta)
        if not (slope.min() > 0 and theta[bound].min() > 0):
            return -torch.inf
        inside = self.barrier * theta[bound].log().sum()
        return float((slope.log() - h.square() / 2).sum() + inside - theta @ self.ridge @ theta / 2)

    def _step(self, theta: Tensor, bound: Tensor) -> Tensor:
        """Newton's."""
        relative = self.slopes / self._slope(theta)[:, None]
        inverse = torch.where(bound, 1 / theta, 0.0)
        gradient = self._by_knot(relative).flatten() - self.bent @ theta + self.barrier * inverse
        squares = self._by_knot(relative[:, :, None] * relative[:, None])
        bent = self.bent + torch.block_diag(*squares)
        bent = bent + torch.diag(self.barrier * inverse.square() + 1e-9)
        return torch.linalg.solve(bent, gradient)

    def _by_knot(self, rows: Tensor) -> Tensor:
        """The sums over the rows of each knot, shape (knots, ...)."""
        knots = self.values.shape[1] // self.slopes.shape[1]
        return rows.new_zeros((knots, *rows.shape[1:])).index_add_(0, self.at, rows)


def _knots(e: Tensor, n: int) -> Tensor:
    """n increasing knots: quantiles, those that are one replaced by some beyond the largest."""
    shares = torch.linspace(OUTER, 1 - OUTER, n, dtype=e.dtype, device=e.device)
    found = torch.quantile(e[:: 1 + len(e) // MOST], shares)
    size = (found[-1] - found[0]).clamp_min(1e-9 * (1 + found.abs().max()))
    kept = [found[0]]
    for knot in found[1:]:
        if knot - kept[-1] > LEAST_GAP * size:
            kept.append(knot)
    beyond = kept[-1] + size / n * torch.arange(1, n - len(kept) + 1).to(e)
    return torch.cat([torch.stack(kept), beyond])
