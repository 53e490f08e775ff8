"""Partly labelled data: the labels of some rows are hidden, their images stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from causalflow.errors import DataError, one_of

__all__ = ["hide_labels"]

_UNLABELLED = -1


def hide_labels(
    columns: Mapping[str, Any],
    share: float,
    seed: int = 0,
    names: Iterable[str] | None = None,
) -> dict[str, Any]:
    """The columns with the labels of all but a random ``share`` of the rows hidden.

    Every hidden row loses all the labels named; a hidden class is -1, a hidden number NaN. The rows
    that keep theirs at a share keep them at every larger one with the same seed.

    Args:
        columns: name -> array or tensor, shape (n, ...).
        share: of rows that keep their labels, 0 to 1; rounded to whole rows.
        seed: which rows keep them.
        names: the columns to hide; default all of shape (n,).

    Raises:
        DataError: a share outside of 0 to 1, or a name that is no column of labels.

    Example:
        >>> hidden = hide_labels({"digit": np.array([3, 1, 4, 1])}, share=0.5)
        >>> int((hidden["digit"] >= 0).sum())
        2
    """
    labels = [name for name, column in columns.items() if np.ndim(column) == 1]
    chosen = labels if names is None else list(names)
    for name in chosen:
        if name not in labels:
            raise DataError(f"hide_labels: no column of labels '{name}'; {one_of(name, labels)}")
    if not 0 <= share <= 1:
        raise DataError(f"hide_labels: share is {share:g}; expected 0 to 1")
    return {
        name: _hide(column, share, seed) if name in chosen else column
        for name, column in columns.items()
    }


def _hide(column: Any, share: float, seed: int) -> Tensor:
    """The column as a tensor: float64 where it holds numbers, else int64."""
    values = torch.as_tensor(column).clone()
    hidden = np.random.default_rng(seed).permutation(len(values))[round(share * len(values)) :]
    values[torch.from_numpy(hidden)] = torch.nan if values.is_floating_point() else _UNLABELLED
    return values
