"""Pendulum: pictures of a pendulum, the sun and the shadow, and their true counterfactuals.

    angle            of the pendulum from straight down, steps of 0.9 degrees: -40 to 43
    light            of the rays from the horizon, steps of 0.9 degrees: 60 to 147, without 100
    shadow_length    units of the scene: 3 to 12.6
    shadow_position  of the shadow's middle, units of the scene: 2.0 to 19.6

The rows are a grid, 84 angles by 87 lights, and nothing is noisy: the labels follow
``graphs/pendulum_scm.yaml`` and the picture follows the labels
(`causalflow.data.pendulum_scene`), so the picture under any intervention is known. An angle or a
light that is set moves the shadow; a shadow that is set is drawn as it was set, under the same sun.

Of the 7308 pictures in the generator's order, numbers 4, 8, 12, ... are the test split: 5482 and
1826, as published. Every tenth of the 5482 is the validation split.

Source: Yang et al. (2021), CausalVAE; splits as in Komanduri et al. (2024), CausalDiffAE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalflow.data.graphs import at_size, graph_path
from causalflow.data.labelled import check_split
from causalflow.data.parallel import by_pieces
from causalflow.data.pendulum_scene import draw_scene
from causalflow.data.rows import LabelledRows
from causalflow.data.simulation import solve
from causalflow.data.units import to_engine
from causalflow.errors import DataError, one_of
from causalflow.graph.graph import Graph
from causalflow.graph.reader import load

__all__ = [
    "LABELS",
    "PARTS",
    "Pendulum",
    "join_picture",
    "pendulum",
    "pendulum_labels",
    "split_picture",
]

LABELS = ("angle", "light", "shadow_length", "shadow_position")
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
    """

    graph: Graph
    scm: Graph
    exogenous: Mapping[str, NDArray[np.float64]]
    labels: Mapping[str, NDArray[np.float64]]
    images: Tensor

    @property
    def parts(self) -> dict[str, Any]:
        """The labels and the picture in three: sky, air and ground (``pendulum_parts.yaml``)."""
        return {**self.labels, **split_picture(self.images)}

    def true_counterfactual(
        self, indices: Tensor | NDArray[Any] | list[int], do: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """The rows ``indices`` as they would have been under ``do``: labels, ``image`` in [0, 1].

        The labels are exact, whatever those of the rows are. A shadow may be set to lie beyond the
        edge of the picture.

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
        images = _drawn(values, self.images.shape[-1])
        return {
            **{name: torch.from_numpy(values[name]) for name in LABELS},
            "image": torch.from_numpy(images).float() / 255,
        }

    def _value(self, name: str, value: Any) -> NDArray[np.float64]:
        if name not in LABELS:
            raise DataError(f"no true counterfactual under do({name}); {one_of(name, LABELS)}")
        return to_engine(name, self.graph.nodes[name], value).numpy()


def pendulum(
    split: str = "train", size: int = _SIZE, *, n: int | None = None, labels: str = "exact"
) -> Pendulum:
    """Draw the pendulum data; a picture of 96 x 96 takes 3 ms, one of 32 x 32 a tenth of that.

    Args:
        split: "train" (4933 rows), "validation" (549) or "test" (1826).
        size: height and width, 16 to 1024; 96 as published.
        n: so many rows, spread evenly over the split's; default all.
        labels: "exact", or "published": as in the names of the published files, whose lengths and
            positions are cut to whole numbers.

    Raises:
        DataError: an unknown split or kind of labels, an impossible size or n.
    """
    check_split(split)
    if labels not in KINDS:
        raise DataError(f"pendulum: unknown labels {labels!r}; {one_of(labels, KINDS)}")
    if not _SMALLEST <= size <= _LARGEST:
        raise DataError(f"pendulum: size is {size}; expected {_SMALLEST} to {_LARGEST}")
    scm = load(graph_path("pendulum_scm"))
    exogenous = _grid(split, n)
    exact = solve(scm, exogenous)
    return Pendulum(
        graph=at_size(load(graph_path("pendulum")), size),
        scm=scm,
        exogenous=exogenous,
        labels=exact if labels == "exact" else {k: np.trunc(v) for k, v in exact.items()},
        images=torch.from_numpy(_drawn(exact, size)),
    )


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
