"""Nodes with tables in the exact model, against models whose noise is written out."""

from fractions import Fraction
from math import prod

import numpy as np
import pytest
from brute_force import Questions, brute_force, random_fractions, random_scm
from explicit_noise import explicit

from causalflow.errors import CausalflowError, CompileError, EvidenceError, QueryError
from causalflow.exact.model import ExactModel
from causalflow.formats.formats import loads
from causalflow.graph.graph import Graph
from causalflow.query.parse import parse_query

MOST_ROWS = 1500
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


def chain(noise):
    text = CHAIN.replace("NOISE", noise) if noise else CHAIN.replace("    noise: NOISE\n", "")
    return loads(text)


def with_tables(seed):
    """A random SCM in which some equations have become tables; few noises in all."""
    scm = random_scm(seed)
    random = np.random.default_rng(seed + 10_000)
    rows = prod(len(p) for p in scm.laws.values())
    nodes, edges = dict(scm.graph.nodes), []
    for name, parents in scm.parents.items():
        size = scm.sizes[name]
        cells = prod(scm.sizes[p] for p in parents)
        noise = str(random.choice(["monotone", "response"]))
        if size is None:
            continue
        cost = size**cells if noise == "response" else cells * (size - 1) + 1
        if rows * cost > MOST_ROWS or random.random() < 0.3:
            continue
        rows *= cost
        order = [str(p) for p in random.permutation(parents)] if parents else []
        table = random_table(random, [scm.sizes[p] for p in order], size)
        nodes[name] = {"type": "class", "levels": size, "noise": noise, "table": table}
        edges += [f"{parent} -> {name}" for parent in order]
    graph = Graph(nodes=nodes, edges=edges, exogenous=dict(scm.graph.exogenous))
    return merged(graph, scm, [name for name, node in nodes.items() if isinstance(node, dict)])


def merged(graph, scm, tables):
    """The tables made explicit, the equations as the functions that they came from."""
    typed = {name: graph.nodes[name] for name in tables}
    parents = {n: [e.source for e in graph.edges if e.target == n] for n in tables}
    small = Graph(
        nodes={n: graph.nodes[n] for n in graph.nodes if n in typed or scm.sizes[n] is not None},
        edges=[f"{p} -> {n}" for n in tables for p in parents[n]],
        exogenous=dict(graph.exogenous),
    )
    made = explicit(small)
    made.graph = graph
    made.sizes = scm.sizes
    made.parents = scm.parents | parents
    made.functions = scm.functions | {n: made.functions[n] for n in tables}
    return made


def random_table(random, sizes, levels):
    if not sizes:
        return random_fractions(random, levels)
    return {k: random_table(random, sizes[1:], levels) for k in range(sizes[0])}


@pytest.mark.parametrize("seed", range(60))
def test_every_question_about_tables_equals_enumeration_of_their_noises(seed):
    scm = with_tables(seed)
    model = ExactModel(scm.graph, "fraction")
    questions = Questions(scm, np.random.default_rng(seed))
    for text in questions.every():
        try:
            parse_query(text, scm.graph)
        except QueryError:  # a name that is free twice
            continue
        expected = brute_force(scm, text)
        if expected is None:
            with pytest.raises(EvidenceError):
                model.ask(text)
            continue
        answer = model.ask(text)
        found = answer.table.to_dict(zeros=False)
        one = len(answer.table.axes) == 1
        assert found == {cell[0] if one else cell: p for cell, p in expected.items() if p}, text


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
    model = ExactModel(chain(noise))
    exact = model.ask("P(y[x=red], z | x=green, y=1)").table.to_numpy()
    draws = model.draw_counterfactual({"x": "green", "y": 1}, {"x": "red"}, 20_000)
    shares = np.zeros((3, 2))
    np.add.at(shares, (draws["y"], draws["z"]), 1 / 20_000)
    # 5 standard errors of a share: 5 * sqrt(.25 / 2e4) = .018.
    assert np.abs(shares - exact).max() < 0.018
    sample = model.sample(20_000, generator=1)
    assert abs(sample["y"].mean() - float(model.ask("E[y]").value)) < 0.03


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
