"""Likeliest parents: the values read off an image at a glance, as the flow itself has them.

The predictor (`causalflow.mechanisms.image.parent_reader`) gives the odds of the levels of each
class, and a middle and a spread of each continuous parent; from there `causalflow.diffusion.
likeliest` goes to those under which the image's own flow explains it best: the levels first, the
numbers as the predictor has them, then the numbers. Parents that are known stay as they are; so do
those that the network is not told, and classes that a classifier of the user's has read.
"""

from __future__ import annotations

import torch
from torch import Tensor

from causalflow.diffusion.denoiser import CODE
from causalflow.diffusion.likeliest import likeliest, likeliest_levels
from causalflow.mechanisms.image.codec import Codec
from causalflow.mechanisms.image.parent_reader import AnticausalPredictor
from causalflow.mechanisms.mechanism import Values, chunks, take

__all__ = ["likeliest_parents"]


def likeliest_parents(
    codec: Codec, predictor: AnticausalPredictor, image: Tensor, read: Values, known: Values
) -> dict[str, Tensor]:
    """The values of those that were read, levels and numbers moved.

    Args:
        codec: the image's ways; no parent has a representation.
        predictor: the heads by which the parents were read.
        image: the pictures or latents that the flow runs on, shape (batch, channel, height, width).
        read: parent -> value, batch rows each.
        known: the other parents, likewise.
    """
    heard = [n for n in read if n in codec.trajectory.neural and n in predictor.parents]
    if not heard:
        return dict(read)
    given = {name: value for name, value in {**known, **read}.items() if name in codec.parents}
    rows = chunks(torch.arange(len(image), device=image.device))
    parts = [_moved(codec, predictor, image[part], take(given, part), heard) for part in rows]
    return {**read, **{n: torch.cat([part[n] for part in parts]) for n in heard}}


def _moved(
    codec: Codec, predictor: AnticausalPredictor, image: Tensor, given: Values, heard: list[str]
) -> dict[str, Tensor]:
    """The values of the parents that the network hears, shape (batch,) each."""
    velocity, numbers = codec.trajectory.velocity, [n for n in heard if n in predictor.numeric]
    told = dict(given) if codec.code is None else {**given, CODE: codec.code.mean(image, given)}

    def valued(p: Tensor) -> Values:
        return {**told, **predictor.valued(p, numbers)}

    if classes := [name for name in heard if name not in numbers]:
        told |= likeliest_levels(velocity, image, told, predictor.odds(image, classes))
    if numbers:
        guess, spread = predictor.numbers(image, numbers)
        told |= valued(likeliest(velocity, image, valued, guess, spread))
    return {name: told[name] for name in heard}
