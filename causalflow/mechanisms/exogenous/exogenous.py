"""Exogenous: a declared exogenous variable as a hidden root; its value is its noise.

Finite variables (a list of probabilities, or a Bernoulli) have ``levels``; the others an interval.
Families are those of `causalflow.equations.law`, whose numpy generator is seeded by the torch
generator that is passed in.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from causalflow.equations.law import FAMILIES
from causalflow.graph.node import Exogenous, Finite
from causalflow.mechanisms.mechanism import Noise, draw_index, draw_uniform

__all__ = ["ExogenousVariable"]

TAIL = 1e-13
"""Probability of each end of a law that is searched only where the rest has nothing."""
SHARES = (1e-9, 1e-6, 1e-3, 0.02, 0.15)
DECADES = 13
LARGEST_RATE = 1e5
"""Of a Poisson law whose counts are enumerated."""


class ExogenousVariable(nn.Module):
    """An exogenous variable's law.

    Args:
        name: the variable's name.
        law: finite probabilities or a parametric family.

    Attributes:
        log_p: log-probabilities of the values 0, 1, .. of a finite variable; empty otherwise.
        support: the smallest interval that holds every value.
    """

    log_p: Tensor

    def __init__(self, name: str, law: Exogenous) -> None:
        super().__init__()
        self.name, self.law = name, law
        p: list[float] = []
        if isinstance(law, Finite):
            p = [float(share) for share in law.p]
            self.support = (0.0, len(p) - 1.0)
        else:
            self.family = FAMILIES.get(law.name)
            self.parameters_of_law = self.family.complete(dict(law.parameters))
            self.support = self.family.support(self.parameters_of_law)
            if law.name == "bernoulli":
                p = [1 - self.parameters_of_law["p"], self.parameters_of_law["p"]]
            if law.name == "poisson" and self.parameters_of_law["rate"] <= LARGEST_RATE:
                p = _counts(self.parameters_of_law["rate"])
        self.register_buffer("log_p", torch.tensor(p, dtype=torch.float64).log(), persistent=False)

    @property
    def description(self) -> str:
        """Its law."""
        return "finite" if self.is_finite else str(getattr(self.law, "name", ""))

    @property
    def is_finite(self) -> bool:
        """Whether the values are 0, 1, .. with given probabilities: they can be enumerated."""
        return len(self.log_p) > 0

    @property
    def is_discrete(self) -> bool:
        """Whether the values are whole numbers."""
        return isinstance(self.law, Finite) or self.family.discrete

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value), a density unless the law is discrete; same shape as ``value``."""
        if self.is_finite:
            known = (value >= 0) & (value < len(self.log_p))
            found = self.log_p[value.long().clamp(0, len(self.log_p) - 1)]
            return torch.where(known, found, -torch.inf)
        array = self.family.log_prob(value.cpu().numpy(), **self.parameters_of_law)
        return torch.as_tensor(array, dtype=torch.float64, device=value.device)

    @functools.cached_property
    def _law(self) -> Any:
        """The continuous law in scipy.stats."""
        return self.family.frozen(self.parameters_of_law)

    @functools.cached_property
    def quartiles(self) -> tuple[float, ...]:
        """Three places where a continuous law has its mass."""
        return tuple(float(self._law.ppf(share)) for share in (0.25, 0.5, 0.75))

    @functools.cached_property
    def spread(self) -> float:
        """A typical width of a continuous law, > 0."""
        widest = float(self._law.isf(SHARES[-2]) - self._law.ppf(SHARES[-2]))
        return max(self.quartiles[2] - self.quartiles[0], 1e-12 * widest, 1e-300)

    @functools.cached_property
    def edges(self) -> tuple[Tensor, ...]:
        """Places that cut the line for a search: the bulk of a continuous law, then its tails."""
        low, high = self.support
        inner = [*SHARES, 0.5]
        bulk = [*map(self._law.ppf, (TAIL, *inner)), *map(self._law.isf, (*inner, TAIL))]
        ends = [end for end in self.support if math.isfinite(end)]
        found = [_rising(bulk + ends)]
        far = [self.spread * 10.0**k for k in range(DECADES)]
        if math.isinf(low):
            found.append(_rising([found[0][0].item() - step for step in (0.0, *far)]))
        if math.isinf(high):
            found.append(_rising([found[0][-1].item() + step for step in (0.0, *far)]))
        return tuple(found)

    def log_mass(self, low: Tensor, high: Tensor) -> Tensor:
        """log P(low < u < high) of a continuous law; same shape."""
        a, b = low.cpu().numpy(), high.cpu().numpy()
        upper = a > self.quartiles[1]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(
                upper, self._law.sf(a) - self._law.sf(b), self._law.cdf(b) - self._law.cdf(a)
            )
            return torch.as_tensor(np.log(share), dtype=torch.float64, device=low.device)

    def restricted(self, low: Tensor, high: Tensor, share: Tensor) -> Tensor:
        """The quantile ``share`` of a continuous law restricted to an interval; same shapes."""
        a, b, u = low.cpu().numpy(), high.cpu().numpy(), share.cpu().numpy()
        with np.errstate(invalid="ignore"):
            below = self._law.ppf(self._law.cdf(a) + u * (self._law.cdf(b) - self._law.cdf(a)))
            above = self._law.isf(self._law.sf(a) + u * (self._law.sf(b) - self._law.sf(a)))
            found = np.clip(np.where(a > self.quartiles[1], above, below), a, b)
        return torch.as_tensor(found, dtype=torch.float64, device=low.device)

    def at_score(self, score: Tensor) -> Tensor:
        """The value at a standard normal score's place in the law, same shape: a quantile."""
        share = torch.special.ndtr(score)
        if self.is_finite:
            total = self.log_p.exp().cumsum(0).to(score.device)
            place = torch.searchsorted(total / total[-1], share.reshape(-1), right=True)
            likely = (self.log_p > -torch.inf).nonzero()[-1, 0].to(score.device)
            return place.minimum(likely).reshape(score.shape)
        low, high = (torch.full_like(share, end) for end in self.support)
        return self.restricted(low, high, share)

    def drawn_within(self, low: Tensor, high: Tensor, generator: torch.Generator) -> Tensor:
        """A draw from each interval, shape (n,); ``low`` where the ends are equal.

        The draws are spread evenly over the n quantiles, in random order.
        """
        inside = high > low
        count = int(inside.sum())
        cell, shift = (draw_uniform((count,), generator, low.device) for _ in range(2))
        share = (cell.argsort() + shift) / max(count, 1)
        return low.masked_scatter(inside, self.restricted(low[inside], high[inside], share))

    def draw_noise(self, n: int, generator: torch.Generator) -> Noise:
        """n draws: {"value": (n,)}, int64 if the law is discrete, else float64."""
        if self.is_finite and getattr(self.law, "name", "") != "poisson":
            return {"value": draw_index(self.log_p.expand(n, -1), generator)}
        seed = torch.randint(2**62, (), generator=generator, device=generator.device)
        drawn = self.family.sample(np.random.default_rng(int(seed)), n, **self.parameters_of_law)
        return {"value": torch.as_tensor(drawn).to(self.log_p.device)}


def _counts(rate: float) -> list[float]:
    """Poisson probabilities of 0, 1, .. up to where they are below 1e-300 of the whole."""
    from scipy.stats import poisson

    return [float(p) for p in poisson.pmf(np.arange(int(rate + 40 * rate**0.5 + 200)), rate)]


def _rising(places: list[float]) -> Tensor:
    return torch.tensor(sorted({float(place) for place in places}), dtype=torch.float64)
