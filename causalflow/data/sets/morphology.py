"""Morphology: the thickness and the intensity of pen strokes, read off an image and set in it.

Images x are gray, in grey levels 0..255, shape (n, size, size). Strokes are the cells of a finer
grid, S to a pixel of a 28-pixel frame, at which x, enlarged (cubic, then smoothed), reaches half of
its range. Whatever the size of an image, thickness is in pixels of the 28-pixel frame.

    thickness = mean of 2 d / S over the medial axis of the strokes, d the distance in cells to what
                is no stroke (S = 8)
    thickness t' is set by dilating (t' above t) or eroding the strokes by a disk of int(S |t' - t|
                / 2) cells, then reducing them (smoothed, cubic) to the image's size (S = 16)
    intensity = median of the pixels at half of the image's range or above
    intensity i' is set by x -> min(255, x i' / i)

The radius is a whole number of cells, and a disk in Morpho-MNIST is what is left of one drawn 16
times larger and smoothed, half a cell to two cells wider: so a thickness set and read again
differs. Medial axes break ties at random: the thickness of one image depends on those read along
with it, by .001 pixels.

Source: Castro et al. (2019), Morpho-MNIST; Pawlowski et al. (2020), Deep Structural Causal Models.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalflow.errors import DataError

__all__ = ["intensity", "render_strokes", "set_intensity", "set_thickness", "thickness"]

Floats: TypeAlias = NDArray[np.floating[Any]]

_FRAME = 28
_READ = (
    8  # cells a pixel; at 16, as in Morpho-MNIST, the same to .02 pixels, in four times the time
)
_DRAWN = 16
_TOGETHER = (
    16  # images whose medial axes are found in one call, which costs 18 ms whatever it holds
)
_WHITE = 255.0


def thickness(images: NDArray[Any]) -> NDArray[np.float64]:
    """The mean stroke width of each image in pixels, shape (n,); NaN where nothing is drawn."""
    _check(images)
    starts = range(0, len(images), _TOGETHER)
    parts = [_measure(images[start : start + _TOGETHER]) for start in starts]
    return np.concatenate([np.zeros(0), *parts])


def set_thickness(
    images: NDArray[Any],
    target: ArrayLike,
    measured: NDArray[np.float64] | None = None,
    size: int | None = None,
) -> NDArray[np.float32]:
    """The images redrawn, full white, with strokes of another thickness: 0..255, (n, size, size).

    Args:
        images: shape (n, m, m).
        target: pixels, one for all images or one per image.
        measured: the thickness of the images, where it is known already.
        size: height and width of the result; default that of the images.

    Raises:
        DataError: images that are not square.
    """
    _check(images)
    now = thickness(images) if measured is None else measured
    reduce = _reduction(images.shape[-1] if size is None else size)
    changes = np.broadcast_to(np.asarray(target, dtype=np.float64), (len(images),)) - now
    result = np.zeros((len(images), len(reduce), len(reduce)), dtype=np.float32)
    for row, change in enumerate(changes):
        if np.isfinite(change):
            cells = _widen(_strokes(images[row], _DRAWN), change).astype(np.float32)
            result[row] = _WHITE * (reduce @ cells @ reduce.T).clip(0, 1)
    return result


def intensity(images: NDArray[Any]) -> NDArray[np.float64]:
    """The grey level of the strokes of each image, 0..255, shape (n,)."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    low, high = flat.min(1, keepdims=True), flat.max(1, keepdims=True)
    drawn = flat >= low + (high - low) / 2
    return np.asarray(np.nanmedian(np.where(drawn, flat, np.nan), axis=1))


def set_intensity(images: NDArray[Any], target: ArrayLike) -> NDArray[np.float64]:
    """The images with their grey levels scaled so that the strokes have intensity ``target``.

    Args:
        images: shape (n, size, size); black ones stay black.
        target: grey level, one for all images or one per image.
    """
    now = intensity(images)
    wanted = np.broadcast_to(np.asarray(target, dtype=np.float64), now.shape)
    factor = np.divide(wanted, now, out=np.zeros_like(now), where=now > 0)
    return np.asarray((images * factor[:, None, None]).clip(0, _WHITE))


def render_strokes(
    images: NDArray[np.uint8],
    thickness: ArrayLike,
    intensity: ArrayLike,
    measured: NDArray[np.float64],
    size: int | None = None,
) -> NDArray[np.uint8]:
    """The images with another thickness and intensity: uint8, rounded down as Morpho-MNIST does.

    Args:
        images: shape (n, m, m).
        thickness: pixels, one for all images or one per image.
        intensity: grey level, likewise.
        measured: the thickness of ``images``, shape (n,).
        size: height and width of the result; default that of the images.
    """
    white = set_thickness(images, thickness, measured, size)
    return set_intensity(white, intensity).astype(np.uint8)


def _check(images: NDArray[Any]) -> None:
    if images.ndim != 3 or images.shape[1] != images.shape[2]:
        raise DataError(f"morphology: images of shape {images.shape}; expected (n, size, size)")


