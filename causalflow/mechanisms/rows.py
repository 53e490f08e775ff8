"""Rows: the batches in which images are decoded, and values compared row by row."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["chunks", "snapped", "take"]

CHUNK = {"cpu": 256}
LARGE_CHUNK = 2048
ROUNDING = 1e-7


def take(values: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    """These rows of all values."""
    return {name: value[rows] for name, value in values.items()}


def chunks(rows: Tensor) -> tuple[Tensor, ...]:
    """Row numbers in the portions that a device takes at once; none where there is no row."""
    return rows.split(CHUNK.get(rows.device.type, LARGE_CHUNK)) if len(rows) else ()


def snapped(value: Tensor, reference: Tensor) -> Tensor:
    """``value``, and the reference where they differ by rounding only, as equations may do.

    Example:
        >>> reference = torch.tensor([1.0, 2.0], dtype=torch.float64)
        >>> (snapped(reference * (1 + 1e-15), reference) == reference).all().item()
        True
    """
    if not value.is_floating_point():
        return value
    near = (value - reference).abs() <= ROUNDING * (1e-5 + reference.abs())
    return torch.where(near, reference, value)
