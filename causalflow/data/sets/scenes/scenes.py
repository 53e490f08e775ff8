"""Scenes: rows of a family of scenes, and the true picture of each under any intervention.

The labels follow the family's explicit graph, whose exogenous variables a row keeps; the picture
follows the labels and the row's own noise (`causalflow.data.sets.scenes.noise`), which it keeps as
well. So the picture under an intervention is known to the byte: same texture, colours and grain.

A row is a function of the family, the split, the seed and its number alone; labels are drawn in
blocks of 256 rows. The splits draw different numbers, so no two share a row.
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

from causalflow.data.sets.dataset import SPLITS, LabelledRows, check_split, draw_exogenous, solve
from causalflow.data.sets.rendering import by_pieces
from causalflow.data.sets.scenes.family import SCENE_FAMILIES, SceneFamily
from causalflow.data.sets.scenes.noise import picture_noise
from causalflow.errors import DataError, one_of
from causalflow.graph.graph import Graph
from causalflow.mechanisms.mechanism import to_engine
from causalflow.shipped import at_size

__all__ = ["CHANGED", "Scenes", "render_rows", "scenes"]

CHANGED = 4
"""Levels of 255 by which a pixel must differ, in any channel, to be a changed one."""

_SMALLEST, _LARGEST = 32, 256
_ROWS = {"train": 3_000, "validation": 500, "test": 500}
_BLOCK, _PIECE = 256, 16
_WORTH_PROCESSES = 10_000 * 64**2  # pixels: a process takes seconds to start
_OF_LABELS, _OF_PICTURES = 0, 1  # which numbers a seed draws


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scenes(LabelledRows):
    """Rows of a family of scenes, and what each was made of.

    Attributes:
        family: how labels become pictures.
        graph: the modelling graph: what a learner is told.
        scm: the explicit graph of the labels: the truth.
        exogenous: its exogenous variables, the hidden ones too, each of shape (n,).
        labels: each of shape (n,); classes as level indices.
        images: uint8, shape (n, channel, size, size).
        key: the whole numbers that, with a row's number, name its noise.
    """

    family: SceneFamily
    graph: Graph
    scm: Graph
    exogenous: Mapping[str, NDArray[Any]]
    labels: Mapping[str, NDArray[Any]]
    images: Tensor
    key: tuple[int, ...]

    def true_counterfactual(
        self, indices: Tensor | NDArray[Any] | list[int], do: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """The rows ``indices`` as they would have been under ``do``: labels, ``image`` in [0, 1].

        Args:
            indices: shape (batch,).
            do: values of any of the labels, classes by name or index, one for all rows or one per
                row.

        Raises:
            DataError: an intervention on what is no label.
            EvidenceError: a value outside of its support, an unknown level.
        """
        rows = np.asarray(indices, dtype=np.int64).reshape(-1)
        exogenous = {name: values[rows] for name, values in self.exogenous.items()}
        values = solve(self.scm, exogenous, {name: self._value(name, do[name]) for name in do})
        images = render_rows(self.family, values, self.key, rows, self.images.shape[-1], workers=1)
        return {
            **{name: torch.from_numpy(value) for name, value in values.items()},
            "image": torch.from_numpy(images).float() / 255,
        }

    def changed(
        self,
        indices: Tensor | NDArray[Any] | list[int],
        do: Mapping[str, Any],
        least: float = CHANGED,
    ) -> Tensor:
        """Which pixels of the rows ``indices`` truly change under ``do``.

        Args:
            indices: shape (batch,).
            do: as `true_counterfactual` takes it.
            least: by how many levels of 255 a pixel must differ, in any channel.

        Returns:
            bool, shape (batch, size, size).
        """
        rows = torch.as_tensor(indices).reshape(-1)
        before = self.images[rows].float()
        after = self.true_counterfactual(rows, do)["image"] * 255
        return ((after - before).abs().round() > least).any(1)

    def _value(self, name: str, value: Any) -> NDArray[Any]:
        if name not in self.labels:
            raise DataError(f"no true counterfactual under do({name}); {one_of(name, self.labels)}")
        return to_engine(name, self.graph.nodes[name].type, value).numpy()


def scenes(
    family: str,
    split: str = "train",
    size: int = 64,
    n: int | None = None,
    seed: int = 0,
    *,
    workers: int | None = None,
) -> Scenes:
    """Draw scenes whose every counterfactual is known; a picture of 64 x 64 takes 1 ms.

    Args:
        family: "ball", "phantom", "face", or one entered by `causalflow.register`.
        split: "train", "validation" or "test"; no two share a row.
        size: height and width, 32 to 256; a scene is the same at every size, but for its grain.
        n: number of rows; default 3,000 / 500 / 500. More rows begin with the fewer.
        seed: the seed of labels and pictures.
        workers: how many processes draw; default one a core where the pictures are many and large.

    Raises:
        DataError: an unknown family or split, an impossible size, n or seed.
    """
    check_split(split)
    if family not in SCENE_FAMILIES:
        raise DataError(f"scenes: unknown family {family!r}; {one_of(family, SCENE_FAMILIES)}")
    made, count = SCENE_FAMILIES.get(family), _ROWS[split] if n is None else n
    if not _SMALLEST <= size <= _LARGEST:
        raise DataError(f"scenes: size is {size}; expected {_SMALLEST} to {_LARGEST}")
    if count < 1:
        raise DataError(f"scenes: n is {count}; expected at least 1")
    if seed < 0:
        raise DataError(f"scenes: seed is {seed}; expected at least 0")
    (graph, scm), key = made.graphs(), (seed, SPLITS.index(split))
    exogenous = _exogenous(scm, count, key)
    labels = solve(scm, exogenous)
    rows = np.arange(count)
    return Scenes(
        family=made,
        graph=at_size(graph, size),
        scm=scm,
        exogenous=exogenous,
        labels=labels,
        images=torch.from_numpy(render_rows(made, labels, key, rows, size, workers=workers)),
        key=key,
    )


def _exogenous(scm: Graph, n: int, key: tuple[int, ...]) -> dict[str, NDArray[Any]]:
    """The exogenous variables of the first n rows, whatever n is."""
    blocks = [
        draw_exogenous(scm, _BLOCK, np.random.default_rng([*key, _OF_LABELS, block]))
        for block in range(-(-n // _BLOCK))
    ]
    return {name: np.concatenate([each[name] for each in blocks])[:n] for name in scm.exogenous}


def render_rows(
    family: SceneFamily,
    labels: Mapping[str, NDArray[Any]],
    key: tuple[int, ...],
    rows: NDArray[np.int64],
    size: int,
    *,
    workers: int | None = None,
) -> NDArray[np.uint8]:
    """The pictures of labels, each with the noise of a row: uint8, shape (n, channel, size, size).

    Args:
        family: draws them.
        labels: shape (n,) each, classes as level indices.
        key: with a row's number, what names its noise.
        rows: the rows' numbers, shape (n,).
        size: height and width in pixels.
        workers: how many processes draw; default one a core where the pictures are many and large.
    """
    draw = partial(_piece, family=family, names=tuple(labels), key=key, size=size)
    if workers is None and len(rows) * size**2 < _WORTH_PROCESSES:
        workers = 1
    arrays = (rows, *labels.values())
    return by_pieces(draw, arrays, piece=_PIECE, workers=workers, label="pictures")


def _piece(
    rows: NDArray[np.int64],
    *labels: NDArray[Any],
    family: SceneFamily,
    names: tuple[str, ...],
    key: tuple[int, ...],
    size: int,
) -> NDArray[np.uint8]:
    keys = [[*key, _OF_PICTURES, int(row)] for row in rows]
    noise = picture_noise(keys, family.channels, size)
    picture = family.draw(dict(zip(names, labels, strict=True)), noise, size)
    picture = picture + family.grain * noise.grain
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)
