"""Real handwritten digits that come with scikit-learn: 1,797 pictures of 8x8 pixels, enlarged.

The strokes fill the 8x8 frame, so they are enlarged to about 4/5 of the new frame by cubic
interpolation and set low: the margin above holds the bar of `causalflow.data.bar_mnist` and hides
no stroke (16 = 2 rows + 13 + 1).

Source: Alpaydin & Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository (its test part).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalflow.data.labelled import LabelledImages, check_split
from causalflow.errors import DataError

__all__ = ["digits"]

_TEST_SHARE = 0.2
_VALIDATION_SHARE = 0.1  # of what is not for testing
_STROKE_SHARE = 0.8
_SMALLEST = 8


def digits(split: str = "train", size: int = 16, seed: int = 0) -> LabelledImages:
    """The digits of a split, float32 in [0, 1], shape (n, size, size).

    Args:
        split: "train" (1,293 pictures), "validation" (144) or "test" (360); no picture is in two,
            and each has its share of every digit.
        size: height and width in pixels, at least 8.
        seed: which pictures are held out.

    Raises:
        DataError: unknown split, or a size below 8.
    """
    from sklearn.datasets import load_digits

    check_split(split)
    if size < _SMALLEST:
        raise DataError(f"digits of size {size}; expected at least {_SMALLEST}")
    everything = load_digits()
    rows = _split(everything.target, seed)[split]
    return LabelledImages(
        images=_enlarge(everything.images[rows] / 16, size),
        digits=everything.target[rows].astype(np.int64),
    )


def _split(target: NDArray[np.int64], seed: int) -> dict[str, NDArray[np.int64]]:
    """The rows of each split, in order."""
    from sklearn.model_selection import train_test_split

    def halves(rows: NDArray[np.int64], share: float) -> tuple[NDArray[np.int64], ...]:
        kept, held = train_test_split(
            rows, test_size=share, random_state=seed, stratify=target[rows]
        )
        return np.sort(kept), np.sort(held)

    rest, test = halves(np.arange(len(target)), _TEST_SHARE)
    train, validation = halves(rest, _VALIDATION_SHARE)
    return {"train": train, "validation": validation, "test": test}


def _enlarge(images: NDArray[Any], size: int) -> NDArray[np.float32]:
    """(n, 8, 8) -> (n, size, size)."""
    from skimage.transform import resize

    enlarge: Callable[..., NDArray[Any]] = resize

    inner = round(_STROKE_SHARE * size)
    below, left = (size - inner) // 3, (size - inner) // 2
    top = size - inner - below
    framed = np.zeros((len(images), size, size), dtype=np.float32)
    for row, image in enumerate(images):
        strokes = enlarge(image, (inner, inner), order=3, anti_aliasing=False)
        framed[row, top : top + inner, left : left + inner] = strokes.clip(0, 1)
    return framed
