"""Nodes with given tables, in the exact model and in the one that samples and is fitted."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from causalflow.errors import CausalflowError, CompileError, EvidenceError, QueryError
from causalflow.exact.model import ExactModel
from causalflow.formats.formats import loads
from causalflow.graph.graph import Graph
from causalflow.model.model import compile

CHAIN = """
nodes:
  z: {type: class, levels: 2, table: [1/3, 2/3]}
  x: {type: class, levels: [green, red], table: {0: [0.2, 0.8], 1: [1/2, 1/2]}}
  y:
    type: class
    levels: 3
    noise: NOISE
    table:
      green: {0: [0.2, 0.3, 0.5], 1: [0.3, 0.6, 0.1]}
      red: {1: [0, 0, 1], 0: [0.1, 0.1, 0.8]}
edges: [z -> x, x -> y, z -> y]
"""
ROWS = 20_000
TOLERANCE = 0.018  # 5 standard errors of a share of 20,000 draws


def chain(noise):
    text = CHAIN.replace("NOISE", noise) if noise else CHAIN.replace("    noise: NOISE\n", "")
    return loads(text)


def test_one_world_needs_no_choice_and_several_demand_it():
    model = ExactModel(chain(None))
    assert model.ask("P(y=2 | do(x=red))").value == Fraction(14, 15)
    assert model.ask("P(y[x=red]=2 | x=green)").assumptions == ()
    assert model.ask("E[y[x=red] - y[x=green]]").value is not None
    with pytest.raises(QueryError, match=r"node 'y' has a table.*state 'noise' at the node"):
        model.ask("P(y[x=red] | x=green, y=1)")
    with pytest.raises(QueryError, match="state 'noise'"):
        model.draw_counterfactual({"x": "green", "y": 1}, {"x": "red"})


@pytest.mark.parametrize(
    ("noise", "share"),
    [("gumbel", Fraction(1, 63)), ("monotone", 0), ("response", Fraction(1, 10))],
)
def test_a_counterfactual_says_that_it_depends_on_the_choice(noise, share):
    graph = chain(noise)
    table = {"green": {0: [0.2, 0.3, 0.5], 1: [1, 0, 0]}, "red": {0: [0.1, 0.1, 0.8], 1: [0, 0, 1]}}
    nodes = {**graph.nodes, "y": {"type": "class", "levels": 3, "noise": noise, "table": table}}
    answer = ExactModel(Graph(nodes=nodes, edges=graph.edges)).ask("P(y[x=red] | x=green, y=1)")
    assert answer.table.to_dict()[0] == share
    assert answer.assumptions == (
        f"a counterfactual of 'y' depends on the choice 'noise: {noise}' in the graph,"
        " which no data determine",
    )


def test_rows_without_chance_need_no_choice():
    graph = Graph(
        nodes={
            "x": {"type": "class", "levels": 2, "table": ["1/2", "1/2"]},
            "y": {"type": "class", "levels": 2, "table": {0: [1, 0], 1: [0, 1]}},
            "w": {"type": "class", "levels": 2, "table": {0: [1, 0], 1: ["1/4", "3/4"]}},
        },
        edges=["x -> y -> w"],
    )
    model = ExactModel(graph)
    assert model.ask("P(y[x=1]=1, y[x=0]=0)").value == 1
    assert model.ask("P(w[x=0]=1 | w=1)").value == 0


def test_the_order_in_which_edges_name_parents_is_that_of_the_table():
    nested = {0: {0: [1, 0], 1: ["1/4", "3/4"]}, 1: {0: ["1/2", "1/2"], 1: [0, 1]}}
    nodes = {name: {"type": "class", "levels": 2, "table": ["1/2", "1/2"]} for name in "ab"}
    nodes["c"] = {"type": "class", "levels": 2, "table": nested}
    for edges, expected in (
        (["a -> c", "b -> c"], Fraction(3, 4)),
        (["b, a -> c"], Fraction(1, 2)),
    ):
        model = ExactModel(Graph(nodes=nodes, edges=edges))
        assert model.ask("P(c=1 | do(a=0, b=1))").value == expected


@pytest.mark.parametrize("noise", ["gumbel", "monotone", "response"])
def test_draws_follow_the_exact_table(noise):
    exact, model = ExactModel(chain(noise)), compile(chain(noise))
    expected = exact.ask("P(y[x=red] | x=green, z=0, y=1)").table.to_numpy()
    evidence = {"x": "green", "z": 0, "y": 1}
    of_exact = exact.draw_counterfactual(evidence, {"x": "red"}, ROWS)["y"]
    of_model = model.counterfactual(evidence, {"x": "red"}, n=ROWS)["y"].numpy()
    for draws in (of_exact, of_model):
        assert (
            np.abs(np.bincount(draws.reshape(-1), minlength=3) / ROWS - expected).max() < TOLERANCE
        )
    sample = exact.sample(ROWS, generator=1)
    assert abs(sample["y"].mean() - float(exact.ask("E[y]").value)) < 0.03


def test_draws_of_the_actual_world_give_the_evidence_back():
    model = ExactModel(chain("gumbel"))
    evidence = {"x": ["green", "red", "green"], "y": [1, 2, 0], "z": [1, 0, 0]}
    draws = model.draw_counterfactual(evidence, {"x": ["green", "red", "green"]}, 3)
    assert draws["y"].tolist() == [1, 2, 0] * 3
    assert draws["z"].tolist() == [1, 0, 0] * 3


def test_impossible_evidence_is_named_in_draws_too():
    with pytest.raises(EvidenceError, match=r"row 1: .*P\(x=red, y=1, z=1\) = 0"):
        ExactModel(chain("gumbel")).draw_counterfactual(
            {"x": "red", "y": [2, 1], "z": 1}, {"x": "green"}
        )


def test_what_tables_have_no_answer_for_is_an_error_in_one_line():
    model = ExactModel(chain("gumbel"))
    with pytest.raises(CausalflowError, match="enumerate: node 'z' has a table"):
        model.enumerate()
    with pytest.raises(EvidenceError, match="no exogenous variable is left"):
        model.posterior({"y": 1})
    with pytest.raises(CompileError, match="node 'x' has no equation and no table"):
        ExactModel(Graph(nodes={"x": {"type": "class", "levels": 2}}))


def test_copies_that_are_too_wide_are_refused_before_they_are_made():
    levels = 24
    table = {k: [Fraction(1, levels)] * levels for k in range(levels)}
    nodes = {
        "x": {"type": "class", "levels": levels, "table": table[0]},
        "w": {"type": "class", "levels": levels, "table": table, "noise": "response"},
        "y": {"type": "class", "levels": levels, "table": table, "noise": "gumbel"},
    }
    model = ExactModel(Graph(nodes=nodes, edges=["x -> w -> y"]))
    with pytest.raises(CausalflowError, match=r"too wide: node '(w|y)'"):
        model.ask("P(y, y[x=1], y[x=2])")


def shares(*columns):
    counts = np.zeros([int(column.max()) + 1 for column in columns])
    np.add.at(counts, tuple(np.asarray(column) for column in columns), 1 / len(columns[0]))
    return counts


def test_a_model_of_given_tables_samples_without_a_fit():
    graph = chain("response")
    world = compile(graph).sample(ROWS, do={"x": "red"})
    expected = ExactModel(graph).ask("P(z, y | do(x=red))").table.to_numpy()
    assert np.abs(shares(world["z"], world["y"]) - expected).max() < TOLERANCE


def test_a_fit_leaves_given_tables_alone():
    graph = loads(CHAIN.replace(", table: [1/3, 2/3]", "").replace("NOISE", "gumbel"))
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
