"""Locality: how near counterfactual pictures are to the truth, held by a mask and not.

    python -m benchmarks.locality MODEL.safetensors ball             32 validation pictures, minutes
    python -m benchmarks.locality MODEL.safetensors ball --rows 300 --split test

For a model of a family of scenes (`cf.data.scenes`), whose true counterfactual pictures are known.
Each row of the table is one setting: the mean absolute error, in levels of 255, over all pixels and
over those that truly change, the mean change of those that do not ("drift"), the share of the
picture inside of the mask, the calls of the network and the seconds a row. The settings differ in
the options ``local...``; abduction is shared. The first two lines are for comparison: the picture
left as it was, and, of a latent, the true counterfactual through the autoencoder.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

import causalflow as cf
from benchmarks.markdown import markdown
from causalflow.graph.node import images_of

ACTIONS: Mapping[str, Mapping[str, Any]] = {
    "ball": {"size": 12.0, "hue": 200.0, "x": 40.0, "lamp": 10.0},
    "phantom": {"heart": 60.0, "contrast": 1.2},
}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "not held": {"local": False},
    "held": {"local": True},
    "ramp .05 to .1": {"local": True, "local_ramp": (0.05, 0.1)},
    "ramp .2 to .3": {"local": True, "local_ramp": (0.2, 0.3)},
    "grown by 1": {"local": True, "local_grow": 1},
    "16 draws": {"local": True, "local_draws": 16},
}


def main() -> None:
    """Print a table for each intervention."""
    read = argparse.ArgumentParser(description=__doc__)
    read.add_argument("model")
    read.add_argument("family", choices=list(ACTIONS))
    read.add_argument("--rows", type=int, default=32)
    read.add_argument("--split", default="validation")
    read.add_argument("--do", type=json.loads, default=None, help='{"size": 12}; default: a few')
    read.add_argument("--settings", default=None, help="names, by commas; default: all")
    read.add_argument("--steps", type=int, default=None)
    told = read.parse_args()
    model = cf.Model.load(told.model)
    size = images_of(model.graph.nodes)["image"].shape[-1]
    data = cf.data.scenes(told.family, split=told.split, size=size, n=told.rows)
    names = list(SETTINGS) if told.settings is None else told.settings.split(",")
    for name, value in (told.do or ACTIONS[told.family]).items():
        lines = list(measured(model, data, {name: value}, names, told.steps))
        print(f"\ndo({name}={value}), {told.rows} pictures of {size} x {size}\n")
        print("\n".join(markdown(list(lines[0]), [list(line.values()) for line in lines])))


@torch.no_grad()
def measured(
    model: cf.Model, data: Any, do: Mapping[str, Any], names: list[str], steps: int | None
) -> Iterator[dict[str, str]]:
    """A line a setting."""
    rows = torch.arange(len(data.images))
    factual = data.images.float() / 255
    true = data.true_counterfactual(rows, do)["image"]
    changed = data.changed(rows, do)
    yield _line("left as it was", factual, factual, true, changed)
    canvas = model.scm.images["image"].canvas
    if canvas.latent is not None:
        floor = (canvas.decode(canvas.encode(true * 2 - 1)).clamp(-1, 1) + 1) / 2
        yield _line("the truth through the autoencoder", floor, factual, true, changed)
    evidence = {"image": data.images, **{n: torch.as_tensor(v) for n, v in data.labels.items()}}
    evidence = {name: value for name, value in evidence.items() if name in model.graph.nodes}
    start = time.perf_counter()
    noise = model.abduct(evidence, steps=steps)
    up = time.perf_counter() - start
    for name in names:
        start = time.perf_counter()
        world = model.predict(noise, do, steps=steps, **SETTINGS[name])
        seconds = (time.perf_counter() - start + up) / len(rows)
        share = world.info.local.get("image", ())
        inside = f"{sum(share) / len(share):.0%}" if share else "-"
        cost = {"inside": inside, "calls": f"{world.info.network_calls:.0f}"}
        line = _line(name, world["image"], factual, true, changed)
        yield line | cost | {"seconds": f"{seconds:.2f}"}


def _line(name: str, got: Tensor, factual: Tensor, true: Tensor, changed: Tensor) -> dict[str, str]:
    error, drift = (255 * (got - other).abs().mean(dim=1) for other in (true, factual))
    numbers = error.mean(), error[changed].mean(), drift[~changed].mean()
    texts = [f"{float(number):.2f}" for number in numbers]
    keys = ("all pixels", "changed pixels", "drift elsewhere")
    blank = {"inside": "-", "calls": "-", "seconds": "-"}
    return {"setting": name, **dict(zip(keys, texts, strict=True)), **blank}


if __name__ == "__main__":
    main()
