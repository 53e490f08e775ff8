"""Score: a mean over images, and how far it may be from the mean over all images there are.

The interval is the central 95 % one: mean +- 1.96 standard errors, and for shares Wilson's, which
holds near 0 and 1 as well. Of what is no mean over images (an F1), and of differences between two
ways of making the same images (paired), it is the bootstrap's: the images are drawn again with
replacement, `RESAMPLES` times from a fixed seed, and both ways keep the same images.

Sources: Wilson (1927), Probable inference, the law of succession, and statistical inference; Efron
& Tibshirani (1993), An introduction to the bootstrap, chapter 13.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.errors import DataError

__all__ = ["NORMAL", "Score", "bootstrap_score", "mean_score", "paired_score", "share_score"]

RESAMPLES = 1000

NORMAL = 1.959963984540054
"""The 97.5 % point of the normal law: an interval is +- so many standard errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A mean over images.

    Attributes:
        value: the mean.
        interval: (low, high), 95 %; unbounded where there is but one image.
        count: the number of images.
        unit: the unit of value and interval.
    """

    value: float
    interval: tuple[float, float]
    count: int
    unit: str

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.4g} {self.unit} (95 %: {low:.4g} to {high:.4g}; {self.count} images)"


def mean_score(values: Tensor, unit: str) -> Score:
    """The mean of one value an image, shape (batch,).

    Raises:
        DataError: no images, or a value that is not finite.

    Example:
        >>> import torch
        >>> print(mean_score(torch.tensor([1.0, 3.0]), "pixels"))
        2 pixels (95 %: 0.04004 to 3.96; 2 images)
    """
    each = _checked(values)
    mean, count = float(each.mean()), len(each)
    half = NORMAL * float(each.std()) / math.sqrt(count) if count > 1 else math.inf
    return Score(value=mean, interval=(mean - half, mean + half), count=count, unit=unit)


def share_score(hits: Tensor) -> Score:
    """The share of true entries, shape (batch,), in 0..1.

    Raises:
        DataError: no images.

    Example:
        >>> import torch
        >>> print(share_score(torch.tensor([True, True, True, True])))
        1 share (95 %: 0.5101 to 1; 4 images)
    """
    each = _checked(hits)
    share, count = float(each.mean()), len(each)
    weight = NORMAL**2 / count
    centre = (share + weight / 2) / (1 + weight)
    half = math.sqrt(weight * share * (1 - share) + weight**2 / 4) / (1 + weight)
    interval = (max(0.0, centre - half), min(1.0, centre + half))
    return Score(value=share, interval=interval, count=count, unit="share")


def bootstrap_score(statistic: Callable[[Tensor], Tensor], count: int, unit: str) -> Score:
    """A statistic of all images, with the 2.5 and 97.5 % points of its bootstrap.

    Args:
        statistic: numbers of images, shape (resamples, count), repetitions among them -> the
            statistic of each resample, shape (resamples,); NaN where it is not defined.
        count: how many images there are.
        unit: the statistic's unit.

    Raises:
        DataError: no images, or the statistic of all of them is not finite.
    """
    if not count:
        raise DataError("score: no images")
    value = float(_checked(statistic(torch.arange(count)[None])))
    random, parts = torch.Generator().manual_seed(0), []
    for resamples in torch.arange(RESAMPLES).split(max(1, 4_000_000 // count)):
        rows = torch.randint(0, count, (len(resamples), count), generator=random)
        parts.append(statistic(rows).double())
    drawn = torch.cat(parts)
    known = drawn[drawn.isfinite()]
    low, high = known.quantile(torch.tensor([0.025, 0.975]).double()).tolist()
    return Score(value=value, interval=(min(low, value), max(high, value)), count=count, unit=unit)


def paired_score(values: Tensor, others: Tensor, unit: str) -> Score:
    """The mean of ``values`` less ``others`` of the same images, shape (batch,) each.

    Raises:
        DataError: no images, or a value that is not finite.

    Example:
        >>> import torch
        >>> print(paired_score(torch.tensor([1.0, 5.0]), torch.tensor([2.0, 6.0]), "pixels"))
        -1 pixels (95 %: -1 to -1; 2 images)
    """
    less = _checked(values) - _checked(others)
    return bootstrap_score(lambda rows: less[rows].mean(dim=1), len(less), unit)


def _checked(values: Tensor) -> Tensor:
    """float64 on the CPU."""
    each = values.detach().double().cpu()
    if each.ndim != 1 or not len(each):
        raise DataError(f"score: values of shape {tuple(each.shape)}; expected (images,), not none")
    if not each.isfinite().all():
        row = int((~each.isfinite()).nonzero()[0])
        raise DataError(f"score: image {row} has value {float(each[row])}; expected a number")
    return each
