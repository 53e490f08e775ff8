"""Residuals: what is left of two columns when others have told all they can of them.

Notation: f(x) and g(y) are features of the two columns, shapes (rows, p) and (rows, q): of a number
its normal score s, the normal quantile of its rank, and s^2; of a class one indicator a level.
Given z, the columns are independent only if every r_i = f_i(x) - E[f_i(x) | z] is uncorrelated with
every t_j = g_j(y) - E[g_j(y) | z]. With r and t whitened, the statistic is

    T = n sum_ij (mean of r_i t_j)^2,    under independence a sum of squares of normals with the
                                         covariance S of the products r_i t_j:
                                         mean trace(S), variance 2 trace(S^2)

whatever the distributions, as only the product of the two regressions' errors has to be small. Each
conditional mean is a ridge regression on z and on random cosines of it (an approximate Gaussian
kernel); of several widths and penalties the one with the least squared error at left-out rows is
taken, and its residuals are those at left-out rows.

What it cannot see is dependence that leaves all these features uncorrelated.

Where straight lines tell all, for two numbers r is the correlation of what is left of them, each
regressed on k others in n rows. If all are jointly normal, they are independent given the others if
and only if it is zero but for chance, and r sqrt(df / (1 - r^2)) has Student's distribution with
df = n - 2 - k.

Source: Shah & Peters (2020), The hardness of conditional independence testing and the generalised
covariance measure; Rahimi & Recht (2007) for the cosines; Daudin (1980) for features of both sides;
Fisher (1924), The distribution of the partial correlation coefficient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from causalflow.dependence.finding import Finding
from causalflow.values.column import Array

__all__ = ["Regressions", "compared", "correlated", "features", "inputs"]

_COSINES = 100
_WIDTHS = (0.5, 1.0, 2.0)
_PENALTIES = np.logspace(-5, 1, 7)
_LEVELS = 8
_SLIGHT = 1e-8


def features(values: Array, *, finite: bool) -> Array:
    """f of the module, standardised: shape (rows, features).

    Args:
        values: numbers, or positions of levels, shape (rows,), at least two different ones.
        finite: whether they are levels; the commonest has no indicator, the rare ones one together.
    """
    if finite:
        return _standard(_indicators(values))
    score = _scores(values)
    return _standard(np.stack([score, score**2], axis=1))


def inputs(columns: Sequence[tuple[Array, bool]]) -> Array:
    """z as numbers, standardised: normal scores and indicators of levels, shape (rows, inputs)."""
    parts = [_indicators(v) if finite else _scores(v)[:, None] for v, finite in columns]
    return _standard(np.concatenate(parts, axis=1))


def compared(r: Array, t: Array) -> Finding:
    """Whether residuals are correlated.

    Args:
        r: the residuals of x, shape (rows, p).
        t: those of y, shape (rows, q).
    """
    r, t = _white(r), _white(t)
    rows = len(r)
    products = (r[:, :, None] * t[:, None, :]).reshape(rows, -1)
    middle = products.mean(axis=0)
    spread = np.atleast_2d(np.cov(products, rowvar=False))
    statistic, mean = rows * float(middle @ middle), float(np.trace(spread))
    least = max(min(r.shape[1], t.shape[1]), 1)
    return Finding.gamma(
        statistic=statistic,
        mean=mean,
        variance=2 * float((spread**2).sum()),
        strength=float(np.sqrt(max(statistic - mean, 0.0) / (rows * least))),
        rows=rows,
        method="residuals",
    )


class Regressions:
    """The regressions on one set of inputs: decomposed once, for any features."""

    def __init__(self, z: Array) -> None:
        """On inputs of shape (rows, inputs), standardised; given none, features are residuals."""
        self._bases = [_Basis(each) for each in _bases(z)] if z.shape[1] else []

    def residuals(self, targets: Array) -> Array:
        """What is left of each target at left-out rows, by the regression that leaves least.

        Args:
            targets: shape (rows, features), standardised.
        """
        best, least = targets, np.full(targets.shape[1], np.inf)
        for basis in self._bases:
            for left in basis.left(targets):
                loss = np.einsum("nf,nf->f", left, left)
                best, least = np.where(loss < least, left, best), np.minimum(loss, least)
        return best


class _Basis:
    """Ridge regression on some functions of the inputs, in the axes of their covariance."""

    def __init__(self, functions: Array) -> None:
        centred = functions - functions.mean(axis=0)
        values, axes = np.linalg.eigh(centred.T @ centred)
        kept = values > _SLIGHT * values.max()
        self._values = values[kept]
        self._scores = centred @ (axes[:, kept] / np.sqrt(self._values))

    def left(self, targets: Array) -> Iterator[Array]:
        """The residuals at left-out rows, for each penalty."""
        rows = len(targets)
        centred = targets - targets.mean(axis=0)
        told = self._scores.T @ centred
        kept = self._values[:, None] / (self._values[:, None] + rows * _PENALTIES)
        leverage = self._scores**2 @ kept + 1 / rows
        for place in range(len(_PENALTIES)):
            fitted = self._scores @ (kept[:, place, None] * told)
            yield (centred - fitted) / np.maximum(1 - leverage[:, place, None], _SLIGHT)


def _bases(z: Array) -> Iterator[Array]:
    """The inputs alone, and with cosines of several widths."""
    random = np.random.default_rng(0)
    slopes = random.standard_normal((z.shape[1], _COSINES))
    phases = random.uniform(0, 2 * np.pi, _COSINES)
    linear = z / np.sqrt(z.shape[1])
    yield linear
    for width in _WIDTHS:
        waves = np.cos(linear @ slopes / width + phases) * np.sqrt(2 / _COSINES)
        yield np.concatenate([linear, waves], axis=1)


def _scores(values: Array) -> Array:
    """The normal quantile of each number's rank; equal numbers share theirs."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return np.asarray(ndtri((rankdata(values) - 0.5) / len(values)))


