"""Readers: attributes measured on pixels, or read by what saw only real pictures.

Pictures are float in [0, 1] or uint8, shape (batch, channel, height, width), channels red, green,
blue. No reading is free of error: its floor is the error on true pictures.

Bar-MNIST: color is the brighter of red and green, bar the blue of the top seventh of the rows,
digit what a classifier of the strokes alone says. Morpho-MNIST: thickness and intensity by
morphology (`causalflow.data.sets.morphology`); on its published test images the floor is .12 pixels
of thickness (they are drawn .10 too thick) and .5 grey levels of intensity (rounded down).

Pendulum: every pixel is a mixture of white, black, firebrick and orange, w_white + w_black + w_bob
+ w_sun = 1, so that three channels give the four shares exactly; those below `FAINT` count as
nothing. With centroids of the shares, in units of the scene (`causalflow.data.sets.pendulum`),

    angle            direction from the pivot to the centroid of firebrick
    light            direction from the pivot to the sun's height above the centroid of orange
    shadow_length    black of the ground's rows, over the stroke's width
    shadow_position  its centroid across

The floor at 32 x 32 is about .1 steps of .9 degrees and .02 units. What lies beyond the edge of the
picture is not seen; a picture without bob, sun or shadow gives NaN.

Look-alike of CausalCircuit (published pictures are of another scene, and cannot be read so):

    arm                centroid across of the metal between lamps and rail, as a share of the track
    blue, green, red   mean over a lamp's disk of the pixels' projection on the lamp's colour, less
                       what a lamp shows that is off; pixels that the disk covers in part count so

The floor at 32 x 32 is about .0005 of the track and .002 of full light; without an arm it is NaN.

Readings are scored by

    hit rate        share of pictures whose class is the one set: 0..1, 1 at best
    reading error   mean over pictures of |a(x') - a'|, in the attribute's unit: 0 at best

Source: Monteiro et al. (2023), Measuring axiomatic soundness of counterfactual image models,
section 3, whose effectiveness this is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalflow.data.sets.bar_mnist import bar_rows
from causalflow.data.sets.causal_circuit import DARK, LAMPS, METAL, TRACK, lamp_cover
from causalflow.data.sets.causal_circuit import GROUND as CIRCUIT_GROUND
from causalflow.data.sets.dataset import LabelledImages
from causalflow.data.sets.digits import digits, mnist
from causalflow.data.sets.morphology import intensity, thickness
from causalflow.data.sets.pendulum import (
    BLACK,
    FIREBRICK,
    GROUND,
    ORANGE,
    PIVOT,
    STROKE,
    SUN_HEIGHT,
    pixel_scale,
    to_pixels,
)
from causalflow.errors import DataError
from causalflow.evaluation.axioms import grey_levels
from causalflow.evaluation.networks import unit_images
from causalflow.evaluation.score import Score, mean_score, share_score

__all__ = [
    "FAINT",
    "DigitReader",
    "agreement",
    "digit_reader",
    "hit_rate",
    "read_bar",
    "read_circuit",
    "read_color",
    "read_intensity",
    "read_pendulum",
    "read_thickness",
    "reading_error",
    "shadow_inside",
]

_RED, _GREEN, _BLUE = 0, 1, 2
_MNIST_SIZE = 28
_KERNEL_ROWS = 5_000  # a support vector machine's time grows with the square of the rows
_EPOCHS = 6


def read_color(images: Tensor) -> Tensor:
    """0 where the strokes are green, 1 where they are red: the brighter channel, shape (batch,)."""
    strokes = unit_images(images)[:, :, bar_rows(images.shape[-2]) :]
    return (strokes[:, _RED].sum((1, 2)) > strokes[:, _GREEN].sum((1, 2))).long()


def read_bar(images: Tensor) -> Tensor:
    """1 where the blue of the bar's rows is nearer to full than to none, shape (batch,)."""
    return (unit_images(images)[:, _BLUE, : bar_rows(images.shape[-2])].mean((1, 2)) > 0.5).long()


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
    below = unit_images(images)[:, : max(1, images.shape[1] - 1), bar_rows(images.shape[-2]) :]
    return np.asarray(below.amax(1).flatten(1).cpu())


def _gray(images: Tensor) -> NDArray[np.float64]:
    """(batch, 1, height, width) -> grey levels, shape (batch, height, width)."""
    if images.ndim != 4 or images.shape[1] != 1:
        raise DataError(f"images of shape {tuple(images.shape)}; expected (batch, 1, size, size)")
    return np.asarray(grey_levels(images[:, 0].cpu()))


FAINT = 0.1
"""Shares of a colour that count as nothing."""
_SKY, _FLOOR = 14.0, 0.6  # heights: the sun is above, the shadow below
_STEPS = 200 / math.pi  # of 0.9 degrees, a radian


