"""Tempering: a cloud of draws moved from the prior to the posterior, where weighing is not enough.

Notation: s the scores of a draw, s ~ N(0, I) a priori, w(s) its weight
(`causalflow.model.posterior.cloud`). From b = 0 to b = 1 the draws of each row follow

    q_b(s)  proportional to  N(s; 0, I) w(s)^b

Each step takes the largest b' at which the weights w^(b' - b) are still worth half of the draws,
resamples by them, and moves every draw by Metropolis-Hastings steps that leave q_b' as it is.
With m and C the mean and covariance of the row's draws, a step of length h proposes

    s' = m + sqrt(1 - h^2) (s - m) + h e,    e ~ N(0, C)

which is reversible for N(m, C), so that its ratio needs that density alone (the preconditioned
Crank-Nicolson proposal, with the covariance of the draws).

How much the draws are worth at the end is counted by their *ancestors*: n / sum_a n_a^2 / n with
n_a the draws that come from the first draw a. Moves make them worth more, which is not counted.

Source: Del Moral, Doucet & Jasra (2006), Sequential Monte Carlo samplers; Cotter, Roberts, Stuart &
White (2013), MCMC methods for functions; Lee & Whiteley (2018), Variance estimation in the particle
filter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from causalflow.mechanisms.exogenous.draws import stratified
from causalflow.mechanisms.mechanism import Noise, draw_normal, draw_uniform
from causalflow.model.posterior.cloud import Cloud, Knotted

__all__ = ["Tempered", "tempered", "worth"]

LENGTHS = (1.0, 0.5, 0.2, 0.7, 0.1)
"""Lengths h of the steps at each b."""
STEPS = 60
"""Values of b, the most."""
KEPT = 0.5
"""Share of the draws that the weights of one step are worth."""
HALVINGS = 40
REDRAWN = 0.25
"""Share of the draws that propose a new noise of what has no score."""
RIDGE = 1e-8
"""Added to the variances of scores, which are of order 1."""


def worth(log_weight: Tensor) -> Tensor:
    """How many independent draws weighed ones are worth: (sum w)^2 / sum w^2, shape (rows,)."""
    top = log_weight.amax(1, keepdim=True)
    weight = (log_weight - torch.where(top.isinf(), 0.0, top)).exp()
    return weight.sum(1).square() / weight.square().sum(1).clamp_min(1e-300)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tempered:
    """Draws of the posterior, all of the same weight.

    Attributes:
        cloud: the draws.
        worth: how many independent ones they are worth, shape (rows,); 0 where b did not reach 1.
    """

    cloud: Cloud
    worth: Tensor


@torch.no_grad()
def tempered(row: Knotted, cloud: Cloud, copies: int) -> Tempered:
    """The draws of a cloud, moved to the posterior of every row.

    Args:
        row: the knot and its rows.
        cloud: draws from the prior with their weights; some are possible in every row.
        copies: how many draws of each row are moved.
    """
    rows, first = cloud.log_weight.shape
    alive = (~torch.isneginf(cloud.log_weight)).double()
    least = torch.where(alive > 0, cloud.order, torch.inf).amin(1, True)
    count = torch.full((rows,), min(copies, first), device=least.device)
    ancestor, _ = stratified(alive / alive.sum(1, True), count, row.generator)
    cloud, b = cloud.taken(ancestor), torch.zeros_like(least)
    for _ in range(STEPS):
        rise = _rise(cloud.log_weight, b)
        share = torch.softmax(_raised(cloud.log_weight, rise), dim=1)
        chosen, _ = stratified(share, count, row.generator)
        cloud, ancestor, b = cloud.taken(chosen), ancestor.gather(1, chosen), b + rise
        for length in LENGTHS:
            cloud = _moved(row, cloud, b, length, least)
        if bool((b >= 1).all()):
            break
    shares = cloud.log_weight.new_zeros(rows, first)
    shares.scatter_add_(1, ancestor, torch.full_like(ancestor, 1, dtype=shares.dtype))
    found = count.square() / shares.square().sum(1)
    flat = replace(cloud, log_weight=torch.zeros_like(cloud.log_weight))
    return Tempered(cloud=flat, worth=torch.where(b[:, 0] >= 1, found, 0.0))


def _of_order(cloud: Cloud, least: Tensor) -> Tensor:
    """Weights, of draws of another than the row's lowest order none."""
    return torch.where(cloud.order <= least, cloud.log_weight, -torch.inf)


