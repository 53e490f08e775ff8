r"""Spline: smooth functions of a number, of which others are sums.

Notation: knots t_1 < ... < t_K; (x)_+ = max(x, 0). A *natural cubic spline* is a cubic polynomial
between knots, with two continuous derivatives, and a line outside of them. Its functions here are

    1, x, and for k = 1 .. K - 2:  d_k(x) - d_{K-1}(x)
    d_k(x) = ((x - t_k)_+^3 - (x - t_K)_+^3) / (t_K - t_k)

on x scaled to 0 at the first knot and 1 at the last.

Source: Hastie, Tibshirani & Friedman (2009), equations 5.4 and 5.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalflow.effects.complete_rows import Array

__all__ = ["Spline", "spline_of"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spline:
    """The functions of a natural cubic spline.

    Attributes:
        knots: increasing; two knots give a line, one or none a constant.
    """

    knots: Array

    @property
    def size(self) -> int:
        """How many functions there are, the constant among them."""
        return max(len(self.knots), 1)

    def __call__(self, numbers: Array) -> Array:
        """The functions at some numbers, shape (numbers, functions)."""
        constant = np.ones((len(numbers), 1))
        if len(self.knots) < 2:
            return constant
        first, last = self.knots[0], self.knots[-1]
        x = ((numbers - first) / (last - first))[:, None]
        knots = (self.knots - first) / (last - first)
        cubes = np.clip(x - knots, 0, None) ** 3
        bends = (cubes[:, :-1] - cubes[:, -1:]) / (1 - knots[:-1])
        return np.hstack([constant, x, bends[:, :-1] - bends[:, -1:]])


def spline_of(numbers: Array, size: int) -> Spline:
    """A spline with at most so many functions, its knots at quantiles of the numbers."""
    ends = np.linspace(0, 1, size) if size < 4 else np.linspace(0.025, 0.975, size)
    return Spline(knots=np.unique(np.quantile(numbers, ends)))
