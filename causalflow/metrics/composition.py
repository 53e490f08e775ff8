"""Composition: the null intervention must give the factual picture back.

    composition = mean over images and pixels of |x - x'|, in grey levels: 0 (exact) to 255

with x' the counterfactual of x under no intervention, taken once or over again (cycles).

Source: Monteiro et al. (2023), Measuring axiomatic soundness of counterfactual image models,
section 3.
"""

from __future__ import annotations

from torch import Tensor

from causalflow.metrics.pixels import pixel_errors
from causalflow.metrics.score import Score, mean_score

__all__ = ["composition", "largest_error"]


def composition(images: Tensor, reconstructions: Tensor) -> Score:
    """The error of reconstructions, in grey levels.

    Args:
        images: float in [0, 1] or uint8, shape (batch, channel, height, width).
        reconstructions: the same.

    Raises:
        DataError: the shapes differ.

    Example:
        >>> import torch
        >>> white, black = torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
        >>> composition(white, black).value
        255.0
    """
    return mean_score(pixel_errors(images, reconstructions).mean(1), "grey levels")


def largest_error(images: Tensor, reconstructions: Tensor) -> float:
    """The largest error of a pixel, in grey levels."""
    return float(pixel_errors(images, reconstructions).max())
