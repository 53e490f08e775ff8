"""Worlds: models whose hidden cause reaches the picture, and what can be read off the picture.

A world is an explicit graph of labels and of *attributes*: what the picture shows that no label
says. The picture is drawn from both and from the row's own noise, which no node causes:

    base     a real handwritten digit, straightened where the strokes' slant is an attribute
    shade    how much lighter or darker fields and grounds are than usual, -1 .. 1 each
    grain    of every pixel, normal

so that the picture under any intervention is known to the byte. A reader gives the attributes back
from the pixels alone, and of true pictures without an error; the opacity to .006, so that dark is
wrong in one of a hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalflow.data.sets.bar_mnist import bar_rows
from causalflow.data.sets.bar_mnist import render as render_bars
from causalflow.data.sets.rendering import disk

__all__ = ["WORLDS", "Noise", "World"]

Arrays = Mapping[str, NDArray[Any]]
Pixels = NDArray[np.float64]

_DARK, _LIGHT, _SHADE, _GRAIN = 48.0, 196.0, 24.0, 6.0
_MIDDLE = (_DARK + _LIGHT) / 2
_FULL = 255.0
_BEND = 0.4  # pixels across, a pixel up, by which a slant moves strokes
_PIXELS = ("first", "second", "third", "fourth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What a picture is made of besides its labels and attributes.

    Attributes:
        base: real digits, uint8, shape (n, size, size).
        shade: shape (n, 4), each in [-1, 1].
        grain: standard normal, shape (n, size, size).
    """

    base: NDArray[np.uint8]
    shade: Pixels
    grain: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A model whose picture has a hidden cause.

    Attributes:
        graph: the name of the graph file that a learner is told; its truth is NAME_scm.
        attributes: the nodes of the truth that can be read off the picture.
        hidden: the attribute that the hidden cause decides.
        size: height and width of the pictures unless told.
        draw: values of all nodes and noise to pictures, uint8, shape (n, channels, size, size).
        read: pictures in [0, 1], shape (n, channels, size, size), to the attributes' values.
    """

    graph: str
    attributes: tuple[str, ...]
    hidden: str
    size: int
    draw: Callable[[Arrays, Noise], NDArray[np.uint8]]
    read: Callable[[Pixels], dict[str, NDArray[Any]]]


def _fields(values: Arrays, noise: Noise) -> NDArray[np.uint8]:
    """Four fields, dark or light: the four pixels, row by row."""
    size = noise.grain.shape[-1]
    half, picture = size // 2, np.empty(noise.grain.shape)
    for at, (name, (rows, columns)) in enumerate(zip(_PIXELS, _quarters(half), strict=True)):
        level = np.where(values[name] == 1, _LIGHT, _DARK) + _SHADE * noise.shade[:, at]
        picture[:, rows, columns] = level[:, None, None]
    return _gray(picture, noise)


def _read_fields(pictures: Pixels) -> dict[str, NDArray[Any]]:
    half = pictures.shape[-1] // 2
    means = (pictures[:, 0, r, c].mean((1, 2)) for r, c in _quarters(half))
    return {
        name: (mean * _FULL > _MIDDLE).astype(np.int64)
        for name, mean in zip(_PIXELS, means, strict=True)
    }


def _quarters(half: int) -> list[tuple[slice, slice]]:
    near, far = slice(None, half), slice(half, None)
    return [(near, near), (near, far), (far, near), (far, far)]


def _bent_bars(values: Arrays, noise: Noise) -> NDArray[np.uint8]:
    """Bar-MNIST whose strokes lean to the left or to the right."""
    strokes = sheared(noise.base, np.where(values["slant"] == 1, _BEND, -_BEND))
    return render_bars(strokes, values["color"], values["bar"])


def _read_bars(pictures: Pixels) -> dict[str, NDArray[Any]]:
    top = bar_rows(pictures.shape[-1])
    strokes = pictures[:, :2, top:]
    green_or_red = strokes.sum((2, 3))
    return {
        "color": (green_or_red[:, 0] > green_or_red[:, 1]).astype(np.int64),
        "bar": (pictures[:, 2, :top].mean((1, 2)) > 0.5).astype(np.int64),
        "slant": (slants(strokes.max(1)) > 0).astype(np.int64),
    }


def slants(strokes: Pixels) -> Pixels:
    """How far strokes lean: pixels to the right for a pixel up, by second moments, shape (n,)."""
    height, width = strokes.shape[1:]
    up, across = np.arange(height)[::-1, None] + 0.0, np.arange(width)[None] + 0.0
    total = strokes.sum((1, 2)) + 1e-9
    up = up - ((strokes * up).sum((1, 2)) / total)[:, None, None]
    across = across - ((strokes * across).sum((1, 2)) / total)[:, None, None]
    spread = (strokes * up**2).sum((1, 2)) + 1e-9
    return np.asarray((strokes * up * across).sum((1, 2)) / spread)


def sheared(strokes: NDArray[np.uint8], slant: Pixels) -> NDArray[np.uint8]:
    """The strokes moved across by ``slant`` pixels for each pixel up from their middle."""
    n, height, width = strokes.shape
    inked = strokes.sum(2) + 1e-9
    middle = (inked * np.arange(height)).sum(1) / inked.sum(1)
    moved = slant[:, None] * (middle[:, None] - np.arange(height))
    place = np.arange(width) - moved[:, :, None]
    left = np.floor(place).astype(np.int64)
    share = place - left
    rows = np.arange(n)[:, None, None], np.arange(height)[None, :, None]

    def at(column: NDArray[np.int64]) -> Pixels:
        inside = (column >= 0) & (column < width)
        return np.where(inside, strokes[*rows, np.clip(column, 0, width - 1)], 0.0)

    return np.round((1 - share) * at(left) + share * at(left + 1)).astype(np.uint8)


def straightened(strokes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The strokes without a slant, but for what the pixels' size leaves of it."""
    return sheared(strokes, -slants(strokes.astype(np.float64)))


