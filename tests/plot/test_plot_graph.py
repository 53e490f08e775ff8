from __future__ import annotations

import os
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from causalflow.admg.admg import ADMG
from causalflow.errors import GraphError
from causalflow.formats.dot import from_dot
from causalflow.graph.graph import Graph
from causalflow.plot.graph import FORMATS, dot_source, plot_graph
from causalflow.plot.layout import layered_layout
from causalflow.plot.routes import Box, Wire, route

BAR = Graph(
    nodes={
        "digit": {"type": "class", "levels": 10},
        "color": {"type": "class", "levels": ["green", "red"]},
        "bar": {"type": "class", "levels": ["absent", "present"]},
        "image": {"type": "image", "shape": [3, 28, 28]},
    },
    edges=[
        "digit -> color",
        "color -> bar",
        "digit <-> bar",
        "digit, bar -> image: neural",
        "color -> image: anticausal",
    ],
    name="bar-mnist",
)
ASCM = Graph(
    nodes={
        "x": {"type": "class", "levels": 2, "equation": "u_x ^ u_xy"},
        "y": {"type": "class", "levels": 2, "equation": "u_y ^ u_xy"},
        "z": {"type": "continuous", "unit": "mm", "equation": "x + e"},
    },
    exogenous={
        "u_x": {"p": [0.4, 0.6]},
        "u_y": {"p": [0.6, 0.4]},
        "u_xy": {"p": [0.5, 0.5]},
        "e": {"type": "normal"},
    },
    name="ascm",
)
NAPKIN = Graph(edges=["w -> z", "z -> x", "x -> y", "w <-> x", "w <-> y"])
GRAPHS = {"bar": BAR, "ascm": ASCM, "napkin": NAPKIN, "alone": Graph(["a", "b"])}


