"""Nodes that nobody observes: the graph without them says the same of the others."""

from __future__ import annotations

import os
import random
from itertools import combinations, permutations, product

import networkx as nx
import numpy as np
import pytest

import causalflow as cf

GRAPHS = int(os.environ.get("CAUSALFLOW_LATENT_GRAPHS", "60"))


def random_dag(seed: int, most: int = 8) -> tuple[nx.DiGraph, list[str]]:
    """A DAG, and which of its nodes are latent; two at least are not."""
    draw = random.Random(seed)
    names = [f"v{k}" for k in range(draw.randint(3, most))]
    draw.shuffle(names)
    dag = nx.DiGraph()
    dag.add_nodes_from(names)
    chance = draw.choice([0.25, 0.4, 0.55])
    dag.add_edges_from(pair for pair in combinations(names, 2) if draw.random() < chance)
    latent = [name for name in names if draw.random() < 0.4]
    return dag, latent[: len(names) - 2]


def declared(dag: nx.DiGraph, latent: list[str]) -> cf.Graph:
    return cf.Graph(
        nodes=list(dag.nodes), edges=[f"{a} -> {b}" for a, b in dag.edges], latent=latent
    )


def by_definition(dag: nx.DiGraph, latent: list[str]) -> cf.Graph:
    """The projection, path by path: interiors are latent, confounders are latent forks."""
    seen = [name for name in dag if name not in latent]

    def leads(a: str, b: str) -> bool:
        return nx.has_path(dag.subgraph([*latent, a, b]), a, b)

    def below(a: str) -> set[str]:
        children = nx.DiGraph(dag.subgraph([*latent, a]))
        return {b for b in seen for c in nx.descendants(children, a) | {a} if dag.has_edge(c, b)}

    edges = [f"{a} -> {b}" for a in seen for b in seen if a != b and leads(a, b)]
    arcs = [
        f"{a} <-> {b}"
        for a, b in combinations(seen, 2)
        if any({a, b} <= below(hidden) for hidden in latent)
    ]
    return cf.Graph(nodes=seen, edges=[*edges, *arcs])


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_separations_of_the_others_are_those_of_the_whole_graph(seed):
    dag, latent = random_dag(seed)
    graph = declared(dag, latent)
    seen = [name for name in dag if name not in latent]
    assert list(graph.nodes) == seen
    assert sorted(graph.latent) == sorted(latent)
    for x, y in combinations(seen, 2):
        others = [name for name in seen if name not in (x, y)]
        for size in range(len(others) + 1):
            for given in combinations(others, size):
                expected = nx.is_d_separator(dag, {x}, {y}, set(given))
                assert bool(graph.separated(x, y, given)) == expected, (x, y, given)


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_edges_and_verdicts_are_those_of_the_projection_by_its_definition(seed):
    dag, latent = random_dag(seed)
    graph, other = declared(dag, latent), by_definition(dag, latent)
    assert set(graph.admg.edge_strings()) == set(other.admg.edge_strings())
    x, y = random.Random(seed).sample(list(graph.nodes), 2)
    query = f"P({y} | do({x}))"
    assert cf.identify(graph, query).identifiable == cf.identify(other, query).identifiable


