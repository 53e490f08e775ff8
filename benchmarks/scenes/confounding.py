"""Confounding: P(picture | do) by the graph that declares a hidden cause, and by one that does not.

    python -m benchmarks.scenes.confounding                     fits a net, and measures both
    python -m benchmarks.scenes.confounding --pictures renderer the labels' laws alone, in seconds
    python -m benchmarks.scenes.confounding --size 64 \\
        --declared D.safetensors --naive N.safetensors          measures models that are there
    python -m benchmarks.scenes.confounding --report            the page anew, from the numbers

Of the chest phantom: ward -> drug -> disease, and a hidden severity joins ward and disease. The
naive graph lacks that edge alone. Both are fitted to the same observed rows. P(picture | its
parents) is alike in both, so that one net serves both graphs, or the true renderer does: what
parts them are the laws of the labels. Both draw pictures under do(drug), which the declared graph
answers by the back door, and under do(ward), by the front door. Held against the law of the true
pictures under the same do:

    ill         share of pictures in which the disease is read off the pixels. The reader compares
                the clouds' place in one lung with the same place in the other, parted where it
                parts the training pictures best; beside it stands what it gets right on true
                pictures
    mean        L1 between the mean picture and the true one, in levels of 255; beside it what as
                many true pictures miss by chance

Intervals are of 95 %: normal ones of shares, of the mean picture by 200 bootstrap draws.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import causalflow as cf
from benchmarks.folders import RESULTS
from benchmarks.machine import machine
from benchmarks.markdown import markdown
from causalflow.data.sets.scenes.family import SCENE_FAMILIES
from causalflow.data.sets.scenes.scenes import Scenes, render_rows
from causalflow.files import whole_file
from causalflow.mechanisms.mechanism import to_engine

FAMILY, OUTCOME, SICK = "phantom", "disease", "ill"
INTERVENTIONS = (("drug", "none"), ("drug", "given"), ("ward", "home"), ("ward", "hospital"))
WAYS = ("declared", "naive")
NAME = "confounded_scenes"
MAKERS = {
    "net": "one fitted net, whose parents are the labels that each graph draws",
    "renderer": "the true renderer, of the labels that each fitted graph draws",
}
NOISE = (0, 99)  # of pictures that the renderer draws of a model's labels: no split's
TRUE_PICTURES, LABELS, BOOTSTRAPS, CHUNK = 6_000, 100_000, 200, 100
CLOUDS, MIRROR = (slice(22, 34), slice(12, 20)), (slice(22, 34), slice(44, 52))  # of 64ths


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads off a picture whether it shows the disease.

    Attributes:
        threshold: how much brighter, of 0 to 1, the clouds' place must be than its mirror image.
        right: the share of true pictures, under interventions, that are read right.
    """

    threshold: float
    right: float

    def __call__(self, pictures: Tensor) -> NDArray[np.bool_]:
        """Which pictures show it; (n, 1, size, size) in [0, 1]."""
        return brightness(pictures) > self.threshold


def brightness(pictures: Tensor) -> NDArray[np.float64]:
    """How much brighter the clouds' place is than its mirror image, shape (n,)."""
    unit = pictures.shape[-1] / 64
    places = [
        tuple(slice(round(each.start * unit), round(each.stop * unit)) for each in place)
        for place in (CLOUDS, MIRROR)
    ]
    lung, other = (pictures[:, 0, rows, columns].mean((1, 2)) for rows, columns in places)
    return (lung - other).double().numpy()


def reader_of(size: int) -> Reader:
    """The reader whose threshold parts the training pictures best."""
    data = cf.data.scenes(FAMILY, size=size, n=1_000)
    found, sick = brightness(data.images / 255), data.labels[OUTCOME] == 1
    order = np.sort(found)
    between = (order[1:] + order[:-1]) / 2
    right = [((found > each) == sick).mean() for each in between]
    threshold = float(between[int(np.argmax(right))])
    test, rows = cf.data.scenes(FAMILY, "validation", size, 500), np.arange(500)
    worlds = [test.true_counterfactual(rows, {name: level}) for name, level in INTERVENTIONS]
    told = [(brightness(w["image"]) > threshold) == (w[OUTCOME].numpy() == 1) for w in worlds]
    return Reader(threshold=threshold, right=float(np.mean(told)))


