"""Finding: what a test of independence says of two columns, given others.

A statistic whose mean m and variance v under independence are known is compared with the gamma
distribution of that mean and variance: shape m^2 / v, scale v / m. For v = 2 m it is the
chi-squared distribution of m degrees of freedom.

Source: Satterthwaite (1946), An approximate distribution of estimates of variance components.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one test.

    Attributes:
        p: how often independent columns would look as dependent or more, from 0 to 1.
        statistic: what is large where the columns are dependent.
        strength: from 0, independent, to 1: the correlation of numbers, Cramer's V of levels, what
            chance alone gives taken off.
        rows: how many rows were compared.
        method: the test's name.
    """

    p: float
    statistic: float
    strength: float
    rows: int
    method: str

    @classmethod
    def gamma(
        cls,
        *,
        statistic: float,
        mean: float,
        variance: float,
        strength: float,
        rows: int,
        method: str,
    ) -> Self:
        """The finding of a statistic with this mean and variance under independence."""
        from scipy.special import gammaincc

        known = mean > 0 and variance > 0
        p = float(gammaincc(mean**2 / variance, statistic * mean / variance)) if known else 1.0
        return cls(p=p, statistic=statistic, strength=min(strength, 1.0), rows=rows, method=method)
