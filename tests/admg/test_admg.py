from __future__ import annotations

from itertools import combinations, pairwise

import networkx
import numpy as np
import pytest

from causalflow.admg.admg import ADMG
from causalflow.errors import GraphError


def graph(*edges: str, nodes: tuple[str, ...] = ()) -> ADMG:
    """An ADMG from edge strings; written here so that these tests need no parser."""
    triples = [edge.split() for edge in edges]
    names = dict.fromkeys([*nodes, *(name for a, _, b in triples for name in (a, b))])
    directed = frozenset((a, b) for a, mark, b in triples if mark == "->")
    bidirected = frozenset(frozenset((a, b)) for a, mark, b in triples if mark == "<->")
    return ADMG(tuple(names), directed, bidirected)


def random_admg(generator: np.random.Generator, size: int) -> ADMG:
    names = tuple(f"v{i}" for i in generator.permutation(size))
    order = [names[i] for i in generator.permutation(size)]
    pairs = list(combinations(order, 2))
    directed = frozenset(pair for pair in pairs if generator.random() < 0.35)
    bidirected = frozenset(frozenset(pair) for pair in pairs if generator.random() < 0.25)
    return ADMG(names, directed, bidirected)


NAPKIN = graph("w -> z", "z -> x", "x -> y", "w <-> x", "w <-> y")


@pytest.fixture(params=range(20))
def random_graph(request: pytest.FixtureRequest) -> ADMG:
    return random_admg(np.random.default_rng(request.param), 7)


def test_relations_equal_those_of_networkx(random_graph: ADMG) -> None:
    peer = networkx.DiGraph(list(random_graph.directed))
    peer.add_nodes_from(random_graph.nodes)
    arcs = networkx.Graph([tuple(pair) for pair in random_graph.bidirected])
    arcs.add_nodes_from(random_graph.nodes)
    for node in random_graph.nodes:
        assert random_graph.parents(node) == set(peer.predecessors(node))
        assert random_graph.children(node) == set(peer.successors(node))
        assert random_graph.ancestors(node) == networkx.ancestors(peer, node) | {node}
        assert random_graph.descendants(node) == networkx.descendants(peer, node) | {node}
        assert random_graph.siblings(node) == set(arcs[node])
        assert random_graph.district(node) == networkx.node_connected_component(arcs, node)
    assert set(random_graph.districts()) == set(map(frozenset, networkx.connected_components(arcs)))


def test_topological_order_is_the_lexicographic_one_in_declared_positions(
    random_graph: ADMG,
) -> None:
    peer = networkx.DiGraph(list(random_graph.directed))
    peer.add_nodes_from(random_graph.nodes)
    expected = networkx.lexicographical_topological_sort(peer, key=random_graph.nodes.index)
    assert random_graph.topological_order() == tuple(expected)


def test_a_declared_order_that_is_topological_is_kept() -> None:
    assert graph("a -> d", "b -> c", nodes=tuple("abcd")).topological_order() == tuple("abcd")


def test_relations_of_a_set_are_unions_over_its_members(random_graph: ADMG) -> None:
    pair = random_graph.nodes[:2]
    for relation in ("parents", "children", "siblings", "ancestors", "descendants", "district"):
        of = getattr(random_graph, relation)
        assert of(pair) == of(pair[0]) | of(pair[1])
        assert of(()) == frozenset()


def test_do_cuts_both_kinds_of_edges_into_the_treated_nodes_only() -> None:
    assert NAPKIN.do("x") == graph("w -> z", "x -> y", "w <-> y", nodes=NAPKIN.nodes)
    assert NAPKIN.do({"w", "y"}) == graph("w -> z", "z -> x", nodes=NAPKIN.nodes)


def test_without_outgoing_keeps_bidirected_edges() -> None:
    assert NAPKIN.without_outgoing("w") == graph(
        "z -> x", "x -> y", "w <-> x", "w <-> y", nodes=NAPKIN.nodes
    )


def test_subgraph_is_induced_and_keeps_the_declared_order() -> None:
    assert NAPKIN.subgraph(["y", "w", "x"]) == graph(
        "x -> y", "w <-> x", "w <-> y", nodes=("w", "x", "y")
    )


def test_interventions_commute_and_are_idempotent(random_graph: ADMG) -> None:
    a, b = random_graph.nodes[0], set(random_graph.nodes[1:3])
    assert random_graph.do(a).do(b) == random_graph.do({a, *b}) == random_graph.do(b).do(a)
    assert random_graph.do(a).do(a) == random_graph.do(a)


def test_districts_come_in_declared_order() -> None:
    assert NAPKIN.districts() == (frozenset({"w", "x", "y"}), frozenset({"z"}))


def test_a_cycle_is_found_with_its_nodes_in_order() -> None:
    cyclic = graph("a -> b", "b -> c", "c -> d", "d -> b", "d -> e")
    assert cyclic.find_cycle() == ("b", "c", "d")
    with pytest.raises(GraphError, match="cycle: b -> c -> d -> b"):
        cyclic.topological_order()
    assert graph("a -> a").find_cycle() == ("a",)
    assert NAPKIN.find_cycle() is None


@pytest.mark.parametrize("seed", range(20))
def test_every_reported_cycle_is_a_cycle_and_none_is_missed(seed: int) -> None:
    generator = np.random.default_rng(seed)
    names = tuple(f"v{i}" for i in range(6))
    edges = frozenset((a, b) for a in names for b in names if generator.random() < 0.15)
    cycle = ADMG(names, edges).find_cycle()
    peer = networkx.DiGraph(list(edges))
    assert (cycle is None) == networkx.is_directed_acyclic_graph(peer)
    if cycle is not None:
        assert len(set(cycle)) == len(cycle)
        assert set(zip(cycle, cycle[1:] + cycle[:1], strict=True)) <= edges


def test_edge_strings_and_text_follow_the_declared_order() -> None:
    lonely = graph("x <-> y", "x -> y", "m -> y", nodes=("x", "q", "m", "y"))
    assert lonely.edge_strings() == ("x -> y", "m -> y", "x <-> y")
    assert str(lonely) == "x -> y, m -> y, x <-> y, q"


def test_graphs_are_equal_and_hash_alike_by_content() -> None:
    again = graph("x -> y", "w <-> y", "w <-> x", "z -> x", "w -> z", nodes=NAPKIN.nodes)
    assert again == NAPKIN
    assert hash(again) == hash(NAPKIN)


@pytest.mark.parametrize("method", ["parents", "ancestors", "district", "do", "subgraph"])
def test_unknown_names_are_refused_with_the_nearest_one(method: str) -> None:
    named = graph("thickness -> intensity")
    with pytest.raises(GraphError, match=r"unknown node 'thicknes'.*did you mean 'thickness'"):
        getattr(named, method)(["thicknes"])


def test_malformed_graphs_are_refused() -> None:
    with pytest.raises(GraphError, match="'a' is declared twice"):
        ADMG(("a", "b", "a"))
    with pytest.raises(GraphError, match="unknown node 'c'"):
        ADMG(("a", "b"), frozenset({("a", "c")}))
    with pytest.raises(GraphError, match="'a <-> a' must join two different nodes"):
        ADMG(("a",), frozenset(), frozenset({frozenset({"a"})}))


def test_a_long_chain_needs_no_recursion() -> None:
    names = tuple(f"v{i}" for i in range(5000))
    chain = ADMG(names, frozenset(pairwise(names)))
    assert chain.topological_order() == names
    assert len(chain.ancestors(names[-1])) == 5000
    assert chain.find_cycle() is None
