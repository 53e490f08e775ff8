"""``causalflow demo``: the front-door bar model on held-out real digits, scored, as a picture."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from causalflow.cli.arguments import PICTURES, OutputFile, examples
from causalflow.cli.check import checked, summary
from causalflow.cli.output import count, json_option, say, say_json, table

if TYPE_CHECKING:
    from causalflow.demo.demo import Line
    from causalflow.model.model import Model

__all__ = ["demo"]


@click.command(
    short_help="Counterfactuals of real digits, scored.",
    epilog=examples("causalflow demo", "causalflow demo --images 50 --out small.png"),
)
@click.option(
    "--out",
    type=OutputFile(*PICTURES),
    default="counterfactual.png",
    show_default=True,
    help="The picture.",
)
@click.option(
    "--images",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="How many held-out images are scored.",
)
@click.option(
    "--train",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Train the model anew in this folder, instead of using the one that ships; about 20 "
    "minutes on two cores. A killed run goes on by the same command.",
)
@json_option
def demo(out: Path, images: int, folder: Path | None, as_json: bool) -> None:
    """Show counterfactuals of real handwritten digits, and how right they are.

    Checks the demo's graph, fits its label mechanisms, and asks of held-out images what they would
    have been with another colour, digit or bar. Needs no network.
    """
    from causalflow.demo.demo import GRAPH, demonstrate
    from causalflow.shipped import graph_path

    start = time.monotonic()
    check = checked(str(graph_path(GRAPH)))
    if not as_json:
        say(summary({**check, "file": GRAPH}))
    shown = demonstrate(_model(folder), images, out)
    seconds = time.monotonic() - start
    if as_json:
        say_json({"check": check, **dataclasses.asdict(shown), "seconds": seconds})
        return
    say(f"{count(shown.images, 'held-out image')}; {_calls(shown.network_calls)}\n")
    say(table(_columns(shown.scores)))
    say(f"\nwritten: {shown.picture} ({seconds:.0f} s in all)")


def _model(folder: Path | None) -> Model:
    from causalflow.demo.demo import load_model, train

    return load_model() if folder is None else train(folder)


def _calls(calls: Mapping[str, float]) -> str:
    parts = ", ".join(f"{query} {number:g}" for query, number in calls.items())
    return f"network calls per image: {parts}"


def _columns(scores: Sequence[Line]) -> dict[str, list[object]]:
    """A line a score; ``truth`` is empty where nobody knows it."""
    return {
        "query": [score.query for score in scores],
        "measure": [score.measure for score in scores],
        "value": [_rounded(score.value) for score in scores],
        "truth": [_rounded(score.truth) for score in scores],
        "unit": [score.unit for score in scores],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
