"""Rendering: how much of each pixel a disk or a line covers, and colours laid over by it.

Coverage is to first order in a shape's curvature: the overlap of the unit interval around a pixel
with a stripe, and clamp(1/2 - signed distance) of an ellipse. Places and lengths are in pixels,
across from the left and down from the top; one shape a row of the batch. Large batches are drawn in
pieces by several processes (`by_pieces`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalflow.errors import DataError

__all__ = ["Point", "by_pieces", "disk", "paint", "stripe"]

Floats: TypeAlias = NDArray[np.float64]
Point: TypeAlias = tuple[ArrayLike, ArrayLike]


def paint(picture: Floats, colour: ArrayLike, covered: Floats) -> None:
    """Lay a colour over the picture, in place.

    Args:
        picture: shape (n, 3, size, size).
        colour: red, green and blue in the picture's unit, one for all, shape (3,), or one a row,
            shape (n, 3).
        covered: the share of each pixel, shape (n, size, size).
    """
    shade = np.asarray(colour, dtype=np.float64)[..., :, None, None]
    picture += covered[:, None] * (shade - picture)


def disk(centre: Point, radii: Point, size: int) -> Floats:
    """The share of each pixel that an ellipse covers, shape (n, size, size).

    Args:
        centre: across and down, shape (n,) each.
        radii: across and down, more than a pixel each; for all rows, or shape (n,).
        size: height and width of the picture.
    """
    (across, down), (wide, high) = _from(centre, size), map(_column, radii)
    level = np.hypot(across / wide, down / high)
    slope = np.hypot(across / wide**2, down / high**2)
    distance = (level - 1) * level / np.maximum(slope, 1e-9)
    return np.where(level < 0.5, 1.0, np.clip(0.5 - distance, 0, 1))


def stripe(first: Point, last: Point, width: ArrayLike, size: int) -> Floats:
    """The share of each pixel that a line between two points covers, shape (n, size, size).

    Args:
        first: where the line begins, across and down, shape (n,) each; it ends square.
        last: where it ends, likewise.
        width: the width of the line, for all rows or shape (n,).
        size: height and width of the picture.
    """
    (left, top), (right, bottom) = map(_column, first), map(_column, last)
    length = np.maximum(np.hypot(right - left, bottom - top), 1e-9)
    cosine, sine = (right - left) / length, (bottom - top) / length
    across, down = _from(((left + right) / 2, (top + bottom) / 2), size)
    along, aside = across * cosine + down * sine, down * cosine - across * sine
    return _overlap(along, length / 2) * _overlap(aside, _column(width) / 2)


def _overlap(distance: Floats, half: Floats) -> Floats:
    """How much of the unit interval around ``distance`` lies within ``half`` of 0."""
    return np.clip(np.minimum(distance + 0.5, half) - np.maximum(distance - 0.5, -half), 0, 1)


def _from(centre: Point, size: int) -> tuple[Floats, Floats]:
    """The pixels' centres relative to a point, which broadcast to (n, size, size)."""
    pixels = np.arange(size) + 0.5
    return pixels[None, None, :] - _column(centre[0]), pixels[None, :, None] - _column(centre[1])


def _column(values: ArrayLike) -> Floats:
    """(n,) as (n, 1, 1)."""
    return np.asarray(values, dtype=np.float64).reshape(-1, 1, 1)


_WORTH_STARTING = 16  # pieces: a process takes seconds to start


def by_pieces(
    function: Callable[..., NDArray[Any]],
    arrays: tuple[NDArray[Any], ...],
    *,
    piece: int,
    workers: int | None = None,
    label: str = "",
) -> NDArray[Any]:
    """``function(*arrays)``, whose every row depends on the rows of its own piece alone.

    The pieces are fixed, so the result is the same whatever the number of processes. A progress bar
    shows on a terminal while more than one piece is computed.

    Args:
        function: takes pieces of the arrays, gives one row for each of theirs.
        arrays: each of shape (n, ...), n at least 1.
        piece: how many rows a call is given.
        workers: how many processes; default one a core, and one alone for less than 16 pieces.
        label: said by the progress bar.

    Raises:
        DataError: fewer than one worker.
    """
    from joblib import Parallel, delayed

    from causalflow.bar import tqdm

    if workers is not None and workers < 1:
        raise DataError(f"workers is {workers}; expected at least 1")
    starts = range(0, len(arrays[0]), piece)
    calls = (
        delayed(function)(*(array[start : start + piece] for array in arrays)) for start in starts
    )
    default = 1 if len(starts) < _WORTH_STARTING else os.cpu_count() or 1
    done = Parallel(n_jobs=workers or default, return_as="generator")(calls)
    hidden = True if len(starts) == 1 else None  # None: hidden unless on a terminal
    return np.concatenate(list(tqdm(done, desc=label, total=len(starts), disable=hidden)))
