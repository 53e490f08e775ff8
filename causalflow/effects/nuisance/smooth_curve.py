"""Smooth curve: the value at a place of the best one through scores.

Notation: s_i the score of row i, g_i whether it is in the group, b_i the functions of a basis at
it, b its functions at the place. With Q = mean(g b b^T) and beta = Q^-1 mean(g b s),

    value             b^T beta = mean(w s),  w_i = g_i b_i^T Q^-1 b
    influence value   w_i r_i, r_i its error when row i is left out

A constant basis gives the mean of the group. The number of functions is the one of least error at
rows left out, r_i = (s_i - b_i^T beta) / (1 - h_i) with h_i the leverage, and two more, at least
five: the curve shall err by chance rather than by its form.

Source: Semenova & Chernozhukov (2021), best linear predictors of scores; Allen (1974) for the error
at rows left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalflow.effects.complete_rows import Array
from causalflow.effects.nuisance.spline import Spline, spline_of

__all__ = ["Projection", "best_size", "joint_basis"]

_SIZES = (2, 3, 4, 5, 6, 7)
_LEAST = 5
_LEVERAGE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projection:
    """A least-squares fit of scores in a group.

    Attributes:
        basis: the functions at each row, shape (rows, functions).
        group: whether each row is in the group, shape (rows,).
    """

    basis: Array
    group: NDArray[np.bool_]

    def __call__(self, score: Array, at: Array) -> tuple[Array, Array]:
        """The values at some places, shape (places,), and their influence, (rows, places).

        Args:
            score: shape (rows,).
            at: the functions at the places, shape (places, functions).
        """
        weights = self.weights(at)
        return at @ self.coefficients(score), weights * self.residuals(score)[:, None]

    def coefficients(self, score: Array) -> Array:
        """Beta, shape (functions,)."""
        inside = self.basis[self.group]
        return np.asarray(self._inverse @ (inside.T @ score[self.group]) / len(self.group))

    def weights(self, at: Array) -> Array:
        """w, shape (rows, places)."""
        return np.asarray(self.group[:, None] * (self.basis @ self._inverse @ at.T))

    @property
    def _inverse(self) -> Array:
        inside = self.basis[self.group]
        return np.asarray(np.linalg.pinv(inside.T @ inside / len(self.group), hermitian=True))

    def error(self, score: Array) -> float:
        """The mean squared error at rows left out."""
        return float(np.mean(self.residuals(score)[self.group] ** 2))

    def residuals(self, score: Array) -> Array:
        """The error at each row when it is left out, shape (rows,)."""
        spread = np.einsum("ij,jk,ik->i", self.basis, self._inverse, self.basis)
        leverage = (spread / len(self.group)).clip(0, _LEVERAGE) * self.group
        return np.asarray((score - self.basis @ self.coefficients(score)) / (1 - leverage))


def best_size(score: Array, columns: Sequence[Array], group: NDArray[np.bool_]) -> int:
    """How many functions of each number the best curve through the scores has."""
    errors = {}
    for size in _SIZES:
        splines = [spline_of(column, size) for column in columns]
        basis = joint_basis(splines, columns)
        errors[size] = Projection(basis=basis, group=group).error(score)
    return max(min(errors, key=errors.__getitem__) + 2, _LEAST)


def joint_basis(splines: Sequence[Spline], columns: Sequence[Array]) -> Array:
    """A constant, then each number's functions: a sum of curves, shape (places, functions)."""
    parts = [spline(each)[:, 1:] for spline, each in zip(splines, columns, strict=True)]
    return np.hstack([np.ones((len(columns[0]), 1)), *parts])