def graphs(size: int, width: int) -> dict[str, cf.Graph]:
    """The graph as declared, and without its hidden cause."""
    text = cf.data.scenes(FAMILY, size=size, n=1).graph.to_yaml()
    shape = f"shape: [1, {size}, {size}]"
    options = f"{shape}, diffusion: {{width: {width}, multipliers: [1, 2, 2]}}"
    graph = cf.loads(text.replace(shape, options))
    return {"declared": graph, "naive": cf.Graph(nodes=graph.nodes, edges=graph.edges)}


def fitted_net(path: Path, graph: cf.Graph, rows: Scenes, options: Any) -> cf.Model:
    """The model of a file, fitted before where it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        began = time.process_time()
        model = cf.compile(graph)
        log, kept = path.with_suffix(".jsonl"), path.with_suffix(".resume")
        report = model.fit(rows, device="cpu", progress=False, log=log, checkpoint=kept, **options)
        model.save(path)
        spent = {"steps": report.steps, "cpu_seconds": time.process_time() - began, **options}
        _write(path.with_suffix(".json"), spent)
    return cf.Model.load(path)


def with_net(graph: cf.Graph, rows: Scenes, declared: cf.Model) -> cf.Model:
    """A model whose labels are fitted here, and whose pictures are made by another's net."""
    model = cf.compile(graph)
    labels = [name for name in graph.nodes if name != "image"]
    model.fit(rows, nodes=labels, device="cpu", progress=False)
    made, own = (each.scm.mechanism("image") for each in (declared, model))
    assert isinstance(made, nn.Module)
    assert isinstance(own, nn.Module)
    own.load_state_dict(made.state_dict())
    model.fitted |= {"image"}
    return model


def of_labels(graph: cf.Graph, rows: Scenes) -> cf.Model:
    """A model of the labels alone."""
    model = cf.compile(graph.subgraph([name for name in graph.nodes if name != "image"]))
    model.fit(rows.labels, device="cpu", progress=False)
    return model


def drawn(
    model: cf.Model, do: Mapping[str, str], n: int, size: int
) -> tuple[Tensor, NDArray[np.bool_]]:
    """Pictures under do, (n, 1, size, size) in [0, 1], and which of their labels say ill."""
    random = torch.Generator().manual_seed(0)
    sizes = [min(CHUNK, n - first) for first in range(0, n, CHUNK)]
    worlds = [model.sample(each, do=do, generator=random, progress=False) for each in sizes]
    columns = {name: torch.cat([world[name] for world in worlds]) for name in worlds[0]}
    if "image" not in columns:
        labels = {name: column.numpy() for name, column in columns.items()}
        family, rows = SCENE_FAMILIES.get(FAMILY), np.arange(n)
        pictures = render_rows(family, labels, NOISE, rows, size, workers=1)
        columns["image"] = torch.from_numpy(pictures).float() / 255
    return columns["image"], columns[OUTCOME].numpy() == 1


def measured(models: Mapping[str, cf.Model], size: int, n: int) -> dict[str, Any]:
    """Every way under every intervention, beside the truth."""
    reader = reader_of(size)
    data, rows = cf.data.scenes(FAMILY, "test", size, TRUE_PICTURES), np.arange(TRUE_PICTURES)
    truth, cells = cf.compile(data.scm), []
    for name, level in INTERVENTIONS:
        do = {name: level}
        pictures = data.true_counterfactual(rows, do)["image"]
        mean, other = pictures[n:].mean(0), pictures[:n]
        law = float(truth.sample(LABELS, do=do, generator=0)[OUTCOME].double().mean())
        cell = {"do": f"{name}={level}", "ill": law, "chance": _apart(other, mean)}
        cell["observed"] = _observed(truth, name, level, data.graph)
        for way, model in models.items():
            found, labels = drawn(model, do, n, size)
            read = {"read": _share(reader(found)), "labels": _share(labels)}
            cell[way] = {**read, "mean": _apart(found, mean)}
        cells.append(cell)
    return {"size": size, "n": n, "reader": reader.right, "cells": cells}


