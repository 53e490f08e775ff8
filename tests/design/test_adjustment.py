from __future__ import annotations

from itertools import islice

import numpy as np
from finite_models import latent_model
from questions import random_graph

from causalflow.admg.admg import ADMG
from causalflow.design.adjustment import adjustment_formula, adjustment_sets
from causalflow.design.front_door import front_door_formula, front_door_sets
from causalflow.design.instruments import instruments
from causalflow.factors.table import Table
from causalflow.graph.graph import Graph
from causalflow.symbolic.evaluate import evaluate
from causalflow.symbolic.expression import Index


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
