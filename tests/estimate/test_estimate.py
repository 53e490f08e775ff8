from __future__ import annotations

import numpy as np
import pytest
from finite_models import latent_model

from causalflow.errors import DataError, QueryError
from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify

FRONT_DOOR = Graph(edges=["x -> m -> y", "x <-> y"])


def drawn(graph: Graph, rows: int, seed: int):
    """Rows of a random model, and the model."""
    generator, admg = np.random.default_rng(seed), graph.admg
    model = latent_model(np.random.default_rng(0), admg.nodes, admg.directed, admg.bidirected)
    joint = model.joint()
    cells = generator.choice(joint.size, size=rows, p=joint.ravel() / joint.sum())
    columns = np.unravel_index(cells, joint.shape)
    return dict(zip(model.names, columns, strict=True)), model


def test_estimate_lies_within_five_standard_errors_of_the_truth():
    rows, model = drawn(FRONT_DOOR, 20_000, 1)
    found = identify(FRONT_DOOR, "P(y | do(x))").estimate(rows)
    truth = model.truth(["y"], ["x"])
    # A 95 % interval is 1.96 standard errors wide on either side.
    spread = (found.high.to_numpy() - found.low.to_numpy()) / (2 * 1.96)
    assert np.all(np.abs(found.table.to_numpy(["y", "x"]) - truth) < 5 * spread)
    assert np.all(spread < 0.02)
    assert found.warnings == ()


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    verdict, covered = identify(FRONT_DOOR, "P(y=1 | do(x=1))"), 0
    for seed in range(60):
        rows, model = drawn(FRONT_DOOR, 500, seed)
        found = verdict.estimate(rows, resamples=100, confidence=0.9)
        truth = model.truth(["y"], ["x"])[1, 1]
        covered += bool(found.low.values <= truth <= found.high.values)
    # Binomial(60, .9): 54 expected, standard deviation 2.3; five of them below is 42.
    assert covered >= 42


def test_empty_cells_are_named_where_positivity_fails():
    graph = Graph(edges=["z -> x -> y", "z -> y"])
    rows = {"z": [0, 0, 1, 1, 1], "x": [0, 1, 1, 1, 1], "y": [0, 1, 1, 0, 1]}
    found = identify(graph, "P(y | do(x))").estimate(rows, resamples=10)
    assert found.warnings == ("P(x, z) is 0 at x=0, z=1",)
    assert "warning: positivity fails: P(x, z) is 0 at x=0, z=1" in str(found)


def test_same_generator_gives_the_same_intervals():
    rows, _ = drawn(FRONT_DOOR, 200, 0)
    verdict = identify(FRONT_DOOR, "P(y | do(x))")
    one, other = (verdict.estimate(rows, generator=np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one.low.values, other.low.values)


def test_unfit_estimates_are_errors():
    bow = Graph(edges=["x -> y", "x <-> y"])
    with pytest.raises(QueryError, match="not identifiable"):
        identify(bow, "P(y | do(x))").estimate({"x": [0], "y": [0]})
    verdict = identify(FRONT_DOOR, "P(y | do(x))")
    with pytest.raises(DataError, match=r"no column \['m'\]"):
        verdict.estimate({"x": [0], "y": [0]})
    with pytest.raises(DataError, match=r"confidence=1\.0; expected a share between 0 and 1"):
        verdict.estimate({"x": [0], "m": [0], "y": [0]}, confidence=1.0)
