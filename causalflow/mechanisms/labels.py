"""Labels: which rows of a batch carry a value, and harmless stand-ins for those that do not.

An unlabelled entry is -1 (class) or NaN (continuous, image); see `causalflow.mechanisms.base`.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from causalflow.diffusion.field import known as labelled
from causalflow.mechanisms.base import Values

__all__ = ["all_labelled", "filled", "labelled"]


def all_labelled(values: Values, names: Iterable[str]) -> Tensor:
    """Whether each row has a value for every name: bool, shape (batch,); ``names`` is not empty."""
    return torch.stack([labelled(values[name]) for name in names]).all(0)


def filled(values: Values, names: Iterable[str]) -> dict[str, Tensor]:
    """``values`` of ``names`` with 0 where unlabelled, so that networks can run on every row."""
    return {
        name: torch.nan_to_num(value, nan=0.0) if value.is_floating_point() else value.clamp_min(0)
        for name in names
        for value in [values[name]]
    }
