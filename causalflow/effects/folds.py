"""Folds: parts of the rows, so that each row is predicted by learners that have not seen it.

Cross-fitting makes an error of the learners independent of the row on which it acts.

Source: Chernozhukov et al. (2018), double machine learning, Definition 3.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalflow.errors import DataError

__all__ = ["folds_of"]


def folds_of(rows: int, count: int, seed: int, groups: NDArray[Any] | None = None) -> NDArray[Any]:
    """The fold of each row, shape (rows,), as even as can be in each group.

    Args:
        rows: how many.
        count: how many folds, at least two.
        seed: shuffles the rows.
        groups: each row's group, such as its treatment, shape (rows,).

    Raises:
        DataError: fewer rows than folds, or fewer than two folds.
    """
    if not isinstance(count, int) or isinstance(count, bool) or not 2 <= count <= rows:
        raise DataError(
            f"estimate: folds={count!r}; expected a number from 2 to {rows:,}, the rows"
        )
    order = np.random.default_rng(seed).permutation(rows)
    if groups is not None:
        order = order[np.argsort(np.asarray(groups)[order], kind="stable")]
    folds = np.empty(rows, dtype=np.int64)
    folds[order] = np.arange(rows) % count
    return folds