def read_pendulum(images: Tensor) -> dict[str, Tensor]:
    """The labels that pictures show: float64, shape (batch,) each; NaN where a shape is missing.

    Args:
        images: float in [0, 1] or uint8, shape (batch, 3, size, size).

    Raises:
        DataError: another shape.
    """
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
        raise DataError(f"images of shape {tuple(images.shape)}; expected (batch, 3, size, size)")
    size = images.shape[-1]
    black, bob, sun = _shares(images)
    x, y = _places(size, images.device)
    black, bob, sun = black * (y < _FLOOR), bob * (y < _SKY), sun * (y > _SKY)
    profile = (black.sum(dim=1) / (size * STROKE)).clamp(0, 1)
    return {
        "angle": _direction(_mean(bob, x), _mean(bob, y)),
        "light": _STEPS
        * torch.atan2(torch.tensor(SUN_HEIGHT - PIVOT[1]), _mean(sun, x) - PIVOT[0]),
        "shadow_length": _present(profile.sum(dim=1)) / pixel_scale(size)[0],
        "shadow_position": (profile * x[:, 0]).sum(dim=1) / _present(profile.sum(dim=1)),
    }


def shadow_inside(length: Tensor, position: Tensor) -> Tensor:
    """Whether a shadow lies within the picture: bool, shape (batch,)."""
    left, _ = to_pixels((position - length / 2).numpy(), GROUND, 1)
    right, _ = to_pixels((position + length / 2).numpy(), GROUND, 1)
    return torch.from_numpy((left >= 0) & (right <= 1))


def _shares(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The shares of black, firebrick and orange, shape (batch, height, width); the faint are 0."""
    unit = images.double() / (255 if images.dtype == torch.uint8 else 1)
    colours = torch.tensor([BLACK, FIREBRICK, ORANGE], dtype=torch.float64) / 255
    mixing = torch.linalg.inv(1 - colours).to(unit.device)
    shares = torch.einsum("bchw,ck->kbhw", 1 - unit, mixing)
    black, bob, sun = torch.where(shares < FAINT, 0.0, shares).clamp_max(1)
    return black, bob, sun


def _places(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The pixels' centres in units of the scene, x (1, 1, size) and y (1, size, 1)."""
    left, top = to_pixels(0.0, 0.0, size)
    wide, high = pixel_scale(size)
    pixels = torch.arange(size, dtype=torch.float64, device=device) + 0.5
    return ((pixels - float(left)) / wide)[None, None], ((float(top) - pixels) / high)[
        None, :, None
    ]


def _mean(weights: Tensor, place: Tensor) -> Tensor:
    """The centroid along one axis, shape (batch,)."""
    return (weights * place).sum(dim=(1, 2)) / _present(weights.sum(dim=(1, 2)))


def _direction(x: Tensor, y: Tensor) -> Tensor:
    """The angle from straight down, in steps."""
    return _STEPS * torch.atan2(x - PIVOT[0], PIVOT[1] - y)


def _present(total: Tensor) -> Tensor:
    """The total, NaN where it is less than a pixel's."""
    return torch.where(total < 1, torch.nan, total)


_BODY = (0.58, 0.80)  # heights between which the arm alone is drawn, as shares of the picture
_FAINT = 0.05


def read_circuit(images: Tensor) -> dict[str, Tensor]:
    """The labels that pictures show: float64, shape (batch,) each; NaN where no arm is seen.

    Args:
        images: pictures of the synthetic look-alike, float in [0, 1] or uint8, shape (batch, 3,
            size, size).

    Raises:
        DataError: another shape.
    """
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
        raise DataError(f"images of shape {tuple(images.shape)}; expected (batch, 3, size, size)")
    unit = images.double().cpu() * (1 if images.dtype == torch.uint8 else 255)
    lights = {lamp: _light(unit, lamp) for lamp in LAMPS}
    return {"arm": _arm(unit), **lights}


def _arm(unit: Tensor) -> Tensor:
    """The arm's place from the centroid of its body."""
    size = unit.shape[-1]
    rows = slice(*(round(share * size) for share in _BODY))
    ground, metal = (
        torch.tensor(colour, dtype=torch.float64) for colour in (CIRCUIT_GROUND, METAL)
    )
    toward = (metal - ground) / (metal - ground).square().sum()
    shares = torch.einsum("bchw,c->bhw", unit[:, :, rows] - ground[:, None, None], toward)
    profile = torch.where(shares < _FAINT, 0.0, shares).clamp_max(1).sum(dim=1)
    across = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    total = profile.sum(dim=1)
    place = (profile * across).sum(dim=1) / torch.where(total < 1, torch.nan, total)
    left, right = TRACK
    return (place - left) / (right - left)


def _light(unit: Tensor, lamp: str) -> Tensor:
    """A lamp's light from the pixels that it covers whole or in part."""
    colour = torch.tensor(LAMPS[lamp][1], dtype=torch.float64)
    ground = torch.tensor(CIRCUIT_GROUND, dtype=torch.float64)[:, None, None]
    covered = torch.from_numpy(np.asarray(lamp_cover(lamp, unit.shape[-1])))
    own = (unit - (1 - covered) * ground) * (covered > 0)
    seen = (own * colour[:, None, None]).sum(dim=(1, 2, 3))
    brightness = seen / (covered.sum() * colour.square().sum())
    return (brightness - DARK) / (1 - DARK)
