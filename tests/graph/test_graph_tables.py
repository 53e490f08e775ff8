"""Tables in the graph language: every form in and out, and what the algebra does with them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from causalflow.errors import GraphError
from causalflow.formats.dot import from_dot, to_dot
from causalflow.formats.formats import loads
from causalflow.formats.networkx import from_networkx, to_networkx
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class

TEXT = """
nodes:
  x: {type: class, levels: [green, red], table: [0.4, 3/5]}
  z: {type: class, levels: 2, table: {red: [1, 0], green: [1/3, 2/3]}}
  y:
    type: class
    levels: [no, yes]
    noise: response
    table:
      0: {green: [0.25, 0.75], red: [0, 1]}
      1: {green: [1, 0], red: [0.1, 0.9]}
edges: [z -> y, x -> z, x -> y]
"""
GRAPH = loads(TEXT)


def rows(graph: Graph, name: str) -> dict[object, object]:
    node = graph.nodes[name]
    assert isinstance(node, Class)
    assert node.table is not None
    return dict(node.table)


def test_rows_are_exact_and_in_the_order_of_the_levels() -> None:
    assert rows(GRAPH, "x") == {(): (Fraction(2, 5), Fraction(3, 5))}
    assert list(rows(GRAPH, "z")) == [("green",), ("red",)]
    assert list(rows(GRAPH, "y")) == [(0, "green"), (0, "red"), (1, "green"), (1, "red")]
    assert rows(GRAPH, "y")[1, "red"] == (Fraction(1, 10), Fraction(9, 10))


def test_a_uniform_table_or_row_has_equal_probabilities() -> None:
    graph = loads(
        """
        nodes:
          x: {type: class, levels: 1000, table: uniform}
          y: {type: class, levels: 2}
          z: {type: class, levels: 3, table: uniform}
          w: {type: class, levels: 2, table: {0: uniform, 1: [1, 0]}}
        edges: [y -> z, y -> w]
        """
    )
    assert rows(graph, "x") == {(): (Fraction(1, 1000),) * 1000}
    assert rows(graph, "z") == {(0,): (Fraction(1, 3),) * 3, (1,): (Fraction(1, 3),) * 3}
    assert rows(graph, "w") == {(0,): (Fraction(1, 2),) * 2, (1,): (1, 0)}
    assert loads(graph.to_yaml()) == graph


def test_noise_that_is_not_stated_is_not_chosen() -> None:
    assert [node.noise for node in GRAPH.nodes.values() if isinstance(node, Class)] == [
        None,
        None,
        "response",
    ]
    stated = loads("nodes: {x: {type: class, levels: 2, noise: gumbel, table: [0.5, 0.5]}}")
    assert "noise: gumbel" in stated.to_yaml()


def test_yaml_dot_and_typed_nodes_give_the_graph_back() -> None:
    assert loads(GRAPH.to_yaml()) == GRAPH
    assert from_dot(to_dot(GRAPH)) == GRAPH
    assert Graph(nodes=dict(GRAPH.nodes), edges=GRAPH.edges) == GRAPH


def test_networkx_reorders_edges_and_the_levels_of_a_table_with_them() -> None:
    again = from_networkx(to_networkx(GRAPH))
    assert [edge.source for edge in again.edges if edge.target == "y"] == ["x", "z"]
    turned = {(x, z): row for (z, x), row in rows(GRAPH, "y").items()}
    assert rows(again, "y") == turned


def test_a_wide_table_is_written_on_several_lines() -> None:
    levels = [f"level_{k}" for k in range(6)]
    table = {level: ["1/7", "6/7"] for level in levels}
    graph = Graph(
        nodes={
            "x": {"type": "class", "levels": levels},
            "y": {"type": "class", "levels": 2, "table": table},
        },
        edges=["x -> y"],
    )
    lines = graph.to_yaml().splitlines()
    assert "      level_5: [1/7, 6/7]" in lines
    assert max(map(len, lines)) <= 100
    assert loads(graph.to_yaml()) == graph


def test_an_intervention_and_a_lost_parent_drop_the_table() -> None:
    def has_table(graph: Graph, name: str) -> bool:
        node = graph.nodes[name]
        return isinstance(node, Class) and node.table is not None

    done = GRAPH.do("z")
    assert [has_table(done, name) for name in "xzy"] == [True, False, True]
    part = GRAPH.subgraph(["z", "y"])
    assert [has_table(part, name) for name in "zy"] == [False, False]
    assert rows(GRAPH.subgraph(["x", "z"]), "z") == rows(GRAPH, "z")


def test_mistakes_in_python_have_no_line_but_all_the_rest() -> None:
    nodes = {
        "x": {"type": "class", "levels": 2},
        "y": {"type": "class", "levels": 2, "table": {0: [0.5, 0.5]}},
    }
    with pytest.raises(GraphError, match=r"^node 'y': table: there is no row for x=1$"):
        Graph(nodes=nodes, edges=["x -> y"])
