"""Composition: the null intervention must give the factual picture back.

    distance = mean over images and pixels of |x - x'|, in the unit of [0, 1] and in grey levels
    (times 255).

Pixels are cast before they are subtracted: the difference of unsigned bytes wraps around.

Source: Monteiro et al. (2023), Measuring axiomatic soundness of counterfactual image models,
section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.errors import DataError

__all__ = ["Composition", "composition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """The error of reconstructions.

    Attributes:
        unit: mean absolute error of pixels in [0, 1].
        grey_levels: the same of pixels in 0..255.
        largest: the largest absolute error of a pixel in [0, 1].
    """

    unit: float
    grey_levels: float
    largest: float


def composition(images: Tensor, reconstructions: Tensor) -> Composition:
    """The error of reconstructions.

    Args:
        images: float in [0, 1] or uint8, shape (batch, channel, height, width).
        reconstructions: the same.

    Raises:
        DataError: the shapes differ.

    Example:
        >>> white, black = torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
        >>> composition(white, black)
        Composition(unit=1.0, grey_levels=255.0, largest=1.0)
    """
    if images.shape != reconstructions.shape:
        shapes = f"{tuple(images.shape)} and {tuple(reconstructions.shape)}"
        raise DataError(f"composition: images of shapes {shapes}; expected the same shape")
    error = (_unit(images) - _unit(reconstructions)).abs()
    mean = float(error.mean())
    return Composition(unit=mean, grey_levels=255 * mean, largest=float(error.max()))


def _unit(images: Tensor) -> Tensor:
    return images.double() / 255 if images.dtype == torch.uint8 else images.double()
