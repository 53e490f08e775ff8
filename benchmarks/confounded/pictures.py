"""Pictures: test rows, what they would truly have been, and what models make of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import causalflow as cf
from benchmarks.confounded.measure import SIZE, pictures_under
from benchmarks.confounded.questions import CASES
from causalflow.plot.images import save_figure

__all__ = ["draw"]

SHOWN = 10


def draw(models: Mapping[tuple[str, str], cf.Model], path: Path) -> None:
    """A block of rows for each world: the rows, the truth under do(), and each model's pictures.

    Args:
        models: by world and way.
        path: the file that is written.
    """
    worlds = [kind for kind in CASES if any(kind == known for known, _ in models)]
    lines = {
        kind: _lines(kind, {way: m for (known, way), m in models.items() if known == kind})
        for kind in worlds
    }
    count = sum(map(len, lines.values()))
    figure, axes = plt.subplots(count, SHOWN, figsize=(8, 0.8 * count), squeeze=False)
    every = [(f"{kind}: {name}", each) for kind in worlds for name, each in lines[kind].items()]
    for row, (name, images) in zip(axes, every, strict=True):
        _row(row, name, images)
    figure.tight_layout(pad=0.3)
    save_figure(figure, path)


def _lines(kind: str, models: Mapping[str, cf.Model]) -> dict[str, np.ndarray]:
    rows, at = cf.data.confounded(kind, "test", SIZE, n=SHOWN), np.arange(SHOWN)
    _, changes = CASES[kind].kept or ("", {})
    act = {name: 1 - rows.labels[name] for name in changes}
    true = rows.true_counterfactual(at, act)["image"]
    made = {way: pictures_under(model, rows, at, act, 0) for way, model in models.items()}
    done = f"do(other {', '.join(changes)})"
    every = {"seen": rows.images / 255, f"true {done}": true, **made}
    return {name: np.asarray(each.permute(0, 2, 3, 1)) for name, each in every.items()}


def _row(axes: np.ndarray, name: str, images: np.ndarray) -> None:
    for axis, image in zip(axes, images, strict=True):
        axis.imshow(image.clip(0, 1), cmap="gray", vmin=0, vmax=1)
        axis.set_xticks([])
        axis.set_yticks([])
    axes[0].set_title(name, fontsize=7, loc="left")
