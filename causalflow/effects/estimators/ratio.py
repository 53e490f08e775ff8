"""Ratio: a mean over the rows of some kind, as a ratio of two means.

Notation: s_i a score, d_i what its mean is to be divided by, such as 1 at rows of a group; then the
answer is mean(s) / mean(d), with influence values (s_i - answer * d_i) / mean(d).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from causalflow.effects.complete_rows import Array
from causalflow.errors import DataError

__all__ = ["opened", "ratio_of_means"]


def opened(
    score: Array, share: Array, target: Array, void: NDArray[np.bool_]
) -> tuple[Array, float]:
    """The score where the outcome of some rows is not known, and how much its mean may be larger.

    Args:
        score: shape (rows,).
        share: what its mean is divided by, shape (rows,).
        target: the outcome, within whose range the unknown ones lie, shape (rows,).
        void: the rows of which nothing is known, shape (rows,).
    """
    width = float(target.max() - target.min())
    slack = width * float((void * share).mean() / share.mean())
    return np.where(void, share * target.min(), score), slack


def ratio_of_means(score: Array, share: Array, of: object) -> tuple[float, Array]:
    """The mean of a score over that of a share, and its influence values, shape (rows,).

    Raises:
        DataError: the share is not positive.
    """
    if not share.mean() > 0:
        raise DataError(f"estimate: no row tells of {of}, which conditions on what never occurs")
    value = float(score.mean() / share.mean())
    return value, np.asarray((score - value * share) / share.mean())
