"""Grids: what each model that ships draws at its defaults, a picture of each in docs/grids.

    python -m benchmarks.grids                  all of them, some minutes on two cores
    python -m benchmarks.grids morpho_mnist     one

The first row is factual, and every row below it the same worlds under one intervention: from one
abduction, at the defaults of the checkpoint. Where a renderer knows the true counterfactual it
stands below ours. Factual digits, in order, are drawn by a model: pictures made of MNIST's do not
ship. Those of Morpho-MNIST and Bar-MNIST are drawn by the model itself, the others by that of
Morpho-MNIST, since what is shown is the counterfactual of a clean picture.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import causalflow as cf
from benchmarks.folders import DOCS
from causalflow.data.sets.grouped_mnist import render_colored, render_masked
from causalflow.data.sets.pendulum import join_picture
from causalflow.plot.images import image_grid, save_figure

COLUMNS = 8
SIZE = 32
"""Of rendered pictures, height and width."""
HAND = {"thickness": 3.0, "intensity": 240.0}
"""Strokes like those of MNIST."""

Action = Mapping[str, Any]
Worlds = tuple[Mapping[str, Any], Callable[[Action], Mapping[str, Any]] | None]
"""Factual worlds, and their true counterfactuals where they are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What is shown of a model.

    Attributes:
        says: what the picture is, a line.
        actions: the interventions, one a row; a function is given the factual values.
        factual: the worlds in the first row.
        whole: the picture of a world.
    """

    says: str
    actions: Sequence[Action]
    factual: Callable[[cf.Model], Worlds]
    whole: Callable[[Mapping[str, Any]], Tensor] = lambda world: torch.as_tensor(world["image"])


def _drawn(model: cf.Model) -> Worlds:
    """Worlds that the model draws, of the digits in order."""
    return model.sample(COLUMNS, do={"digit": torch.arange(COLUMNS)}, generator=0), None


def _strokes(digits: Tensor) -> Tensor:
    """Pictures of digits as the model of Morpho-MNIST draws them, uint8, shape (n, 1, 28, 28)."""
    model = cf.Model.load(cf.data.checkpoint_path("morpho_mnist"))
    world = model.sample(len(digits), do={"digit": digits, **HAND}, generator=0)
    return (255 * torch.as_tensor(world["image"]).clamp(0, 1)).round().to(torch.uint8)


def _gray(model: cf.Model) -> Worlds:
    """Digits in order, drawn by another model: this one is asked what each would have been."""
    digits = torch.arange(COLUMNS)
    return {"digit": digits, "image": _strokes(digits)}, None


def _red(render: Callable[..., Any]) -> Callable[[cf.Model], Worlds]:
    """Digits that are red in training, 0 to 4 and again, by the same hand; a color's truth."""
    digits = torch.arange(COLUMNS) % 5
    red, green = np.zeros(COLUMNS, dtype=np.int64), np.ones(COLUMNS, dtype=np.int64)

    def made(model: cf.Model) -> Worlds:
        strokes = _strokes(digits)[:, 0].numpy()
        factual, other = (torch.from_numpy(render(strokes, color)) for color in (red, green))
        evidence = {"digit": digits, "color": torch.from_numpy(red), "image": factual}
        return evidence, lambda action: {"image": other} if "digit" not in action else {}

    return made


def _pendulum(model: cf.Model) -> Worlds:
    data = cf.data.pendulum("test", SIZE, n=COLUMNS)
    rows = list(range(COLUMNS))
    return data.parts, lambda action: data.true_counterfactual(rows, action)


def _ball(model: cf.Model) -> Worlds:
    data = cf.data.scenes("ball", split="test", size=64, n=COLUMNS)
    rows = list(range(COLUMNS))
    return data.columns, lambda action: data.true_counterfactual(rows, action)


def _circuit(model: cf.Model) -> Worlds:
    data = cf.data.causal_circuit("test", SIZE, n=COLUMNS, synthetic=True)
    rows = list(range(COLUMNS))
    return data.columns, lambda action: data.true_counterfactual(rows, action)


_SHOWN = {
    "morpho_mnist": Grid(
        says="Morpho-MNIST: thicker (so brighter), thinner, darker, another digit",
        actions=({"thickness": 5.0}, {"thickness": 1.5}, {"intensity": 100.0}, {"digit": 3}),
        factual=_drawn,
    ),
    "bar_mnist_frontdoor_neural": Grid(
        says="Bar-MNIST with a front door: the colour, the digit, the bar set",
        actions=({"color": "red"}, {"color": "green"}, {"digit": 3}, {"bar": "present"}),
        factual=_drawn,
    ),
    "diff_scm_mnist": Grid(
        says="Diff-SCM: another digit",
        actions=({"digit": 0}, {"digit": 3}, {"digit": 7}),
        factual=_gray,
    ),
    "colored_mnist": Grid(
        says=(
            "Coloured MNIST: a red 5, which no picture shows, and the other colour; no data tell "
            "digit from colour, nor does the model by itself"
        ),
        actions=({"digit": 5, "color": "red"}, {"color": "green"}),
        factual=_red(render_colored),
    ),
    "masked_mnist": Grid(
        says="Masked MNIST: the other ground, and a 5 on red, which no picture shows",
        actions=({"color": "green"}, {"digit": 5, "color": "red"}),
        factual=_red(render_masked),
    ),
    "pendulum_parts": Grid(
        says="Pendulum in parts: the angle, the light and the shadow's length set",
        actions=({"angle": 20.0}, {"light": 90.0}, {"shadow_length": 5.0}),
        factual=_pendulum,
        whole=lambda w: torch.as_tensor(w["image"]) if "image" in w else join_picture(w),
    ),
    "causal_diffae_circuit": Grid(
        says="The look-alike of CausalCircuit: the arm and two lamps set",
        actions=({"arm": 0.2}, {"arm": 0.8}, {"blue": 0.9}, {"red": 0.9}),
        factual=_circuit,
    ),
    "scene_ball": Grid(
        says="A ball and its shadow, 64 x 64: size, hue, place and lamp set, and the other sky",
        actions=({"size": 12.0}, {"hue": 120.0}, {"x": 20.0}, {"lamp": 10.0}, {"sky": "dusk"}),
        factual=_ball,
    ),
}
GRIDS = {name: grid for name, grid in _SHOWN.items() if name in cf.data.checkpoint_names()}


def grid_path(name: str) -> Path:
    """The file of a model's grid."""
    return DOCS / "grids" / f"{name}.png"


def draw(name: str, path: Path) -> None:
    """Draw the grid of a model that ships."""
    grid, model = GRIDS[name], cf.Model.load(cf.data.checkpoint_path(name))
    factual, truth = grid.factual(model)
    noise = model.abduct(factual)
    rows = {"factual": _pixels(grid.whole(factual))}
    for action in grid.actions:
        said = "do(" + ", ".join(f"{node}={value}" for node, value in action.items()) + ")"
        rows[said] = _pixels(grid.whole(model.predict(noise, action)))
        if truth is not None and (true := truth(action)):
            rows[f"{said}, true"] = _pixels(grid.whole(true))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_figure(image_grid(rows), path, dpi=80)


def _pixels(images: Tensor) -> Tensor:
    """Pictures in [0, 1]."""
    return images.float() / 255 if images.max() > 1.5 else images


if __name__ == "__main__":
    for each in sys.argv[1:] or GRIDS:
        draw(each, grid_path(each))
