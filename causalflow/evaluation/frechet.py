"""Fréchet distance: how far two sets of pictures are apart in the features of a named classifier.

    d^2 = |m_1 - m_2|^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2)),   d^2 >= 0, 0 for equal moments

with m and C the means and covariances of the features: the squared 2-Wasserstein distance between
the Gaussians that have them. Unit: squared units of the features, so that only distances in the
features of one and the same classifier can be compared; name it with the number. It is no FID,
which is this distance in the features of one Inception network. The trace of the root is the sum of
the roots of the eigenvalues of C_1^(1/2) C_2 C_1^(1/2), which is symmetric.

Of finite sets it is too large, the more so the fewer pictures and the more features: beside it
belongs its floor, the distance of two sets of real pictures of the same numbers. The interval is
+- 1.96 standard errors of the jackknife that leaves out a group of both sets at a time.

Source: Dowson & Landau (1982), The Fréchet distance between multivariate normal distributions;
Heusel et al. (2017), GANs trained by a two time-scale update rule converge to a local Nash
equilibrium; Efron & Tibshirani (1993), An introduction to the bootstrap, chapter 11.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from causalflow.errors import DataError
from causalflow.evaluation.score import NORMAL, Score

__all__ = ["GROUPS", "UNIT", "frechet_distance", "frechet_score"]

GROUPS = 20
"""How many parts the jackknife leaves out in turn."""
UNIT = "squared feature units"

Array = NDArray[np.float64]


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """The squared distance between the Gaussians fitted to two sets of features.

    Args:
        first: features, shape (n, features), n at least 2.
        second: features, shape (m, features).

    Raises:
        DataError: sets of other shapes, of fewer than two rows, or with entries not finite.

    Example:
        >>> import torch
        >>> square = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> round(frechet_distance(square, square + 3.0), 9)
        18.0
    """
    one, two = _checked(first), _checked(second)
    if one.shape[1] != two.shape[1]:
        widths = f"{one.shape[1]} and {two.shape[1]}"
        raise DataError(f"frechet: sets of {widths} features; expected as many in both")
    return _distance(one, two)


def frechet_score(first: Tensor, second: Tensor, groups: int = GROUPS) -> Score:
    """The squared distance and its 95 % interval; the count is that of the smaller set.

    Args:
        first: features, shape (n, features), n at least 4.
        second: features, shape (m, features).
        groups: parts of the jackknife; fewer where there are fewer rows.

    Raises:
        DataError: what `frechet_distance` refuses, or fewer than four rows.
    """
    value = frechet_distance(first, second)
    one, two = _checked(first), _checked(second)
    rows = min(len(one), len(two))
    if rows < 4:
        raise DataError(f"frechet: {rows} rows; an interval takes at least 4")
    parts = max(2, min(groups, rows // 2))
    kept = [(_without(one, part, parts), _without(two, part, parts)) for part in range(parts)]
    left = np.array([_distance(*each) for each in kept])
    half = NORMAL * float(np.sqrt((parts - 1) * left.var()))
    interval = (max(0.0, value - half), value + half)
    return Score(value=value, interval=interval, count=rows, unit=UNIT)


def _distance(one: Array, two: Array) -> float:
    from scipy.linalg import eigh

    shift = one.mean(0) - two.mean(0)
    first, second = _covariance(one), _covariance(two)
    values, vectors = eigh(first)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    shared = np.sqrt(eigh(root @ second @ root, eigvals_only=True).clip(min=0)).sum()
    return max(0.0, float(shift @ shift + np.trace(first) + np.trace(second) - 2 * shared))


def _covariance(rows: Array) -> Array:
    return np.atleast_2d(np.cov(rows, rowvar=False))


def _without(rows: Array, part: int, parts: int) -> Array:
    return rows[np.arange(len(rows)) % parts != part]


def _checked(features: Tensor) -> Array:
    """float64 on the CPU."""
    rows = features.detach().double().cpu().numpy()
    if rows.ndim != 2 or len(rows) < 2:
        shape = tuple(rows.shape)
        raise DataError(f"frechet: features of shape {shape}; expected (rows, features), rows >= 2")
    if not np.isfinite(rows).all():
        row = int((~np.isfinite(rows)).any(1).argmax())
        raise DataError(f"frechet: row {row} has a feature that is no finite number")
    return np.asarray(rows)
