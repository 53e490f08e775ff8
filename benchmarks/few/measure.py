"""Measure: few calls against leap-frog on the same test pictures, under every intervention.

    error      mean absolute difference to the true picture, grey levels
    variation  mean absolute difference of neighbouring pixels, grey levels: a blur has less
    undone     the picture after an intervention and its undoing, against the factual one; of the
               first 100
    null       the largest error of a pixel without an intervention
    NAME       under do(digit), the error of the digit that is read, and of what was to stay

Pictures are taken 200 at a time, and what they gave is kept in a file (--work): the same command
goes on. A setting is *no worse* where no paired 95 % interval of an error lies above 0.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

import causalflow as cf
from benchmarks.few.studies import STUDIES, Study
from causalflow.diffusion.denoiser import NetworkCalls
from causalflow.evaluation.axioms import pixel_errors, total_variation
from causalflow.files import whole_file

__all__ = ["Columns", "measured"]

ROWS, UNDONE = 200, 100
Columns = dict[str, NDArray[np.float64]]
"""By "measure intervention": a number a picture."""


def measured(
    model: cf.Model, net: str, name: str, options: Mapping[str, Any], n: int, split: str, work: Path
) -> Columns:
    """What ``n`` pictures gave under a setting called ``name``, those of earlier runs read."""
    key = f"{name.replace(' ', '_')}-{zlib.crc32(repr(sorted(options.items())).encode()):08x}"
    made: list[Study] = []
    parts = []
    for first in range(0, n, ROWS):
        path = work / f"{net}-{split}-{n}-{key}-{first}.npz"
        if not path.exists():
            made = made or [STUDIES[net](split, n)]
            last, undo = min(first + ROWS, n), first == 0
            columns = _columns(model, made[0].rows(first, last), options, undo=undo)
            with whole_file(path) as part, part.open("wb") as file:
                np.savez(file, **columns)  # type: ignore[arg-type]
            click.echo(f"{net} {name}: {last} of {n}")
        with np.load(path) as found:
            parts.append(dict(found))
    return {key: np.concatenate([p[key] for p in parts if key in p]) for key in parts[0]}


def _columns(model: cf.Model, study: Study, options: Mapping[str, Any], *, undo: bool) -> Columns:
    noise, found = model.abduct(study.evidence, **options), {}
    for do, act in study.actions.items():
        with NetworkCalls(model.scm.denoisers) as calls:
            world = model.predict(noise, act, **options)
        found[f"calls {do}"] = np.full(1, calls.images / len(study))
        found |= dict(_judged(study, do, study.picture(world)))
        if undo and do in study.truth:
            few = study.rows(0, UNDONE)
            back = _undone(model, few, do, world, options)
            found[f"undone {do}"] = pixel_errors(back, few.pictures).mean(1).numpy()
    if undo:
        back = study.picture(model.predict(noise, {}, **options))
        found["null "] = pixel_errors(back, study.pictures).amax(1).numpy()
        found["calls "] = np.full(1, noise.info.network_calls)
    return found


def _judged(study: Study, do: str, picture: Tensor) -> Iterator[tuple[str, NDArray[np.float64]]]:
    yield f"variation {do}", total_variation(picture).numpy()
    if do in study.truth:
        yield f"error {do}", pixel_errors(picture, study.truth[do]).mean(1).numpy()
        yield f"variation true {do}", total_variation(study.truth[do]).numpy()
        yield f"unchanged {do}", pixel_errors(study.pictures, study.truth[do]).mean(1).numpy()
        return
    for what, errors in study.readings[do].items():
        yield f"{what} {do}", errors(picture).numpy()
        yield f"factual {what} {do}", errors(study.pictures).numpy()


def _undone(
    model: cf.Model, study: Study, do: str, world: Mapping[str, Tensor], options: Mapping[str, Any]
) -> Tensor:
    """The picture of the intervention undone, by what the picture and its labels then are."""
    again = {name: world[name][: len(study)] for name in study.evidence}
    if "intensity" in again:  # rounding may have put it on the end of its support
        again["intensity"] = again["intensity"].clamp(64.001, 254.999)
    noise = model.abduct(again, **options)
    return study.picture(model.predict(noise, _factual(study, do), **options))


def _factual(study: Study, do: str) -> dict[str, Tensor]:
    return {node: study.evidence[node] for node in study.actions[do]}
