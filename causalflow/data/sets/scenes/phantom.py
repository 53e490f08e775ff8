"""Phantom: a chest as an X-ray shows it, gray: bright is dense.

All in 64ths of the picture (`causalflow.data.sets.scenes.shapes`), from back to front:

    body       an ellipse of soft tissue, wider in men (``sex``); in women two faint disks over it
    lungs      two dark ellipses; where ``disease`` is ill, three clouds lie in the one at the left
    ribs       seven bows on either side; they fade with ``age`` (bone is lost)
    spine      a bright band down the middle, fading likewise
    aorta      a band up from the heart, and its knob: a disk of radius 2 at 20 years to 5.6 at 90
    heart      an ellipse ``heart`` percent as wide as the chest (48)
    domes      of the diaphragm, below the lungs

Tissue has a texture of its own in each picture. The scanner's ``contrast`` c stretches what it sees
around the gray 110, texture and all: 110 + c (gray - 110); its grain comes after.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalflow.data.sets.scenes.family import SceneFamily
from causalflow.data.sets.scenes.noise import Noise
from causalflow.data.sets.scenes.shapes import Canvas, column

__all__ = ["CHEST", "PHANTOM", "draw_phantom"]

Floats: TypeAlias = NDArray[np.float64]

CHEST = 48.0
"""Width of the chest: what the heart's width is a share of."""

_AIR, _TISSUE, _LUNG, _HEART, _DOME = 25.0, 108.0, 52.0, 172.0, 150.0
_MIDDLE = 110.0
_BONE = (62.0, 14.0)  # what a bone adds at 20 and at 90 years
_YOUNG, _OLD = 20.0, 90.0
_RIBS = (14.0, 19.5, 25.0, 30.5, 36.0, 41.5, 47.0)
_CLOUDS = ((16.0, 26.0, 4.0), (20.5, 34.0, 4.6), (15.0, 41.0, 3.6))  # across, down, extent
_CLOUD = 78.0
_ROUGHNESS = 5.0


def draw_phantom(labels: Mapping[str, NDArray[Any]], noise: Noise, size: int) -> Floats:
    """The pictures of labels without their grain, 0..255, shape (n, 1, size, size)."""
    canvas = Canvas(size)
    age = (labels["age"] - _YOUNG) / (_OLD - _YOUNG)
    bone = column(_BONE[0] + (_BONE[1] - _BONE[0]) * age)
    body = canvas.disk((32, 44), (28 + 2.5 * labels["sex"], 41 + 0 * age))
    seen = _AIR + body * (_TISSUE - _AIR)
    seen = seen + (1 - column(labels["sex"])) * _breasts(canvas)
    _lungs(seen, labels["disease"], canvas)
    seen += bone * body * np.maximum(_ribs(canvas), canvas.line((32, 0), (32, 64), 6.0))
    _heart(seen, labels["heart"], age, canvas)
    seen += _ROUGHNESS * body * noise.fields[:, 0]
    stretched = _MIDDLE + column(labels["contrast"]) * (seen - _MIDDLE)
    return stretched[:, None]


def _breasts(canvas: Canvas) -> Floats:
    return 24 * (canvas.disk((16, 47), (9.5, 8)) + canvas.disk((48, 47), (9.5, 8)))


def _lungs(seen: Floats, disease: NDArray[np.int64], canvas: Canvas) -> None:
    for across in (19.0, 45.0):
        inside = canvas.disk((across, 31), (10, 19))
        seen += 0.8 * inside * (_LUNG - seen)
    clouds = sum(_cloud(canvas, *each) for each in _CLOUDS)
    seen += _CLOUD * column(disease) * np.minimum(clouds, 1) * canvas.disk((19, 31), (10, 19))


def _cloud(canvas: Canvas, across: float, down: float, extent: float) -> Floats:
    away = (canvas.across - across) ** 2 + (canvas.down - down) ** 2
    return np.exp(-away / (2 * extent**2))


def _ribs(canvas: Canvas) -> Floats:
    sides = [canvas.bow((a, y), 10.5, -3.0, 1.7) for a in (19.5, 44.5) for y in _RIBS]
    return np.max(sides, axis=0)


def _heart(seen: Floats, heart: Floats, age: Floats, canvas: Canvas) -> None:
    for dome in ((19, 60), (45, 61)):
        seen += canvas.disk(dome, (12.5, 9)) * (_DOME - seen)
    knob = 2 + 3.6 * age
    aorta = np.maximum(canvas.line((35.5, 20), (35.5, 40), 5), canvas.disk((37, 20), (knob, knob)))
    seen += aorta * (_HEART - seen)
    half = CHEST * heart / 200
    seen += canvas.disk((35, 44), (half, 0.85 * half)) * (_HEART - seen)


PHANTOM = SceneFamily(
    name="phantom",
    graph="scene_phantom",
    scm="scene_phantom_scm",
    channels=1,
    draw=draw_phantom,
    grain=0.75,
)
