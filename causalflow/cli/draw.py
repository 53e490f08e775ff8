"""``causalflow draw``: a graph file as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from causalflow.cli.arguments import PICTURES, OutputFile, examples
from causalflow.cli.output import say

__all__ = ["draw"]


@click.command(
    short_help="Draw a graph file.",
    epilog=examples("causalflow draw graphs/bar_mnist_frontdoor.yaml -o graph.svg"),
)
@click.argument("file")
@click.option(
    "-o",
    "--output",
    type=OutputFile(*PICTURES, ".dot"),
    help="The picture: .png, .svg, .pdf, or .dot for graphviz.  [default: FILE's name, .png, here]",
)
def draw(file: str, output: Path | None) -> None:
    """Draw the graph of FILE: node types by shape, hidden confounders as dashed edges.

    Prints the path of the picture.
    """
    from causalflow.graph.reader import load
    from causalflow.plot.graph import plot_graph

    graph = load(file)
    say(str(plot_graph(graph, output or Path(f"{Path(file).stem}.png"))))
