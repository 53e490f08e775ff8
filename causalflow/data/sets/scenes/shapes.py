"""Shapes of the scenes, anti-aliased by the share of each pixel that they cover.

Places and lengths are in 64ths of the picture, across from the left and down from the top, so that
a scene is the same at every size; `Canvas` knows how many pixels one is. Disks and lines are those
of `causalflow.data.sets.rendering`; a bow is the strip around a parabola, covered to first order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalflow.data.sets.rendering import Point, disk, stripe

__all__ = ["SIDE", "Canvas", "column", "from_hue"]

Floats: TypeAlias = NDArray[np.float64]

SIDE = 64.0
"""Height and width of every scene, in its own unit."""


def column(values: ArrayLike) -> Floats:
    """(n,) as (n, 1, 1), to meet pixels."""
    return np.asarray(values, dtype=np.float64).reshape(-1, 1, 1)


@dataclass(frozen=True, slots=True)
class Canvas:
    """A square of pixels that shapes are laid on.

    Attributes:
        size: height and width in pixels.
    """

    size: int

    @property
    def unit(self) -> float:
        """How many pixels a 64th of the picture is."""
        return self.size / SIDE

    @property
    def across(self) -> Floats:
        """Where the pixels' middles are, from the left, shape (1, 1, size)."""
        return self._middles[None, None, :]

    @property
    def down(self) -> Floats:
        """Where the pixels' middles are, from the top, shape (1, size, 1)."""
        return self._middles[None, :, None]

    @property
    def _middles(self) -> Floats:
        return (np.arange(self.size, dtype=np.float64) + 0.5) / self.unit

    def disk(self, centre: Point, radii: Point) -> Floats:
        """What an ellipse covers; centre and radii across and down, for all rows or shape (n,)."""
        return disk(self._pixels(centre), self._pixels(radii), self.size)

    def ring(self, centre: Point, radii: Point, width: float) -> Floats:
        """What lies between two ellipses: the one of these radii, and one by ``width`` smaller."""
        inner = (np.asarray(radii[0]) - width, np.asarray(radii[1]) - width)
        return self.disk(centre, radii) - self.disk(centre, inner)

    def line(self, first: Point, last: Point, width: ArrayLike) -> Floats:
        """What a line of that width covers from one point to another."""
        pixels = np.asarray(width) * self.unit
        return stripe(self._pixels(first), self._pixels(last), pixels, self.size)

    def below(self, height: ArrayLike) -> Floats:
        """What lies below a height, shape (n, size, 1)."""
        return self.inside(self.down - column(height))

    def inside(self, depth: Floats) -> Floats:
        """What is covered, where ``depth`` is how far inside of the edge a pixel's middle is."""
        return np.clip(depth * self.unit + 0.5, 0, 1)

    def bow(self, middle: Point, half: ArrayLike, rise: ArrayLike, width: ArrayLike) -> Floats:
        """What a strip covers around a parabola.

        Args:
            middle: the bow's middle, across and down.
            half: how far it goes to either side.
            rise: by how much its ends lie above its middle; below 0: the middle above the ends.
            width: the width of the strip.
        """
        across = self.across - column(middle[0])
        bend = column(rise) / column(half) ** 2
        aside = np.abs(self.down - column(middle[1]) + bend * across**2)
        aside = aside / np.sqrt(1 + (2 * bend * across) ** 2)
        along = self.inside(column(half) - np.abs(across))
        return along * self.inside(column(width) / 2 - aside) * self._thin(width)

    def _thin(self, width: ArrayLike) -> Floats:
        """The share of a pixel that a strip thinner than one can cover at most."""
        return np.minimum(column(width) * self.unit, 1)

    def _pixels(self, point: Point) -> tuple[Floats, Floats]:
        return np.asarray(point[0]) * self.unit, np.asarray(point[1]) * self.unit


def from_hue(degrees: ArrayLike, saturation: float, value: float) -> Floats:
    """The colours of hues, red, green and blue of 0..255, shape (n, 3).

    Args:
        degrees: 0 red, 120 green, 240 blue; shape (n,).
        saturation: 0 (gray) to 1.
        value: how bright the strongest channel is, 0 to 1.

    Example:
        >>> from_hue([0.0, 120.0], 1, 1).tolist()
        [[255.0, 0.0, 0.0], [0.0, 255.0, 0.0]]
    """
    turn = np.asarray(degrees, dtype=np.float64)[:, None] / 60 + np.array([0.0, 4.0, 2.0])
    full = np.clip(np.abs(turn % 6 - 3) - 1, 0, 1)
    return 255 * value * (1 - saturation + saturation * full)
