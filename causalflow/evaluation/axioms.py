"""Axioms: what a counterfactual picture must satisfy, whatever model made it.

Notation: x a factual picture, x' its counterfactual, x* the true counterfactual, a(.) an attribute
read off a picture, a the value that it should have in the counterfactual world.

    distance         of two pictures: the mean over pixels of |x - x'|, in grey levels 0..255
    composition      of x and x' under no intervention, taken once or over again (cycles): 0 at best
    reversibility    of x and what comes back when an intervention is undone: 0 at best
    true error       of x' and x*, where a data set knows it. Beside it belongs the error of the
                     picture left unchanged, of x and x*, which no method should exceed
    amplification    |a(x') - a| - |a(x*) - a|, for an attribute that the intervention leaves alone
                     (x in place of x* where that is not known): the error beyond the measuring
                     floor, in the attribute's unit; 0 at best on average, negative where x' reads
                     better than the reference. For a class |.| is 1 where two levels differ
    total variation  mean of |x_i - x_j| over neighbours in a row or a column, in grey levels: a
                     blurred picture has less than a sharp one

Each `Score` is a mean over pictures. `causalflow.data.sets` draw x* with the same exogenous noise
as x.

Sources: Monteiro et al. (2023), Measuring axiomatic soundness of counterfactual image models,
section 3; Xia et al. (2024), Mitigating attribute amplification in counterfactual image generation.
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

UNIT = "grey levels"


def composition(images: Tensor, reconstructions: Tensor) -> Score:
    """The distance between pictures and what the null intervention makes of them.

    Args:
        images: float in [0, 1] or uint8, shape (batch, channel, height, width).
        reconstructions: the pictures under the null intervention, of the same shape.

    Raises:
        DataError: the shapes differ.

    Example:
        >>> import torch
        >>> white, black = torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
        >>> composition(white, black).value
        255.0
    """
    return _distance(images, reconstructions)


def reversibility(images: Tensor, returned: Tensor) -> Score:
    """The distance between pictures and those after an intervention and its undoing.

    Args:
        images: the factual pictures, float in [0, 1] or uint8, (batch, channel, height, width).
        returned: the pictures after the intervention was undone, of the same shape.

    Raises:
        DataError: the shapes differ.
    """
    return _distance(images, returned)


def true_error(counterfactuals: Tensor, truth: Tensor) -> Score:
    """The distance between counterfactual pictures and the true ones.

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
    return _distance(counterfactuals, truth)


def amplification(read: Tensor, reference: Tensor, wanted: Tensor, unit: str = "share") -> Score:
    """How much further from its value an untouched attribute is than on reference pictures.

    Args:
        read: off the counterfactuals, shape (batch,): levels (integers) or numbers.
        reference: off the true counterfactuals, or the factual pictures.
        wanted: the value that the attribute has in both.
        unit: the unit of the numbers; "share" for levels.

    Raises:
        DataError: the shapes differ.
    """
    if not read.shape == reference.shape == wanted.shape:
        shapes = [tuple(values.shape) for values in (read, reference, wanted)]
        raise DataError(f"amplification: readings of shapes {shapes}; expected the same shape")
    return mean_score(_reading_errors(read, wanted) - _reading_errors(reference, wanted), unit)


def largest_error(images: Tensor, reconstructions: Tensor) -> float:
    """The largest error of a pixel, in grey levels."""
    return float(pixel_errors(images, reconstructions).max())


def total_variation(images: Tensor) -> Tensor:
    """The mean absolute difference of neighbouring pixels in grey levels, shape (batch,).

    Args:
        images: float in [0, 1] or uint8, shape (batch, channel, height, width).

    Example:
        >>> total_variation(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])).tolist()
        [127.5]
    """
    levels = grey_levels(images)
    steps = [levels.diff(dim=axis).abs().flatten(1) for axis in (2, 3)]
    return torch.cat(steps, dim=1).mean(dim=1)


def pixel_errors(first: Tensor, second: Tensor) -> Tensor:
    """|x - x'| of every pixel, in grey levels, shape (batch, pixels).

    Args:
        first: pictures, float in [0, 1] or uint8, shape (batch, channel, height, width).
        second: pictures of the same shape.

    Raises:
        DataError: the shapes differ.
    """
    if first.shape != second.shape:
        shapes = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise DataError(f"images of shapes {shapes}; expected the same shape")
    return (grey_levels(first) - grey_levels(second).to(first.device)).abs().flatten(1)


def grey_levels(images: Tensor) -> Tensor:
    """Images in [0, 1] or uint8 as float64 grey levels 0..255: bytes would wrap around below 0."""
    return images.double() if images.dtype == torch.uint8 else 255 * images.double()


def _distance(first: Tensor, second: Tensor) -> Score:
    return mean_score(pixel_errors(first, second).mean(1), UNIT)


def _reading_errors(read: Tensor, wanted: Tensor) -> Tensor:
    if not read.is_floating_point():
        return (read != wanted).double()
    return (read.double() - wanted.double()).abs()
