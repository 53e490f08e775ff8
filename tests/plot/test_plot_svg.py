"""The drawing as SVG: every node and edge is in it, where the arrangement has them, once."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations
from xml.etree import ElementTree

import pytest

from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify
from causalflow.plot.arrangement import arranged
from causalflow.plot.legend import legend_entries, placed
from causalflow.plot.svg import graph_svg, plain_width

SVG = "{http://www.w3.org/2000/svg}"
MIXED = Graph(
    nodes={
        "dose": {"type": "continuous", "unit": "mg"},
        "drug": {"type": "class", "levels": ["a", "b"]},
        "scan": {"type": "image", "shape": [1, 8, 8]},
    },
    edges=["drug -> dose", "dose -> scan", "drug -> scan: anticausal", "drug <-> dose"],
)
NAPKIN = Graph(edges=["w -> z", "z -> x", "x -> y", "w <-> x", "w <-> y"])
EXPLICIT = Graph(
    nodes={"x": {"type": "class", "levels": 2, "equation": "u"}},
    exogenous={"u": {"p": [0.5, 0.5]}},
)


@pytest.mark.parametrize("graph", [MIXED, NAPKIN, EXPLICIT, Graph(["alone"])])
def test_every_node_is_drawn_once_and_every_edge_has_its_heads(graph):
    root = ElementTree.fromstring(graph_svg(graph, legend=False))
    groups = root.findall(f"{SVG}g")
    titles = [group.find(f"{SVG}title").text.split(":")[0] for group in groups]
    assert titles == [*graph.nodes, *graph.exogenous]
    plan = arranged(graph, plain_width, exogenous=True)
    assert len(root.findall(f"{SVG}polyline")) == len(plan.lines)
    assert len(root.findall(f"{SVG}polygon")) == sum(1 + line.both for line in plan.lines)


def test_everything_lies_within_the_picture():
    root = ElementTree.fromstring(graph_svg(MIXED))
    width, height = map(float, root.get("viewBox").split()[2:])
    for each in root.iter(f"{SVG}text"):
        assert 0 < float(each.get("x")) < width
        assert 0 < float(each.get("y")) < height
    for each in (*root.iter(f"{SVG}polyline"), *root.iter(f"{SVG}polygon")):
        points = [tuple(map(float, pair.split(","))) for pair in each.get("points").split()]
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points)


def test_words_of_a_legend_do_not_overlap():
    plan = arranged(MIXED, plain_width, exogenous=True)
    entries = legend_entries((m.style for m in plan.marks), (e.style for e in plan.lines))
    keys, low, high = placed(entries, *plan.corners, plain_width)
    assert len(keys) == len(entries) == 6
    for a, b in combinations(keys, 2):
        left, right = sorted((a, b), key=lambda key: key.x)
        apart = left.y != right.y
        assert apart or right.x > left.words + plain_width(left.style.legend, 8.5)
    assert all(low[0] <= key.x < high[0] and low[1] <= key.y <= high[1] for key in keys)


def test_what_is_no_part_of_a_hedge_is_pale():
    bow = Graph(edges=["x -> y", "x <-> y", "y -> z"])
    hedge = identify(bow, "P(y | do(x))").hedge
    root = ElementTree.fromstring(graph_svg(bow, highlight=hedge))
    colours = [each.get("stroke") for each in root.findall(f"{SVG}polyline")]
    assert colours.count("#d0d5dc") == 1
    assert "roots of both: y" in "".join(root.itertext())


def test_a_drawing_needs_no_library_of_drawings():
    code = (
        "import sys; from causalflow.graph.graph import Graph\n"
        "assert Graph(edges=['x -> y'])._repr_svg_().startswith('<svg')\n"
        "assert not {'matplotlib', 'graphviz', 'torch'} & {*sys.modules}"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
