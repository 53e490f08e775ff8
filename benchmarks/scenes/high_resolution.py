"""High resolution: a family at 256 x 256 pixels, fitted and measured on one GPU within minutes.

The latent is coarser there (`benchmarks.scenes.sizes.LATENTS`), so that the flow has no more cells
than at 128. How many steps fit into the minutes is measured on the spot: a few steps of each stage
are timed first. Judges read the pictures made smaller to 64 pixels; errors are of all pixels.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
import torch

import causalflow as cf
from benchmarks.folders import RESULTS
from benchmarks.machine import machine
from benchmarks.scenes.command import command
from benchmarks.scenes.fits import steps_within
from benchmarks.scenes.judges import judges_of
from benchmarks.scenes.measure import measured
from benchmarks.scenes.scene import Scene
from benchmarks.scenes.sizes import LATENTS, peak, sized_graph
from benchmarks.scenes.summary import summary
from benchmarks.scenes.verdicts import verdicts
from benchmarks.scenes.ways import WAYS
from causalflow.files import whole_file

__all__ = ["main"]

TRIED = (4, 12)
MEASURED = ("truth", "unchanged", "floor", "latent", "latent, no mask", "latent, no residual")


@click.command("hires", help="Fit and measure a family at 256 pixels a side on one GPU.")
@click.option("--family", default="ball", show_default=True)
@click.option("--size", type=click.Choice([*map(str, LATENTS)]), default="256", show_default=True)
@click.option("--device", default="cuda", show_default=True)
@click.option("--minutes", default=6.0, show_default=True, help="Of the fit, by the wall.")
@click.option("--rows", default=3000, show_default=True, help="Training pictures.")
@click.option("--batch", default=64, show_default=True, help="Rows a step.")
@click.option("--n", default=100, show_default=True, help="Test pictures.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/scenes"),
    show_default=True,
    help="Folder of the net, and of what is done so far.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS,
    show_default="benchmarks/results",
    help="Folder of the results.",
)
def main(
    family: str,
    size: str,
    device: str,
    minutes: float,
    rows: int,
    batch: int,
    n: int,
    work: Path,
    out: Path,
) -> None:
    """Write hires_FAMILY_SIZE.json."""
    work.mkdir(parents=True, exist_ok=True)
    net = work / f"{family}{size}.safetensors"
    took = net.with_suffix(".json")
    if not net.exists():
        fitted = _fit(Scene.plain(family, rows, "train", int(size)), net, device, minutes, batch)
        took.write_text(json.dumps(fitted), encoding="utf-8")
    began, scene = time.monotonic(), Scene.draw(family, n, size=int(size))
    judges, folder = judges_of(family, work), work / size
    found = {
        way: measured(way, scene, judges, net, folder, device=device)
        for way in WAYS
        if way in MEASURED
    }
    said = summary(scene, found)
    record = said | {"fit": json.loads(took.read_text(encoding="utf-8")), "n": n, "size": int(size)}
    record |= {"seconds": time.monotonic() - began, "machine": machine()}
    record |= {"command": command()}
    out.mkdir(parents=True, exist_ok=True)
    with whole_file(out / f"hires_{family}_{size}.json") as part:
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for line in verdicts(said):
        click.echo(f"{line.asked}: {line.found}: {'met' if line.met else 'not met'}")


def _fit(scene: Scene, net: Path, device: str, minutes: float, batch: int) -> dict[str, Any]:
    """Fit for so many minutes, those of the trial steps among them."""
    graph, began = sized_graph(scene.graph, scene.rows["image"].shape[-1]), time.monotonic()
    times = [_seconds(graph, scene, device, batch, steps) for steps in TRIED]
    left = 60 * minutes - (time.monotonic() - began)
    steps = steps_within(left, TRIED, times)
    model = cf.compile(graph)
    report = model.fit(
        scene.evidence,
        steps=steps,
        batch_size=batch,
        device=device,
        checkpoint=net.with_suffix(".resume"),
        log=net.with_suffix(".jsonl"),
        log_every=100,
        progress=False,
    )
    model.to("cpu").save(net)
    weights = sum(weight.numel() for weight in model.scm.parameters())
    return {
        "steps": report.steps,
        "images": report.images,
        "minutes": (time.monotonic() - began) / 60,
        "peak_mb": peak(device),
        "weights": weights,
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "CPU",
    }


def _seconds(graph: cf.Graph, scene: Scene, device: str, batch: int, steps: int) -> float:
    """The wall's seconds of a short fit."""
    began = time.monotonic()
    cf.compile(graph).fit(
        scene.evidence, steps=steps, batch_size=batch, device=device, progress=False
    )
    return time.monotonic() - began
