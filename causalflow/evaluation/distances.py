"""Distances: how far a counterfactual picture is from the true one, a number a picture.

Notation: x the factual picture, x' its counterfactual, x* the true one, in grey levels 0..255; c
channels, N pixels.

    changed pixels   those of which x and x* differ by more than `CHANGED` levels in some channel
    error            mean of |x' - x*| over pixels and channels: of all, of those that change, or of
                     those that do not
    root mean square (mean of (x' - x*)^2)^(1/2)
    PSNR             20 log10(255 / root mean square) in decibels, at most `LARGEST_PSNR`
    SSIM             structural similarity in -1..1, 1 for equal pictures: Gaussian weights of 1.5
                     pixels in windows of 11, K = (.01, .03), population moments, mean over channels

Source: Wang et al. (2004), Image quality assessment: from error visibility to structural
similarity, section III; by scikit-image.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from causalflow.data.sets.scenes.scenes import CHANGED
from causalflow.evaluation.axioms import grey_levels, pixel_errors

__all__ = [
    "LARGEST_PSNR",
    "LEAST_SSIM_SIZE",
    "changed_pixels",
    "errors_on",
    "psnr",
    "root_mean_square",
    "ssim",
]

LARGEST_PSNR = 100.0
"""Decibels of equal pictures, for which the formula has no number."""
LEAST_SSIM_SIZE = 11
"""Pixels of a picture's shorter side, at least: the window of the structural similarity."""


def changed_pixels(images: Tensor, truth: Tensor) -> Tensor:
    """Where the true counterfactual differs from the factual picture, bool, (batch, height, width).

    Args:
        images: the factual pictures, float in [0, 1] or uint8, (batch, channel, height, width).
        truth: the true counterfactuals, likewise.

    Example:
        >>> black = torch.zeros(1, 1, 1, 3, dtype=torch.uint8)
        >>> changed_pixels(black, black + torch.tensor([0, 4, 5], dtype=torch.uint8)).tolist()
        [[[False, False, True]]]
    """
    apart = pixel_errors(images, truth).reshape(images.shape)
    return apart.amax(dim=1).round() > CHANGED


def errors_on(made: Tensor, truth: Tensor, where: Tensor | None = None) -> Tensor:
    """The mean distance over pixels and channels in grey levels, shape (batch,).

    Args:
        made: pictures, float in [0, 1] or uint8, shape (batch, channel, height, width).
        truth: what they should be, likewise.
        where: the pixels that count, bool, (batch, height, width); default: all. NaN where a
            picture has none.
    """
    apart = pixel_errors(made, truth).reshape(made.shape).mean(dim=1).flatten(1)
    if where is None:
        return apart.mean(dim=1)
    weights = where.flatten(1).double()
    return (apart * weights).sum(dim=1) / weights.sum(dim=1)


def root_mean_square(made: Tensor, truth: Tensor) -> Tensor:
    """The root of the mean squared distance over pixels and channels, shape (batch,)."""
    return pixel_errors(made, truth).square().mean(dim=1).sqrt()


def psnr(made: Tensor, truth: Tensor) -> Tensor:
    """The peak signal-to-noise ratio in decibels, shape (batch,).

    Example:
        >>> white = torch.ones(1, 1, 2, 2)
        >>> round(psnr(white, 0.9 * white).item(), 3), psnr(white, white).item()
        (20.0, 100.0)
    """
    ratio = 20 * torch.log10(255 / root_mean_square(made, truth))
    return ratio.clamp(max=LARGEST_PSNR)


def ssim(made: Tensor, truth: Tensor) -> Tensor:
    """The structural similarity, shape (batch,); pictures of `LEAST_SSIM_SIZE` pixels or more."""
    from skimage.metrics import structural_similarity

    pairs = zip(grey_levels(made).numpy(), grey_levels(truth).numpy(), strict=True)
    found = [
        structural_similarity(
            one,
            other,
            data_range=255,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for one, other in pairs
    ]
    return torch.from_numpy(np.array(found, dtype=np.float64))
