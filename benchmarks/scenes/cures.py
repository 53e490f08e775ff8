"""Cures: what a net of few pictures has learned by heart, and what helps against it.

    python -m benchmarks.scenes.cures              fits, measures, writes memorised_scenes.md
    python -m benchmarks.scenes.cures --report     the page anew, from what has been measured

A net that takes its labels for a name of the picture repaints the ground when a label is set. The
mask hides that (`causalflow.diffusion.locality`), so here it is off: *drift* is the error of the
pixels that do not truly change, beside that of those that do, of validation pictures under every
intervention. Every net takes the same steps on the same rows by one CPU thread; what differs is one
cure. What a stopped command has done is kept, and the same command goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

import causalflow as cf
from benchmarks.folders import RESULTS
from benchmarks.machine import machine
from benchmarks.markdown import markdown
from benchmarks.scenes.latent import decoded_again
from benchmarks.scenes.measure import numbers
from benchmarks.scenes.scene import Scene, declared
from benchmarks.scenes.summary import paired_mean, paired_ratio
from benchmarks.scenes.ways import of_model
from causalflow.data.sets.scenes.scenes import CHANGED
from causalflow.files import whole_file
from causalflow.graph.graph import Graph
from causalflow.graph.node import images_of

__all__ = ["CURES", "Cure", "cured", "fitted", "measured_cure", "table"]

COMMAND = "python -m benchmarks.scenes.cures"
HEADS = ("", "drift", "of none", "changed pixels", "all pixels", "floor", "steps", "CPU minutes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cure:
    """What a fit has besides.

    Attributes:
        image: options of the image node.
        fit: options of the fit.
    """

    image: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)


CURES: dict[str, Cure] = {
    "none": Cure(),
    "brightness": Cure(image={"augment_brightness": 0.1}),
    "noise": Cure(image={"augment_noise": 0.05}),
    "jitter": Cure(image={"parent_jitter": 0.1}),
    "held out": Cure(fit={"held_out": 0.1, "held_every": 100, "patience": 3}),
    "all": Cure(
        image={"augment_brightness": 0.1, "augment_noise": 0.05, "parent_jitter": 0.1},
        fit={"held_out": 0.1, "held_every": 100, "patience": 3},
    ),
}


def cured(graph: Graph, cure: Cure) -> Graph:
    """The graph, its images with the options of a cure."""
    return graph.with_nodes(
        {
            name: replace(node, diffusion=replace(node.diffusion, **cure.image))
            for name, node in images_of(graph.nodes).items()
        }
    )


def fitted(cure: Cure, scene: Scene, path: Path, **options: Any) -> dict[str, Any]:
    """Fit a net and write it; what it took."""
    began = time.process_time()
    torch.manual_seed(0)
    model = cf.compile(cured(scene.graph, cure))
    given = {"device": "cpu", "progress": False, "checkpoint": path.with_suffix(".resume")}
    report = model.fit(scene.evidence, **{**given, **cure.fit, **options})
    model.save(path)
    return {"steps": report.steps, "minutes": (time.process_time() - began) / 60}


def measured_cure(model: cf.Model, scene: Scene) -> dict[str, list[float]]:
    """Measure -> a number a picture and intervention, the mask off."""
    found: dict[str, list[float]] = {"others": [], "changed": [], "all": [], "floor": []}
    for do, made in of_model(model, scene, local=False):
        if do == "null":
            continue
        factual, true = scene.rows["image"], scene.truths[do]["image"]
        told = numbers(factual, true, made, CHANGED)
        again = numbers(factual, true, decoded_again(model, true), CHANGED)
        for name in ("others", "changed", "all"):
            found[name] += told[name].tolist()
        found["floor"] += again["all"].tolist()
    return found


def table(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A row a cure; ratios to none are paired."""
    rows = []
    plain = np.array(found["none"]["others"])
    for name, each in found.items():
        others = np.array(each["others"])
        cells = [_cell(paired_mean(others), 2), _cell(paired_ratio(others, plain), 3)]
        cells += [_cell(paired_mean(np.array(each[key])), 2) for key in ("changed", "all", "floor")]
        rows.append([name, *cells, f"{each['steps']:,}", f"{each['minutes']:.1f}"])
    return markdown(list(HEADS), rows)


def _cell(score: Mapping[str, Any], digits: int) -> str:
    if score["value"] is None:
        return "-"
    value, low, high = (f"{each:.{digits}f}" for each in (score["value"], *score["interval"]))
    return f"{value} ({low} to {high})"


def _page(family: str, rows: int, found: Mapping[str, Mapping[str, Any]]) -> str:
    head = f"# {family}: what is learned by heart of {rows:,} pictures"
    options = [f"* {n}: {dict(CURES[n].image) | dict(CURES[n].fit)}" for n in found if n != "none"]
    about = (
        "Errors in grey levels on validation pictures under every intervention, the mask off: "
        "drift is that of the pixels that do not truly change. 95 % intervals, pictures redrawn."
    )
    made = f"`{COMMAND}`: {machine()['processor']}, one thread."
    return "\n".join([head, "", about, "", *table(found), "", *options, "", made, ""])


@click.command(help=__doc__)
@click.option("--family", default="ball", show_default=True)
@click.option("--rows", default=1000, show_default=True, help="Training pictures.")
@click.option("--steps", default=1000, show_default=True, help="Of each fit, about 4 CPU minutes.")
@click.option("--n", default=100, show_default=True, help="Validation pictures.")
@click.option("--nets", type=click.Path(path_type=Path, file_okay=False), default=Path("nets"))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=RESULTS)
@click.option("--report", is_flag=True, help="The page alone.")
def main(family: str, rows: int, steps: int, n: int, nets: Path, out: Path, report: bool) -> None:
    """Go through the cures."""
    torch.set_num_threads(1)
    size, found = declared()["size"], {}
    nets.mkdir(parents=True, exist_ok=True)
    for name, cure in CURES.items():
        path = nets / f"{family}_cure_{name.replace(' ', '_')}.safetensors"
        kept = path.with_suffix(".json")
        if not kept.exists() and not report:
            took = fitted(cure, Scene.plain(family, rows, "train", size), path, steps=steps)
            seen = Scene.draw(family, n, split="validation", size=size)
            _write(kept, took | measured_cure(cf.Model.load(path), seen))
            click.echo(f"{family}, {name}: done")
        if kept.exists():
            found[name] = json.loads(kept.read_text(encoding="utf-8"))
    if "none" in found:
        out.mkdir(parents=True, exist_ok=True)
        with whole_file(out / "memorised_scenes.md") as part:
            part.write_text(_page(family, rows, found), encoding="utf-8")


def _write(path: Path, found: Any) -> None:
    with whole_file(path) as part:
        part.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