def _observed(truth: cf.Model, name: str, level: str, graph: cf.Graph) -> float:
    """P(ill | name = level), where nothing is done."""
    world = truth.sample(LABELS, generator=1)
    there = world[name] == int(to_engine(name, graph.nodes[name].type, level))
    return float(world[OUTCOME][there].double().mean())


def _share(told: NDArray[np.bool_]) -> list[float]:
    """A share and half of its interval."""
    share = float(told.mean())
    return [share, 1.96 * float(np.sqrt(max(share * (1 - share), 1 / len(told)) / len(told)))]


def _apart(pictures: Tensor, mean: Tensor) -> list[float]:
    """L1 of the mean picture to another, in levels of 255, and the ends of its interval."""
    random = torch.Generator().manual_seed(0)
    picks = torch.randint(len(pictures), (BOOTSTRAPS, len(pictures)), generator=random)
    weights = torch.stack([torch.bincount(each, minlength=len(pictures)) for each in picks])
    means = (weights.float() / len(pictures)) @ pictures.flatten(1)
    apart = 255 * (means - mean.flatten()).abs().mean(1)
    own = 255 * float((pictures.mean(0) - mean).abs().mean())
    low, high = torch.quantile(apart, torch.tensor([0.025, 0.975])).tolist()
    return [own, low, high]


def page(found: Mapping[str, Any]) -> str:
    """The report."""
    shown = {cell["do"]: cell for cell in found["cells"]}
    graph = cf.data.scenes(FAMILY, n=1, size=32).graph
    estimands = [
        f"`P(disease | do({name}))` = `{cf.identify(graph, f'P(disease | do({name}))').estimand}`"
        for name in ("drug", "ward")
    ]
    lines = [
        "# A hidden cause, declared and not",
        "",
        f"Chest phantom at {found['size']} x {found['size']}: ward -> drug -> disease, and a "
        "hidden severity joins ward and disease. The naive graph lacks that edge alone. Pictures "
        f"are made by {MAKERS[found['pictures']]}. "
        f"{found['n']} pictures a cell; the disease is read off the pixels, right in "
        f"{found['reader']:.1%} of true pictures. Command: `{found['command']}`.",
        "",
        *(f"- {each}" for each in estimands),
        "",
        *_shares(shown),
        "",
        *_means(shown),
        "",
        *_effects(shown),
        "",
    ]
    return "\n".join(lines)


def _shares(shown: Mapping[str, Any]) -> list[str]:
    def cell(share: list[float]) -> str:
        return f"{share[0]:.3f} ± {share[1]:.3f}"

    head = ["share of ill", "truth", "only observed", *(f"{way}, by its pictures" for way in WAYS)]
    return markdown(
        [*head, *(f"{way}, by its labels" for way in WAYS)],
        [
            [
                f"do({do})",
                f"{found['ill']:.3f}",
                f"{found['observed']:.3f}",
                *(cell(found[way]["read"]) for way in WAYS),
                *(cell(found[way]["labels"]) for way in WAYS),
            ]
            for do, found in shown.items()
        ],
    )


def _means(shown: Mapping[str, Any]) -> list[str]:
    def cell(apart: list[float]) -> str:
        return f"{apart[0]:.2f} ({apart[1]:.2f} to {apart[2]:.2f})"

    return markdown(
        ["L1 of the mean picture", *WAYS, "as many true pictures"],
        [
            [f"do({do})", *(cell(found[way]["mean"]) for way in WAYS), cell(found["chance"])]
            for do, found in shown.items()
        ],
    )


