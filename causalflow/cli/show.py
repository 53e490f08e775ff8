"""Show what a file holds: ``causalflow draw``, ``describe`` and ``enumerate``.

A graph as a picture; what each node of a graph or model is compiled to; and the whole table of a
small finite model, as papers print it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from causalflow.cli.arguments import (
    PICTURES,
    OutputFile,
    examples,
    files,
    is_graph_file,
    load_model,
    model_file,
)
from causalflow.cli.identify import as_record, data_option, decided
from causalflow.cli.output import json_option, records, say, say_json, table

if TYPE_CHECKING:
    from causalflow.identify.verdict import Verdict
    from causalflow.model.model import Model

__all__ = ["describe", "draw", "enumerate"]


@click.command(
    short_help="Draw a graph file.",
    epilog=examples(
        "causalflow draw graphs/bar_mnist_frontdoor.yaml -o graph.svg",
        'causalflow draw graphs/literature/bow.yaml --query "P(y | do(x))"',
    ),
)
@click.argument("file", shell_complete=files)
@click.option(
    "-o",
    "--output",
    type=OutputFile(*PICTURES, ".dot"),
    help="The picture: .png, .svg, .pdf, or .dot for graphviz.  [default: FILE's name, .png, here]",
)
@click.option("--query", help="A causal question: if data cannot answer it, the hedge is shown.")
@data_option
@json_option
def draw(
    file: str, output: Path | None, query: str | None, data: Sequence[str], as_json: bool
) -> None:
    """Draw the graph of FILE: node types by shape, hidden confounders as dashed edges.

    Prints the path of the picture; with a query, its verdict below.
    """
    from causalflow.formats.formats import load
    from causalflow.plot.graph import plot_graph

    graph = load(file)
    verdict = None if query is None else decided(graph, query, data)
    path = output or Path(f"{Path(file).stem}.png")
    hedge = None if verdict is None else verdict.nearest_hedge
    title = None if verdict is None or hedge is not None else _title(verdict)
    written = plot_graph(graph, path, highlight=hedge, title=title)
    if as_json:
        told = None if verdict is None else as_record(verdict)
        say_json({"picture": written, "verdict": told})
        return
    say(str(written))
    if verdict is not None:
        say(verdict.text())


def _title(verdict: Verdict) -> str:
    """What the verdict says, where there is no hedge to be shown."""
    said = "identifiable" if verdict else verdict.said
    return f"{verdict.query} is {said} from {', '.join(verdict.data)}"


@click.command(
    short_help="What each node is compiled to.",
    epilog=examples(
        "causalflow describe model.safetensors", "causalflow describe graph.yaml --json"
    ),
)
@click.argument("model_or_graph", type=model_file)
@json_option
def describe(model_or_graph: Path, as_json: bool) -> None:
    """Show what each node of a model is made by, or of a graph file would be."""
    model = _model(model_or_graph)
    rows = model.scm.describe()
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
    from causalflow.formats.formats import load
    from causalflow.model.model import compile

    if is_graph_file(path):
        return compile(load(path))
    return load_model(path, "cpu")


@click.command(
    name="enumerate",
    short_help="The whole table of a small finite model.",
    epilog=examples("causalflow enumerate graphs/ascm_xy.yaml"),
)
@click.argument("file", shell_complete=files)
@json_option
def enumerate(file: str, as_json: bool) -> None:
    """Write out graph FILE, a finite model: every combination of exogenous values.

    One row each: the exogenous values, the world that they make (an image by its code), and the
    probability as an exact fraction.
    """
    from causalflow.exact.model import ExactModel
    from causalflow.formats.formats import load

    whole = ExactModel(load(file)).enumerate()
    if not as_json:
        say(str(whole))
        return
    columns: dict[str, Sequence[object]] = {**whole.exogenous, **whole.nodes}
    columns |= {"p": [float(p) for p in whole.p], "exact": [str(p) for p in whole.p]}
    say_json(records(columns))
