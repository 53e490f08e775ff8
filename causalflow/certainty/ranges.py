"""Ranges: a number with the ends that draws, refits and bounds give it, one for each row.

Notation: A an array of values, shape (rows, parts): one part for a number; for a class one part a
level, its probability. Ends have a further axis of two, the lower and the upper. L is the level,
0.95; q_a the quantile at a.

    quantiles  q_{(1-L)/2} and q_{(1+L)/2} of draws
    spread     a value with t s on both sides: s^2 the variance over B refits, less what their
               finite draws add to it; t the quantile of Student's law with B - 1 degrees
    joined     a value v with ends v - |v - low_1, v - low_2| and v + |high_1 - v, high_2 - v|,
               |.,.| the root of the sum of squares: what two independent errors make together

Source: Student (1908); McCarthy (1969) for halves of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

__all__ = ["Ends", "Parts", "Ranges", "hull", "joined", "one_hot", "quantiles", "spread"]

Ends: TypeAlias = NDArray[np.float64]
Parts: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranges:
    """A node of all rows, as it would have been.

    Attributes:
        node: its name.
        unit: that of a number, or None.
        levels: those of a class, as texts; None of a number.
        factual: the value of each row as it is shown; None where it is a gap.
        known: the same as parts, (rows, parts); NaN where it is a gap.
        value: the mean of a number, (rows, 1); the probabilities of the levels, (rows, levels).
        interval: what the evidence leaves open and the error of the fit, (rows, parts, 2).
        fit: the error of the fit alone, alike; None: it is not known.
        any_noise: the ends that hold whatever the noise, alike.
        refits: the values by each refit, (refits, rows, parts).
    """

    node: str
    unit: str | None
    levels: tuple[str, ...] | None
    factual: tuple[Any, ...]
    known: Parts
    value: Parts
    interval: Ends
    fit: Ends | None
    any_noise: Ends
    refits: NDArray[np.float64]

    def then(self, other: Ranges) -> Ranges:
        """These rows and further ones."""
        count = min(len(self.refits), len(other.refits))
        fits = None if self.fit is None or other.fit is None else [self.fit, other.fit]
        return replace(
            self,
            factual=self.factual + other.factual,
            known=np.concatenate([self.known, other.known]),
            value=np.concatenate([self.value, other.value]),
            interval=np.concatenate([self.interval, other.interval]),
            fit=None if fits is None else np.concatenate(fits),
            any_noise=np.concatenate([self.any_noise, other.any_noise]),
            refits=np.concatenate([self.refits[:count], other.refits[:count]], axis=1),
        )

    @property
    def before(self) -> Parts:
        """The mean of the factual values that are known, (parts,); NaN without any."""
        return self._mean(self.known)

    @property
    def after(self) -> Parts:
        """The mean of the values of the same rows, (parts,); of all where none is known."""
        known = bool((~np.isnan(self.known[:, 0])).any())
        return self._mean(self.value) if known else self.value.mean(axis=0)

    @property
    def change(self) -> Parts:
        """The mean over these rows of the value less the factual one, (parts,)."""
        return self._mean(self.value - self.known)

    def change_ends(self, level: float) -> Ends | None:
        """The ends of `change` by the error of the fit, (parts, 2); None: it is not known."""
        refits = [self._mean(each - self.known) for each in self.refits]
        return spread(self.change, refits, [np.zeros(1)] * len(refits), level)

    def _mean(self, parts: Parts) -> Parts:
        rows = parts[~np.isnan(self.known[:, 0])]
        return rows.mean(axis=0) if len(rows) else np.full(parts.shape[1], np.nan)

    @property
    def names(self) -> tuple[str | None, ...]:
        """The level of each part; one None of a number."""
        return self.levels or (None,)


def quantiles(draws: Tensor, level: float) -> Ends:
    """The ends that hold so much of draws, (draws, rows): shape (rows, 2)."""
    values = draws.double().cpu().numpy()
    return np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0).T


def spread(
    value: NDArray[np.float64],
    refits: Sequence[NDArray[np.float64]],
    noise: Sequence[NDArray[np.float64]],
    level: float,
) -> Ends | None:
    """The ends of a value by the answers of refits; None of fewer than two.

    Args:
        value: shape (rows, parts), or (parts,).
        refits: theirs, of the same shape each.
        noise: the variance of each by its finite draws.
        level: what the ends hold.
    """
    if len(refits) < 2:
        return None
    variance = np.var(refits, axis=0, ddof=1) - np.mean(noise, axis=0)
    factor = float(stats.t.ppf((1 + level) / 2, len(refits) - 1))
    side = factor * np.sqrt(np.clip(variance, 0, None))
    return np.stack([value - side, value + side], axis=-1)


def joined(value: NDArray[np.float64], first: Ends, second: Ends | None) -> Ends:
    """The ends of a value by two independent errors; the second may be unknown."""
    if second is None:
        return first
    side = np.hypot(first - value[..., None], second - value[..., None])
    return value[..., None] + side * np.array([-1.0, 1.0])


def hull(first: Ends, second: Ends) -> Ends:
    """The ends that have both inside."""
    low, high = np.minimum(first, second)[..., 0], np.maximum(first, second)[..., 1]
    return np.stack([low, high], axis=-1)


def one_hot(draws: Tensor, levels: int) -> Tensor:
    """Whether each draw is each level: float64, a further axis of levels."""
    return (draws[..., None] == torch.arange(levels, device=draws.device)).double()
