"""Face: a face-like sketch on a textured wall.

All in 64ths of the picture (`causalflow.data.sets.scenes.shapes`), from back to front:

    wall       of a colour and a texture of its own in each picture, as the coat is of one colour
    head       an ellipse with ears and neck, its skin of a ``tone``, 0 pale to 1 dark
    wrinkles   three bows on the brow and a line beside either corner of the mouth: none at 18
               years, plain at 80 (``age``)
    hair       around the head, and the brows: brown, or ``grey`` to that share
    beard      of the hair's colour over the chin and the cheeks, where present
    mouth      a bow whose ends are raised by 5 ``smile``
    glasses    two dark rings, a bridge and temples, over lenses that brighten what is behind, where
               present
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalflow.data.sets.rendering import paint
from causalflow.data.sets.scenes.family import SceneFamily
from causalflow.data.sets.scenes.noise import Noise
from causalflow.data.sets.scenes.shapes import Canvas, column

__all__ = ["FACE", "draw_face"]

Floats: TypeAlias = NDArray[np.float64]

_WALL, _WALL_TINTS = np.array([128.0, 150, 158]), np.array([22.0, 18, 22])
_COAT, _COAT_TINT = np.array([92.0, 84, 110]), np.array([48.0, 0, -48])
_ROUGHNESS, _SKIN_ROUGHNESS = 9.0, 2.5
_PALE, _DARK = np.array([246.0, 216, 192]), np.array([122.0, 82, 58])
_BROWN, _GREY = np.array([66.0, 44, 30]), np.array([212.0, 212, 216])
_LIPS, _INK, _WHITE, _LENS = (176, 58, 62), (24, 24, 32), (250, 250, 250), (255, 255, 255)
_EYES = (25.0, 39.0)
_EYE_HEIGHT = 33.0
_YOUNG, _OLD = 18.0, 80.0


def draw_face(labels: Mapping[str, NDArray[Any]], noise: Noise, size: int) -> Floats:
    """The pictures of labels without their grain, 0..255, shape (n, 3, size, size)."""
    canvas = Canvas(size)
    tone, grey = labels["tone"][:, None], labels["grey"][:, None]
    skin, hair = _PALE + (_DARK - _PALE) * tone, _BROWN + (_GREY - _BROWN) * grey
    picture = _wall(noise, canvas)
    _head(picture, skin, hair, noise, canvas)
    _wrinkles(picture, labels["age"], canvas)
    paint(picture, hair, column(labels["beard"]) * _beard(canvas))
    _features(picture, skin, hair, labels["smile"], canvas)
    _glasses(picture, column(labels["glasses"]), canvas)
    return picture


def _wall(noise: Noise, canvas: Canvas) -> Floats:
    colour = _WALL + _WALL_TINTS * np.tanh(noise.tints[:, :3])
    rough = _ROUGHNESS * noise.fields[:, :1]
    picture = np.broadcast_to(colour[:, :, None, None] + rough, (*colour.shape, *rough.shape[2:]))
    return picture.copy()


def _head(picture: Floats, skin: Floats, hair: Floats, noise: Noise, canvas: Canvas) -> None:
    coat = _COAT + _COAT_TINT * np.tanh(noise.tints[:, 3:])
    crown = canvas.disk((32, 29), (21, 23))
    paint(picture, hair, crown)
    paint(picture, 0.86 * skin, canvas.line((32, 48), (32, 66), 14))
    paint(picture, coat, canvas.disk((32, 70), (30, 12)))
    for ear in (15.0, 49.0):
        paint(picture, 0.93 * skin, canvas.disk((ear, 35), (3, 4.5)))
    face = canvas.disk((32, 35), (16.5, 21))
    paint(picture, skin, face)
    picture += face[:, None] * _SKIN_ROUGHNESS * noise.fields[:, 1:2]
    brow = 19 + 0.012 * (canvas.across - 26) ** 2
    paint(picture, hair, crown * canvas.inside(brow - canvas.down))


def _wrinkles(picture: Floats, age: Floats, canvas: Canvas) -> None:
    brow = sum(canvas.bow((32, y), 8.5, -0.8, 1.0) for y in (22.8, 25.0, 27.2))
    left, right = canvas.line((27, 41), (23.6, 46), 1.1), canvas.line((37, 41), (40.4, 46), 1.1)
    depth = 0.5 * column((age - _YOUNG) / (_OLD - _YOUNG)) * (brow + left + right)
    picture *= 1 - depth[:, None]


def _beard(canvas: Canvas) -> Floats:
    edge = 43.5 - 0.02 * (canvas.across - 32) ** 2
    jaw = canvas.disk((32, 36.5), (16.5, 21.5)) * canvas.inside(canvas.down - edge)
    return 0.94 * jaw


def _features(picture: Floats, skin: Floats, hair: Floats, smile: Floats, canvas: Canvas) -> None:
    for eye in _EYES:
        paint(picture, _WHITE, canvas.disk((eye, _EYE_HEIGHT), (3.3, 2.1)))
        paint(picture, _INK, canvas.disk((eye, _EYE_HEIGHT), (1.6, 1.6)))
        paint(picture, hair, canvas.bow((eye, 28.6), 4.2, -1.0, 1.4))
    for side in (30.4, 33.6):
        paint(picture, 0.72 * skin, canvas.line((32 + (side - 32) * 0.4, 35), (side, 40.5), 0.9))
    paint(picture, _LIPS, canvas.bow((32, 46.5 + 2 * smile), 7.4, 5 * smile, 2.6))


def _glasses(picture: Floats, worn: Floats, canvas: Canvas) -> None:
    for eye in _EYES:
        paint(picture, _LENS, 0.22 * worn * canvas.disk((eye, _EYE_HEIGHT), (6, 5)))
        paint(picture, _INK, worn * canvas.ring((eye, _EYE_HEIGHT), (6.4, 5.4), 1.5))
    bars = (((31, 32.2), (33, 32.2)), ((15, 32), (19, 32.4)), ((45, 32.4), (49, 32)))
    for first, last in bars:
        paint(picture, _INK, worn * canvas.line(first, last, 1.4))


FACE = SceneFamily(
    name="face", graph="scene_face", scm="scene_face_scm", channels=3, draw=draw_face, grain=0.75
)
