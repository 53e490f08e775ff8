"""A hedge in a drawing: the colours of its parts, the legend with its roots, the rest pale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread

from causalflow.errors import GraphError
from causalflow.formats.dot import from_dot
from causalflow.graph.graph import Graph
from causalflow.identify.hedge import Hedge
from causalflow.identify.identify import identify
from causalflow.plot.graph import FORMATS, dot_source, plot_graph
from causalflow.plot.style import INNER_GROUND, OUTER_GROUND

GRAPH = Graph(
    edges=["w -> x -> m -> z -> y", "w -> y", "x <-> m", "m <-> z", "z <-> y", "y -> s", "w <-> x"]
)
HEDGE = identify(GRAPH, "P(y | do(x))").hedge
INNER, OUTER = "#f7b9ae", "#ffe0a3"


@pytest.fixture(autouse=True)
def _no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawing of a machine without graphviz, wherever the tests run."""
    monkeypatch.setenv("PATH", "")


def fills(figure: Figure) -> list[str]:
    return [to_hex(patch.get_facecolor()) for patch in figure.axes[0].patches]


def test_nodes_of_both_forests_have_their_colours_and_roots_a_ring() -> None:
    assert isinstance(HEDGE, Hedge)
    figure = plot_graph(GRAPH, highlight=HEDGE, legend=False)
    assert isinstance(figure, Figure)
    found = fills(figure)
    assert found.count(INNER) == len(HEDGE.inner)
    assert found.count(OUTER) == len(HEDGE.forest - HEDGE.inner)
    away = len(GRAPH.nodes.keys() - HEDGE.forest)
    assert found.count("#ffffff") == away + len(HEDGE.roots)  # a ring is white within


def test_ground_lies_under_every_edge_of_the_forest_and_no_other() -> None:
    assert isinstance(HEDGE, Hedge)
    figure = plot_graph(GRAPH, highlight=HEDGE, legend=False)
    assert isinstance(figure, Figure)
    bands = [to_hex(line.get_color()) for line in figure.axes[0].lines if line.get_zorder() < 0]
    arcs = [pair for pair in GRAPH.admg.bidirected if pair <= HEDGE.forest]
    edges = [*map(frozenset, HEDGE.edges), *arcs]
    within = sum(edge <= HEDGE.inner for edge in edges)
    assert bands.count(INNER_GROUND) == within
    assert bands.count(OUTER_GROUND) == len(edges) - within


def test_legend_and_title_name_the_sets() -> None:
    figure = plot_graph(GRAPH, highlight=HEDGE)
    assert isinstance(figure, Figure)
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {"in F, not in F′: w, x", "F′: m, y, z", "roots of both: y", "hidden cause"} <= texts
    assert "hedge: P(v) does not tell P(y | do(x))" in texts
    titled = plot_graph(GRAPH, highlight=HEDGE, title="mine")
    assert isinstance(titled, Figure)
    assert "mine" in {text.get_text() for text in titled.axes[0].texts}


def test_picture_has_the_colours(tmp_path: Path) -> None:
    path = tmp_path / "hedge.png"
    plot_graph(GRAPH, path, highlight=HEDGE, dpi=80)
    pixels = (imread(path)[..., :3] * 255).round().astype(np.uint8).reshape(-1, 3)
    shown = {bytes(pixel) for pixel in pixels}
    assert {bytes.fromhex(c[1:]) for c in (INNER, OUTER, INNER_GROUND, OUTER_GROUND)} <= shown


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_the_same_each_time(tmp_path: Path, suffix: str) -> None:
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    for path in (first, second):
        plot_graph(GRAPH, path, highlight=HEDGE, dpi=40)
    assert first.read_bytes() == second.read_bytes()


def test_dot_source_with_a_hedge_still_is_the_graph() -> None:
    source = dot_source(GRAPH, highlight=HEDGE)
    assert from_dot(source) == GRAPH
    (root,) = [line for line in source.splitlines() if line.startswith("  y [")]
    assert INNER in root
    assert 'peripheries="2"' in root


def test_hedge_of_another_graph_is_refused() -> None:
    with pytest.raises(GraphError, match="the hedge names 'm'"):
        plot_graph(Graph(edges=["x -> y", "x <-> y"]), highlight=HEDGE)
    with pytest.raises(GraphError, match="highlight is a Verdict; expected the hedge"):
        plot_graph(GRAPH, highlight=identify(GRAPH, "P(y | do(x))"))  # type: ignore[arg-type]
