"""``causalflow draw``: a graph file as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from causalflow.cli.arguments import PICTURES, OutputFile, examples
from causalflow.cli.identify import data_option, decided, first_hedge
from causalflow.cli.output import say

if TYPE_CHECKING:
    from causalflow.identify.verdict import Verdict

__all__ = ["draw"]


@click.command(
    short_help="Draw a graph file.",
    epilog=examples(
        "causalflow draw graphs/bar_mnist_frontdoor.yaml -o graph.svg",
        'causalflow draw graphs/literature/bow.yaml --query "P(y | do(x))"',
    ),
)
@click.argument("file")
@click.option(
    "-o",
    "--output",
    type=OutputFile(*PICTURES, ".dot"),
    help="The picture: .png, .svg, .pdf, or .dot for graphviz.  [default: FILE's name, .png, here]",
)
@click.option("--query", help="A causal question: if data cannot answer it, the hedge is shown.")
@data_option
def draw(file: str, output: Path | None, query: str | None, data: Sequence[str]) -> None:
    """Draw the graph of FILE: node types by shape, hidden confounders as dashed edges.

    Prints the path of the picture; with a query, its verdict below.
    """
    from causalflow.graph.reader import load
    from causalflow.plot.graph import plot_graph

    graph = load(file)
    verdict = None if query is None else decided(graph, query, data)
    path = output or Path(f"{Path(file).stem}.png")
    hedge = None if verdict is None else first_hedge(verdict)
    title = None if verdict is None or hedge is not None else _title(verdict)
    say(str(plot_graph(graph, path, highlight=hedge, title=title)))
    if verdict is not None:
        say(verdict.text())


def _title(verdict: Verdict) -> str:
    """What the verdict says, where there is no hedge to be shown."""
    said = "identifiable" if verdict else verdict.said
    return f"{verdict.query} is {said} from {', '.join(verdict.data)}"
