"""Noise: what a picture's own exogenous variable holds, the texture of its ground and its grain.

A row's noise is a function of the split, the seed and the row's number alone, so that it is the
same however many rows are drawn, in what pieces, and under which intervention. It has

    fields    textures f(x, y), x and y in [0, 1] across and down: band-limited, of several scales,

                  f(x, y) = Re sum_{k, l} w(k, l) c_{kl} exp(2 pi i .8 (k x + l y)),
                  w(k, l) ~ |(k, l)|^-1.2 for 0 < |(k, l)| <= 12,

              c complex standard normal and w scaled so that f has variance 1: the same texture at
              every size from 32 pixels on (a wave is at least 3 pixels long), and, since .8 is no
              whole number, not periodic in the picture
    tints     standard normal numbers for what else differs by picture, as the ground's colour
    grain     standard normal, one for each channel and pixel: the sensor's
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["FIELDS", "TINTS", "Noise", "picture_noise"]

Floats: TypeAlias = NDArray[np.float64]

FIELDS, TINTS = 3, 4
_HIGHEST, _STEP, _DECAY = 12, 0.8, -1.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Noise:
    """The noise of n pictures.

    Attributes:
        fields: textures of mean 0 and variance 1, shape (n, `FIELDS`, size, size).
        tints: standard normal, shape (n, `TINTS`).
        grain: standard normal, shape (n, channels, size, size).
    """

    fields: Floats
    tints: Floats
    grain: Floats


def picture_noise(keys: Sequence[Sequence[int]], channels: int, size: int) -> Noise:
    """The noise of pictures.

    Args:
        keys: whole numbers that name a picture, one sequence a picture.
        channels: channels of the pictures.
        size: height and width in pixels.
    """
    orders = 2 * _HIGHEST + 1
    n, waves = len(keys), (FIELDS, 2, orders, _HIGHEST + 1)
    tints, normal = np.empty((n, TINTS)), np.empty((n, *waves))
    grain = np.empty((n, channels, size, size))
    for row, key in enumerate(keys):
        random = np.random.default_rng(key)
        random.standard_normal(out=tints[row])
        random.standard_normal(out=normal[row])
        random.standard_normal(out=grain[row])
    coefficients = _WEIGHTS * (normal[:, :, 0] + 1j * normal[:, :, 1])
    places = (np.arange(size) + 0.5) / size
    down = np.exp(2j * np.pi * _STEP * np.multiply.outer(places, _ORDERS))
    across = np.exp(2j * np.pi * _STEP * np.multiply.outer(_ORDERS[_HIGHEST:], places))
    return Noise(fields=(down @ coefficients @ across).real, tints=tints, grain=grain)


_ORDERS = np.arange(-_HIGHEST, _HIGHEST + 1)


def _weights() -> Floats:
    """w(l, k), shape (orders down, orders across from 0 on), of squares that sum to 1."""
    length = np.hypot(_ORDERS[:, None], _ORDERS[None, _HIGHEST:])
    inside = (length > 0) & (length <= _HIGHEST)
    weights: Floats = np.where(inside, np.maximum(length, 1) ** _DECAY, 0.0)
    return weights / np.sqrt((weights**2).sum())


_WEIGHTS = _weights()
