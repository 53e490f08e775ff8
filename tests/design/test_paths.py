"""Paths between two nodes: none is missed, none is wrong, and one is open where nodes depend."""

import random
from itertools import pairwise

import networkx
import pytest

import causalflow as cf
from causalflow.design import paths as module


def drawn(seed):
    """A random mixed graph of six nodes, and two of them with others given."""
    dice = random.Random(seed)
    names = list("abcdef")
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    edges = [f"{a} -> {b}" for a, b in pairs if dice.random() < 0.35]
    edges += [f"{a} <-> {b}" for a, b in pairs if dice.random() < 0.2]
    graph = cf.Graph(nodes=names, edges=edges)
    x, y = dice.sample(names, 2)
    given = [name for name in names if name not in (x, y) and dice.random() < 0.4]
    return graph, x, y, given


@pytest.mark.parametrize("seed", range(60))
def test_a_path_is_open_exactly_where_the_nodes_are_not_separated(seed):
    graph, x, y, given = drawn(seed)
    found = list(cf.paths(graph, x, y, given))
    assert any(path.is_open for path in found) is not cf.separated(graph, x, y, given)


@pytest.mark.parametrize("seed", range(30))
def test_every_simple_path_is_found_once_the_shortest_first(seed):
    graph, x, y, given = drawn(seed)
    whole = networkx.MultiGraph()
    whole.add_nodes_from(graph.nodes)
    whole.add_edges_from((e.source, e.target, "directed") for e in graph.edges)
    whole.add_edges_from((*pair, "bidirected") for pair in graph.bidirected)
    wanted = sum(1 for _ in networkx.all_simple_edge_paths(whole, x, y))
    found = list(cf.paths(graph, x, y, given))
    assert len(found) == len({(path.nodes, path.marks) for path in found}) == wanted
    assert all(len(set(path.nodes)) == len(path.nodes) for path in found)
    assert [len(path.nodes) for path in found] == sorted(len(path.nodes) for path in found)


@pytest.mark.parametrize("seed", range(30))
def test_every_mark_is_an_edge_of_the_graph(seed):
    graph, x, y, given = drawn(seed)
    directed = {(edge.source, edge.target) for edge in graph.edges}
    hidden = set(map(frozenset, graph.bidirected))
    for path in cf.paths(graph, x, y, given):
        for (one, other), mark in zip(pairwise(path.nodes), path.marks, strict=True):
            is_there = {
                "->": (one, other) in directed,
                "<-": (other, one) in directed,
                "<->": frozenset((one, other)) in hidden,
            }
            assert is_there[mark]


def test_a_path_says_what_opens_it_and_what_it_is():
    graph = cf.Graph(edges=["x -> m -> y", "x <-> y", "x -> c <- y", "c -> d"])
    told = {
        str(path): (path.is_causal, path.is_back_door) for path in cf.paths(graph, "x", "y", "d")
    }
    assert told == {
        "x <-> y": (False, True),
        "x -> m -> y": (True, False),
        "x -> c <- y, open at collider c as d is given (c -> d)": (False, False),
    }


def test_a_search_that_is_too_long_ends_in_one_line(monkeypatch):
    monkeypatch.setattr(module, "PATH_STEPS", 20)
    names = [f"v{place}" for place in range(12)]
    graph = cf.Graph(edges=[f"{a} -> {b}" for i, a in enumerate(names) for b in names[i + 1 :]])
    found = cf.paths(graph, "v0", "v11")
    assert str(next(found)) == "v0 -> v11"
    with pytest.raises(cf.GraphError, match=r"20 steps of the search are over"):
        list(found)


@pytest.mark.parametrize("given", [("x", "y", ["x"]), ("x", "x", []), ("x", "y", ["nowhere"])])
def test_what_is_no_pair_of_nodes_is_refused(given):
    with pytest.raises(cf.GraphError):
        cf.paths(cf.Graph(edges=["x -> y"]), *given)