@pytest.mark.parametrize("seed", range(GRAPHS // 2))
def test_what_is_identified_equals_the_truth_of_a_model_with_its_latent_nodes(seed):
    dag, latent = random_dag(1_000 + seed, most=6)
    graph = declared(dag, latent)
    order, draw = list(nx.topological_sort(dag)), np.random.default_rng(seed)
    laws = {
        name: draw.uniform(0.1, 0.9, size=(2,) * dag.in_degree(name)) for name in order
    }  # P(node = 1 | parents), away from 0 and 1: every stratum is seen

    def joint(do: dict[str, int]) -> np.ndarray:
        result = np.zeros((2,) * len(order))
        for cell in product((0, 1), repeat=len(order)):
            at = dict(zip(order, cell, strict=True))
            one = 1.0
            for name in order:
                p = laws[name][tuple(at[parent] for parent in dag.predecessors(name))]
                p = p if at[name] else 1 - p
                one *= float(at[name] == do[name]) if name in do else p
            result[cell] = one
        return result

    seen = list(graph.nodes)
    hidden = tuple(at for at, name in enumerate(order) if name in latent)
    axes = [name for name in order if name not in latent]
    table = cf.Table(axes=axes, values=joint({}).sum(axis=hidden))
    set_to = {(x, level): joint({x: level}) for x in seen for level in (0, 1)}
    identified = 0
    for x, y in permutations(seen, 2):
        verdict = cf.identify(graph, f"P({y} | do({x}))")
        if verdict.identifiable:
            identified += 1
            found = verdict.evaluate(table).to_numpy([y, x])
            away = tuple(at for at, name in enumerate(order) if name != y)
            truth = np.stack([set_to[x, level].sum(axis=away) for level in (0, 1)], axis=1)
            assert found == pytest.approx(truth, abs=1e-9)  # float64, sums of at most 64 cells
    assert identified > 0  # no effect on an ancestor is the least


WRITTEN = {
    "yaml": "edges: [U -> X, U -> Y, X -> Y]\nlatent: [U]",
    "dagitty": "dag { U [unobserved] U -> X U -> Y X -> Y }",
    "dot": 'digraph { U [observed="no"]; U -> {X Y}; X -> Y }',
    "gml": 'graph [directed 1 node [id 0 label "U" latent 1] node [id 1 label "X"] '
    'node [id 2 label "Y"] edge [source 0 target 1] edge [source 0 target 2] '
    "edge [source 1 target 2]]",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_all_formats_read_a_latent_node_to_the_same_graph(name):
    graph = cf.loads(WRITTEN[name], format=name)
    assert (list(graph.nodes), graph.latent) == (["X", "Y"], ("U",))
    assert graph.admg.edge_strings() == ("X -> Y", "X <-> Y")
    assert cf.identify(graph, "P(Y | do(X))").identifiable is False


def test_latent_nodes_are_remembered_in_every_text_that_is_written():
    graph = cf.Graph(edges=["U -> X", "U -> Y", "X -> Y", "Y -> Z"], latent=["U", "Y"])
    assert graph.admg.edge_strings() == ("X -> Z", "X <-> Z")
    assert cf.loads(graph.to_yaml()) == graph
    for name in ("dagitty", "dot", "gml"):
        again = cf.loads(cf.dumps(graph, name), name)
        assert (again.admg, again.latent) == (graph.admg, graph.latent)
    again = cf.from_networkx(cf.to_networkx(graph))
    assert (again.admg, again.latent) == (graph.admg, graph.latent)


def test_latent_nodes_are_named_by_one_name_a_list_or_a_set():
    edges = ["u -> x", "u -> y"]
    assert cf.Graph(edges=edges, latent="u") == cf.Graph(edges=edges, latent={"u"})
    assert cf.Graph(edges=edges, latent="u") == cf.Graph(edges=edges, latent=("u",))
    with pytest.raises(cf.GraphError, match="cannot read an object of type function"):
        cf.Graph(edges=edges, latent=test_latent_nodes_are_named_by_one_name_a_list_or_a_set)


def test_a_latent_node_needs_no_type_where_others_have_one():
    nodes = {name: {"type": "class", "levels": 2} for name in ("x", "y")}
    graph = cf.Graph(nodes=nodes, edges=["u -> x", "u -> y", "x -> y"], latent=["u"])
    assert cf.loads(graph.to_yaml()) == graph
    assert graph.bidirected == (("x", "y"),)


def test_check_and_describe_name_the_nodes_that_were_left_out(cli, tmp_path):
    (tmp_path / "g.txt").write_text(WRITTEN["dagitty"])
    shown = cli("check", "g.txt")
    assert (shown.code, shown.err) == (0, "")
    assert "1 latent node left out for the edges they make (U)" in shown.out
    text = (
        "nodes: {x: {type: class, levels: 2}, y: {type: class, levels: 2}}\n"
        "edges: [u -> x, u -> y]\nlatent: [u]\n"
    )
    (tmp_path / "g.yaml").write_text(text)
    assert "latent, left out for the edges they make: u" in cli("describe", "g.yaml").out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "edges: [x -> y]\nlatent: [z]",
            "<text>:2: latent: unknown node 'z'; expected one of ['x', 'y']",
        ),
        (
            "edges: [x -> y]\nlatent: [x, y]",
            "<text>:2: latent: every node is latent; there is nothing left to observe",
        ),
        (
            "edges: [x -> y]\nlatent: [x, x]",
            "<text>:2: latent: node 'x' is named twice",
        ),
        (
            "nodes:\n  u: {type: class, levels: 2, table: [1/2, 1/2]}\n"
            "  x: {type: class, levels: 2}\nedges: [u -> x]\nlatent: [u]",
            "<text>:5: latent node 'u': has a mechanism; a hidden cause with one is declared under "
            "exogenous",
        ),
        (
            "nodes:\n  u: {type: class, levels: 2}\n"
            "  x: {type: class, levels: 2, equation: u}\nlatent: [u]",
            "<text>:4: edge 'u -> x': node 'x' has a mechanism that uses the latent 'u'; declare "
            "that under exogenous",
        ),
        (
            "edges:\n  - u -> i: anticausal\n  - u -> y\nlatent: [u]",
            "<text>:4: edge 'u -> i': node 'u' is latent; its edges have no kind",
        ),
        (
            "edges: [u -> x, x -> u]\nlatent: [u]",
            "<text>:1: graph: the edges make a cycle: u -> x -> u",
        ),
    ],
)
def test_what_a_latent_node_cannot_be_is_told_with_its_line(text, message):
    with pytest.raises(cf.GraphError) as caught:
        cf.loads(text)
    assert str(caught.value) == message