def _effects(shown: Mapping[str, Any]) -> list[str]:
    """What each graph says that the drug and the ward do."""
    lines = []
    for first, second in (("drug=none", "drug=given"), ("ward=home", "ward=hospital")):
        before, after = shown[first], shown[second]
        ways = []
        for way in WAYS:
            pair = [cell[way]["read"] for cell in (after, before)]
            half = float(np.hypot(pair[0][1], pair[1][1]))
            ways.append(f"{way} {pair[0][0] - pair[1][0]:+.3f} ± {half:.3f}")
        truth = after["ill"] - before["ill"]
        lines.append(
            f"- P(ill | do({second})) - P(ill | do({first})): truth {truth:+.3f}, {', '.join(ways)}"
        )
    return lines


def _write(path: Path, found: Any) -> None:
    with whole_file(path) as part:
        part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


@click.command(help=__doc__.partition("\n")[0])
@click.option("--size", default=32, show_default=True, help="Pixels a side.")
@click.option("--rows", default=3_000, show_default=True, help="Rows that are fitted to.")
@click.option("--steps", default=600, show_default=True, help="Of the net's fit.")
@click.option("--batch-size", default=32, show_default=True, help="Rows a step.")
@click.option("--learning-rate", default=0.002, show_default=True, help="AdamW's.")
@click.option("--ema", default=0.99, show_default=True, help="Decay of the average.")
@click.option("--pictures", type=click.Choice(["net", "renderer"]), default="net", help="By what.")
@click.option("--width", default=16, show_default=True, help="Channels of the image's U-Net.")
@click.option("-n", "--n", default=500, show_default=True, help="Pictures drawn a cell.")
@click.option("--declared", type=click.Path(path_type=Path), help="A model of the declared graph.")
@click.option("--naive", type=click.Path(path_type=Path), help="A model of the naive graph.")
@click.option("--nets", type=click.Path(path_type=Path), default=Path("nets"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, help="Results' folder.")
@click.option("--report", is_flag=True, help="The page from the numbers that are there.")
def main(out: Path, report: bool, **chosen: Any) -> None:
    """Fit, measure and report."""
    name = NAME if chosen["pictures"] == "net" else f"{NAME}_renderer"
    path = out / f"{name}.json"
    if not report:
        _write(path, _found(**chosen))
    found = json.loads(path.read_text(encoding="utf-8"))
    with whole_file(path.with_suffix(".md")) as part:
        part.write_text(page(found), encoding="utf-8")


def _found(
    size: int, rows: int, n: int, nets: Path, pictures: str, width: int, **given: Any
) -> dict[str, Any]:
    torch.manual_seed(0)
    data, graph = cf.data.scenes(FAMILY, size=size, n=rows), graphs(size, width)
    command = f"python -m benchmarks.scenes.confounding --size {size} -n {n} --pictures {pictures}"
    told: dict[str, Any] = {}
    if pictures == "renderer":
        models = {way: of_labels(each, data) for way, each in graph.items()}
    else:
        options = {name: given[name] for name in ("steps", "batch_size", "learning_rate", "ema")}
        path = given["declared"] or nets / f"{NAME}_declared.safetensors"
        models = {"declared": fitted_net(path, graph["declared"], data, options)}
        naive = given["naive"]
        models["naive"] = (
            cf.Model.load(naive) if naive else with_net(graph["naive"], data, models["declared"])
        )
        spent = path.with_suffix(".json")
        told = json.loads(spent.read_text(encoding="utf-8")) if spent.exists() else {}
    with torch.no_grad():
        found = measured(models, size, n)
    about = {"command": command, "pictures": pictures, "rows": rows, "net": told}
    return {**found, **about, "machine": machine()}


if __name__ == "__main__":
    main()
