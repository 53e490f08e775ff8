"""Count: a whole number from 0, x = F^-1(u; mu(pa)), u uniform: a regression of its mean.

Notation: F(x; mu) the probability of at most x, of a Poisson law or of a negative binomial one with
mean mu and size r (variance mu + mu^2 / r);

    log mu(pa) = a + w . f(pa) + m(pa)

f(pa) the parents' features (`causalflow.mechanisms.features`), a, w (and r) of greatest likelihood,
set in `calibrate`; m a network of the parents, 0 before it is trained, none where there are none.

Given x, u is uniform between F(x - 1) and F(x). It is kept as z = Phi^-1(u), whose digits suffice
in both tails. Where not even they tell u from an end, the value and the log-mean that it was found
with, the *anchor*, bound what it gives: F^-1 increases in mu, so a larger mean gives no less, a
smaller one no more, and the same mean the same.

Source: Nelder & Wedderburn (1972), Generalized linear models; the inverse cumulative law as a
mechanism: Pearl (2009), Causality, section 1.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from scipy import special, stats
from torch import Tensor, nn

from causalflow.errors import DataError
from causalflow.graph.node import Node
from causalflow.mechanisms.features import columns, width
from causalflow.mechanisms.mechanism import (
    Noise,
    Values,
    all_labelled,
    draw_normal,
    draw_uniform,
    filled,
)
from causalflow.nn.embedding import NumberEmbedding, ParentEmbedding
from causalflow.nn.encoder import MLP
from causalflow.nn.engine import Engine, RealLine, Site
from causalflow.values.count import LARGEST, CountType

__all__ = ["ENGINE", "CountMechanism", "quantile"]

Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Rows: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Truths: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

IMAGE_FEATURES = 64
LOG_MEANS = (-30.0, 35.0)
"""Bounds of log mu: below and above them float64 has no counts."""
LOG_SIZES = (-7.0, 16.0)
"""Bounds of log r: beyond the upper one the law is a Poisson law to rounding."""
STEPS = 200
TOLERANCE = 1e-12
RIDGE = 1e-9
"""Weight of w^2 in the fit: it decides only where the rows do not."""
MARGIN = 1e-6
"""Share of u's interval left out at both ends: networks round differently in other batches."""
SAME = 1e-9
"""Difference of log-means that is rounding."""


def _law(log_mean: Array, log_size: float | None) -> Any:
    """The frozen law of each row; without size a Poisson law."""
    mean = np.exp(log_mean)
    if log_size is None:
        return stats.poisson(mean)
    size = np.exp(log_size)
    return stats.nbinom(size, size / (size + mean))


def quantile(z: Array, log_mean: Array, log_size: float | None) -> Array:
    """The least x with F(x) >= Phi(z), exact in both tails: shape (rows,).

    Args:
        z: normal quantiles.
        log_mean: log mu.
        log_size: log r of a negative binomial law; None: Poisson.
    """
    tail, is_low = special.ndtr(-np.abs(z)), z <= 0

    def reached(x: Array, rows: Rows) -> Truths:
        """Whether F(x) >= Phi(z) in some rows, told from the nearer end."""
        found, low = x >= 0, is_low[rows]
        for side in (low & found, ~low & found):
            law, own = _law(log_mean[rows[side]], log_size), tail[rows[side]]
            found[side] = law.cdf(x[side]) >= own if low[side].any() else law.sf(x[side]) <= own
        return found

    mean, variance, skewness = _law(log_mean, log_size).stats("mvs")
    start = mean + np.sqrt(variance) * (z + skewness / 6 * (z**2 - 1))  # Cornish & Fisher
    high = np.clip(np.round(start), 0.0, LARGEST)
    low, step, rows = high - 1, 1.0, np.arange(len(z))
    while len(rows := rows[~reached(high[rows], rows) & (high[rows] < LARGEST)]):
        low[rows], high[rows], step = high[rows], high[rows] + step, 2 * step
    step, rows = 1.0, np.arange(len(z))
    while len(rows := rows[reached(low[rows], rows)]):
        high[rows], low[rows], step = low[rows], np.maximum(low[rows] - step, -1.0), 2 * step
    while len(rows := np.flatnonzero(high - low > 1)):
        middle = np.floor((low[rows] + high[rows]) / 2)
        above = reached(middle, rows)
        high[rows] = np.where(above, middle, high[rows])
        low[rows] = np.where(above, low[rows], middle)
    return high


