"""Graphs that discovery programs give, as objects and matrices, and all that they may stand for."""

from itertools import combinations, product

import networkx as nx
import numpy as np
import pandas as pd
import pytest

import causalflow as cf


def arrows(graph):
    return frozenset((edge.source, edge.target) for edge in graph.edges)


def dags(names):
    """All acyclic graphs over some names, as sets of edges."""
    pairs = list(combinations(names, 2))
    for ways in product((0, 1, 2), repeat=len(pairs)):
        edges = frozenset(
            pair if way == 1 else pair[::-1] for pair, way in zip(pairs, ways, strict=True) if way
        )
        if nx.is_directed_acyclic_graph(nx.DiGraph(list(edges))):
            yield edges


def of_same_class(edges):
    """What graphs of a Markov equivalence class share: joined pairs, and colliders without one."""
    joined = frozenset(map(frozenset, edges))
    colliders = frozenset(
        (frozenset((a, c)), b)
        for (a, b), (c, d) in product(edges, edges)
        if b == d and a != c and frozenset((a, c)) not in joined
    )
    return joined, colliders


def classes(names):
    found = {}
    for edges in dags(names):
        found.setdefault(of_same_class(edges), set()).add(edges)
    return found.values()


def matrix(edges, names):
    return np.array([[(a, b) in edges for b in names] for a in names], dtype=float)


@pytest.mark.parametrize(("names", "count"), [("abc", 11), ("abcd", 185)])
def test_members_of_a_class_are_all_its_graphs_each_once(names, count):
    listed = list(classes(names))
    assert len(listed) == count
    for each in listed:
        union = frozenset().union(*each)
        found = [arrows(graph) for graph in cf.members(matrix(union, names), names)]
        assert len(found) == len(each)
        assert set(found) == each


def test_what_is_known_of_one_edge_leaves_the_members_that_have_it():
    for each in classes("abcd"):
        union = frozenset().union(*each)
        for edge in sorted(pair for pair in union if pair[::-1] in union)[:2]:
            text = " -> ".join(edge)
            found = cf.members(matrix(union, "abcd"), "abcd", orient=text)
            assert {arrows(graph) for graph in found} == {g for g in each if edge in g}


CHAIN = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])


def test_an_edge_without_direction_is_refused_by_name_with_what_would_direct_it():
    said = r"edge 'a -- b' has no direction: .* by 3 graphs; .* orient=\['a -> b'\], .*cf.members"
    with pytest.raises(cf.GraphError, match=said):
        cf.from_discovery(CHAIN, "abc")
    assert arrows(cf.from_discovery(CHAIN, "abc", orient=["a -> b"])) == {("a", "b"), ("b", "c")}


def test_a_node_that_pgmpy_marks_as_latent_stays_latent():
    found = nx.DiGraph([("u", "a"), ("u", "b")])
    found.latents = {"u"}
    assert cf.from_discovery(found).latent == ("u",)


class Node:
    def __init__(self, name):
        self.name = name

    def get_name(self):
        return self.name


class GeneralGraph:
    """As causal-learn's: at [i, j] the mark at i of the edge between i and j."""

    def __init__(self, names, marks):
        self.nodes, self.graph = [Node(name) for name in names], np.array(marks)

    def get_nodes(self):
        return self.nodes


class CausalGraph:
    def __init__(self, graph):
        self.G = graph


# a -> c <- b, c -> d: row c has heads at a and b, row d one at c
MARKS = [[0, 0, -1, 0], [0, 0, -1, 0], [1, 1, 0, -1], [0, 0, 1, 0]]
COLLIDER = {("a", "c"), ("b", "c"), ("c", "d")}


def directed():
    return nx.DiGraph(list(COLLIDER))


def frame():
    return pd.DataFrame(matrix(COLLIDER, "abcd"), columns=list("abcd"))


@pytest.mark.parametrize(
    "given",
    [
        lambda: GeneralGraph("abcd", MARKS),
        lambda: CausalGraph(GeneralGraph("abcd", MARKS)),
        directed,
        frame,
    ],
)
def test_the_same_graph_comes_from_every_kind_of_object(given):
    assert arrows(cf.from_discovery(given())) == COLLIDER


def test_a_program_that_is_installed_gives_what_it_found():
    search = pytest.importorskip(
        "causallearn.search.ConstraintBased.PC", reason="causal-learn is not installed"
    )
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 2000))
    c = a + b + random.normal(size=2000)
    rows = np.stack([a, b, c, c + random.normal(size=2000)], axis=1)
    found = search.pc(rows, show_progress=False, node_names=list("abcd"))
    assert arrows(cf.from_discovery(found)) == COLLIDER


def test_pgmpys_partially_directed_graph_keeps_its_open_edge():
    pgmpy = pytest.importorskip("pgmpy.base", reason="pgmpy is not installed")
    found = pgmpy.PDAG(directed_ebunch=[("a", "b")], undirected_ebunch=[("c", "d")])
    assert {arrows(graph) for graph in cf.members(found)} == {
        frozenset({("a", "b"), ("c", "d")}),
        frozenset({("a", "b"), ("d", "c")}),
    }


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        (CHAIN, {"orient": "a -> c"}, "no such edge"),
        (matrix({("a", "b")}, "ab"), {"names": "ab", "orient": "b -> a"}, "the other way"),
        (np.ones((2, 3)), {}, "expected a square one"),
        (np.array([[0, np.nan], [0, 0]]), {}, "NaN"),
        (np.eye(2), {}, "'x0' is its own cause"),
        ("x -> y", {}, "given str; expected a graph"),
        (CHAIN, {"names": "ab"}, "2 names of 3 nodes"),
        (CHAIN, {"names": "aab"}, "two of one name"),
        (GeneralGraph("ab", [[0, 1], [1, 0]]), {}, "two heads"),
        (GeneralGraph("ab", [[0, 2], [1, 0]]), {}, "a circle"),
        (matrix({("a", "b"), ("b", "c"), ("c", "a")}, "abc"), {}, "without cycles"),
    ],
)
def test_what_is_no_graph_is_refused_in_one_line(given, options, said):
    if given is CHAIN and "names" not in options:
        options = {"names": "abc", **options}
    with pytest.raises(cf.GraphError, match=said) as refused:
        cf.from_discovery(given, **options)
    assert "\n" not in str(refused.value)


def test_an_edge_of_two_heads_is_what_is_known_of_it():
    found = GeneralGraph("ab", [[0, 1], [1, 0]])
    assert arrows(cf.from_discovery(found, orient="b -> a")) == {("b", "a")}
