"""Strata: two columns of levels, compared within the rows that agree in all others.

Notation: a stratum has n rows, R_i of them at level i of x, C_j at level j of y, O_ij at both; r
and c levels occur in it. Its statistic is Pearson's, X^2 = n (sum_ij O_ij^2 / (R_i C_j) - 1). If x
and y are independent in it, all tables of these margins come up as by shuffling y, and X^2 has the
mean and variance

    mean      n (r - 1) (c - 1) / (n - 1)
    variance  2 n (v_r - s_r) (v_c - s_c) / (n - 3)  +  n^2 s_r s_c / (n - 1)
              v_k = (n - k) (k - 1) / (n - 1)
              s_r = (n sum_i 1/R_i - r^2) / (n - 2), s_c alike

exactly, however few its rows; the first term is 0 at n = 3, both are at n = 2. The sum of X^2 over
the strata has the sum of these, and is compared with the gamma distribution that has them too:
where all cells are full, that is the chi-squared test of G or X^2; where they are sparse, it still
holds.

Source: Haldane (1940), The mean and variance of chi^2, when used as a test of homogeneity, when
expectations are small; Agresti (2013), Categorical data analysis, section 16.5.
"""

from __future__ import annotations

import numpy as np

from causalflow.dependence.finding import Finding
from causalflow.values.column import Array

__all__ = ["stratified"]


def stratified(x: Array, y: Array, strata: Array) -> Finding:
    """Whether x and y are dependent within strata; one where either takes one level says nothing.

    Args:
        x: positions of levels from 0, shape (rows,).
        y: the same of the other column.
        strata: which stratum a row lies in, a number from 0, shape (rows,).
    """
    _, strata = np.unique(strata, return_inverse=True)
    rows = np.bincount(strata)
    (of_x, row), (of_y, column) = _margins(strata, x), _margins(strata, y)
    cells, counts = np.unique(row * (column.max() + 1) + column, return_counts=True)
    at, across = np.divmod(cells, column.max() + 1)
    shares = counts**2 / (of_x.counts[at] * of_y.counts[across])
    found = rows * (np.bincount(of_x.stratum[at], weights=shares) - 1)
    mean = rows * of_x.freedom * of_y.freedom / np.maximum(rows - 1, 1)
    excess = float((found - mean).sum())
    most = float((rows * np.minimum(of_x.freedom, of_y.freedom)).sum())
    return Finding.gamma(
        statistic=float(found.sum()),
        mean=float(mean.sum()),
        variance=float(_variance(rows, of_x, of_y).sum()),
        strength=np.sqrt(max(excess, 0.0) / most) if most else 0.0,
        rows=len(x),
        method="strata",
    )


class _Margins:
    """The occurring levels of one column in all strata: of which stratum, and how many rows."""

    def __init__(self, stratum: Array, counts: Array) -> None:
        self.stratum, self.counts = stratum, counts
        self.freedom = np.bincount(stratum) - 1

    def spread(self, rows: Array) -> Array:
        """s of the module, by stratum; 0 where it has two rows or fewer."""
        inverse = np.bincount(self.stratum, weights=1 / self.counts)
        return (rows * inverse - (self.freedom + 1) ** 2) / np.maximum(rows - 2, 1) * (rows > 2)


def _margins(strata: Array, values: Array) -> tuple[_Margins, Array]:
    """The margins, and which of their entries each row belongs to."""
    width = int(values.max()) + 1
    keys, row, counts = np.unique(strata * width + values, return_inverse=True, return_counts=True)
    return _Margins(keys // width, counts), row


def _variance(rows: Array, x: _Margins, y: _Margins) -> Array:
    first, second = x.spread(rows), y.spread(rows)
    free = [(rows - m.freedom - 1) * m.freedom / np.maximum(rows - 1, 1) for m in (x, y)]
    smooth = 2 * rows * (free[0] - first) * (free[1] - second) / np.maximum(rows - 3, 1)
    return np.maximum(smooth * (rows > 3) + rows**2 * first * second / np.maximum(rows - 1, 1), 0.0)
