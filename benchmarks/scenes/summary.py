"""Summary: the numbers of a family's pictures as scores with intervals, by way and intervention.

    right      share of pictures that show the label as it was set, by the judges
    obeys      share in which every trace and label that follows it is as in the truth, and what the
               intervention must leave alone is left alone
    stays      share in which every other label is as it was
    all        mean |x' - x*|, grey levels; over_floor: as a multiple of the floor's
    changed    of the pixels that truly change; of_unchanged: as a multiple of the factual picture's
    others     of those that do not

What the judges do not read right on the true pictures in the share that families.yaml asks for is
left out of the shares, and named. Shares have Wilson's 95 % interval; means and ratios that of the
bootstrap, pictures drawn again together for both (paired), `RESAMPLES` times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.scenes.measure import Measured
from benchmarks.scenes.scene import FAMILIES, Scene, declared
from causalflow.evaluation.score import share_score

__all__ = ["RESAMPLES", "ceilings", "paired_mean", "paired_ratio", "summary"]

RESAMPLES = 2000
Cell = dict[str, Any]
Floats = NDArray[np.float64]


def summary(scene: Scene, found: Mapping[str, Measured]) -> dict[str, Any]:
    """What is reported of a family.

    Args:
        scene: the rows, for what follows what.
        found: way -> its numbers; "truth" and "unchanged" among them.
    """
    known = ceilings(scene, found["truth"])
    readable = [n for n in scene.read if known[n] >= declared()["bounds"]["judge"]]
    ways = {
        name: {do: _row(scene, do, each, found, readable) for do in scene.actions}
        for name, each in found.items()
        if name != "truth"
    }
    nulls = {name: _null(each) for name, each in found.items() if "null " in each}
    return {"judges": known, "readable": readable, "ways": ways, "null": nulls}


def ceilings(scene: Scene, truth: Measured) -> dict[str, float]:
    """By label and trace, the share of true counterfactual pictures that is read right."""
    return {
        name: float(np.concatenate([truth[f"read {name} {do}"] for do in scene.actions]).mean())
        for name in scene.read
    }


def _row(
    scene: Scene, do: str, own: Measured, found: Mapping[str, Measured], readable: Sequence[str]
) -> dict[str, Cell | None]:
    (label,) = scene.actions[do]
    after = [name for name in scene.after(label) if name in readable]
    rest = [name for name in readable if name not in after and name != label]
    follows = [own[f"read {name} {do}"] > 0 for name in after] + _left_alone(scene, label, own, do)
    row: dict[str, Cell | None] = {
        "right": _share([own[f"read {label} {do}"] > 0] if label in readable else []),
        "obeys": _share(follows),
        "stays": _share([own[f"read {name} {do}"] > 0 for name in rest]),
    }
    for name in ("all", "changed", "others"):
        row[name] = paired_mean(own[f"{name} {do}"])
    unchanged, floor = found["unchanged"], found.get("floor")
    row["of_unchanged"] = paired_ratio(own[f"changed {do}"], unchanged[f"changed {do}"])
    row["over_floor"] = (
        None if floor is None else paired_ratio(own[f"all {do}"], floor[f"all {do}"])
    )
    row["beyond_unchanged"] = paired_mean(own[f"all {do}"] - unchanged[f"all {do}"])
    return row


def _left_alone(scene: Scene, label: str, own: Measured, do: str) -> list[NDArray[np.bool_]]:
    """Of the things that a label must leave alone, where they are; where there is nothing, too."""
    things = FAMILIES.get(scene.family, {}).get("things", {}).items()
    asked = [own[f"{name} {do}"] for name, about in things if label in about["left_alone_by"]]
    return [~(error > declared()["kept"]) for error in asked]


def _share(hits: Iterable[NDArray[np.bool_]]) -> Cell | None:
    """Of the pictures in which all hold; None where nothing is asked."""
    every = list(hits)
    if not every:
        return None
    score = share_score(torch.from_numpy(np.logical_and.reduce(every)))
    return {"value": score.value, "interval": list(score.interval), "count": score.count}


def _null(own: Measured) -> dict[str, float]:
    """The largest error of a pixel without an intervention, in [0, 1], and the mean one."""
    return {"largest": float(own["null "].max()), "mean": float(own["null_mean "].mean())}


def paired_mean(values: Floats) -> Cell:
    """The mean of what is a number, and its bootstrap interval."""
    return paired_ratio(values, np.where(np.isnan(values), np.nan, 1.0))


def paired_ratio(above: Floats, below: Floats) -> Cell:
    """mean(above) / mean(below) over the pictures that have both, and its bootstrap interval.

    Args:
        above: a number a picture, (n,); not a number: the picture is left out.
        below: likewise.
    """
    kept = ~(np.isnan(above) | np.isnan(below))
    a, b, n = above[kept], below[kept], int(kept.sum())
    if not n:
        return {"value": None, "interval": [None, None], "count": 0}
    times = _drawn_again(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn, value = (times @ a) / (times @ b), a.sum() / b.sum()
    if not np.isfinite(value):
        return {"value": None, "interval": [None, None], "count": n}
    low, high = np.quantile(drawn[np.isfinite(drawn)], (0.025, 0.975))
    return {"value": float(value), "interval": [float(low), float(high)], "count": n}


@cache
def _drawn_again(n: int) -> Floats:
    """How often each of n pictures is in each resample, (`RESAMPLES`, n)."""
    random = np.random.default_rng(0)
    return random.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
