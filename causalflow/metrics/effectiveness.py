"""Effectiveness: does the picture show what was done? Attributes are read off the image.

    hit rate        share of images whose class is the one set: 0..1, 1 at best
    reading error   mean over images of |a(x') - a'|, in the attribute's unit: 0 at best

Images are float in [0, 1] or uint8, shape (batch, channel, height, width), channels red, green,
blue; the bar's rows are the top seventh. Color and bar are read from the pixels, thickness and
intensity by morphology (`causalflow.data.morphology`), the digit by a classifier that saw only real
digits. No reading is free of error: its floor is the error on true pictures. On the published test
images of Morpho-MNIST it is .12 pixels of thickness (they are drawn .10 too thick) and .5 grey
levels of intensity (rounded down).

Source: Monteiro et al. (2023), Measuring axiomatic soundness of counterfactual image models,
section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalflow.data.bar_mnist import bar_rows
from causalflow.data.digits import digits
from causalflow.data.labelled import LabelledImages
from causalflow.data.mnist import mnist
from causalflow.data.morphology import intensity, thickness
from causalflow.errors import DataError
from causalflow.metrics.pixels import grey_levels
from causalflow.metrics.score import Score, mean_score, share_score

__all__ = [
    "DigitReader",
    "agreement",
    "digit_reader",
    "hit_rate",
    "read_bar",
    "read_color",
    "read_intensity",
    "read_thickness",
    "reading_error",
]

_RED, _GREEN, _BLUE = 0, 1, 2
_MNIST_SIZE = 28
_KERNEL_ROWS = 5_000  # a support vector machine's time grows with the square of the rows
_EPOCHS = 6


def read_color(images: Tensor) -> Tensor:
    """0 where the strokes are green, 1 where they are red: the brighter channel, shape (batch,)."""
    strokes = _unit(images)[:, :, bar_rows(images.shape[-2]) :]
    return (strokes[:, _RED].sum((1, 2)) > strokes[:, _GREEN].sum((1, 2))).long()


def read_bar(images: Tensor) -> Tensor:
    """1 where the blue of the bar's rows is nearer to full than to none, shape (batch,)."""
    return (_unit(images)[:, _BLUE, : bar_rows(images.shape[-2])].mean((1, 2)) > 0.5).long()


def read_thickness(images: Tensor) -> Tensor:
    """Stroke width of gray images, in pixels of a 28-pixel frame, shape (batch,); NaN if blank."""
    return torch.from_numpy(thickness(_gray(images)))


def read_intensity(images: Tensor) -> Tensor:
    """Grey level of the strokes of gray images, 0..255, shape (batch,)."""
    return torch.from_numpy(intensity(_gray(images)))


def hit_rate(read: Tensor, wanted: Tensor | int) -> Score:
    """The share of images that show the class they should."""
    return share_score(read == wanted)


def reading_error(read: Tensor, wanted: Tensor | float, unit: str) -> Score:
    """The mean distance between the number read off an image and the one that was set."""
    return mean_score((read - wanted).abs(), unit)


def agreement(read: Tensor, wanted: Tensor | int) -> float:
    """The share of images that show what they should, in [0, 1]."""
    return float((read == wanted).double().mean())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DigitReader:
    """Reads digits by their strokes alone: the brighter of red and green, without the bar's rows.

    Attributes:
        classifier: a fitted scikit-learn classifier.
        size: height and width of the images it reads.
    """

    classifier: Any
    size: int

    @classmethod
    def fit(cls, real: LabelledImages) -> DigitReader:
        """Train on real gray digits, with the rows of the bar left out as in reading."""
        images = torch.from_numpy(real.images)[:, None]
        train = _kernel_machine if len(real) <= _KERNEL_ROWS else _perceptron
        return cls(classifier=train(_strokes(images), real.digits), size=images.shape[-1])

    def __call__(self, images: Tensor) -> Tensor:
        """The digit of each image, shape (batch,); the images have one channel or three."""
        return torch.from_numpy(self.classifier.predict(_strokes(images))).long()


def digit_reader(size: int = 16) -> DigitReader:
    """A reader trained on a training split: that of MNIST at size 28, else scikit-learn's.

    Of held-out real digits it reads 98.9 % at size 16 (a second to train) and 97.8 % at size 28
    (20 seconds).

    Raises:
        DataError: size below 8, or MNIST cannot be had.
    """
    return DigitReader.fit(mnist("train") if size == _MNIST_SIZE else digits("train", size))


def _kernel_machine(features: NDArray[np.float32], labels: NDArray[np.int64]) -> Any:
    from sklearn.svm import SVC

    return SVC(C=10.0, gamma="scale").fit(features, labels)


def _perceptron(features: NDArray[np.float32], labels: NDArray[np.int64]) -> Any:
    from sklearn.neural_network import MLPClassifier

    classifier = MLPClassifier((256,), batch_size=256, learning_rate_init=2e-3, random_state=0)
    for _ in range(_EPOCHS):
        classifier.partial_fit(features, labels, classes=np.arange(10))
    return classifier


def _strokes(images: Tensor) -> NDArray[np.float32]:
    """(batch, 1 or 3, height, width) -> features (batch, rows below the bar * width)."""
    below = _unit(images)[:, : max(1, images.shape[1] - 1), bar_rows(images.shape[-2]) :]
    return np.asarray(below.amax(1).flatten(1).cpu())


def _gray(images: Tensor) -> NDArray[np.float64]:
    """(batch, 1, height, width) -> grey levels, shape (batch, height, width)."""
    if images.ndim != 4 or images.shape[1] != 1:
        raise DataError(f"images of shape {tuple(images.shape)}; expected (batch, 1, size, size)")
    return np.asarray(grey_levels(images[:, 0].cpu()))


def _unit(images: Tensor) -> Tensor:
    """float32 in [0, 1]."""
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()
