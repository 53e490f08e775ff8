"""The scene of the pendulum data: sun, pendulum and shadow on white, drawn from numbers.

Notation, all in the scene's units: theta = angle pi / 200, phi = light pi / 200; the canvas shows
x from -3.23 to 22.58 and y from -4.14 to 24.43, 20 by 22 units in its middle being what the
published files call the axes, a little wider than high.

    rod      black, 1/24 of the canvas wide, from (10, 10.5) to the bob's centre
    bob      firebrick, radius 1.5, at (10 + 8 sin theta, 10.5 - 8 cos theta)
    sun      orange, radius 3, at (10 + 10 cot phi, 20.5)
    shadow   black, as wide as the rod, at height -0.5, from position - length / 2 to
             position + length / 2

A pixel's colour is mixed by the share of it that a shape covers (`causalflow.data.shapes`).

Source: the generator of CausalVAE (Yang et al., 2021). Its files are RGBA pictures of a matplotlib
canvas of 96 x 96 pixels: opaque, cut at the axes (part of the sun, and 1.6 % of the shadows), the
disks wider by half a point; here nothing is cut. Its shadow's length is 9.5 |cos(theta - phi)| /
sin phi, and at least 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from causalflow.data.shapes import disk, paint, stripe

__all__ = [
    "BLACK",
    "FIREBRICK",
    "GROUND",
    "ORANGE",
    "PIVOT",
    "ROD",
    "STROKE",
    "SUN_HEIGHT",
    "draw_scene",
    "pixel_scale",
    "to_pixels",
    "to_radians",
]

Floats = NDArray[np.float64]

BLACK, FIREBRICK, ORANGE = (0, 0, 0), (178, 34, 34), (255, 165, 0)
PIVOT, ROD, BOB_RADIUS = (10.0, 10.5), 8.0, 1.5
SUN_HEIGHT, SUN_RADIUS = 20.5, 3.0
GROUND = -0.5
STROKE = 1 / 24
_LEFT, _WIDTH, _UNITS_WIDE = 0.125, 0.775, 20.0
_BOTTOM, _HEIGHT, _UNITS_HIGH, _LOWEST = 0.11, 0.77, 22.0, -1.0


def to_radians(steps: Floats) -> Floats:
    """Steps of 0.9 degrees as radians."""
    return np.asarray(steps) * (np.pi / 200)


def pixel_scale(size: int) -> tuple[float, float]:
    """Pixels a unit, across and down."""
    return size * _WIDTH / _UNITS_WIDE, size * _HEIGHT / _UNITS_HIGH


def to_pixels(x: Floats | float, y: Floats | float, size: int) -> tuple[Floats, Floats]:
    """Where a point of the scene is in the picture: across from the left, down from the top."""
    wide, high = pixel_scale(size)
    across = size * _LEFT + wide * np.asarray(x)
    down = size * (1 - _BOTTOM) - high * (np.asarray(y) - _LOWEST)
    return across, down


def draw_scene(
    angle: Floats, light: Floats, length: Floats, position: Floats, *, size: int
) -> NDArray[np.uint8]:
    """The pictures, uint8, shape (n, 3, size, size); channels are red, green, blue.

    Args:
        angle: of the pendulum from straight down, steps of 0.9 degrees, shape (n,).
        light: of the rays from the horizon, steps of 0.9 degrees, inside of 0 to 200, shape (n,).
        length: of the shadow that is drawn, units, shape (n,).
        position: of its middle, units, shape (n,).
        size: height and width of the pictures in pixels.
    """
    theta, phi = to_radians(angle), to_radians(light)
    bob = to_pixels(PIVOT[0] + ROD * np.sin(theta), PIVOT[1] - ROD * np.cos(theta), size)
    sun = to_pixels(PIVOT[0] + (SUN_HEIGHT - PIVOT[1]) / np.tan(phi), SUN_HEIGHT, size)
    first = to_pixels(position - length / 2, GROUND, size)
    last = to_pixels(position + length / 2, GROUND, size)
    picture = np.full((len(theta), 3, size, size), 255.0)
    paint(picture, BLACK, stripe(to_pixels(*PIVOT, size), bob, size * STROKE, size))
    paint(picture, FIREBRICK, disk(bob, _radii(BOB_RADIUS, size), size))
    paint(picture, ORANGE, disk(sun, _radii(SUN_RADIUS, size), size))
    paint(picture, BLACK, stripe(first, last, size * STROKE, size))
    return np.rint(picture).astype(np.uint8)


def _radii(radius: float, size: int) -> tuple[float, float]:
    """A radius of the scene in pixels, across and down."""
    wide, high = pixel_scale(size)
    return radius * wide, radius * high
