"""Nodes with given tables in the sampling model: never fitted, and as exact as sampling can be."""

import numpy as np
import pytest
import torch

from causalflow.errors import CausalflowError, CompileError
from causalflow.exact.model import ExactModel
from causalflow.formats.formats import loads
from causalflow.graph.graph import Graph
from causalflow.model.model import compile

TEXT = """
nodes:
  z: {type: class, levels: 2, table: [1/3, 2/3]}
  x: {type: class, levels: [green, red], table: {0: [0.2, 0.8], 1: [1/2, 1/2]}}
  y:
    type: class
    levels: 3
    noise: NOISE
    table:
      red: {0: [0.1, 0.1, 0.8], 1: [0, 0, 1]}
      green: {0: [0.2, 0.3, 0.5], 1: [0.3, 0.6, 0.1]}
edges: [z -> x, x -> y, z -> y]
"""
ROWS = 20_000
TOLERANCE = 0.018  # 5 standard errors of a share of 20,000 draws


def shares(*columns):
    counts = np.zeros([int(column.max()) + 1 for column in columns])
    np.add.at(counts, tuple(np.asarray(column) for column in columns), 1 / len(columns[0]))
    return counts


@pytest.mark.parametrize("noise", ["gumbel", "monotone", "response"])
def test_counterfactuals_of_given_tables_are_those_of_the_exact_model(noise):
    graph = loads(TEXT.replace("NOISE", noise))
    model, exact = compile(graph), ExactModel(graph)
    world = model.counterfactual({"x": ["green"], "z": [0], "y": [1]}, {"x": "red"}, n=ROWS)
    expected = exact.ask("P(y[x=red] | x=green, z=0, y=1)").table.to_numpy()
    found = shares(torch.as_tensor(world["y"]).numpy().reshape(-1))
    found = np.pad(found, (0, 3 - len(found)))
    assert np.abs(found - expected).max() < TOLERANCE


def test_a_model_of_given_tables_samples_without_a_fit():
    graph = loads(TEXT.replace("NOISE", "response"))
    world = compile(graph).sample(ROWS, do={"x": "red"})
    expected = ExactModel(graph).ask("P(z, y | do(x=red))").table.to_numpy()
    assert np.abs(shares(world["z"], world["y"]) - expected).max() < TOLERANCE


def test_a_fit_leaves_given_tables_alone():
    graph = loads(TEXT.replace(", table: [1/3, 2/3]", "").replace("NOISE", "gumbel"))
    model = compile(graph)
    before = model.scm.module("y").table.clone()
    with pytest.raises(CausalflowError, match="have equations or tables; there is nothing to fit"):
        model.fit({"y": [0, 1], "x": [0, 1], "z": [0, 1]}, nodes=["y"])
    model.fit({"z": [1, 1, 1, 0], "x": [0, 1, 0, 1], "y": [0, 0, 0, 0]}, steps=1, progress=False)
    assert torch.equal(model.scm.module("y").table, before)
    assert torch.exp(model.scm.module("z").table)[0, 1] > 0.6


def test_response_noise_below_a_continuous_parent_is_refused():
    graph = Graph(
        nodes={
            "z": {"type": "continuous"},
            "x": {"type": "class", "levels": 2, "noise": "response"},
        },
        edges=["z -> x"],
    )
    with pytest.raises(CompileError, match="node 'x': noise 'response' has a value for each comb"):
        compile(graph)


def test_response_noise_of_a_fitted_table_answers_other_parents_independently():
    graph = Graph(
        nodes={
            "z": {"type": "class", "levels": 2},
            "x": {"type": "class", "levels": 2, "noise": "response"},
        },
        edges=["z -> x"],
    )
    model = compile(graph)
    z = np.repeat([0, 1], ROWS)
    x = np.concatenate([np.arange(ROWS) % 2, np.arange(ROWS) % 4 == 0]).astype(np.int64)
    model.fit({"z": z, "x": x}, progress=False)
    for seen in (0, 1):
        world = model.counterfactual({"z": [0], "x": [seen]}, {"z": 1}, n=ROWS)
        assert float(world["x"].double().mean()) == pytest.approx(0.25, abs=TOLERANCE)
        assert (model.counterfactual({"z": [0], "x": [seen]}, {}, n=64)["x"] == seen).all()
