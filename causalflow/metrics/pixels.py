"""Pixels: how far apart two pictures are, and how sharp one is.

    distance of an image   mean over its pixels of |x - x'|, in grey levels 0..255
    total variation        mean of |x_i - x_j| over neighbours in a row or a column, likewise: a
                           blurred picture has less than a sharp one

Pixels are cast before they are subtracted: the difference of unsigned bytes wraps around.

Source: Monteiro et al. (2023), Measuring axiomatic soundness of counterfactual image models,
section 3, whose distance this is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from causalflow.errors import DataError

__all__ = ["grey_levels", "pixel_errors", "total_variation"]


def grey_levels(images: Tensor) -> Tensor:
    """Images in [0, 1] or uint8 as float64 grey levels 0..255, same shape."""
    return images.double() if images.dtype == torch.uint8 else 255 * images.double()


def pixel_errors(first: Tensor, second: Tensor) -> Tensor:
    """|x - x'| of every pixel, in grey levels, shape (batch, pixels).

    Args:
        first: float in [0, 1] or uint8, shape (batch, channel, height, width).
        second: the same.

    Raises:
        DataError: the shapes differ.
    """
    if first.shape != second.shape:
        shapes = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise DataError(f"images of shapes {shapes}; expected the same shape")
    return (grey_levels(first) - grey_levels(second).to(first.device)).abs().flatten(1)


def total_variation(images: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels in grey levels, shape (batch,).

    Args:
        images: float in [0, 1] or uint8, shape (batch, channel, height, width).

    Example:
        >>> total_variation(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])).tolist()
        [127.5]
    """
    levels = grey_levels(images)
    steps = [levels.diff(dim=axis).abs().flatten(1) for axis in (2, 3)]
    return torch.cat(steps, dim=1).mean(dim=1)
