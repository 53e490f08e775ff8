"""Fits: the nets of a family, each by one method on the same training rows.

    latent       the graph as its file has it, at the defaults of `Model.fit`: from 48 pixels on the
                 image has a latent by itself
    latent_half  the same, the labels of a random half of the rows hidden
    pixel        the same graph, its image in pixels, for so many minutes
    hvae         `benchmarks.scenes.hvae`, for so many minutes

A method that is fitted by time has one thread, and its minutes are of the CPU's time, not the
wall's, so that a busy machine does not favour it; the others have the machine's cores. The pixel
node's number of steps is measured before: its learning rate falls to 0 by the last. A net is
FAMILY_METHOD.safetensors, beside it its log (.jsonl), and what it took (.json). A fit of ours that
is stopped goes on by the same command, its minutes by the wall those of all runs together; a net
that is there is not made again.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

import causalflow as cf
from benchmarks.machine import machine
from benchmarks.scenes.hvae import HVAE, levels_of
from benchmarks.scenes.scene import Scene, declared
from benchmarks.scenes.ways import net_path
from causalflow.data.frame import hide_labels
from causalflow.evaluation.task import label_parents
from causalflow.files import whole_file
from causalflow.graph.graph import Graph
from causalflow.graph.node import images_of

__all__ = ["METHODS", "fit", "in_pixels", "steps_within"]

BY_TIME = ("pixel", "hvae")
"""The methods that are fitted for so many minutes, by one thread."""
PIXEL_BATCH = 32
TRIED = (10, 50)
"""Steps of the two short fits that tell how long a step takes."""


def fit(
    family: str, method: str, nets: Path, *, minutes: float, command: str, **options: Any
) -> None:
    """Fit a net and write it, unless it is there.

    Args:
        family: its training rows are families.yaml's number of them.
        method: one of `METHODS`.
        nets: the folder.
        minutes: of the methods that are fitted by time.
        command: for the record.
        options: of `cf.Fit`, in place of its defaults, for the image node.
    """
    path = net_path(nets, family, method)
    if path.exists():
        return
    if method in BY_TIME:
        torch.set_num_threads(1)
    nets.mkdir(parents=True, exist_ok=True)
    scene = Scene.plain(family, declared()["train"], "train", declared()["size"])
    began = time.process_time(), time.monotonic()
    found = METHODS[method](scene, path, minutes, options)
    spent = max(time.monotonic() - began[1], found.pop("seconds", 0.0))
    found |= {"minutes": spent / 60, "cpu_minutes": (time.process_time() - began[0]) / 60}
    found |= {"threads": torch.get_num_threads()}
    found |= {"rows": len(scene), "command": command, "machine": machine()}
    _write(path.with_suffix(".json"), found)


def in_pixels(graph: Graph) -> Graph:
    """The graph, its images without a latent."""
    plain = cf.Latent(autoencoder="none")
    images = {name: replace(node, latent=plain) for name, node in images_of(graph.nodes).items()}
    return graph.with_nodes(images)


def _latent(scene: Scene, path: Path, minutes: float, options: Any) -> dict[str, Any]:
    latent = images_of(scene.graph.nodes)["image"].space
    assert latent is not None, scene.family
    return _fitted(scene.graph, scene.evidence, path, options) | {"latent": asdict(latent)}


def _half(scene: Scene, path: Path, minutes: float, options: Any) -> dict[str, Any]:
    return _fitted(scene.graph, hide_labels(scene.evidence, 0.5), path, options)


def _pixel(scene: Scene, path: Path, minutes: float, options: Any) -> dict[str, Any]:
    graph, plan = in_pixels(scene.graph), path.with_suffix(".plan")
    if not plan.exists():
        times = [_seconds(graph, scene.evidence, steps) for steps in TRIED]
        steps = steps_within(60 * minutes - sum(times), TRIED, times)
        _write(plan, {"steps": steps, "batch_size": PIXEL_BATCH})
    planned = json.loads(plan.read_text(encoding="utf-8"))
    return _fitted(graph, scene.evidence, path, {**planned, **options})


def steps_within(seconds: float, tried: tuple[int, int], times: list[float]) -> int:
    """How many steps fit into so many seconds, by two fits that were timed.

    Example:
        >>> steps_within(100.0, (4, 12), [6.0, 10.0])
        192
    """
    each = max((times[1] - times[0]) / (tried[1] - tried[0]), 1e-4)
    beginning = max(0.0, times[0] - tried[0] * each)
    return max(tried[1], math.floor((seconds - beginning) / each))


def _seconds(graph: Graph, rows: Any, steps: int) -> float:
    """CPU seconds of a short fit."""
    began = time.process_time()
    cf.compile(graph).fit(rows, steps=steps, batch_size=PIXEL_BATCH, progress=False)
    return time.process_time() - began


def _fitted(graph: Graph, rows: Any, path: Path, options: Any) -> dict[str, Any]:
    """A model of ours, fitted and saved."""
    torch.manual_seed(0)
    model = cf.compile(graph)
    files = {"checkpoint": path.with_suffix(".resume"), "log": path.with_suffix(".jsonl")}
    given = {"device": "cpu", "progress": False, "log_every": 100, **files, **options}
    report = model.fit(rows, **given)
    model.save(path)
    told = {name: getattr(report, name) for name in ("steps", "images", "seconds", "resumed_from")}
    return told | {"parameters": _weights(model.scm)}


def _hvae(scene: Scene, path: Path, minutes: float, options: Any) -> dict[str, Any]:
    labels = {name: scene.rows[name] for name in label_parents(scene.graph)}
    peer = HVAE.fit(
        scene.rows["image"],
        labels,
        levels=levels_of(scene.graph),
        seconds=60 * minutes,
        clock=time.process_time,
        **options,
    )
    peer.save(path)
    _write(path.with_suffix(".jsonl"), peer.log)
    return {"steps": peer.log["steps"], "parameters": _weights(peer.network)}


METHODS: dict[str, Callable[[Scene, Path, float, Any], dict[str, Any]]] = {
    "latent": _latent,
    "latent_half": _half,
    "pixel": _pixel,
    "hvae": _hvae,
}


def _weights(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _write(path: Path, found: Any) -> None:
    with whole_file(path) as part:
        part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
