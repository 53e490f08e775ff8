"""Edits that a drawing needs beside the plainest: types, hidden nodes, what an edge is."""

from difflib import ndiff
from pathlib import Path

import pytest

import causalflow as cf

FILES = sorted((Path(__file__).parents[2] / "graphs").rglob("*.yaml"))
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in FILES}
CLASS = "{type: class, levels: 2}"
TYPED = """
nodes:
  x: {type: class, levels: [low, high]}   # dose
  "y y":
    type: continuous
    unit: mm
  image: {type: image, shape: [1, 8, 8]}
edges:
  - x, "y y" -> image: neural   # both
  - x -> "y y"
"""


def touched(before, after):
    """How many lines are gone, and how many are new."""
    marks = [line[0] for line in ndiff(before.splitlines(), after.splitlines())]
    return marks.count("-"), marks.count("+")


@pytest.mark.parametrize("name", TEXTS)
def test_every_shipped_graph_is_edited_and_edited_back(name):
    text, graph = TEXTS[name], cf.loads(TEXTS[name])
    known = {*graph.latent, *graph.nodes, *graph.exogenous}
    places = {each: (10 * n, 5) for n, each in enumerate(sorted(known))}
    placed = cf.edit.edited(text, cf.edit.PlaceNodes(places))
    assert placed.startswith(text)
    assert cf.loads(placed) == graph
    assert cf.loads(placed).layout == places
    stated = [e for e in graph.edges if not (graph.nodes[e.target].equation or graph.latent)]
    for edge in stated[:1]:
        ends = (edge.source, edge.target)
        if any(graph.nodes[each].table for each in ends) or set(ends) in map(set, graph.bidirected):
            continue
        bent = cf.edit.edited(text, cf.edit.ConfoundEdge(*ends))
        made = cf.loads(bent)
        assert {(e.source, e.target) for e in made.edges} == {
            (e.source, e.target) for e in graph.edges
        } - {ends}
        assert set(map(frozenset, made.bidirected)) - set(map(frozenset, graph.bidirected)) == {
            frozenset(ends)
        }
        back = cf.loads(cf.edit.edited(bent, cf.edit.DirectEdge(*ends)))
        assert back.admg.directed == graph.admg.directed
        assert back.admg.bidirected == graph.admg.bidirected
        assert max(touched(text, bent)) <= 3


def test_an_edge_is_said_to_compile_to_something_else_in_its_line():
    after = cf.edit.edited(TYPED, cf.edit.CompileEdge("x", "image", "{kind: anticausal, scale: 3}"))
    assert cf.loads(after).kind("x", "image").scale == 3
    assert type(cf.loads(after).kind("y y", "image")).__name__ == "Neural"
    assert touched(TYPED, after) == (1, 2)
    assert cf.loads(cf.edit.edited(after, cf.edit.CompileEdge("x", "image"))).admg == (
        cf.loads(TYPED).admg
    )
    with pytest.raises(cf.GraphError, match="unknown kind 'odd'"):
        cf.edit.edited(TYPED, cf.edit.CompileEdge("x", "image", "odd"))


def test_a_bent_edge_leaves_its_kind_and_keeps_its_comment():
    text = "edges:\n  - a -> b: neural   # one\n  - b -> c\n"
    bent = cf.edit.edited(text, cf.edit.ConfoundEdge("a", "b"))
    assert bent == "edges:\n  - a <-> b   # one\n  - b -> c\n"
    turned = cf.edit.edited(bent, cf.edit.DirectEdge("b", "a"))
    assert turned == "edges:\n  - b -> a   # one\n  - b -> c\n"
    with pytest.raises(cf.GraphError, match="there already"):
        cf.edit.edited("edges: [a -> b, a <-> b]\n", cf.edit.ConfoundEdge("a", "b"))


def test_a_node_is_of_another_type():
    after = cf.edit.edited(TYPED, cf.edit.TypeNode("x", "{type: count}"))
    assert after == TYPED.replace("{type: class, levels: [low, high]}", "{type: count}")
    block = cf.edit.edited(TYPED, cf.edit.TypeNode("y y", CLASS))
    assert cf.loads(block).nodes["y y"].type.word == "class"
    assert touched(TYPED, block) == (3, 1)
    with pytest.raises(cf.GraphError, match="unknown type 'clas'"):
        cf.edit.edited(TYPED, cf.edit.TypeNode("x", "{type: clas}"))


@pytest.mark.parametrize(
    "text",
    [
        "edges:\n  - a -> b\n  - u -> b\nlatent: [u]\n",
        "nodes: [a, b, u]   # all\nedges: [a -> b, u -> b]\nlatent: [u]\n",
        "nodes:\n  - a\n  - b\n  - u\nedges: [a -> b, u -> b]\nlatent: [u]\n",
    ],
)
def test_a_graph_of_names_gets_types_all_at_once(text):
    with pytest.raises(cf.GraphError, match="'a' cannot be the only one"):
        cf.edit.edited(text, cf.edit.TypeNode("a", "{type: continuous}"))
    after = cf.edit.edited(text, cf.edit.TypeNode("a", "{type: continuous}", others=CLASS))
    made = cf.loads(after)
    assert {name: node.type.word for name, node in made.nodes.items()} == {
        "a": "continuous",
        "b": "class",
    }
    assert made.latent == ("u",)
    shown = cf.loads(cf.edit.edited(after, cf.edit.ShowNode("u", CLASS)))
    assert shown.nodes["u"].type.word == "class"
    assert not shown.latent


def test_a_node_is_hidden_and_shown_again():
    text = "edges:\n  - u -> x\n  - u -> y\n  - x -> y\n"
    hidden = cf.edit.edited(text, cf.edit.HideNode("u"))
    assert hidden == text + "latent:\n  - u\n"
    assert cf.loads(hidden).bidirected == (("x", "y"),)
    assert cf.edit.edited(hidden, cf.edit.ShowNode("u")) == text
    with pytest.raises(cf.GraphError, match="'x' is not latent"):
        cf.edit.edited(hidden, cf.edit.ShowNode("x"))