def _raised(log_weight: Tensor, b: Tensor) -> Tensor:
    """log w^b, where 0^0 = 0."""
    return torch.where(torch.isneginf(log_weight), -torch.inf, log_weight * b)


def _rise(log_weight: Tensor, b: Tensor) -> Tensor:
    """How far b rises, shape (rows, 1): weights are worth `KEPT` of those that are possible."""
    high, low = 1 - b, torch.zeros_like(b)
    possible = (~torch.isneginf(log_weight)).sum(1)

    def suits(rise: Tensor) -> Tensor:
        return (worth(_raised(log_weight, rise)) >= KEPT * possible)[:, None]

    whole = suits(high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        good = suits(middle)
        low, high = torch.where(good, middle, low), torch.where(good, high, middle)
    return torch.where(whole, 1 - b, low.maximum(torch.full_like(low, 1e-9)).minimum(1 - b))


def _moved(row: Knotted, cloud: Cloud, b: Tensor, length: float, least: Tensor) -> Cloud:
    """The draws after one Metropolis-Hastings step of a length."""
    rows, copies = cloud.log_weight.shape
    names = sorted(cloud.scores)
    now = _stacked(cloud, names)
    law = _Normal.of(now)
    fresh = draw_normal((rows, copies, len(names)), row.generator, b.device)
    then = law.mean + (1 - length**2) ** 0.5 * (now - law.mean) + length * law.spread(fresh)
    scores = {name: then[..., k] for k, name in enumerate(names)}
    noises = {name: _redrawn(row, name, noise) for name, noise in cloud.noises.items()}
    other = row.cloud(copies, scores, noises, strict=False)
    other = replace(other, log_weight=_of_order(other, least))
    new, old = (_raised(each.log_weight, b) for each in (other, cloud))
    ratio = new - old + _prior(then) - _prior(now) + law.log_prob(now) - law.log_prob(then)
    accepted = draw_uniform((rows, copies), row.generator, b.device).log() < ratio
    return other.merged(cloud, accepted & ~torch.isneginf(new))


def _stacked(cloud: Cloud, names: list[str]) -> Tensor:
    """The scores, shape (rows, copies, names)."""
    empty = cloud.log_weight.new_zeros((*cloud.log_weight.shape, 0))
    return torch.cat([empty, *(cloud.scores[name][..., None] for name in names)], dim=2)


def _redrawn(row: Knotted, name: str, noise: Noise) -> Mapping[str, Tensor]:
    """The noise, in a share of the draws a new one."""
    count = len(next(iter(noise.values())))
    fresh = row.scm.mechanism(name).draw_noise(count, row.generator)
    new = draw_uniform((count,), row.generator) < REDRAWN
    return {
        key: torch.where(new.view(-1, *[1] * (value.ndim - 1)).to(value.device), fresh[key], value)
        for key, value in noise.items()
    }


def _prior(scores: Tensor) -> Tensor:
    return -scores.square().sum(-1) / 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Normal:
    """N(m, C) of the scores of each row's draws; C = L L^T."""

    mean: Tensor
    factor: Tensor

    @staticmethod
    def of(scores: Tensor) -> _Normal:
        mean = scores.mean(1, keepdim=True)
        rest = scores - mean
        covariance = rest.mT @ rest / scores.shape[1]
        ridge = RIDGE * torch.eye(scores.shape[2], dtype=scores.dtype, device=scores.device)
        return _Normal(mean=mean, factor=torch.linalg.cholesky(covariance + ridge))

    def spread(self, e: Tensor) -> Tensor:
        return e @ self.factor.mT

    def log_prob(self, scores: Tensor) -> Tensor:
        rest = torch.linalg.solve_triangular(self.factor, (scores - self.mean).mT, upper=False)
        return -rest.square().sum(1) / 2
