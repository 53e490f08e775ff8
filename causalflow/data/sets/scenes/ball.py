"""Ball: a ball on textured ground, its shadow, and the sky behind.

All in 64ths of the picture (`causalflow.data.sets.scenes.shapes`):

    sky      above 14, of day or of dusk, with clouds of its own texture
    ground   below it, of a colour and a texture of its own, darker far away
    ball     of radius ``size``, standing on the ground at (``x``, 50), so with its middle at
             (x, 50 - size); shaded as under the sky, whatever the lamp does; of one hue, a white
             belt around it where ``stripe`` is present
    shadow   thrown away from a lamp at ``lamp`` from the left, the further the larger the ball:

                 middle x + (x - lamp) (.15 + .015 size),  radii 1.1 size across, .35 size down

The shadow follows size, x and lamp; stripe and hue leave it as it is, and the lamp leaves all else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalflow.data.sets.scenes.family import SceneFamily
from causalflow.data.sets.scenes.noise import Noise
from causalflow.data.sets.scenes.shapes import SIDE, Canvas, column, from_hue

__all__ = ["BALL", "draw_ball", "shadow_of"]

Floats: TypeAlias = NDArray[np.float64]

_HORIZON, _FOOT = 14.0, 50.0
_THROW, _LENGTH, _DARKNESS = (0.15, 0.015), (1.1, 0.35), 0.55
_SKIES = np.array([[[150.0, 190, 235], [205, 225, 245]], [[95.0, 70, 120], [240, 150, 95]]])
_GROUND, _GROUND_TINTS = np.array([172.0, 158, 132]), np.array([14.0, 10, 10])
_ROUGHNESS, _CLOUDS = np.array([9.0, 9, 8]), 6.0
_BELT, _WHITE = 0.26, (246.0, 246.0, 240.0)
_SATURATION, _VALUE = 0.78, 0.92
_TOWARDS_LIGHT = np.array([-0.35, -0.65, 0.675])  # across, down, to us; of length 1


def draw_ball(labels: Mapping[str, NDArray[Any]], noise: Noise, size: int) -> Floats:
    """The pictures of labels without their grain, 0..255, shape (n, 3, size, size)."""
    canvas = Canvas(size)
    picture = _ground(noise, canvas)
    centre, radii = shadow_of(labels["size"], labels["x"], labels["lamp"])
    picture *= 1 - _DARKNESS * canvas.disk(centre, radii)[:, None]
    _sky(picture, labels["sky"], noise, canvas)
    _ball(picture, labels, canvas)
    return picture


def shadow_of(
    size: Floats, x: Floats, lamp: Floats
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """The shadow's middle and radii, across and down each, in 64ths of the picture."""
    middle = x + (x - lamp) * (_THROW[0] + _THROW[1] * size)
    return (middle, np.full_like(size, _FOOT)), (_LENGTH[0] * size, _LENGTH[1] * size)


def _ground(noise: Noise, canvas: Canvas) -> Floats:
    colour = _GROUND + _GROUND_TINTS * np.tanh(noise.tints[:, :3])
    light = 0.82 + 0.18 * (canvas.down - _HORIZON) / (SIDE - _HORIZON)
    rough = noise.fields[:, :1] * _ROUGHNESS[:, None, None]
    return colour[:, :, None, None] * light[:, None] + rough


def _sky(picture: Floats, sky: NDArray[np.int64], noise: Noise, canvas: Canvas) -> None:
    share = np.clip(canvas.down / _HORIZON, 0, 1)
    top, bottom = _SKIES[sky, 0, :, None, None], _SKIES[sky, 1, :, None, None]
    colour = top + (bottom - top) * share + _CLOUDS * noise.fields[:, 1:2]
    picture += (1 - canvas.below(_HORIZON)) * (colour - picture)


def _ball(picture: Floats, labels: Mapping[str, NDArray[Any]], canvas: Canvas) -> None:
    radius, x = labels["size"], labels["x"]
    right = (canvas.across - column(x)) / column(radius)
    under = (canvas.down - column(_FOOT - radius)) / column(radius)
    front = np.sqrt(np.maximum(1 - right**2 - under**2, 0))
    a, b, c = _TOWARDS_LIGHT
    facing = np.maximum(a * right + b * under + c * front, 0)
    belt = canvas.inside((_BELT - np.abs(0.94 * under + 0.34 * right)) * column(radius))
    belt = belt * column(labels["stripe"])
    hue = from_hue(labels["hue"], _SATURATION, _VALUE)[:, :, None, None]
    colour = hue + belt[:, None] * (np.reshape(_WHITE, (3, 1, 1)) - hue)
    shaded = colour * (0.5 + 0.5 * facing)[:, None]
    shaded += 70 * (facing**24)[:, None]
    covered = canvas.disk((x, _FOOT - radius), (radius, radius))
    picture += covered[:, None] * (shaded - picture)


BALL = SceneFamily(
    name="ball", graph="scene_ball", scm="scene_ball_scm", channels=3, draw=draw_ball, grain=0.75
)
