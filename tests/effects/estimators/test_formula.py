"""Formulas by regressions: with finite columns they are the rows' relative frequencies put in."""

from collections import Counter

import numpy as np
import pytest
from finite_models import latent_model

from causalflow.effects.complete_rows import read_rows
from causalflow.effects.estimators.formula import Formula
from causalflow.errors import CausalflowError, DataError
from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify
from causalflow.symbolic.expression import Index, Sum
from causalflow.symbolic.parts import walk
from causalflow.symbolic.substitute import renamed_apart

NAPKIN = ("w -> r -> x -> y", "w <-> x", "w <-> y")
FRONT = ("x -> m -> y", "x <-> y")
QUESTIONS = [
    (NAPKIN, "E[y | do(x=1)]"),
    (NAPKIN, "TE(x -> y)"),
    (NAPKIN, "P(y | do(x))"),
    (FRONT, "E[y | do(x)]"),
    (FRONT, "P(y | do(x), m)"),
    ((*FRONT, "c -> x", "c -> m", "c -> y"), "P(y | do(x))"),
    (("x -> a -> b -> y", "x <-> b", "a <-> y"), "E[y | do(x)]"),
    (("z -> x -> y", "z -> y"), "P(y=1 | do(x=1)) / P(y=1 | do(x=0))"),
    (("z -> x -> y", "z -> y"), "ETT(x -> y)"),
    (("w -> x", "w -> m", "w -> y", "x -> m -> y", "x -> y"), "NDE(x -> y)"),
]


def drawn(graph, rows, seed=0):
    admg = graph.admg
    arcs = [tuple(sorted(pair)) for pair in admg.bidirected]
    model = latent_model(np.random.default_rng(seed), admg.nodes, admg.directed, arcs)
    joint = model.joint()
    chances = joint.ravel() / joint.sum()
    cells = np.random.default_rng(1).choice(joint.size, size=rows, p=chances)
    return dict(zip(model.names, np.unravel_index(cells, joint.shape), strict=True))


@pytest.mark.parametrize(("edges", "query"), QUESTIONS)
def test_formula_of_levels_is_the_counted_one(edges, query):
    graph = Graph(edges=list(edges))
    rows, verdict = drawn(graph, 3_000), identify(graph, query)
    counted = verdict.estimate(rows, resamples=2)
    found = verdict.estimate(rows, method="formula", resamples=2)
    assert found.values == pytest.approx(np.ravel(counted.table.to_numpy()), abs=1e-9)


def linear(features, target):
    """Least squares."""
    design = np.hstack([np.ones((len(features), 1)), features])
    slopes = np.linalg.lstsq(design, target)[0]
    return lambda wanted: slopes[0] + wanted @ slopes[1:]


def test_front_door_of_numbers_is_the_product_of_its_slopes():
    random = np.random.default_rng(0)
    u, a, b, c = random.normal(size=(4, 500))
    x = u + a
    m = 0.7 * x + b
    columns = {"x": x, "m": m, "y": 2 * m + u + c}
    formula = identify(Graph(edges=list(FRONT)), "E[y | do(x)]").estimand
    rows = read_rows(columns, ["x", "m", "y"], {})
    at = [Formula(rows, linear, {Index("x"): v}).value(renamed_apart(formula)) for v in (2.0, 0.0)]
    of_x = np.polyfit(x, m, 1)[0]
    of_m = np.linalg.lstsq(np.stack([m, x, np.ones(500)], axis=1), columns["y"])[0][0]
    assert at[0] - at[1] == pytest.approx(2 * of_x * of_m, rel=1e-6)


def test_renamed_apart_binds_each_index_once():
    verdict = identify(Graph(edges=list(QUESTIONS[-1][0])), "NDE(x -> y)")
    before, after = (
        Counter(i for each in walk(formula) if isinstance(each, Sum) for i in each.over)
        for formula in (verdict.estimand, renamed_apart(verdict.estimand))
    )
    assert before[Index("w")] == 2
    assert max(after.values()) == 1
    assert len(after) == sum(before.values())


def test_stratum_without_rows_is_refused():
    graph = Graph(edges=["z -> x -> y", "z -> y"])
    random = np.random.default_rng(0)
    rows = {"z": [0, 0, 1, 1] * 5, "x": [0, 1, 1, 1] * 5, "y": random.normal(size=20)}
    with pytest.raises(DataError, match="positivity fails"):
        identify(graph, "E[y | do(x=0)]").estimate(rows, method="formula")


def test_formula_that_is_no_mean_is_refused_in_a_line():
    graph = Graph(edges=list(FRONT))
    random = np.random.default_rng(0)
    rows = {name: random.normal(size=50) for name in "xmy"}
    with pytest.raises(CausalflowError, match="number"):
        identify(graph, "P(y | do(x=1))").estimate(rows, method="formula")
