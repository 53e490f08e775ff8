"""Judges: what reads each parent of an image off a picture, and how well it reads real ones.

    classes      a classifier fitted to real training pictures
    numbers      a regressor fitted to real training pictures
    Bar-MNIST, Morpho-MNIST, the pendulum: colour, bar, thickness, intensity, angles and shadows are
    measured on the pixels instead

No judge has seen a picture that a model made, nor one of those that are measured on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from causalflow.errors import DataError
from causalflow.evaluation.networks import LARGE, LEAST_SIZE, ImageClassifier, ImageRegressor
from causalflow.evaluation.readers import (
    hit_rate,
    read_bar,
    read_color,
    read_intensity,
    read_pendulum,
    read_thickness,
    reading_error,
)
from causalflow.evaluation.score import Score
from causalflow.evaluation.task import Subject, image_node, label_parents
from causalflow.graph.graph import Graph
from causalflow.graph.node import Node
from causalflow.mechanisms.mechanism import labelled

__all__ = ["Judge", "fitted_judge", "fitted_judges"]

LARGE_ROWS = 4_000
"""Pictures of more than `LARGE` pixels that a judge learns from, at most: half a minute of one."""
REGRESSOR_EPOCHS = 2
"""How many times as long a regressor learns as a classifier."""

Read = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judge:
    """What reads one node off pictures.

    Attributes:
        node: the name of the node.
        how: the way it reads, in words.
        read: pictures (batch, channel, height, width) -> values (batch,): levels, or numbers that
            are NaN where nothing can be read.
        is_class: whether they are levels.
        unit: "share" of classes, else the node's.
        classifier: where it is one.
        features: pictures -> the last hidden layer of its network, (batch, 128), where it has one.
    """

    node: str
    how: str
    read: Read
    is_class: bool
    unit: str
    classifier: ImageClassifier | None = None
    features: Read | None = None

    def each(self, read: Tensor, wanted: Tensor) -> Tensor:
        """Of each picture 1 or 0, as a class is read right or not; of numbers the distance."""
        if self.is_class:
            return (read == wanted).double()
        return (read.double() - wanted.double()).abs()

    def score(self, read: Tensor, wanted: Tensor) -> Score | None:
        """How far readings are what they should be; None where nothing could be read at all."""
        if self.is_class:
            return hit_rate(read, wanted)
        known = read.isfinite() & wanted.isfinite()
        return reading_error(read[known], wanted[known], self.unit) if known.any() else None


def fitted_judges(
    graph: Graph, subject: Subject, *, epochs: int, seed: int, device: str, progress: bool
) -> dict[str, Judge]:
    """A judge for every label parent of the image.

    Raises:
        DataError: training pictures of one class only, or too small; numbers that do not vary.
    """
    fit = partial(
        fitted_judge, graph, subject, epochs=epochs, seed=seed, device=device, progress=progress
    )
    return {name: fit(name) for name in label_parents(graph)}


def fitted_judge(
    graph: Graph,
    subject: Subject,
    name: str,
    *,
    epochs: int,
    seed: int,
    device: str,
    progress: bool,
) -> Judge:
    """A judge for one of them.

    Raises:
        DataError: training pictures of one class only, or too small; numbers that do not vary.
    """
    node, image = graph.nodes[name], image_node(graph)
    measured = _measured(subject.name) if subject.measured else {}
    if name in measured:
        return _judge(name, node, "measured on the pixels", measured[name])
    values = subject.training[name]
    known = labelled(values)
    if known.sum() < 2:
        raise DataError(f"evaluate: no training picture has a label of '{name}' to judge by")
    if node.type.levels is not None and len(values[known].unique()) < 2:
        raise DataError(
            f"evaluate: all training pictures with a label of '{name}' have the same one; a "
            "judge needs two"
        )
    rows = known.nonzero()[:, 0]
    if max(subject.training[image].shape[-2:]) > LARGE:
        rows = rows[:LARGE_ROWS]
    pictures = subject.training[image][rows]
    _check_size(image, pictures)
    return _fitted(
        name,
        node,
        pictures,
        values[rows],
        kind=subject.kind,
        epochs=epochs,
        seed=seed,
        device=device,
        progress=progress,
    )


def _check_size(image: str, pictures: Tensor) -> None:
    height, width = pictures.shape[-2:]
    if min(height, width) < LEAST_SIZE:
        raise DataError(
            f"evaluate: node '{image}': pictures of {height} x {width} pixels; a judge reads "
            f"{LEAST_SIZE} x {LEAST_SIZE} or more"
        )


def _fitted(
    name: str,
    node: Node,
    pictures: Tensor,
    values: Tensor,
    *,
    kind: str,
    epochs: int,
    seed: int,
    device: str,
    progress: bool,
) -> Judge:
    size = min(256, max(8, len(pictures) // 8))
    about = f"fitted to {len(pictures):,} {kind} pictures, seed {seed}"
    if node.type.levels is not None:
        classifier = ImageClassifier.fit(
            pictures,
            values,
            levels=len(node.type.levels),
            epochs=epochs,
            batch_size=size,
            seed=seed,
            device=device,
            progress=progress,
        )
        how = f"a classifier {about}, {epochs} epoch{'s' * (epochs != 1)}"
        return replace(
            _judge(name, node, how, classifier, classifier), features=classifier.features
        )
    regressor = ImageRegressor.fit(
        pictures,
        values,
        epochs=REGRESSOR_EPOCHS * epochs,
        batch_size=size,
        seed=seed,
        device=device,
        progress=progress,
    )
    how = f"a regressor {about}, {REGRESSOR_EPOCHS * epochs} epochs"
    return replace(_judge(name, node, how, regressor), features=regressor.features)


def _judge(
    name: str, node: Node, how: str, read: Read, classifier: ImageClassifier | None = None
) -> Judge:
    is_class = node.type.levels is not None
    unit = "share" if is_class else node.type.unit or f"units of {name}"
    return Judge(node=name, how=how, read=read, is_class=is_class, unit=unit, classifier=classifier)


def _measured(data: str) -> Mapping[str, Read]:
    """The readers of a data set whose attributes can be measured on the pixels."""
    if data.startswith("bar_"):
        return {"color": read_color, "bar": read_bar}
    if data == "morpho_mnist":
        return {"thickness": read_thickness, "intensity": read_intensity}
    if data == "pendulum":
        names = ("angle", "light", "shadow_length", "shadow_position")
        return {name: partial(_of_pendulum, name) for name in names}
    return {}


def _of_pendulum(name: str, pictures: Tensor) -> Tensor:
    return torch.as_tensor(read_pendulum(pictures)[name])
