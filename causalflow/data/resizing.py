"""Resizing: a picture of any size becomes one of the graph's, by a rule that is named.

    refuse    a picture of another size is an error: nothing is chosen for the user
    cover     scaled by one factor until it covers the shape; what stands over is cut off, the same
              on both sides
    contain   scaled by one factor until it lies within the shape; the rest is black
    stretch   scaled by two factors: height and width apart

A pixel is a square of area 1. Along an axis on which the picture shrinks, a new pixel is the mean
of the old ones over its own area, parts of pixels counted as parts, so that no fine pattern turns
into a coarse one (aliasing). Along an axis on which it grows, a new pixel is interpolated linearly
between the centres of the old ones. Pixels of 0..255 are rounded to the nearest, halves up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RULES", "Placement", "enlarged", "placed", "resized", "rounded"]

RULES = ("refuse", "cover", "contain", "stretch")

Size = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Which part of a picture is scaled, to what size, and where that lies in the shape.

    Attributes:
        part: (top, left, height, width) in pixels of the picture; fractions are parts of pixels.
        size: (height, width) of the part when it is scaled.
        corner: (top, left) of the scaled part in the shape.
    """

    part: tuple[float, float, float, float]
    size: Size
    corner: Size


def placed(rule: str, given: Size, wanted: Size) -> Placement:
    """Where a picture of size ``given`` goes in a shape of size ``wanted``; not for "refuse".

    Example:
        >>> placed("cover", (100, 200), (10, 10))
        Placement(part=(0.0, 50.0, 100.0, 100.0), size=(10, 10), corner=(0, 0))
        >>> placed("contain", (100, 200), (10, 10))
        Placement(part=(0.0, 0.0, 100.0, 200.0), size=(5, 10), corner=(2, 0))
    """
    (height, width), (rows, columns) = given, wanted
    factors = rows / height, columns / width
    if rule == "cover":
        factor = max(factors)
        tall, wide = min(rows / factor, float(height)), min(columns / factor, float(width))
        part = ((height - tall) / 2, (width - wide) / 2, tall, wide)
        return Placement(part=part, size=wanted, corner=(0, 0))
    whole = (0.0, 0.0, float(height), float(width))
    if rule == "stretch":
        return Placement(part=whole, size=wanted, corner=(0, 0))
    factor = min(factors)
    size = max(1, round(height * factor)), max(1, round(width * factor))
    return Placement(
        part=whole, size=size, corner=((rows - size[0]) // 2, (columns - size[1]) // 2)
    )


def enlarged(rule: str, given: Size, wanted: Size) -> bool:
    """Whether a picture grows along an axis, so that pixels are invented.

    Example:
        >>> enlarged("cover", (40, 200), (64, 64)), enlarged("contain", (40, 200), (64, 64))
        (True, False)
    """
    factors = wanted[0] / given[0], wanted[1] / given[1]
    if rule == "contain":
        return min(factors) > 1
    return max(factors) > 1


def resized(values: NDArray[Any], placement: Placement) -> NDArray[np.float64]:
    """The part of a picture at its new size.

    Args:
        values: shape (height, width, channels).
        placement: which part, and to what size.

    Returns:
        Shape (*placement.size, channels).
    """
    top, left, tall, wide = placement.part
    rows = _along(values, _bands(values.shape[0], top, tall, placement.size[0]))
    turned = np.swapaxes(rows, 0, 1)
    columns = _along(turned, _bands(values.shape[1], left, wide, placement.size[1]))
    return np.swapaxes(columns, 0, 1)


def rounded(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Pixels 0..255 as whole numbers: the nearest, halves up."""
    return np.floor(values + 0.5).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class _Band:
    """A new pixel along an axis: the first old one that it is made of, and their weights."""

    first: int
    weights: NDArray[np.float64]
    total: float


def _along(values: NDArray[Any], bands: tuple[_Band, ...]) -> NDArray[np.float64]:
    """The first axis replaced by one of so many bands."""
    out = np.empty((len(bands), *values.shape[1:]), np.float64)
    for place, band in enumerate(bands):
        rows = values[band.first : band.first + len(band.weights)]
        out[place] = np.tensordot(band.weights, rows.astype(np.float64), 1) / band.total
    return out


@lru_cache(maxsize=512)
def _bands(length: int, start: float, extent: float, count: int) -> tuple[_Band, ...]:
    """``count`` new pixels over the stretch from ``start`` of an axis of ``length`` pixels."""
    step = extent / count
    make = _mean if step >= 1 else _between
    return tuple(make(length, start + place * step, step) for place in range(count))


def _mean(length: int, low: float, step: float) -> _Band:
    """The mean over [low, low + step]."""
    high = min(low + step, float(length))
    first, last = int(np.floor(low)), min(int(np.ceil(high)), length)
    pixels = np.arange(first, max(last, first + 1))
    overlap = np.minimum(pixels + 1, high) - np.maximum(pixels, low)
    weights = overlap.clip(0)
    return _Band(first, weights, float(weights.sum()))


def _between(length: int, low: float, step: float) -> _Band:
    """The value at the middle of [low, low + step], between two centres."""
    middle = min(max(low + step / 2 - 0.5, 0.0), length - 1.0)
    first = min(int(middle), max(length - 2, 0))
    share = middle - first
    weights = np.array([1 - share, share]) if length > 1 else np.ones(1)
    return _Band(first, weights, 1.0)
