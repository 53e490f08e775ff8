from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

import networkx
import numpy as np
import pytest

from causalflow.admg.admg import ADMG
from causalflow.admg.projection import latent_projection
from causalflow.admg.separation import Separation, separation
from causalflow.errors import GraphError


def random_admg(generator: np.random.Generator, size: int, arcs: float) -> ADMG:
    names = tuple(f"v{i}" for i in range(size))
    pairs = list(combinations(names, 2))
    directed = frozenset(pair for pair in pairs if generator.random() < 0.35)
    bidirected = frozenset(frozenset(pair) for pair in pairs if generator.random() < arcs)
    return ADMG(names, directed, bidirected)


def random_question(generator: np.random.Generator, names: tuple[str, ...]) -> list[set[str]]:
    """Disjoint x (one or two nodes), y (one), given (none to three)."""
    order = [names[i] for i in generator.permutation(len(names))]
    split = int(generator.integers(1, 3))
    count = int(generator.integers(0, 4))
    return [set(order[:split]), {order[split]}, set(order[split + 1 : split + 1 + count])]


def canonical_dag(admg: ADMG) -> networkx.DiGraph:
    """Every bidirected edge replaced by an explicit latent parent of its two ends."""
    dag = networkx.DiGraph(list(admg.directed))
    dag.add_nodes_from(admg.nodes)
    dag.add_edges_from((pair, end) for pair in admg.bidirected for end in pair)
    return dag


def is_edge(admg: ADMG, a: str, mark: str, b: str) -> bool:
    match mark:
        case "->":
            return (a, b) in admg.directed
        case "<-":
            return (b, a) in admg.directed
        case _:
            return frozenset((a, b)) in admg.bidirected


def is_open(admg: ADMG, path: tuple[str, ...], marks: tuple[str, ...], given: set[str]) -> bool:
    """The definition, node by node, with ancestors from networkx."""
    dag = networkx.DiGraph(list(admg.directed))
    dag.add_nodes_from(admg.nodes)
    for node, (before, after) in zip(path[1:-1], pairwise(marks), strict=True):
        is_collider = before in ("->", "<->") and after in ("<-", "<->")
        if is_collider and not (networkx.descendants(dag, node) | {node}) & given:
            return False
        if not is_collider and node in given:
            return False
    return True


def simple_paths(
    admg: ADMG, start: str, end: str
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    def extend(path: tuple[str, ...], marks: tuple[str, ...]) -> Iterator:
        if path[-1] == end:
            yield path, marks
            return
        for node in admg.nodes:
            for mark in ("->", "<-", "<->"):
                if node not in path and is_edge(admg, path[-1], mark, node):
                    yield from extend((*path, node), (*marks, mark))

    yield from extend((start,), ())


def assert_is_evidence(
    answer: Separation, admg: ADMG, x: set[str], y: set[str], given: set[str]
) -> None:
    assert answer.path is not None
    assert answer.path[0] in x
    assert answer.path[-1] in y
    assert len(set(answer.path)) == len(answer.path)
    edges = zip(answer.path, answer.marks, answer.path[1:], strict=False)
    assert all(is_edge(admg, *edge) for edge in edges)
    assert is_open(admg, answer.path, answer.marks, given)
    for chain in answer.openings:
        assert chain[-1] in given
        assert all(edge in admg.directed for edge in pairwise(chain))


@pytest.mark.parametrize("seed", range(150))
@pytest.mark.parametrize(("nodes", "arcs"), [(8, 0.0), (7, 0.2)])
def test_separation_is_d_separation_with_explicit_latents(nodes: int, arcs: float, seed: int):
    generator = np.random.default_rng(seed)
    admg = random_admg(generator, nodes, arcs=arcs)
    x, y, given = random_question(generator, admg.nodes)
    answer = separation(admg, x, y, given)
    assert answer.separated == networkx.is_d_separator(canonical_dag(admg), x, y, given)
    if not answer:
        assert_is_evidence(answer, admg, x, y, given)


@pytest.mark.parametrize("seed", range(60))
def test_the_path_is_a_shortest_of_all_open_ones(seed: int) -> None:
    generator = np.random.default_rng(seed)
    admg = random_admg(generator, 5, arcs=0.3)
    x, y, given = random_question(generator, admg.nodes)
    lengths = [
        len(path)
        for a in x
        for b in y
        for path, marks in simple_paths(admg, a, b)
        if not (set(path[1:-1]) & (x | y)) and is_open(admg, path, marks, given)
    ]
    answer = separation(admg, x, y, given)
    assert answer.separated == (not lengths)
    if answer.path is not None:
        assert len(answer.path) == min(lengths)


def test_the_texts_read_as_paths() -> None:
    butterfly = ADMG(
        ("x", "z", "y", "w"),
        frozenset({("z", "x"), ("x", "w")}),
        frozenset({frozenset({"z", "y"}), frozenset({"x", "y"})}),
    )
    assert separation(butterfly, "x", "y").text == "x <-> y"
    assert separation(butterfly.subgraph(["x", "z", "y"]).do("y"), "x", "y", "z").text == (
        "x and y are separated given z"
    )
    assert separation(butterfly, "z", "y", ["w"]).text == "z <-> y"
    assert separation(butterfly, "w", "y").text == "w <- x <-> y"
    collider = ADMG(
        ("x", "z", "y", "w"),
        frozenset({("x", "z"), ("z", "w")}),
        frozenset({frozenset({"z", "y"})}),
    )
    assert separation(collider, "x", "y", "z").text == (
        "x -> z <-> y, open at collider z as it is given"
    )
    assert separation(collider, "x", "y", "w").text == (
        "x -> z <-> y, open at collider z as w is given (z -> w)"
    )


def test_an_answer_is_as_true_as_its_statement() -> None:
    chain = ADMG(("x", "m", "y"), frozenset({("x", "m"), ("m", "y")}))
    assert separation(chain, "x", "y", "m")
    assert not separation(chain, "x", "y")
    assert separation(chain, (), "y")


def test_overlapping_or_unknown_sets_are_refused() -> None:
    chain = ADMG(("x", "m", "y"), frozenset({("x", "m"), ("m", "y")}))
    with pytest.raises(GraphError, match="node 'm' is given twice"):
        separation(chain, "x", "m", "m")
    with pytest.raises(GraphError, match="unknown node 'q'"):
        separation(chain, "x", "q")


@pytest.mark.parametrize("seed", range(60))
def test_latent_projection_keeps_every_separation_of_the_nodes_that_stay(seed: int) -> None:
    generator = np.random.default_rng(seed)
    admg = random_admg(generator, 8, arcs=0.15)
    latent = admg.nodes[::3]
    projected = latent_projection(admg, latent)
    assert projected.nodes == tuple(name for name in admg.nodes if name not in latent)
    for _ in range(5):
        question = random_question(generator, projected.nodes)
        assert separation(projected, *question).separated == separation(admg, *question).separated
