"""Partly labelled data: the labels of some rows are hidden, their images stay."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
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

    Every hidden row loses all the labels named; a hidden class is -1 (NaN in a column that has
    negative levels), a hidden number NaN. The rows
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


def _hide(column: Any, share: float, seed: int) -> Tensor | NDArray[Any]:
    """The column as an array, or the tensor that it was, with a gap in every hidden row."""
    is_tensor = isinstance(column, Tensor)
    values = column.detach().cpu().numpy() if is_tensor else np.asarray(column)
    gap: float | None
    if values.dtype.kind in "OUS":
        values, gap = values.astype(object), None
    elif values.dtype.kind != "f" and not (values.size and values.min() < 0):
        values, gap = values.astype(np.int64), _UNLABELLED
    else:  # -1 may be a level among negative ones
        values, gap = values * 1.0, math.nan
    values = values.copy()
    values[np.random.default_rng(seed).permutation(len(values))[round(share * len(values)) :]] = gap
    return torch.from_numpy(values).to(column.device) if is_tensor else values
