"""Likeliest parents: the numbers read off an image at a glance, as the flow itself has them.

The predictor (`causalflow.mechanisms.image.parent_reader`) gives a middle and a spread of each
continuous parent; from there `causalflow.diffusion.likeliest` goes to the numbers under which the
image's own flow explains it best. Parents that are known, and levels of classes, stay as they are;
so do parents that the network is not told.
"""

from __future__ import annotations

import torch
from torch import Tensor

from causalflow.diffusion.denoiser import CODE
from causalflow.diffusion.likeliest import likeliest
from causalflow.mechanisms.image.codec import Codec
from causalflow.mechanisms.image.parent_reader import AnticausalPredictor
from causalflow.mechanisms.mechanism import Values, chunks, take

__all__ = ["likeliest_parents"]


def likeliest_parents(
    codec: Codec, predictor: AnticausalPredictor, image: Tensor, read: Values, known: Values
) -> dict[str, Tensor]:
    """The values of those that were read, numbers among them moved.

    Args:
        codec: the image's ways; no parent has a representation.
        predictor: the heads by which the parents were read.
        image: the pictures or latents that the flow runs on, shape (batch, channel, height, width).
        read: parent -> value, batch rows each.
        known: the other parents, likewise.
    """
    names = [n for n in read if n in codec.trajectory.neural and n in predictor.numeric]
    if not names:
        return dict(read)
    given = {name: value for name, value in {**known, **read}.items() if name in codec.parents}
    rows = chunks(torch.arange(len(image), device=image.device))
    found = [_moved(codec, predictor, image[part], take(given, part), names) for part in rows]
    return {**read, **predictor.valued(torch.cat(found), names)}


def _moved(
    codec: Codec, predictor: AnticausalPredictor, image: Tensor, given: Values, names: list[str]
) -> Tensor:
    """The standardised numbers, shape (batch, names)."""
    code = {} if codec.code is None else {CODE: codec.code.mean(image, given)}

    def told(numbers: Tensor) -> Values:
        return {**given, **predictor.valued(numbers, names), **code}

    guess, spread = predictor.numbers(image, names)
    return likeliest(codec.trajectory.velocity, image, told, guess, spread)
