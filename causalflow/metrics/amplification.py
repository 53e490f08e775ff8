"""Amplification: an attribute that the intervention leaves alone must not be moved by it.

    amplification = mean over images of |a(x') - a| - |a(x*) - a|

with a(.) the attribute read off a picture, a the value it should have in the counterfactual world,
x' the counterfactual and x* the true one (or, where that is not known, the factual picture x, whose
value is a too). What remains is the off-diagonal error beyond the measuring floor: in the
attribute's unit, 0 at best on average, negative where the counterfactuals read better than the
reference. For a class, |.| is 1 where two levels differ: a share in -1..1.

Source: Xia et al. (2024), Mitigating attribute amplification in counterfactual image generation.
"""

from __future__ import annotations

from torch import Tensor

from causalflow.errors import DataError
from causalflow.metrics.score import Score, mean_score

__all__ = ["amplification"]


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
