from __future__ import annotations

from collections.abc import Callable

import networkx
import pytest

from causalflow.errors import GraphError
from causalflow.formats.dagitty import from_dagitty
from causalflow.formats.dot import from_dot, to_dot
from causalflow.formats.formats import loads
from causalflow.formats.networkx import from_networkx, to_networkx
from causalflow.graph.graph import Graph
from causalflow.graph.node import Neural

BAR = Graph(
    nodes={
        "digit": {"type": "class", "levels": 10},
        "color": {"type": "class", "levels": ["green", "red"]},
        "bar": {"type": "class", "levels": ["absent", "present"], "noise": "monotone"},
        "width": {"type": "continuous", "support": [0, 8.5], "unit": 'mm "wide" \\'},
        "image": {"type": "image", "shape": [3, 28, 28], "diffusion": {"width": 16}},
    },
    edges=[
        "bar -> width",
        "digit -> color",
        "color -> bar",
        "bar <-> digit",
        "digit, bar, width -> image",
        {"color -> image": {"kind": "anticausal", "scale": 2.5}},
    ],
    queries=[{"ask": "P(bar | do(color=red))", "identifiable": True}],
    name="bar-mnist front door",
)
EQUATIONS = loads("""
graph: ascm-xy
exogenous:
  u_x:  {p: [1/3, 2/3]}
  u_xy: {p: [0.5, 0.5]}
  e: {type: normal, std: 2}
nodes:
  x: {type: class, levels: 2, equation: u_x ^ u_xy}
  y: {type: class, levels: 2, equation: 1 - u_xy}
  z: {type: continuous, equation: 2 * x + exp(e)}
  i: {type: image, shape: [1, 1, 2], levels: 2, equation: "[x & y, x ^ y]"}
""")
ANSWERED = loads("""
edges: [x -> y]
queries:
  - {ask: "P(y | do(x=1))", answer: {5: 6/19, 6: 4/19, "two words": 9/19}}
  - {ask: "P(y=1 | do(x=1))", answer: 1/3}
  - {ask: "P(x, y)", answer: {0: {0: 1/2, 2: 1/8}, 1: {1: 3/8}}}
  - {ask: "P(y)", answer: "sum_x P(y | x) P(x)"}
""")
NAPKIN = Graph(edges=["w -> z", "z -> x", "x -> y", "w <-> x", "w <-> y"], name="napkin")
GRAPHS = {
    "bar": BAR,
    "equations": EQUATIONS,
    "answered": ANSWERED,
    "napkin": NAPKIN,
    "nodes": Graph(nodes=["b", "a"]),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_networkx_and_dot_keep_all_that_a_graph_file_says(name: str) -> None:
    graph = GRAPHS[name]
    assert from_dot(to_dot(graph)) == graph
    again = from_networkx(to_networkx(graph))
    assert (again.name, again.nodes, again.exogenous) == (graph.name, graph.nodes, graph.exogenous)
    assert again.queries == graph.queries
    assert set(again.edges) == set(graph.edges)
    assert set(again.bidirected) == set(graph.bidirected)


def test_networkx_shows_kinds_types_and_bidirected_edges_as_attributes() -> None:
    peer = to_networkx(BAR)
    assert peer.nodes["digit"] == {"type": "class", "options": {"levels": 10}}
    assert peer.get_edge_data("color", "image")[0] == {
        "kind": "anticausal",
        "options": {"scale": 2.5},
    }
    assert peer.get_edge_data("bar", "digit")[0] == {"bidirected": True}
    assert to_networkx(EQUATIONS).get_edge_data("x", "y")[0] == {
        "bidirected": True,
        "implied": True,
    }


def test_a_plain_networkx_graph_of_any_making_is_a_symbolic_graph() -> None:
    peer = networkx.DiGraph([("x", "y"), ("z", "x")], name="plain")
    peer.nodes["x"]["pos"] = (0, 1)
    assert from_networkx(peer) == Graph(["x", "y", "z"], ["x -> y", "z -> x"], name="plain")


def test_the_dot_text_of_a_symbolic_graph_is_golden() -> None:
    assert to_dot(NAPKIN) == (
        "digraph napkin {\n  w\n  z\n  x\n  y\n"
        "  w -> z [kind=neural]\n  z -> x [kind=neural]\n  x -> y [kind=neural]\n"
        "  w -> x [dir=both, style=dashed]\n  w -> y [dir=both, style=dashed]\n}\n"
    )


def test_a_latent_chain_in_dot_becomes_an_edge_of_the_default_kind() -> None:
    graph = from_dot("digraph { m [observed=no]; x -> m [kind=neural]; m -> y }")
    assert graph.kind("x", "y") == Neural()
    assert (graph.admg, graph.latent) == (Graph(edges=["x -> y"]).admg, ("m",))
    with pytest.raises(GraphError, match="node 'm' is latent; its edges have no kind"):
        from_dot("digraph { m [observed=no]; x -> m [kind=anticausal]; m -> y }")


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (from_dot, "", "DOT text:1:1: the text ends too early"),
        (from_dot, "digraph { a -> }", "DOT text:1:16: unexpected '}'"),
        (from_dot, "digraph {\n a -> b;\n c & d }", "DOT text:3:4: unexpected '&'"),
        (from_dot, "graph { a -- b }", "the edges of a graph of kind 'graph' have no direction"),
        (
            from_dot,
            "digraph { a -- b }",
            "edge 'a -- b' has no direction: it stands for several graphs",
        ),
        (from_dot, "digraph { a -> b -> a }", "a -> b -> a"),
        (from_dot, 'digraph { " a" -> c }', "column 1: a name is 1 to 100 printable"),
        (from_dot, "digraph { a -> light-on }", "DOT text:1:21: unexpected '-on'"),
        (from_dot, 'digraph { a [type=class, options="{"] }', "'options' is not JSON: '{'"),
        (from_dot, 'digraph { a [type=class, options="[1]"] }', "expected a mapping of fields"),
        (from_dot, "digraph { a [type=clas] }", "clas"),
        (from_dot, 'digraph { exogenous="1"; a -> b }', "exogenous '1'; expected a mapping"),
        (from_dot, "digraph { a -> b [kind=causal] }", "unknown kind 'causal'"),
        (from_dot, "digraph { a -> b [dir=both]; a -> a [dir=both] }", "two different nodes"),
        (from_dagitty, "dag { x -- y }", "edge 'x -- y' has no direction"),
        (
            from_dagitty,
            "pdag { x -> y }",
            "a pdag stands for a class of graphs with the same separations",
        ),
        (from_dagitty, 'dag { "x }', "dagitty text:1:7: unexpected"),
        (from_dagitty, "dag { x -> y } z", "dagitty text:1:16: unexpected 'z'"),
        (from_dagitty, "dag {" * 3, "the text ends too early"),
    ],
)
def test_malformed_text_is_one_line_of_error(
    read: Callable[[str], Graph], text: str, message: str
) -> None:
    with pytest.raises(GraphError) as caught:
        read(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
