"""Demo: counterfactuals of held-out real digits under the front-door bar model, with scores.

    do(color)  the other colour: the strokes must change channel, the digit must stay
    do(digit)  another digit: it must be read as that digit, colour and bar must obey the graph
    do(bar)    the other bar: nothing else may move

Colour and bar are read off the pixels, the digit by a classifier that saw neither the model nor
its images. The same noise gives every row, so that a column of the picture is one world and what
would have become of it.

The model ships; `train` is what ``causalflow demo --train`` runs, and was run to ship it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from causalflow.data.sets.bar_mnist import BarMNIST, bar_mnist
from causalflow.data.sets.dataset import draw_labels
from causalflow.evaluation.axioms import composition, largest_error, true_error
from causalflow.evaluation.readers import (
    DigitReader,
    agreement,
    digit_reader,
    read_bar,
    read_color,
)
from causalflow.formats.formats import load
from causalflow.model.model import Model, compile
from causalflow.model.world import World
from causalflow.plot.images import asked, image_grid, save_figure
from causalflow.shipped import graph_path

__all__ = [
    "CHECKPOINT",
    "GRAPH",
    "LOG",
    "TRAINING",
    "Demonstration",
    "Line",
    "demonstrate",
    "held_out",
    "label_effects",
    "load_model",
    "train",
]

GRAPH = "digits_demo_frontdoor"
CHECKPOINT = Path(__file__).parent / f"{GRAPH}.safetensors"
LOG = Path(__file__).parent / f"{GRAPH}.jsonl"
TRAINING = {"steps": 3200, "batch_size": 256, "learning_rate": 1e-3, "ema": 0.999, "seed": 0}


def train(folder: str | Path, **options: Any) -> Model:
    """Fit the demo's model to 20,000 rows made of real training digits; resumable.

    Args:
        folder: receives the model, the log, and the checkpoint from which a killed run goes on.
        options: fields of `causalflow.training.options.Fit` in place of those of `TRAINING`.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    model = compile(load(graph_path(GRAPH)))
    resume, log = target / f"{GRAPH}.resume.safetensors", target / LOG.name
    model.fit(bar_mnist("frontdoor"), **{"checkpoint": resume, "log": log, **TRAINING, **options})
    model.save(target / CHECKPOINT.name)
    return model


def held_out(n: int) -> BarMNIST:
    """n rows made of real digits that no training row was made of."""
    return bar_mnist("frontdoor", split="test", n=n)