def _measure(images: NDArray[Any]) -> NDArray[np.float64]:
    """`thickness` of a few images: their strokes one below the other, background between them."""
    from skimage.morphology import medial_axis

    strokes = [_framed(_strokes(image, _READ)) for image in images]
    together = np.concatenate(strokes)
    columns = np.flatnonzero(together.any(0))
    if not columns.size:
        return np.full(len(images), np.nan)
    narrow = together[:, columns[0] - 1 : columns[-1] + 2]
    axis, distance = medial_axis(narrow, return_distance=True, rng=0)
    ends = np.cumsum([len(stroke) for stroke in strokes])[:-1]
    pairs = zip(np.split(axis, ends), np.split(distance, ends), strict=True)
    return np.array([2 / _READ * d[on].mean() if on.any() else np.nan for on, d in pairs])


def _framed(strokes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The rows that hold strokes, with a cell of background on each side."""
    rows = np.flatnonzero(strokes.any(1))
    kept = strokes[rows[0] : rows[-1] + 1] if rows.size else strokes[:0]
    return np.pad(kept, 1)


def _strokes(image: NDArray[Any], scale: int) -> NDArray[np.bool_]:
    """The cells at half of the range or above, (28 scale, 28 scale); none in a plain image."""
    pixels = image.astype(np.float32)
    low, high = pixels.min(), pixels.max()
    if not high > low:
        return np.zeros((_FRAME * scale, _FRAME * scale), dtype=np.bool_)
    enlarge, smooth = _enlargement(len(image), _FRAME * scale)
    fine = smooth @ (enlarge @ pixels @ enlarge.T).clip(low, high) @ smooth.T
    return np.asarray(fine >= (fine.min() + fine.max()) / 2)


def _widen(strokes: NDArray[np.bool_], change: float) -> NDArray[np.bool_]:
    """Strokes thicker by ``change`` pixels, or thinner: eroding is dilating the background."""
    radius = int(_DRAWN * abs(change) / 2)
    if not radius:
        return strokes
    return _dilate(strokes, radius) if change > 0 else ~_dilate(~strokes, radius)


def _dilate(cells: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Every cell that the disk about a given cell covers: a convolution, by Fourier transform."""
    from scipy.fft import irfft2, rfft2

    counts = irfft2(rfft2(cells.astype(np.float32)) * _disk(radius), cells.shape)
    return np.asarray(counts > 0.5)


@lru_cache(maxsize=64)
def _disk(radius: int) -> NDArray[np.complex64]:
    """The Fourier transform of Morpho-MNIST's disk, centred at cell (0, 0).

    It is drawn at 16 times the size and covers each cell whose smoothing window touches it.
    """
    from scipy.fft import rfft2

    cells, large = 2 * radius + 1, _DRAWN * radius
    centres = (np.arange(cells) + 0.5) * (2 * large + 1) / cells - 0.5 - large
    gaps = np.maximum(np.abs(centres) - _reach(_DRAWN), 0)
    image = np.zeros((_FRAME * _DRAWN, _FRAME * _DRAWN), dtype=np.float32)
    image[:cells, :cells] = gaps[:, None] ** 2 + gaps**2 <= large**2
    return np.asarray(rfft2(np.roll(image, (-radius, -radius), (0, 1))))


@lru_cache(maxsize=8)
def _enlargement(size: int, cells: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Matrices that enlarge a column of pixels to cells, and that smooth cells."""
    smooth = _smoothing(cells, cells / size)
    return _cubic(cells, size).astype(np.float32), smooth.astype(np.float32)


@lru_cache(maxsize=8)
def _reduction(size: int) -> NDArray[np.float32]:
    """The matrix that smooths a column of cells and reduces it to pixels."""
    cells = _FRAME * _DRAWN
    return (_cubic(size, cells) @ _smoothing(cells, cells / size)).astype(np.float32)


def _smoothing(cells: int, factor: float) -> NDArray[np.float64]:
    """A Gaussian of ``factor / 3`` cells, cut off at 4 of them, mirrored at the edges."""
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(
        gaussian_filter1d(np.eye(cells), factor / 3, axis=0, mode="reflect", radius=_reach(factor))
    )


def _reach(factor: float) -> int:
    """How far the smoothing reaches, in cells."""
    return int(4 * factor / 3 + 0.5)


def _cubic(rows: int, columns: int) -> NDArray[np.float64]:
    """Catmull-Rom interpolation from ``columns`` samples to ``rows``, mirrored at the edges."""
    places = (np.arange(rows) + 0.5) * columns / rows - 0.5
    before = np.floor(places).astype(np.int64)
    x = places - before
    weights = (
        (-x + 2 * x**2 - x**3) / 2,
        (2 - 5 * x**2 + 3 * x**3) / 2,
        (x + 4 * x**2 - 3 * x**3) / 2,
        (x**3 - x**2) / 2,
    )
    matrix = np.zeros((rows, columns))
    for offset, weight in enumerate(weights, start=-1):
        place = before + offset
        mirrored = np.where(place < 0, -1 - place, place)
        mirrored = np.where(mirrored >= columns, 2 * columns - 1 - mirrored, mirrored)
        np.add.at(matrix, (np.arange(rows), mirrored), weight)
    return matrix
