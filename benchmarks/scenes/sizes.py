"""Sizes: how fast an image node in a latent is, and what memory it takes, by the size of pictures.

    encode, decode    pictures a second through each half of the autoencoder
    velocity          calls of the flow's network a second, a picture each
    counterfactual    pictures a second: abducted, decoded under another value, mask and residual
    autoencoder, flow pictures a second of a fit's two stages, gradient steps and all
    peak              memory at most: of the process, or of the GPU's allocator

Nothing here depends on what the weights have learned, so the nets have taken two steps, and the
flow's weights are stirred, so that it answers to its parents. A size is measured in a process of
its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch

import causalflow as cf
from benchmarks.folders import RESULTS, ROOT
from benchmarks.machine import machine
from benchmarks.markdown import markdown
from benchmarks.scenes.command import command
from benchmarks.scenes.latent import mechanism_of
from benchmarks.scenes.scene import Scene
from causalflow.errors import CausalflowWarning
from causalflow.evaluation.networks import unit_images
from causalflow.files import whole_file
from causalflow.graph.graph import Graph
from causalflow.graph.node import images_of
from causalflow.shipped import at_size

__all__ = ["LATENTS", "main", "measured_size", "peak", "sized_graph", "table"]

LATENTS: dict[int, dict[str, int]] = {
    64: {"factor": 8, "channels": 8},
    128: {"factor": 8, "channels": 8},
    256: {"factor": 16, "channels": 16},
}
"""The latent by the size of pictures: 8 x 8, 16 x 16, 16 x 16 cells."""
ROWS, SECONDS = 8, 2.0
HEADS = ("", "encode", "decode", "velocity", "counterfactual", "autoencoder", "flow", "peak, MB")


def sized_graph(graph: Graph, size: int, **latent: Any) -> Graph:
    """The graph, its pictures of a size and in a latent of that size."""
    chosen = cf.Latent(**(LATENTS[size] | latent))
    images = images_of(at_size(graph, size).nodes)
    return graph.with_nodes({n: replace(node, latent=chosen) for n, node in images.items()})


def measured_size(family: str, size: int, device: str, seconds: float = SECONDS) -> dict[str, Any]:
    """The rates of a size, a second each, and the peak in MB."""
    scene = Scene.plain(family, 2 * ROWS, "train", size)
    graph, rates = sized_graph(scene.graph, size), {}
    for stage, share in (("autoencoder", 0.9), ("flow", 0.0)):
        plan = sized_graph(scene.graph, size, share=share)
        rates[stage] = _fit_rate(plan, scene, device, seconds)
    model = cf.compile(graph)
    model.fit(scene.evidence, steps=2, batch_size=ROWS, device=device, progress=False)
    _stir(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalflowWarning)  # of answers, which nobody reads
        rates |= _own_rates(model, scene.part(0, ROWS), seconds)
    weights = sum(weight.numel() for weight in mechanism_of(model).parameters())
    return {
        "size": size,
        "latent": LATENTS[size],
        "weights": weights,
        "peak": peak(device),
        **rates,
    }


@torch.no_grad()
def _stir(model: cf.Model) -> None:
    """Make the flow's network one that depends on all it is told."""
    random = torch.Generator().manual_seed(0)
    for weight in mechanism_of(model).denoiser.parameters():
        weight += 0.02 * torch.randn(weight.shape, generator=random).to(weight)


def _own_rates(model: cf.Model, part: Scene, seconds: float) -> dict[str, float]:
    mechanism, rows = mechanism_of(model), part.evidence
    x = (2 * unit_images(rows["image"]) - 1).to(model.device)
    canvas, parents = mechanism.canvas, {n: rows[n].to(model.device) for n in mechanism.parents}
    z, label = canvas.encode(x), next(n for n in part.read if part.graph.nodes[n].type.numeric)
    other = {label: rows[label].flip(0)}

    def velocity() -> None:
        code = {} if mechanism.code is None else {"code": torch.zeros(ROWS, mechanism.options.code)}
        mechanism.denoiser.velocity(z.double(), 0.5, parents | code)

    ways: dict[str, Callable[[], Any]] = {
        "encode": lambda: canvas.encode(x),
        "decode": lambda: canvas.decode(z),
        "velocity": velocity,
        "counterfactual": lambda: model.counterfactual(rows, other),
    }
    return {name: _rate(way, model.device, seconds) for name, way in ways.items()}


@torch.no_grad()
def _rate(way: Callable[[], Any], device: torch.device | str, seconds: float) -> float:
    """Rows a second, after a first call that does not count."""
    way()
    done, began = 0, _now(device)
    while (took := _now(device) - began) < seconds or not done:
        way()
        done += 1
    return ROWS * done / max(took, 1e-9)


def _fit_rate(graph: Graph, scene: Scene, device: str, seconds: float) -> float:
    """Rows a second of a fit, its beginning left out: two fits, one twice as long."""
    took, steps = [0.0, 0.0], 2
    while took[1] - took[0] < seconds / 2:
        steps *= 2
        took = [_fit_time(graph, scene, device, each) for each in (steps, 2 * steps)]
    return ROWS * steps / (took[1] - took[0])


def _fit_time(graph: Graph, scene: Scene, device: str, steps: int) -> float:
    model, began = cf.compile(graph), _now(device)
    model.fit(scene.evidence, steps=steps, batch_size=ROWS, device=device, progress=False)
    return _now(device) - began


def _now(device: torch.device | str) -> float:
    """CPU seconds of the process; of a GPU the wall's, all work done."""
    if torch.device(device).type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.monotonic()


def peak(device: str) -> float:
    """The most memory so far, MB: of the GPU's allocator, or of the process."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


@click.command("sizes", help="Measure rates and memory at 64, 128 and 256 pixels a side.")
@click.option("--family", default="ball", show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--size", "only", type=click.Choice([*map(str, LATENTS)]), help="One, as JSON.")
@click.option("--seconds", default=SECONDS, show_default=True, help="Of each rate.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS,
    show_default="benchmarks/results",
    help="Folder of the results.",
)
def main(family: str, device: str, only: str | None, seconds: float, out: Path) -> None:
    """Measure every size in a process of its own, and write sizes_DEVICE.json and .md."""
    if only is not None:
        click.echo(json.dumps(measured_size(family, int(only), device, seconds)))
        return
    again = [sys.executable, "-m", "benchmarks.scenes", *sys.argv[1:], "--size"]
    found = []
    for size in LATENTS:
        done = subprocess.run([*again, str(size)], check=True, capture_output=True, cwd=ROOT)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    where = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "CPU"
    record = {"rows": found, "command": command(), "device": where, "machine": machine()}
    path = out / f"sizes_{torch.device(device).type}.json"
    with whole_file(path) as part:
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(table(record), encoding="utf-8")


def table(record: dict[str, Any]) -> str:
    """The page of a device."""
    about = record["machine"]
    place = record["device"] if record["device"] != "CPU" else f"one thread of {about['processor']}"
    lines = [
        [_said(row), *(f"{row[name]:.3g}" for name in HEADS[1:-1]), f"{row['peak']:,.0f}"]
        for row in record["rows"]
    ]
    what = (__doc__ or "").split("\n\n", 1)[1].strip()
    made = f"Pictures a second, batches of {ROWS}, on {place}: `{record['command']}`."
    title = "# Rates and memory by the size of pictures"
    return "\n".join([title, "", what, "", made, "", *markdown(HEADS, lines), ""])


def _said(row: dict[str, Any]) -> str:
    size, latent = row["size"], row["latent"]
    return f"{size} x {size}, {latent['channels']} channels at 1/{latent['factor']}"
