"""``causalflow describe``: what each node is compiled to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from causalflow.cli.arguments import examples, input_file, is_graph_file, load_model
from causalflow.cli.output import json_option, say, say_json, table

if TYPE_CHECKING:
    from causalflow.model.model import Model

__all__ = ["describe"]


@click.command(
    short_help="What each node is compiled to.",
    epilog=examples(
        "causalflow describe model.safetensors", "causalflow describe graph.yaml --json"
    ),
)
@click.argument("model_or_graph", type=input_file)
@json_option
def describe(model_or_graph: Path, as_json: bool) -> None:
    """Show what each node of a model is made by, or of a graph file would be."""
    from causalflow.model.description import describe as rows_of

    model = _model(model_or_graph)
    rows = rows_of(model.scm)
    untrained = [name for name in model.scm.order if name not in model.fitted]
    if as_json:
        latent = list(model.graph.latent)
        say_json(
            {"graph": model.graph.name, "untrained": untrained, "latent": latent, "nodes": rows}
        )
        return
    state = f"untrained: {', '.join(untrained)}" if untrained else "every mechanism is ready"
    say(f"{model.graph.name}: {state}\n")
    if model.graph.latent:
        say(f"latent, left out for the edges they make: {', '.join(model.graph.latent)}\n")
    say(table({header: [row[header] for row in rows] for header in rows[0]} if rows else {}))


def _model(path: Path) -> Model:
    from causalflow.graph.reader import load
    from causalflow.model.compile import compile

    if is_graph_file(path):
        return compile(load(path))
    return load_model(path, "cpu")