class CountMechanism(nn.Module):
    """A count's mechanism.

    Args:
        name: the node's name.
        noise: "poisson" or "negative_binomial".
        parents: the parents' declarations by name.

    Attributes:
        weights: w, of the standardised features, shape (features,).
        intercept: a, shape ().
        log_size: log r, shape (); no part of a Poisson law.
    """

    weights: Tensor
    intercept: Tensor
    centre: Tensor
    spread: Tensor
    log_size: Tensor

    def __init__(self, name: str, noise: str, parents: Mapping[str, Node]) -> None:
        super().__init__()
        self.name, self.noise, self.parents = name, noise, dict(parents)
        self.is_poisson = noise == "poisson"
        embedded = {key: node for key, node in self.parents.items() if not node.type.scalar}
        self.tabular = {key: node for key, node in self.parents.items() if key not in embedded}
        features = sum(map(width, self.tabular.values()))
        for buffer, shape in (("weights", (features,)), ("intercept", ()), ("centre", (features,))):
            self.register_buffer(buffer, torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("spread", torch.ones(features, dtype=torch.float64))
        self.register_buffer("log_size", torch.zeros((), dtype=torch.float64))
        self.has_embedded = bool(embedded)
        if embedded:
            self.embedding = ParentEmbedding(embedded, IMAGE_FEATURES)
        if self.parents:
            inputs = features + (IMAGE_FEATURES if embedded else 0)
            self.network = MLP(inputs, 1, dtype=torch.float64, zero=True)

    @property
    def description(self) -> str:
        """The law, and what its mean depends on."""
        law = self.noise.replace("_", " ")
        return f"{law} noise, log-linear mean{' with a network' if self.parents else ''}"

    @property
    def assumption(self) -> str:
        """The assumption that the noise orders the values."""
        return "noise in which it is monotone"

    def log_mean(self, parents: Values, n: int) -> Tensor:
        """log mu(pa): float64, shape (n,)."""
        features = self._features(parents, n)
        found = self.intercept + features @ self.weights
        if self.parents:
            inputs = features
            if self.has_embedded:
                inputs = torch.cat([inputs, self.embedding(parents, n).double()], dim=-1)
            found = found + self.network(inputs)[:, 0]
        return found.clamp(*LOG_MEANS)

    def _features(self, parents: Values, n: int) -> Tensor:
        found = columns(self.tabular, parents, n, self.spread.device)
        return (found - self.centre) / self.spread

    def log_prob(self, value: Tensor, parents: Values) -> Tensor:
        """log p(value | parents), shape (batch,)."""
        log_mean = self.log_mean(parents, len(value))
        return _log_prob(value.to(log_mean), log_mean, None if self.is_poisson else self.log_size)

    @torch.no_grad()
    def calibrate(self, values: Values, generator: torch.Generator) -> None:
        """The line of greatest likelihood, over the rows in which all is labelled.

        Raises:
            DataError: no such row, or numbers that no line fits.
        """
        names = [self.name, *self.tabular]
        keep = all_labelled(values, names)
        if not keep.any():
            raise DataError(f"node '{self.name}': no row has a label of it and of its parents")
        rows = {name: values[name][keep] for name in names}
        value = rows[self.name].to(self.intercept)
        found = columns(self.tabular, rows, len(value), self.spread.device)
        self.centre.copy_(found.mean(0))
        if found.shape[1]:
            spread = found.std(0, correction=0)
            self.spread.copy_(torch.where(spread > 0, spread, 1.0))
        self._fit((found - self.centre) / self.spread, value)

    def _fit(self, features: Tensor, value: Tensor) -> None:
        start = torch.log(value.mean().clamp_min(0.5 / len(value)))
        nothing = torch.zeros(features.shape[1] + 1).to(start)
        line = self._descended(torch.cat([start[None], nothing]), features, value)
        if not line.isfinite().all():
            raise DataError(
                f"node '{self.name}': numbers so large, its own or its parents', that no line fits "
                "them; give them in another unit"
            )
        self.intercept.copy_(line[0])
        self.weights.copy_(line[1:-1])
        self.log_size.copy_(line[-1].clamp(*LOG_SIZES))

    def _descended(self, line: Tensor, features: Tensor, value: Tensor) -> Tensor:
        """The line (a, w, log r) of greatest likelihood: a quasi-Newton method from a first one."""
        line = line.requires_grad_(True)
        optimizer = torch.optim.LBFGS(
            [line],
            max_iter=STEPS,
            tolerance_grad=TOLERANCE,
            tolerance_change=TOLERANCE,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            log_mean = (line[0] + features @ line[1:-1]).clamp(*LOG_MEANS)
            log_size = None if self.is_poisson else line[-1].clamp(*LOG_SIZES)
            loss = -_log_prob(value, log_mean, log_size).mean() + RIDGE * line.square().sum()
            loss.backward()
            return loss

        with torch.enable_grad():
            optimizer.step(closure)
        return line.detach()

    def loss(self, values: Values, generator: torch.Generator) -> Tensor | None:
        """-log p(x | pa), shape (batch,), 0 in rows with a label missing; None without parents."""
        if not self.parents:
            return None
        names = [self.name, *self.parents]
        whole = filled(values, names)
        return -self.log_prob(whole[self.name], whole) * all_labelled(values, names)

    def draw_noise(self, n: int, generator: torch.Generator) -> Noise:
        """n draws: {"z": (n,)} of N(0, 1), and no anchor (NaN)."""
        z = draw_normal((n,), generator)
        nothing = torch.full_like(z, torch.nan)
        return {"z": z, "anchor": nothing, "log_mean": nothing}

    @torch.no_grad()
    def abduct(self, value: Tensor, parents: Values, generator: torch.Generator) -> Noise:
        """A draw of u given the value; it predicts ``value`` exactly."""
        log_mean = self.log_mean(parents, len(value))
        within = MARGIN + (1 - 2 * MARGIN) * draw_uniform((len(value),), generator)
        x, share = value.double().cpu().numpy(), within.cpu().numpy()
        law = _law(log_mean.cpu().numpy(), self._log_size)
        mass = law.pmf(x)
        below = np.maximum(law.cdf(x - 1) + share * mass, 1e-300)
        above = np.maximum(law.sf(x) + (1 - share) * mass, 1e-300)
        z = np.where(below < 0.5, special.ndtri(below), -special.ndtri(above))
        return {"z": log_mean.new_tensor(z), "anchor": value.to(log_mean), "log_mean": log_mean}

    @torch.no_grad()
    def predict(self, parents: Values, noise: Noise) -> Tensor:
        """The value under ``parents`` and ``noise``: float64, shape (batch,)."""
        z, anchor, at = (noise[key].to(self.intercept) for key in ("z", "anchor", "log_mean"))
        log_mean = self.log_mean(parents, len(z))
        found = quantile(z.cpu().numpy(), log_mean.cpu().numpy(), self._log_size)
        value = log_mean.new_tensor(found)
        value = torch.where(log_mean >= at - SAME, torch.fmax(value, anchor), value)
        return torch.where(log_mean <= at + SAME, torch.fmin(value, anchor), value)

    @property
    def _log_size(self) -> float | None:
        return None if self.is_poisson else float(self.log_size)


def _log_prob(value: Tensor, log_mean: Tensor, log_size: Tensor | None) -> Tensor:
    """The log-probability of counts, shape (batch,)."""
    if log_size is None:
        return value * log_mean - log_mean.exp() - torch.lgamma(value + 1)
    size, log_total = log_size.exp(), torch.logaddexp(log_mean, log_size)
    ways = torch.lgamma(value + size) - torch.lgamma(size) - torch.lgamma(value + 1)
    return ways + size * (log_size - log_total) + value * (log_mean - log_total)


def _embedding(kind: CountType, features: int) -> nn.Module:
    return NumberEmbedding(features, first=torch.log1p)


def _mechanism(site: Site) -> nn.Module:
    return CountMechanism(site.name, site.node.noise or CountType.noises[0], site.parents)


def _line(kind: CountType) -> RealLine:
    return RealLine(to_real=torch.log1p, to_value=_nearest, inside=0.0)


def _nearest(real: Tensor) -> Tensor:
    """The count nearest to a point of the real line."""
    return torch.expm1(real.clamp(max=LOG_MEANS[1])).round().clamp_min(0)


ENGINE = Engine(embedding=_embedding, mechanism=_mechanism, line=_line)