@pytest.fixture(autouse=True)
def _no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawing of a machine without graphviz, wherever the tests run."""
    monkeypatch.setenv("PATH", "")


def random_dag(seed: int, size: int) -> ADMG:
    generator = np.random.default_rng(seed)
    names = tuple(f"v{i}" for i in range(size))
    pairs = combinations(names, 2)
    return ADMG(names, frozenset(pair for pair in pairs if generator.random() < 2.5 / size))


def boxes_of(dag: ADMG, width: float = 0.8, height: float = 0.5) -> dict[str, Box]:
    places = layered_layout(dag, dict.fromkeys(dag.nodes, (width, height)))
    return {n: Box(x=x, y=y, width=width, height=height) for n, (x, y) in places.items()}


@pytest.mark.parametrize("seed", range(15))
def test_nodes_never_overlap_and_causes_stand_left_of_effects(seed: int) -> None:
    dag = random_dag(seed, 14)
    boxes = boxes_of(dag)
    for a, b in combinations(boxes.values(), 2):
        assert abs(a.x - b.x) > 0.8 or abs(a.y - b.y) > 0.5
    assert all(boxes[source].x < boxes[target].x for source, target in dag.directed)


def test_a_tree_is_drawn_without_crossings() -> None:
    order = ["r", "b", "a", "a1", "b1", "a2", "b2"]
    dag = ADMG(
        tuple(order),
        frozenset({("r", "a"), ("r", "b"), *((p, p + i) for p in "ab" for i in "12")}),
    )
    places = layered_layout(dag, dict.fromkeys(order, (0.8, 0.5)))
    up = places["a"][1] > places["b"][1]
    assert all((places[i][1] > places[j][1]) == up for i in ("a1", "a2") for j in ("b1", "b2"))


def test_a_chain_is_a_straight_line() -> None:
    dag = ADMG(("a", "b", "c"), frozenset({("a", "b"), ("b", "c")}))
    assert len({round(box.y, 9) for box in boxes_of(dag).values()}) == 1


def test_nodes_that_nothing_joins_stand_in_rows_below_the_others() -> None:
    names = tuple("abcdefghi")
    alone = boxes_of(ADMG(names))
    assert len({box.x for box in alone.values()}) == len({box.y for box in alone.values()}) == 3
    boxes = boxes_of(ADMG(names, frozenset({("a", "b"), ("b", "c")})))
    below = {boxes[name].y for name in "defghi"}
    assert max(below) < min(boxes[name].y for name in "abc")
    assert max(below) > boxes["a"].y - 2
    for a, b in combinations(boxes.values(), 2):
        assert abs(a.x - b.x) > 0.8 or abs(a.y - b.y) > 0.5


@pytest.mark.parametrize("seed", range(6))
def test_edges_end_at_the_borders_of_their_nodes_and_pass_through_no_other(seed: int) -> None:
    dag = random_dag(seed, 9)
    boxes = boxes_of(dag)
    pairs = sorted(dag.directed)
    curves = route([Wire(source=a, target=b) for a, b in pairs], boxes)
    for (source, target), curve in zip(pairs, curves, strict=True):
        for name, end in ((source, curve[0]), (target, curve[-1])):
            # the margin between a head and its node is 0.03 inch
            assert boxes[name].contains(end[None], margin=0.031)[0]
            assert not boxes[name].contains(end[None], margin=0.029)[0]
        others = [box for name, box in boxes.items() if name not in (source, target)]
        assert not any(box.contains(curve).any() for box in others)


def test_an_arc_beside_an_arrow_is_told_from_it() -> None:
    boxes = boxes_of(ADMG(("x", "y"), frozenset({("x", "y")})))
    arrow, arc = route(
        [Wire(source="x", target="y"), Wire(source="x", target="y", bowed=True)], boxes
    )
    assert np.ptp(arrow[:, 1]) < 1e-9
    assert np.ptp(arc[:, 1]) > 0.1


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_written_and_the_same_each_time(
    tmp_path: Path, name: str, suffix: str
) -> None:
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    assert plot_graph(GRAPHS[name], first, dpi=40, title="a title") == first
    plot_graph(GRAPHS[name], second, dpi=40, title="a title")
    assert first.read_bytes() == second.read_bytes()
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF", ".dot": b"digraph"}
    assert first.read_bytes().startswith(start[suffix])


def test_a_drawing_has_the_colours_of_its_node_types_and_edge_kinds(tmp_path: Path) -> None:
    path = tmp_path / "bar.png"
    plot_graph(BAR, path, dpi=80, legend=False)
    pixels = {tuple(p) for p in (imread(path)[..., :3] * 255).round().astype(int).reshape(-1, 3)}
    shown = ["#dcebf8", "#fdebd6", "#3d4755", "#c03a32", "#8059a8"]
    assert all(tuple(bytes.fromhex(colour[1:])) in pixels for colour in shown)
    assert tuple(bytes.fromhex("e2f2de")) not in pixels


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_figure_names_every_node_and_explains_what_it_uses() -> None:
    figure = plot_graph(BAR)
    assert isinstance(figure, Figure)
    assert set(BAR.nodes) <= set(texts(figure))
    assert {"10 levels", "green | red", "3 × 28 × 28"} <= set(texts(figure))
    assert {"class", "image", "neural", "anti-causal", "hidden cause"} <= set(texts(figure))
    assert "continuous" not in texts(figure)
    assert texts(plot_graph(NAPKIN)) == ["w", "z", "x", "y"]  # type: ignore[arg-type]


def test_exogenous_variables_are_shown_or_else_the_edges_that_they_imply() -> None:
    shown = plot_graph(ASCM, legend=True)
    hidden = plot_graph(ASCM, exogenous=False)
    assert isinstance(shown, Figure)
    assert isinstance(hidden, Figure)
    assert {"u_x", "u_xy", "e", "exogenous"} <= set(texts(shown))
    assert "hidden cause" not in texts(shown)
    assert not {"u_x", "u_xy", "e", "exogenous"} & set(texts(hidden))
    assert "hidden cause" in texts(hidden)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("exogenous", [True, False])
def test_the_styled_dot_source_still_is_the_graph(name: str, exogenous: bool) -> None:
    assert from_dot(dot_source(GRAPHS[name], exogenous=exogenous)) == GRAPHS[name]


def test_the_dot_source_tells_kinds_apart() -> None:
    lines = dot_source(BAR).splitlines()
    (anticausal,) = [line for line in lines if line.startswith("  color -> image")]
    (arc,) = [line for line in lines if line.startswith("  digit -> bar")]
    assert "arrowhead=onormal" in anticausal
    assert "dir=both, style=dashed" in arc
    assert dot_source(BAR).count("peripheries=") == 1


def install_dot(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "dot"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin{os.pathsep}/usr/bin")


def test_the_program_draws_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_dot(tmp_path, monkeypatch, 'echo "$@"; cat')
    path = tmp_path / "bar.svg"
    plot_graph(BAR, path)
    arguments, _, source = path.read_text().partition("\n")
    assert "-Tsvg" in arguments
    assert from_dot(source) == BAR


def test_a_failing_program_is_one_line_of_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_dot(tmp_path, monkeypatch, "echo 'no such font' >&2; echo more >&2; exit 1")
    with pytest.raises(GraphError, match="graphviz could not draw the graph: no such font more"):
        plot_graph(BAR, tmp_path / "bar.png")


def test_unknown_formats_and_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"format '\.svgg'; expected one of .*did you mean"):
        plot_graph(BAR, tmp_path / "bar.svgg")
    (tmp_path / "file").write_text("kept")
    with pytest.raises(GraphError, match=r"cannot be written: (Not a directory|File exists)"):
        plot_graph(BAR, tmp_path / "file" / "bar.png")
    assert plot_graph(BAR, tmp_path / "made" / "bar.dot").exists()


def test_a_large_graph_is_drawn(tmp_path: Path) -> None:
    names = [f"v{i}" for i in range(40)]
    chain = [f"{a} -> {b}" for a, b in pairwise(names)]
    skips = [f"{a} <-> {b}" for a, b in zip(names[::7], names[4::7], strict=False)]
    figure = plot_graph(Graph(edges=[*chain, *skips]))
    assert isinstance(figure, Figure)
    assert max(figure.get_size_inches()) <= 100
