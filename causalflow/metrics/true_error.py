"""True error: the distance of a counterfactual to the true one, where a data set knows it.

    true error = mean over images and pixels of |x' - x*|, in grey levels: 0 (exact) to 255

Beside it belongs the error of the image left unchanged, |x - x*|, which no method should exceed.

Source: `causalflow.data.bar_mnist` and `causalflow.data.morpho_mnist` draw x* with the same
exogenous noise as x.
"""

from __future__ import annotations

from torch import Tensor

from causalflow.metrics.pixels import pixel_errors
from causalflow.metrics.score import Score, mean_score

__all__ = ["true_error"]


def true_error(counterfactuals: Tensor, truth: Tensor) -> Score:
    """The error of counterfactual pictures, in grey levels.

    Args:
        counterfactuals: float in [0, 1] or uint8, shape (batch, channel, height, width).
        truth: the true counterfactuals, likewise.

    Raises:
        DataError: the shapes differ.

    Example:
        >>> import torch
        >>> true_error(torch.zeros(2, 1, 2, 2), torch.full((2, 1, 2, 2), 0.5)).value
        127.5
    """
    return mean_score(pixel_errors(counterfactuals, truth).mean(1), "grey levels")
