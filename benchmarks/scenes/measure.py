"""Measure: numbers of every test picture under every intervention, by the way it was made.

Notation: x the factual picture, x* the true counterfactual, x' the one that was made; a pixel truly
changes where a channel of x* is further from x than the scenes' `CHANGED` levels.

    read NAME  whether the judges read a label or trace off x' as x* has it: 0 or 1
    THING      of the pixels of a thing that the intervention must leave alone
    all        mean |x' - x*|, grey levels 0..255, of all pixels
    changed    of those that truly change; not a number where none does
    others     of those that do not
    null       the largest |x' - x| without an intervention, in [0, 1]; null_mean: the mean

What a batch of pictures gave is kept in a file (--work), with the first pictures themselves: the
same command goes on where it was stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.scenes.judges import Judges
from benchmarks.scenes.scene import Scene, changes, declared
from benchmarks.scenes.ways import pictures
from causalflow.data.sets.scenes.scenes import CHANGED
from causalflow.evaluation.axioms import grey_levels
from causalflow.files import whole_file

__all__ = ["Measured", "measured", "numbers", "shown_pictures"]

BATCH, SHOWN = 50, 6
Measured = dict[str, NDArray[np.float64]]
"""By "measure intervention": a number a picture."""


def measured(
    name: str,
    scene: Scene,
    judges: Sequence[Judges],
    net: Path,
    work: Path,
    *,
    device: str = "cpu",
) -> Measured:
    """What all pictures gave that are made in a way; those of earlier runs are read."""
    parts = []
    for first in range(0, len(scene), BATCH):
        path = work / f"{scene.family}-{name.replace(', ', '-').replace(' ', '_')}-{first}.npz"
        if not path.exists():
            part = scene.part(first, first + BATCH)
            found = dict(_numbers(name, part, judges, net, device))
            work.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **found)  # type: ignore[arg-type]
            click.echo(f"{scene.family}, {name}: {first + len(part)} of {len(scene)}")
        with np.load(path) as kept:
            parts.append(dict(kept))
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def shown_pictures(found: Measured) -> dict[str, Tensor]:
    """The pictures that were kept, uint8, by intervention."""
    return {
        key.removeprefix("picture "): torch.from_numpy(each[:SHOWN])
        for key, each in found.items()
        if key.startswith("picture ")
    }


def _numbers(
    name: str, part: Scene, judges: Sequence[Judges], net: Path, device: str
) -> Iterator[tuple[str, NDArray[np.generic]]]:
    for do, made in pictures(name, part, net, device):
        if do == "null":
            error = (made.double() - grey_levels(part.rows["image"]) / 255).abs().flatten(1)
            yield from (("null ", error.amax(1).numpy()), ("null_mean ", error.mean(1).numpy()))
            continue
        true = part.truths[do]
        factual, threshold = part.rows["image"], CHANGED
        told = numbers(factual, true["image"], made, threshold, part.things)
        for each in judges:
            right = each.right(made, true, declared()["tolerance"])
            told |= {f"read {label}": hits.double() for label, hits in right.items()}
        yield from ((f"{measure} {do}", each.numpy()) for measure, each in told.items())
        first = grey_levels(made[:SHOWN]).round().clamp(0, 255)
        yield f"picture {do}", first.to(torch.uint8).numpy()


def numbers(
    factual: Tensor,
    true: Tensor,
    made: Tensor,
    threshold: float,
    things: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """The measures of pixels, float64, (n,) each.

    Args:
        factual: x, in [0, 1] or uint8, (n, channel, height, width).
        true: x*.
        made: x'.
        threshold: of what truly changes, grey levels.
        things: further pixels by name, (n, pixels).
    """
    wanted = grey_levels(true)
    error = (grey_levels(made) - wanted).abs().mean(1).flatten(1)
    changed = changes(factual, true, threshold)
    parts = {"changed": changed, "others": ~changed, **(things or {})}
    return {
        "all": error.mean(1),
        **{name: _mean_where(error, each) for name, each in parts.items()},
    }


def _mean_where(values: Tensor, kept: Tensor) -> Tensor:
    """Of each row, (n,); not a number where nothing is kept."""
    return (values * kept).sum(1) / torch.where(kept.any(1), kept.sum(1), torch.nan)
