"""Demo: counterfactuals of held-out real digits under the front-door bar model, scored against the truth.

    do(color)  the other colour: the strokes must change channel, the digit must stay
    do(digit)  another digit: it must be read as that digit, colour and bar must obey the graph
    do(bar)    the other bar: nothing else may move

Colour and bar are read off the pixels, the digit by a classifier that saw neither the model nor its images. The same noise
gives every row, so that a column of the picture is one world and what would have become of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from causalflow.data.bar_mnist import BarMNIST, bar_mnist
from causalflow.demo.training import CHECKPOINT, held_out
from causalflow.metrics.composition import composition
from causalflow.metrics.effectiveness import agreement, digit_reader, read_bar, read_color
from causalflow.model.model import Model
from causalflow.model.world import World
from causalflow.plot.images import image_grid, save_figure

__all__ = ["Demonstration", "Score", "demonstrate", "label_effects", "load_model"]

COLUMNS = 10
LABELS = ("digit", "color", "bar")
DRAWS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One measured number.

    Attributes:
        query: the intervention.
        measure: what was measured.
        value: the number.
        unit: its unit.
        truth: what the true model, or the unchanged real image, gives; None where nobody knows.
    """

    query: str
    measure: str
    value: float
    unit: str
    truth: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """What the demo shows.

    Attributes:
        scores: the table.
        images: how many held-out images were scored.
        network_calls: per image and intervention, by query.
        picture: where it was written.
    """

    scores: tuple[Score, ...]
    images: int
    network_calls: Mapping[str, float]
    picture: Path
