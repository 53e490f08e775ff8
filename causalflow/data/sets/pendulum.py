"""Pendulum: pictures of a pendulum, the sun and the shadow, and their true counterfactuals.

    angle            of the pendulum from straight down, steps of 0.9 degrees: -40 to 43
    light            of the rays from the horizon, steps of 0.9 degrees: 60 to 147, without 100
    shadow_length    units of the scene: 3 to 12.6
    shadow_position  of the shadow's middle, units of the scene: 2.0 to 19.6

The rows are a grid, 84 angles by 87 lights, and nothing is noisy: the labels follow
``graphs/pendulum_scm.yaml`` and the picture follows the labels, so the picture under any
intervention is known. An angle or a light that is set moves the shadow; a shadow that is set is
drawn as it was set, under the same sun.

In the rows, though, the shadow is a function of angle and light, so that they cannot tell which of
its four causes draws it: a mechanism of the picture that draws the shadow by its own two labels,
one that draws it by angle and light, and everything in between agree on every row. A share of rows
from experiments (``interventional``) tells: in each, the length or the position was set, uniformly
on its range (`EXPERIMENTS`) whatever angle and light are, and the other one follows them as ever.

Of the 7308 pictures in the generator's order, numbers 4, 8, 12, ... are the test split: 5482 and
1826, as published. Every tenth of the 5482 is the validation split.

The scene, all in its own units: theta = angle pi / 200, phi = light pi / 200; the canvas shows x
from -3.23 to 22.58 and y from -4.14 to 24.43, 20 by 22 units in its middle being what the published
files call the axes, a little wider than high.

    rod      black, 1/24 of the canvas wide, from (10, 10.5) to the bob's centre
    bob      firebrick, radius 1.5, at (10 + 8 sin theta, 10.5 - 8 cos theta)
    sun      orange, radius 3, at (10 + 10 cot phi, 20.5)
    shadow   black, as wide as the rod, at height -0.5, from position - length / 2 to
             position + length / 2

A pixel's colour is mixed by the share of it that a shape covers (`causalflow.data.sets.rendering`).

Source: Yang et al. (2021), CausalVAE; splits as in Komanduri et al. (2024), CausalDiffAE. The
generator's files are RGBA pictures of a matplotlib canvas of 96 x 96 pixels: opaque, cut at the
axes (part of the sun, and 1.6 % of the shadows), the disks wider by half a point; here nothing is
cut. Its shadow's length is 9.5 |cos(theta - phi)| / sin phi, and at least 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalflow.data.sets.dataset import LabelledRows, check_split, solve
from causalflow.data.sets.rendering import by_pieces, disk, paint, stripe
from causalflow.errors import DataError, one_of
from causalflow.formats.formats import load
from causalflow.graph.graph import Graph
from causalflow.mechanisms.mechanism import to_engine
from causalflow.shipped import at_size, graph_path
from causalflow.values.regime import regime_column

__all__ = [
    "BLACK",
    "EXPERIMENTS",
    "FIREBRICK",
    "GROUND",
    "LABELS",
    "ORANGE",
    "PARTS",
    "PIVOT",
    "ROD",
    "STROKE",
    "SUN_HEIGHT",
    "Pendulum",
    "draw_scene",
    "join_picture",
    "pendulum",
    "pendulum_labels",
    "pixel_scale",
    "split_picture",
    "to_pixels",
    "to_radians",
]

Floats = NDArray[np.float64]

BLACK, FIREBRICK, ORANGE = (0, 0, 0), (178, 34, 34), (255, 165, 0)
PIVOT, ROD, BOB_RADIUS = (10.0, 10.5), 8.0, 1.5
SUN_HEIGHT, SUN_RADIUS = 20.5, 3.0
GROUND = -0.5
STROKE = 1 / 24
_LEFT, _WIDTH, _UNITS_WIDE = 0.125, 0.775, 20.0
_BOTTOM, _HEIGHT, _UNITS_HIGH, _LOWEST = 0.11, 0.77, 22.0, -1.0

LABELS = ("angle", "light", "shadow_length", "shadow_position")
EXPERIMENTS = {"shadow_length": (3.0, 12.6), "shadow_position": (2.0, 19.6)}
"""What an experiment sets, and the range of its values."""
KINDS = ("exact", "published")
PARTS = {"sky": 12 / 32, "air": 15 / 32, "ground": 5 / 32}  # shares of the height, from the top
_ANGLES = np.arange(-40, 44)
_LIGHTS = np.setdiff1d(np.arange(60, 148), [100])
_TEST_EVERY, _VALIDATION_EVERY = 4, 10
_SIZE, _SMALLEST, _LARGEST = 96, 16, 1024
_PIECE = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pendulum(LabelledRows):
    """Rows of the pendulum data, and what each was made of.

    Attributes:
        graph: the modelling graph: what a learner is told.
        scm: the explicit graph of the labels: the truth.
        exogenous: u_angle and u_light, each of shape (n,).
        labels: angle, light, shadow_length and shadow_position, each of shape (n,), as asked for.
        images: uint8, shape (n, 3, size, size); drawn from the exact labels.
        settings: what experiments set, by label: shape (n,), NaN in the rows where it was not set.
    """

    graph: Graph
    scm: Graph
    exogenous: Mapping[str, NDArray[np.float64]]
    labels: Mapping[str, NDArray[np.float64]]
    images: Tensor
    settings: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, Any]:
        """The labels, the column ``image``, and a column ``do(NAME)`` of what was ever set."""
        return {**self._rows, "image": self.images}

    @property
    def _rows(self) -> dict[str, Any]:
        marks = {regime_column(name): ~np.isnan(value) for name, value in self.settings.items()}
        return {**self.labels, **marks}

    @property
    def parts(self) -> dict[str, Any]:
        """The same with the picture in three: sky, air and ground (``pendulum_parts.yaml``)."""
        return {**self._rows, **split_picture(self.images)}

    def true_counterfactual(
        self, indices: Tensor | NDArray[Any] | list[int], do: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """The rows ``indices`` as they would have been under ``do``: labels, ``image`` in [0, 1].

        The labels are exact, whatever those of the rows are. A shadow may be set to lie beyond the
        edge of the picture; one that the row's own experiment set stays so, but for ``do``.

        Args:
            indices: shape (batch,).
            do: values of any of the labels, one for all rows or one per row.

        Raises:
            DataError: an intervention on what is no label.
            EvidenceError: an angle or a light outside of its support.
        """
        rows = np.asarray(indices, dtype=np.int64).reshape(-1)
        exogenous = {name: values[rows] for name, values in self.exogenous.items()}
        values = solve(self.scm, exogenous, {name: self._value(name, do[name]) for name in do})
        for name in self.settings.keys() - do.keys():  # no other label follows a shadow
            values[name] = _set(values[name], self.settings[name][rows])
        images = _drawn(values, self.images.shape[-1])
        return {
            **{name: torch.from_numpy(values[name]) for name in LABELS},
            "image": torch.from_numpy(images).float() / 255,
        }

    def _value(self, name: str, value: Any) -> NDArray[np.float64]:
        if name not in LABELS:
            raise DataError(f"no true counterfactual under do({name}); {one_of(name, LABELS)}")
        return to_engine(name, self.graph.nodes[name].type, value).numpy()


def pendulum(
    split: str = "train",
    size: int = _SIZE,
    *,
    n: int | None = None,
    labels: str = "exact",
    interventional: float = 0.0,
    seed: int = 0,
) -> Pendulum:
    """Draw the pendulum data; a picture of 96 x 96 takes 3 ms, one of 32 x 32 a tenth of that.

    Args:
        split: "train" (4933 rows), "validation" (549) or "test" (1826).
        size: height and width, 16 to 1024; 96 as published.
        n: so many rows, spread evenly over the split's; default all.
        labels: "exact", or "published": as in the names of the published files, whose lengths and
            positions are cut to whole numbers.
        interventional: the share of rows in which the shadow's length, or its position, was set at
            random (`EXPERIMENTS`), 0 to 1; rounded to whole rows. Those that are at a share are at
            every larger one.
        seed: which rows, and what they are set to.

    Raises:
        DataError: an unknown split or kind of labels, an impossible size, n or share.
    """
    check_split(split)
    if labels not in KINDS:
        raise DataError(f"pendulum: unknown labels {labels!r}; {one_of(labels, KINDS)}")
    if not _SMALLEST <= size <= _LARGEST:
        raise DataError(f"pendulum: size is {size}; expected {_SMALLEST} to {_LARGEST}")
    scm = load(graph_path("pendulum_scm"))
    exogenous = _grid(split, n)
    settings = _experiments(interventional, len(exogenous["u_angle"]), seed)
    exact = solve(scm, exogenous)
    exact |= {name: _set(exact[name], value) for name, value in settings.items()}
    return Pendulum(
        graph=at_size(load(graph_path("pendulum")), size),
        scm=scm,
        exogenous=exogenous,
        labels=exact if labels == "exact" else {k: np.trunc(v) for k, v in exact.items()},
        images=torch.from_numpy(_drawn(exact, size)),
        settings=settings,
    )


def _experiments(share: float, n: int, seed: int) -> dict[str, Floats]:
    """What experiments set in a share of n rows, by label: NaN where they did not."""
    if not 0 <= share <= 1:
        raise DataError(f"pendulum: interventional is {share:g}; expected a share, 0 to 1")
    random = np.random.default_rng(seed)
    order, which, place = (
        random.permutation(n),
        random.integers(len(EXPERIMENTS), size=n),
        random.random(n),
    )
    chosen = np.isin(np.arange(n), order[: round(share * n)])
    if not chosen.any():
        return {}
    return {
        name: np.where(chosen & (which == number), low + (high - low) * place, np.nan)
        for number, (name, (low, high)) in enumerate(EXPERIMENTS.items())
    }


def _set(natural: Floats, setting: Floats) -> Floats:
    """The values, but where they were set."""
    return np.where(np.isnan(setting), natural, setting)


def to_radians(steps: Floats) -> Floats:
    """Steps of 0.9 degrees as radians."""
    return np.asarray(steps) * (np.pi / 200)


def pixel_scale(size: int) -> tuple[float, float]:
    """Pixels a unit, across and down."""
    return size * _WIDTH / _UNITS_WIDE, size * _HEIGHT / _UNITS_HIGH


def to_pixels(x: Floats | float, y: Floats | float, size: int) -> tuple[Floats, Floats]:
    """Where a point of the scene is in the picture: across from the left, down from the top."""
    wide, high = pixel_scale(size)
    across = size * _LEFT + wide * np.asarray(x)
    down = size * (1 - _BOTTOM) - high * (np.asarray(y) - _LOWEST)
    return across, down


def draw_scene(
    angle: Floats, light: Floats, length: Floats, position: Floats, *, size: int
) -> NDArray[np.uint8]:
    """The pictures, uint8, shape (n, 3, size, size); channels are red, green, blue.

    Args:
        angle: the pendulum's angle from straight down, steps of 0.9 degrees, shape (n,).
        light: the rays' angle from the horizon, steps of 0.9 degrees, inside of 0 to 200, shape
            (n,).
        length: the length of the shadow that is drawn, units, shape (n,).
        position: the position of its middle, units, shape (n,).
        size: height and width of the pictures in pixels.
    """
    theta, phi = to_radians(angle), to_radians(light)
    bob = to_pixels(PIVOT[0] + ROD * np.sin(theta), PIVOT[1] - ROD * np.cos(theta), size)
    sun = to_pixels(PIVOT[0] + (SUN_HEIGHT - PIVOT[1]) / np.tan(phi), SUN_HEIGHT, size)
    first = to_pixels(position - length / 2, GROUND, size)
    last = to_pixels(position + length / 2, GROUND, size)
    picture = np.full((len(theta), 3, size, size), 255.0)
    paint(picture, BLACK, stripe(to_pixels(*PIVOT, size), bob, size * STROKE, size))
    paint(picture, FIREBRICK, disk(bob, _radii(BOB_RADIUS, size), size))
    paint(picture, ORANGE, disk(sun, _radii(SUN_RADIUS, size), size))
    paint(picture, BLACK, stripe(first, last, size * STROKE, size))
    return np.rint(picture).astype(np.uint8)


def _radii(radius: float, size: int) -> tuple[float, float]:
    """A radius of the scene in pixels, across and down."""
    wide, high = pixel_scale(size)
    return radius * wide, radius * high


def split_picture(images: Tensor) -> dict[str, Tensor]:
    """The sky with the sun, the air with the pendulum, and the ground with the shadow.

    Args:
        images: shape (n, 3, size, size); the parts are 12, 15 and 5 of 32 rows high.
    """
    rows = [round(part * images.shape[-2]) for part in PARTS.values()]
    return dict(zip(PARTS, images.split(rows, dim=-2), strict=True))


def join_picture(parts: Mapping[str, Tensor]) -> Tensor:
    """The picture that was split."""
    return torch.cat([parts[name] for name in PARTS], dim=-2)


def pendulum_labels(angle: Any, light: Any) -> dict[str, NDArray[np.float64]]:
    """All labels that follow from an angle and a light, each of shape (n,).

    Example:
        >>> found = pendulum_labels([0.0], [50.0])
        >>> found["shadow_length"].round(6), found["shadow_position"].round(6)
        (array([9.5]), array([3.75]))
    """
    given = {"u_angle": np.asarray(angle, float), "u_light": np.asarray(light, float)}
    return dict(solve(load(graph_path("pendulum_scm")), given))


def _grid(split: str, n: int | None) -> dict[str, NDArray[np.float64]]:
    """The angles and lights of a split's rows, in the generator's order."""
    count = np.arange(len(_ANGLES) * len(_LIGHTS))
    is_test = (count % _TEST_EVERY == 0) & (count > 0)
    training = count[~is_test]
    kept = np.arange(len(training)) % _VALIDATION_EVERY == 0
    rows = {"test": count[is_test], "validation": training[kept], "train": training[~kept]}[split]
    if n is not None and not 1 <= n <= len(rows):
        raise DataError(f"pendulum: n is {n}; expected 1 to {len(rows):,} in split {split!r}")
    rows = rows if n is None else rows[np.arange(n) * len(rows) // n]
    angle, light = np.divmod(rows, len(_LIGHTS))
    return {"u_angle": _ANGLES[angle].astype(float), "u_light": _LIGHTS[light].astype(float)}


def _drawn(labels: Mapping[str, NDArray[np.float64]], size: int) -> NDArray[np.uint8]:
    """The pictures of exact labels."""
    arrays = tuple(labels[name] for name in LABELS)
    return by_pieces(
        partial(draw_scene, size=size), arrays, piece=_PIECE, workers=1, label="pictures"
    )
