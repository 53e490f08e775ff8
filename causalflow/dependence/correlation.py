"""Correlation: of two numbers, what straight lines in others leave of them.

Notation: r is the correlation of the residuals of x and of y, each regressed on k other numbers in
n rows. If all are jointly normal, x and y are independent given the others if and only if it is
zero but for chance, and r sqrt(df / (1 - r^2)) has Student's distribution with df = n - 2 - k.

Source: Fisher (1924), The distribution of the partial correlation coefficient.
"""

from __future__ import annotations

import numpy as np

from causalflow.dependence.finding import Finding
from causalflow.values.column import Array

__all__ = ["correlated"]


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
