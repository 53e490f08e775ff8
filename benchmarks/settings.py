"""The settings of the nets that ship: searched on validation pictures, written into their files.

\b
    python -m benchmarks.settings search colored_mnist masked_mnist morpho_mnist
    python -m benchmarks.settings write

Declared in settings.yaml: what is recommended, by net and image node, and what was tried. `search`
asks each net for pictures under everything tried, and keeps the scores in results/settings.json;
`write` puts what is recommended into the checkpoints, and touches no tensor. A setting that is
recommended for a net that was searched is the one with the largest merit there:

    coloured   the share of red digits 0 to 4 that do(digit=5) makes a green 5, as the graph has it:
               the digit sets the color
    masked     the share of digits 0 to 4 on red that do(color=green) puts on green, the digit kept;
               of equal shares, here and above, the least distance to the factual picture
    morpho     less the mean, over interventions whose true picture is known, of the true error as a
               multiple of that of the first setting tried
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import click
import torch
from ruamel.yaml import YAML

import causalflow as cf
from benchmarks.folders import RESULTS
from benchmarks.machine import machine
from benchmarks.nets import CHECKPOINTS, net_path
from causalflow.checkpoint import load_state, save_state, tensor_digest
from causalflow.errors import SupportWarning
from causalflow.evaluation.axioms import true_error
from causalflow.files import whole_file
from causalflow.graph.settings import Settings, read_settings
from causalflow.model.model import Model
from causalflow.shipped import checkpoint_name

SEARCHED = RESULTS / "settings.json"
Scores = dict[str, float]


@cache
def declared() -> dict[str, Any]:
    """What settings.yaml says."""
    found: dict[str, Any] = YAML(typ="safe").load(Path(__file__).with_suffix(".yaml").read_text())
    return found


def recommended(net: str) -> dict[str, Settings]:
    """What is recommended for a net that ships, by image node; nothing: the package's defaults."""
    given = declared()["recommended"].get(net, {})
    return {node: Settings(**each) for node, each in given.items()}


def write_settings(path: Path) -> None:
    """Write what is recommended into a model's file, which bears the name of its net."""
    state = load_state(path, kind="model")
    record = {node: each.record() for node, each in recommended(checkpoint_name(path)).items()}
    read_settings(Model.load(path).graph, record)
    kept = {name: value for name, value in state.metadata.options.items() if name != "settings"}
    options = {**kept, "settings": record} if record else kept
    if options != state.metadata.options:
        save_state(path, state.tensors, replace(state.metadata, options=options))
    assert tensor_digest(load_state(path).tensors) == tensor_digest(state.tensors)
    click.echo(f"{checkpoint_name(path)}: {json.dumps(record)}")


def search(net: str, pictures: int) -> dict[str, Any]:
    """The scores of everything tried on a net."""
    score, tried = _scorer(net, pictures), []
    for given in declared()["search"][net]["tried"]:
        model = Model.load(net_path(CHECKPOINTS, net))
        own = {name: value for name, value in given.items() if name == "scales"}
        model.scm = model.scm.settled({"image": Settings(options=given.get("options", {}), **own)})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SupportWarning)
            tried.append({"settings": given, "scores": score(model)})
        click.echo(f"{net}: {json.dumps(tried[-1])}")
    return {"split": "validation", "pictures": pictures, "tried": tried, "machine": machine()}


def taken(net: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The setting with the largest merit in the scores of a search."""
    tried = found[net]["tried"]
    if "both" not in tried[0]["scores"]:
        first = tried[0]["scores"]
        best = min(tried, key=lambda each: sum(each["scores"][k] / first[k] for k in first))
    else:
        best = max(tried, key=lambda each: (each["scores"]["both"], -each["scores"]["distance"]))
    return dict(best["settings"])


def _scorer(net: str, pictures: int) -> Callable[[cf.Model], Scores]:
    """Scores of a model on a net's validation pictures."""
    if net == "morpho_mnist":
        return _true_errors(pictures)
    from benchmarks.papers.balanced import tasks

    task, judge = next(each for each in tasks.TASKS if each.net == net), tasks.nearest_digits()
    rows, colored = task.rows("validation", pictures), task.name == "coloured"
    do = {"digit": tasks.FIVE} if colored else {"color": tasks.GREEN}

    def score(model: cf.Model) -> Scores:
        images = model.counterfactual({**rows.factual, "image": rows.images}, do)["image"]
        found = task.judged(images, rows, judge)
        green = tasks.ink_share(images, tasks.GREEN) >= tasks.INK if colored else found.kept
        both = found.hit & green
        shares = {"hit": found.hit, "kept": green, "both": both, "distance": found.distance}
        return {name: round(float(each.float().mean()), 4) for name, each in shares.items()}

    return score


def _true_errors(pictures: int) -> Callable[[cf.Model], Scores]:
    """Mean distances to the true pictures, in grey levels, by intervention."""
    from benchmarks.counterfactual.tasks import judged, morpho_task

    blind = judged("digit", lambda images: torch.zeros(len(images)))
    task = morpho_task("validation", pictures, blind)

    def score(model: cf.Model) -> Scores:
        noise, known = model.abduct(task.evidence, generator=0), task.interventions
        pictures = {each.name: model.predict(noise, each.do)["image"] for each in known}
        return {
            each.name: round(true_error(pictures[each.name], each.truth).value, 4)
            for each in known
            if each.truth is not None
        }

    return score


@click.group(help=__doc__, context_settings={"max_content_width": 100})
def main() -> None:
    """Search, or write."""


@main.command("search", short_help="Score what was tried.")
@click.argument("nets", nargs=-1, type=click.Choice(list(declared()["search"])))
def search_command(nets: tuple[str, ...]) -> None:
    """Score everything tried on the NETS named, or all; write results/settings.json."""
    for net in nets or declared()["search"]:
        found = search(net, declared()["search"][net]["pictures"])
        known = json.loads(SEARCHED.read_text()) if SEARCHED.exists() else {}
        with whole_file(SEARCHED) as part:
            text = json.dumps(known | {net: found}, indent=1)
            Path(part).write_text(text + "\n", encoding="utf-8")


@main.command("write", short_help="Write into the checkpoints.")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
def write_command(paths: tuple[Path, ...]) -> None:
    """Write into the model files PATHS, or into all checkpoints, what is recommended for them."""
    for path in paths or sorted(CHECKPOINTS.glob("*/model.safetensors")):
        write_settings(path)


if __name__ == "__main__":
    main()
