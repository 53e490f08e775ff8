from __future__ import annotations

from itertools import combinations, islice

import networkx
import numpy as np
import pytest
from finite_models import latent_model
from questions import random_graph

from causalflow.admg.admg import ADMG
from causalflow.design.adjustment import adjustment_formula, adjustment_sets
from causalflow.design.front_door import front_door_formula, front_door_sets
from causalflow.design.instruments import instruments
from causalflow.errors import GraphError
from causalflow.factors.table import Table
from causalflow.graph.graph import Graph
from causalflow.symbolic.evaluate import evaluate
from causalflow.symbolic.expression import Index


def canonical(names, directed, bidirected) -> networkx.DiGraph:
    dag = networkx.DiGraph(directed)
    dag.add_nodes_from(names)
    dag.add_edges_from(((a, b), end) for a, b in bidirected for end in (a, b))
    return dag


def subsets(names):
    return (set(c) for size in range(len(names) + 1) for c in combinations(sorted(names), size))


def minimal(sets):
    found = []
    for each in sets:
        if not any(known <= each for known in found):
            found.append(each)
    return found


def separated(dag, x, y, given):
    return networkx.is_d_separator(dag, {x}, {y}, set(given))


def problems(seed, count, size=6, front_door=False):
    generator = np.random.default_rng(seed)
    for _ in range(count):
        names, directed, bidirected = random_graph(generator, size, 0.4, 0.15)
        x, y = names[0], names[1]
        if front_door:
            directed = [pair for pair in directed if pair != (x, y)]
            bidirected = sorted({(x, y), *bidirected[:1]})
        admg = ADMG(tuple(names), frozenset(directed), frozenset(map(frozenset, bidirected)))
        yield generator, admg, (names, directed, bidirected), x, y


@pytest.mark.parametrize("seed", range(4))
def test_adjustment_sets_are_all_the_minimal_ones_by_definition_fewest_first(seed):
    met = 0
    for _, admg, parts, x, y in problems(seed, 40):
        dag = canonical(*parts)
        if y not in networkx.descendants(dag, x):
            continue
        behind = dag.copy()
        behind.remove_edges_from(list(dag.out_edges(x)))
        others = set(parts[0]) - networkx.descendants(dag, x) - {x, y}
        expected = minimal(z for z in subsets(others) if separated(behind, x, y, z))
        found = [*adjustment_sets(admg, x, y)]
        assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
        assert [*map(len, found)] == sorted(map(len, found))
        met += bool(found)
    assert met > 0


def test_adjustment_formulas_equal_the_truth():
    met = 0
    for generator, admg, parts, x, y in problems(11, 120, size=5):
        for given in adjustment_sets(admg, x, y):
            met += check(generator, parts, adjustment_formula([x], [y], given), x, y)
    assert met > 40


def test_front_door_formulas_equal_the_truth():
    met = 0
    for generator, admg, parts, x, y in problems(11, 150, size=5, front_door=True):
        for middle in front_door_sets(admg, x, y):
            met += check(generator, parts, front_door_formula([x], [y], middle), x, y)
    assert met > 5


def check(generator, parts, formula, x, y):
    model = latent_model(generator, *parts)
    table = evaluate(formula, Table(model.names, model.joint()))
    if formula.free == {Index(y)}:
        return False  # no effect at all
    assert np.abs(table.to_numpy([y, x]) - model.truth([y], [x])).max() < 1e-9
    return True


def test_joint_treatments_are_adjusted_for_together():
    generator, met = np.random.default_rng(5), 0
    for _ in range(150):
        names, directed, bidirected = random_graph(generator, 6, 0.4, 0.1)
        admg = ADMG(tuple(names), frozenset(directed), frozenset(map(frozenset, bidirected)))
        model = latent_model(generator, names, directed, bidirected)
        joint = Table(model.names, model.joint())
        x, y = names[:2], names[2:3]
        for given in islice(adjustment_sets(admg, x, y), 3):
            found = evaluate(adjustment_formula(x, y, given), joint).to_numpy([*y, *x])
            assert np.abs(found - model.truth(y, x)).max() < 1e-9
            met += 1
    assert met > 50


def test_instruments_are_those_of_the_definition():
    met = 0
    for _, admg, parts, x, y in problems(3, 80):
        dag = canonical(*parts)
        behind = dag.copy()
        behind.remove_edges_from(list(dag.out_edges(x)))
        after = networkx.descendants(dag, x) | networkx.descendants(dag, y) | {x, y}
        for found in instruments(admg, x, y):
            assert found.variable not in after
            assert not found.given & after
            assert separated(behind, found.variable, y, found.given)
            assert not separated(dag, found.variable, x, found.given)
            met += 1
    assert met > 20


def test_hundred_nodes_are_searched_lazily():
    chain = [f"z{i} -> z{i + 1}" for i in range(60)] + [f"z{i} <-> z{i + 3}" for i in range(50)]
    graph = Graph(
        edges=[
            *chain,
            "z60 -> x -> y",
            "z0 -> y",
            *(f"w{i} -> x" for i in range(30)),
            *(f"w{i} -> y" for i in range(30)),
        ]
    )
    first = next(adjustment_sets(graph, "x", "y"))
    assert len(first) == 31
    assert {f"w{i}" for i in range(30)} < first
    assert next(front_door_sets(graph, "x", "y"), None) is None
    assert next(instruments(graph, "x", "y"), None) is not None


def test_unknown_node_is_a_one_line_error():
    with pytest.raises(GraphError, match=r"unknown node 'q'"):
        next(adjustment_sets(Graph(edges=["x -> y"]), "q", "y"))
