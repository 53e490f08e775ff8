"""Reversibility: an intervention undone must give the factual picture back.

    reversibility = mean over images and pixels of |x - x''|, in grey levels: 0 (exact) to 255

with x'' = counterfactual of (counterfactual of x under do(a')) under do(a), a the factual value;
taken once or over again (cycles).

Source: Monteiro et al. (2023), Measuring axiomatic soundness of counterfactual image models,
section 3.
"""

from __future__ import annotations

from torch import Tensor

from causalflow.metrics.pixels import pixel_errors
from causalflow.metrics.score import Score, mean_score

__all__ = ["reversibility"]


def reversibility(images: Tensor, returned: Tensor) -> Score:
    """The error of pictures after an intervention and its undoing, in grey levels.

    Args:
        images: the factual pictures, float in [0, 1] or uint8, shape (batch, channel, height,
            width).
        returned: the same.

    Raises:
        DataError: the shapes differ.
    """
    return mean_score(pixel_errors(images, returned).mean(1), "grey levels")