def _indicators(values: Array) -> Array:
    """One column a level but the commonest, shape (rows, levels - 1), the rare ones in one."""
    levels, counts = np.unique(values, return_counts=True)
    order = levels[np.argsort(-counts, kind="stable")]
    found = values[:, None] == order[None, 1:_LEVELS]
    rare = np.isin(values, order[_LEVELS:])[:, None]
    return np.concatenate([found, rare] if len(order) > _LEVELS else [found], axis=1) * 1.0


def _standard(columns: Array) -> Array:
    spread = columns.std(axis=0)
    return (columns - columns.mean(axis=0)) / np.where(spread > _SLIGHT, spread, 1.0)


def _white(residuals: Array) -> Array:
    """The residuals in axes in which they are uncorrelated, of variance 1; empty axes left out."""
    centred = residuals - residuals.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    kept = values > _SLIGHT * max(float(values.max()), _SLIGHT)
    return centred @ (axes[:, kept] / np.sqrt(values[kept]))


def correlated(x: Array, y: Array, z: Array) -> Finding:
    """The partial correlation of x and y given z; it sees straight lines only.

    Args:
        x: numbers, shape (rows,).
        y: the same of the other column.
        z: shape (rows, others).
    """
    from scipy.special import stdtr

    straight = np.column_stack([np.ones(len(x)), z])
    pair = np.stack([x, y], axis=1)
    coefficients, _, order, _ = np.linalg.lstsq(straight, pair, rcond=None)
    left = pair - straight @ coefficients
    size = np.sqrt((left**2).sum(axis=0)).prod()
    r = float(np.clip((left[:, 0] @ left[:, 1]) / size, -1, 1)) if size > 0 else 0.0
    freedom = len(x) - 1 - int(order)
    t = abs(r) * np.sqrt(freedom / max(1 - r**2, 1e-300)) if freedom > 0 else 0.0
    return Finding(
        p=min(2 * float(stdtr(max(freedom, 1), -t)), 1.0),
        statistic=float(t),
        strength=abs(r),
        rows=len(x),
        method="correlation",
    )
