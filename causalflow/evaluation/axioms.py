"""Composition: the null intervention must give the factual picture back.

    composition = mean over images and pixels of |x - x'|, in grey levels: 0 (exact) to 255

with x' the counterfactual of x under no intervention, taken once or over again (cycles).

Source: Monteiro et al. (2023), Measuring axiomatic soundness of counterfactual image models,
section 3.

Reversibility: an intervention undone must give the factual picture back.

    reversibility = mean over images and pixels of |x - x''|, in grey levels: 0 (exact) to 255

with x'' = counterfactual of (counterfactual of x under do(a')) under do(a), a the factual value;
taken once or over again (cycles).

Source: Monteiro et al. (2023), Measuring axiomatic soundness of counterfactual image models,
section 3.

True error: the distance of a counterfactual to the true one, where a data set knows it.

    true error = mean over images and pixels of |x' - x*|, in grey levels: 0 (exact) to 255

Beside it belongs the error of the image left unchanged, |x - x*|, which no method should exceed.

Source: `causalflow.data.sets.bar_mnist` and `causalflow.data.sets.morpho_mnist` draw x* with the
same exogenous noise as x.

Amplification: an attribute that the intervention leaves alone must not be moved by it.

    amplification = mean over images of |a(x') - a| - |a(x*) - a|

with a(.) the attribute read off a picture, a the value it should have in the counterfactual world,
x' the counterfactual and x* the true one (or, where that is not known, the factual picture x, whose
value is a too). What remains is the off-diagonal error beyond the measuring floor: in the
attribute's unit, 0 at best on average, negative where the counterfactuals read better than the
reference. For a class, |.| is 1 where two levels differ: a share in -1..1.

Source: Xia et al. (2024), Mitigating attribute amplification in counterfactual image generation.

Pixels: how far apart two pictures are, and how sharp one is.

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
from causalflow.evaluation.score import Score, mean_score

__all__ = [
    "amplification",
    "composition",
    "grey_levels",
    "largest_error",
    "pixel_errors",
    "reversibility",
    "total_variation",
    "true_error",
]


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


def amplification(read: Tensor, reference: Tensor, wanted: Tensor, unit: str = "share") -> Score:
    """How much further from its value an untouched attribute is than on reference pictures.

    Args:
        read: off the counterfactuals, shape (batch,): levels (integers) or numbers.
        reference: off the true counterfactuals, or the factual pictures.
        wanted: the value that the attribute has in both.
        unit: of the numbers; "share" for levels.

    Raises:
        DataError: the shapes differ.
    """
    if not read.shape == reference.shape == wanted.shape:
        shapes = [tuple(values.shape) for values in (read, reference, wanted)]
        raise DataError(f"amplification: readings of shapes {shapes}; expected the same shape")
    return mean_score(_error(read, wanted) - _error(reference, wanted), unit)


def _error(read: Tensor, wanted: Tensor) -> Tensor:
    if not read.is_floating_point():
        return (read != wanted).double()
    return (read.double() - wanted.double()).abs()