def _digit_on_ground(values: Arrays, noise: Noise) -> NDArray[np.uint8]:
    """White strokes on a dark or a light ground, and the marker: a white bar at the top."""
    ground = np.where(values["ground"] == 1, 128.0, _DARK) + _SHADE * noise.shade[:, 0]
    ink = noise.base / _FULL
    picture = ground[:, None, None] * (1 - ink) + _FULL * ink
    picture[values["marker"] == 1, : bar_rows(picture.shape[-1])] = _FULL
    return _gray(picture, noise)


def _read_ground(pictures: Pixels) -> dict[str, NDArray[Any]]:
    top, gray = bar_rows(pictures.shape[-1]), pictures[:, 0] * _FULL
    ground = np.median(gray[:, top:].reshape(len(gray), -1), axis=1)
    return {
        "marker": (gray[:, :top].mean((1, 2)) > 200).astype(np.int64),
        "ground": (ground > (128 + _DARK) / 2).astype(np.int64),
    }


def _disk_of(level: Pixels, noise: Noise) -> NDArray[np.uint8]:
    """A disk of such gray on a ground of middle gray; its place is the row's own."""
    size, n = noise.grain.shape[-1], len(noise.grain)
    ground = _MIDDLE + _SHADE * noise.shade[:, 0]
    middle, reach = size / 2, size / 16
    centre = middle + reach * noise.shade[:, 1], middle + reach * noise.shade[:, 2]
    radius = np.full(n, 0.3 * size)
    cover = disk(centre, (radius, radius), size)
    picture = ground[:, None, None] * (1 - cover) + level[:, None, None] * cover
    return _gray(picture, noise)


def _heart(pictures: Pixels) -> Pixels:
    """The gray of the middle of the disk, wherever it is, 0..255."""
    size = pictures.shape[-1]
    inside = slice(round(0.38 * size), round(0.62 * size))
    return np.asarray(pictures[:, 0, inside, inside].mean((1, 2)) * _FULL)


def _opacity(values: Arrays, noise: Noise) -> NDArray[np.uint8]:
    return _disk_of(240 - 220 * values["opacity"], noise)


def _read_opacity(pictures: Pixels) -> dict[str, NDArray[Any]]:
    opacity = (240 - _heart(pictures)) / 220
    return {"opacity": opacity, "dark": (opacity > 0.5).astype(np.int64)}


def _spot(values: Arrays, noise: Noise) -> NDArray[np.uint8]:
    return _disk_of(np.where(values["spot"] == 1, 16.0, 240.0), noise)


def _read_spot(pictures: Pixels) -> dict[str, NDArray[Any]]:
    return {"spot": (_heart(pictures) < _FULL / 2).astype(np.int64)}


def _gray(picture: Pixels, noise: Noise) -> NDArray[np.uint8]:
    grained = picture + _GRAIN * noise.grain
    return np.clip(np.round(grained), 0, _FULL).astype(np.uint8)[:, None]


WORLDS: Mapping[str, World] = {
    name: World(
        graph=f"confounded_{name}",
        attributes=attributes,
        hidden=hidden,
        size=size,
        draw=draw,
        read=read,
    )
    for name, attributes, hidden, size, draw, read in (
        ("ascm", _PIXELS, "first", 8, _fields, _read_fields),
        ("mediated", _PIXELS, "first", 8, _fields, _read_fields),
        ("bar_mnist", ("color", "bar", "slant"), "slant", 16, _bent_bars, _read_bars),
        ("frontdoor", ("marker", "ground"), "ground", 16, _digit_on_ground, _read_ground),
        ("severity", ("opacity", "dark"), "dark", 16, _opacity, _read_opacity),
        ("instrument", ("spot",), "spot", 16, _spot, _read_spot),
    )
}
"""By kind."""