COLUMNS = 10
LABELS = ("digit", "color", "bar")
DRAWS = LABEL_ROWS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the table: a measured number.

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
        network_calls: the calls of the network per image and intervention, by query.
        picture: where it was written.
    """

    scores: tuple[Line, ...]
    images: int
    network_calls: Mapping[str, float]
    picture: Path


def load_model() -> Model:
    """The shipped model, its label mechanisms fitted afresh to 200,000 rows of labels."""
    model = Model.load(CHECKPOINT)
    truth = load(graph_path("bar_mnist_frontdoor_scm"))
    rows = draw_labels(truth, LABEL_ROWS, np.random.default_rng(0))
    model.fit(rows, nodes=LABELS, progress=False)
    return model


def demonstrate(model: Model, n: int, picture: Path) -> Demonstration:
    """Line ``model`` on n held-out images and draw the picture.

    Args:
        model: a fitted model of the demo's graph.
        n: number of images, at least 1.
        picture: where to write the PNG.
    """
    data = held_out(n)
    read_digit = digit_reader(data.images.shape[-1])
    factual, actions = evidence(data), interventions(data)
    abduction = model.abduct(factual)
    worlds = {name: model.predict(abduction, {name: actions[name]}) for name in actions}
    decoded = model.predict(abduction, residual=False)
    scores = [
        *label_effects(model),
        _ceiling(factual, read_digit),
        *_null(factual, model.predict(abduction), decoded),
        *(s for name in worlds for s in _effects(name, actions[name], worlds[name], read_digit)),
        *(_distance(name, data, worlds[name]) for name in ("color", "bar")),
    ]
    save_figure(_picture(factual, decoded, worlds), picture)
    calls = {f"do({name})": world.info.network_calls for name, world in worlds.items()}
    return Demonstration(scores=tuple(scores), images=n, network_calls=calls, picture=picture)


def evidence(data: BarMNIST) -> dict[str, Tensor]:
    """Labels as indices and images in [0, 1]."""
    labels = {name: torch.from_numpy(data.labels[name]) for name in LABELS}
    return {**labels, "image": data.images.float() / 255}


def interventions(data: BarMNIST) -> dict[str, Tensor]:
    """For every row the other colour, another digit (each of the nine in turn), the other bar."""
    factual = evidence(data)
    turn = 1 + torch.arange(len(data)) % 9
    return {
        "color": 1 - factual["color"],
        "digit": (factual["digit"] + turn) % 10,
        "bar": 1 - factual["bar"],
    }


def label_effects(model: Model) -> list[Line]:
    """P(bar = present | do(color)) of the fitted labels, by sampling, beside the true numbers."""
    truth = {"green": 0.6524, "red": 0.5096}
    effects = []
    for color, value in truth.items():
        bars = model.sample(DRAWS, do={"color": color}, nodes=["bar"])["bar"]
        name = f"P(bar | do(color={color}))"
        effects.append(
            Line(
                query=name,
                measure="probability",
                value=float(bars.double().mean()),
                unit="1",
                truth=value,
            )
        )
    return effects


def _ceiling(factual: Mapping[str, Tensor], read_digit: DigitReader) -> Line:
    """How often the classifier is right on the real images: the ceiling of what follows."""
    right = agreement(read_digit(factual["image"]), factual["digit"])
    return Line(query="real images", measure="digit read right", value=right, unit="1")


def _null(factual: Mapping[str, Tensor], world: World, decoded: World) -> list[Line]:
    """The null intervention, with the residual and without it."""
    full = largest_error(factual["image"], world["image"]) / 255
    bare = composition(factual["image"], decoded["image"]).value / 255
    return [
        Line(query="do() with residual", measure="largest error of a pixel", value=full, unit="1"),
        Line(query="do() without", measure="mean absolute error", value=bare, unit="1"),
    ]


def _effects(name: str, action: Tensor, world: World, read_digit: DigitReader) -> list[Line]:
    """Whether every attribute reads off the image as the counterfactual world has it."""
    image = world["image"]
    read = {"digit": read_digit(image), "color": read_color(image), "bar": read_bar(image)}
    return [
        Line(
            query=f"do({name})",
            measure=f"{label} {'as set' if label == name else 'as in the world'}",
            value=agreement(read[label], action if label == name else world[label]),
            unit="1",
        )
        for label in LABELS
    ]


def _distance(name: str, data: BarMNIST, world: World) -> Line:
    """Mean absolute difference from the true picture; ``truth``: of the image left as it is."""
    rows = torch.arange(len(data))
    do = {label: world[label] for label in ("color", "bar")}
    true = data.true_counterfactual(rows, do)["image"]
    return Line(
        query=f"do({name})",
        measure="distance to the true picture",
        value=true_error(world["image"], true).value,
        unit="of 255",
        truth=true_error(data.images, true).value,
    )


def _picture(factual: Mapping[str, Tensor], decoded: World, worlds: Mapping[str, World]) -> Figure:
    """One row a world, one column an image; the caption says which labels that world has."""
    shown = {
        "factual": factual,
        "decoded\n(no residual)": decoded,
        **{f"do({name})": world for name, world in worlds.items()},
    }
    return image_grid(
        {label: world["image"][:COLUMNS] for label, world in shown.items()},
        {
            label: asked(_captions(world)) if label.startswith("do(") else _captions(world)
            for label, world in shown.items()
        },
        title="Counterfactuals of held-out real digits: digit -> color -> bar, digit <-> bar",
    )


def _captions(world: Mapping[str, Tensor]) -> list[str]:
    rows = zip(*(world[name][:COLUMNS].tolist() for name in LABELS), strict=True)
    return [
        f"{digit} {('green', 'red')[color]}{', bar' if bar else ''}" for digit, color, bar in rows
    ]
