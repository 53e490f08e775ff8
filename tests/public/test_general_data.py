"""Verdicts from experiments, margins and conditionals: right formulas, proofs of no, or unknown."""

import json
import os
import pickle
from collections import Counter
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from general_data_oracle import Model, Question, is_determined, random_question, text

import causalflow as cf

EXACT = 1e-9  # float64, ratios of probabilities above .001
GRAPHS = int(os.environ.get("CAUSALFLOW_ORACLE_GRAPHS", "80"))
LARGEST_UNKNOWN = 0.1  # of what is determined, where 6 % take the inverse of a matrix
SPREAD = 3  # of a count of about one in twenty graphs

CASES = {
    "two experiments on one of two treatments each": (
        "X1 -> Y1, X1 -> Y2, W -> Y1, W -> Y2, Z -> Y1, Z -> X2, X2 -> Y2, Z -> Y2,"
        " X1 <-> Y1, Z <-> W, Z <-> X2",
        "P(Y1, Y2 | do(X1, X2))",
        ["P(X1, X2, Y1, Y2, W, Z)", "P(Y1, W, Z, X2 | do(X1))", "P(Y2, W, Z, X1 | do(X2))"],
    ),
    "an experiment that lacks the outcome": (
        "W -> X, W -> Z, X -> Z, Z -> Y, X <-> Z",
        "P(Y | do(X))",
        ["P(X, Y, Z, W)", "P(Z, W | do(X))"],
    ),
    "an experiment that lacks outcome and treatment": (
        "X1 -> W, W -> Y, X2 -> Y, X1 <-> W, X2 <-> Y, X1 <-> X2",
        "P(Y | do(X1, X2))",
        ["P(W | do(X1))", "P(X1, W, Y | do(X2))"],
    ),
    "a mediator measured in an experiment": (
        "x -> z, z -> y, x <-> z",
        "P(y | do(x))",
        ["P(x, z, y)", "P(z | do(x))"],
    ),
    "two margins that share the mediator": (
        "x -> z, z -> y",
        "P(y | do(x))",
        ["P(x, z)", "P(z, y)"],
    ),
    "a conditional of what is independent": ("x -> z, y -> z", "P(y)", ["P(y | x)"]),
    "a margin of what is independent": ("x -> z, y -> z", "P(y | x)", ["P(y)"]),
    "an experiment on a root": ("x -> y, y -> z", "P(y | x)", ["P(y | do(x))"]),
    "an experiment on what is no cause": (
        "x -> y, z -> y, y -> w",
        "P(y | do(x))",
        ["P(x, y | do(w))"],
    ),
    "conditionals in a row": (
        "a -> b, b -> c, c -> d",
        "P(d | do(a))",
        ["P(b | a)", "P(c | b)", "P(d | c)"],
    ),
    "a law and a conditional": (
        "z -> x, z -> y, x -> y",
        "P(y | do(x))",
        ["P(y | x, z)", "P(z)"],
    ),
    "a front door in two pieces": (
        "x -> m, m -> y, x <-> y",
        "P(y | do(x))",
        ["P(m | x)", "P(x, y | do(m))"],
    ),
    "a covariate's law from another study": (
        "z -> x, z -> y, x -> y, x -> m, m -> y",
        "P(m, y | do(x))",
        ["P(y, m | x, z)", "P(z | do(m))"],
    ),
}


def parsed(distribution):
    """(outcomes, do, given) of a text."""
    query = cf.parse_query(distribution)
    sides = query.outcomes, query.conditions
    outcomes, given = ([term.name for term in side] for side in sides)
    return outcomes, [each.variable for each in query.do], given


def question_of(edges, asked, data):
    edges = edges.split(", ")
    names = sorted({name for edge in edges for name in edge.replace("<->", "->").split(" -> ")})
    arrows = [tuple(edge.split(" -> ")) for edge in edges if " -> " in edge]
    arcs = [tuple(edge.split(" <-> ")) for edge in edges if " <-> " in edge]
    return Question(names, arrows, arcs, parsed(asked), [parsed(each) for each in data])


def graph_of(question):
    nodes = {name: {"type": "class", "levels": 2} for name in question.names}
    return cf.Graph(nodes=nodes, edges=question.edges())


def table(model, distribution):
    outcomes, do, given = distribution
    return cf.Table([*outcomes, *given, *do], model.distribution(distribution))


def error(verdict, question, generator):
    """How far the estimand on the tables of a random model is from the truth."""
    model = Model(question, generator)
    data = {text(each): table(model, each) for each in question.data}
    outcomes, do, given = question.asked
    found = verdict.evaluate(data).to_numpy([*outcomes, *given, *do])
    return np.abs(found - model.distribution(question.asked)).max()


@pytest.mark.parametrize("name", CASES)
def test_answer_from_pieces_of_data_equals_the_truth(name):
    question, generator = question_of(*CASES[name]), np.random.default_rng(0)
    verdict = cf.identify(graph_of(question), text(question.asked), [*map(text, question.data)])
    assert verdict.identifiable is True
    assert all(error(verdict, question, generator) < EXACT for _ in range(3))


def test_formulas_are_as_short_as_textbooks_have_them():
    chain = cf.Graph(edges=["x -> z -> y"])
    assert str(cf.identify(chain, "P(y | do(x))", ["P(x, z)", "P(z, y)"])) == (
        "P(y | do(x)) = sum_z P(y | z) P(z | x)"
    )
    collider = cf.Graph(edges=["x -> z", "y -> z"])
    assert str(cf.identify(collider, "P(y)", ["P(y | x)"])).splitlines() == [
        "P(y) = P(y | x)",
        "  (the same for every value of x)",
    ]


def test_formula_is_not_simplified_to_a_distribution_that_nobody_has():
    graph = cf.Graph(edges=["x -> y"])
    tables = {
        "P(x)": cf.Table(["x"], [0.25, 0.75]),
        "P(y | x)": cf.Table(["x", "y"], [[1, 0], [0.5, 0.5]]),
    }
    verdict = cf.identify(graph, "P(y)", [*tables])
    assert str(verdict) == "P(y) = sum_x P(y | x) P(x)"
    assert verdict.evaluate(tables).to_dict() == {0: 0.625, 1: 0.375}
    mean = cf.identify(graph, "E[y]", [*tables])
    assert mean.evaluate(tables).values.item() == 0.375


def test_counterfactual_is_not_simplified_to_a_distribution_that_nobody_has():
    graph = cf.Graph(edges=["x -> y"])
    tables = {
        "P(x)": cf.Table(["x"], [0.25, 0.75]),
        "P(y | x)": cf.Table(["x", "y"], [[1, 0], [0.5, 0.5]]),
    }
    joint = cf.identify(graph, "P(y[x=1]=1, x=1)", [*tables])
    assert joint.evaluate(tables).values.item() == 0.375
    two = cf.identify(graph, "P(y[x=1]=1, x=0)", [*tables])
    assert two.evaluate(tables).values.item() == 0.125
    mean = cf.identify(graph, "E[y[x=1] - y[x=0] | x=1]", [*tables])
    assert mean.evaluate(tables).values.item() == 0.5


def test_conditional_table_is_never_taken_for_a_joint_one():
    graph = cf.Graph(edges=["x -> y", "z -> y"])
    tables = {
        "P(y | x)": cf.Table(["y", "x"], [[0.9, 0.2], [0.1, 0.8]]),
        "P(x, y)": cf.Table(["x", "y"], [[0.225, 0.025], [0.15, 0.6]]),
    }
    verdict = cf.identify(graph, "P(y)", [*tables])
    assert verdict.evaluate(tables).to_dict() == pytest.approx({0: 0.375, 1: 0.625})


@pytest.mark.parametrize("part", range(4))
def test_verdicts_on_random_data_are_never_wrong(part):
    """By an oracle of its own: a formula equals the truth, a "no" is no where data determine."""
    counts = Counter()
    for seed in range(part, GRAPHS, 4):
        generator = np.random.default_rng(seed)
        question = random_question(generator, int(generator.integers(3, 6)))
        data = [*map(text, question.data)]
        verdict = cf.identify(graph_of(question), text(question.asked), data)
        determined = verdict.identifiable or is_determined(question, generator)
        counts[verdict.identifiable, determined] += 1
        if verdict:
            assert error(verdict, question, generator) < EXACT, (seed, str(verdict))
        else:
            assert not (verdict.identifiable is False and determined), (seed, str(verdict))
            assert bool(verdict.witness) == (verdict.identifiable is False)
    assert min(counts[True, True], counts[False, False]) > 2, counts
    assert (
        counts[None, True] <= LARGEST_UNKNOWN * (counts[None, True] + counts[True, True]) + SPREAD
    )


def exact(model, distribution):
    """P(outcomes | do, given) of a witness's model, by enumeration in fractions."""
    outcomes, do, given = distribution
    names, edges = [*model.kernels], [*model.laws]
    kept, cells = [*outcomes, *given, *do], Counter()
    states = [range(2) for _ in names] + [range(len(model.laws[edge])) for edge in edges]
    for values in product(*states):
        at = dict(zip([*names, *edges], values, strict=True))
        weight = Fraction(1)
        for edge in edges:
            weight *= model.laws[edge][at[edge]]
        for name in names:
            if name not in do:
                axes, numbers = model.kernels[name]
                weight *= numbers[tuple(at[axis] for axis in axes)]
        cells[tuple(at[name] for name in kept)] += weight
    totals = Counter()
    for cell, weight in cells.items():
        totals[cell[len(outcomes) :]] += weight
    return {cell: weight / totals[cell[len(outcomes) :]] for cell, weight in cells.items()}


@pytest.mark.parametrize(
    ("edges", "asked", "data"),
    [
        ("x -> y", "P(x)", ["P(y)"]),
        ("x -> m, m -> y, x <-> y", "P(y | do(x))", ["P(x, m)", "P(m, y)"]),
        ("z -> x, z -> y, x -> y", "P(y | do(x))", ["P(x, y)", "P(x, z)"]),
        ("z -> x, z -> y, x -> y", "P(y | do(x))", ["P(y | x, z)"]),
        ("z -> x, x -> y, x <-> y", "P(x, y | do(z))", ["P(x | do(z))", "P(y | z)"]),
        ("x -> w, w -> y, x <-> y", "P(y | do(x))", ["P(w | x)", "P(y | w, x)"]),
        ("d -> c, a -> b, a <-> d", "P(a | do(d))", ["P(a, b, c | d)"]),
    ],
)
def test_two_models_of_a_witness_agree_on_the_data_exactly_and_differ_on_the_question(
    edges, asked, data
):
    question = question_of(edges, asked, data)
    verdict = cf.identify(graph_of(question), asked, data)
    assert verdict.identifiable is False
    (witness,) = verdict.witness
    one, other = witness.models
    for model in witness.models:
        assert set(model.kernels) == set(question.names)
        assert set(model.laws) == set(map(frozenset, question.bidirected))
        assert all(sum(law) == 1 and min(law) > 0 for law in model.laws.values())
        for name, (axes, numbers) in model.kernels.items():
            parents = {a for a, b in question.directed if b == name}
            hidden = {edge for edge in model.laws if name in edge}
            assert {*axes} == parents | hidden | {name}
            assert axes[-1] == name
            assert numbers.min() > 0
            assert np.all(numbers.sum(axis=-1) == 1)
    assert all(exact(one, each) == exact(other, each) for each in question.data)
    answers = exact(one, question.asked), exact(other, question.asked)
    assert answers[0] != answers[1]
    outcomes, do, given = question.asked
    cell = tuple(witness.cell[name] for name in [*outcomes, *given, *do])
    assert witness.answers == tuple(answer[cell] for answer in answers)


INVERSE = ["P(x, z)", "P(x, y)"]


def test_what_takes_an_inverse_is_unknown_and_says_so():
    verdict = cf.identify(cf.Graph(edges=["x -> z -> y"]), "P(y | do(z))", INVERSE)
    assert verdict.identifiable is None
    assert not verdict
    assert verdict.witness == ()
    assert "not known to be identifiable from P(x, z), P(x, y)" in str(verdict)
    assert "inverting a matrix" in verdict.note
    assert "not identifiable" not in verdict.text(explain=True, proof=True)
    assert not any("any number of levels" in each for each in verdict.assumptions)
    with pytest.raises(cf.QueryError, match="not known to be identifiable"):
        verdict.evaluate({})


def test_command_line_tells_unknown_from_not_identifiable(cli, tmp_path):
    file = tmp_path / "chain.yaml"
    file.write_text("edges: [x -> z -> y]", encoding="utf-8")
    named = [word for each in INVERSE for word in ("--data", each)]
    unknown = json.loads(cli("identify", file, "P(y | do(z))", *named, "--json").out)
    assert (unknown["identifiable"], "witness" in unknown) == (None, False)
    assert "inverting a matrix" in unknown["note"]
    refuted = json.loads(cli("identify", file, "P(x)", "--data", "P(y)", "--json").out)
    assert refuted["identifiable"] is False
    assert refuted["witness"][0].startswith("two models with the same data")


def test_larger_data_that_do_not_tell_prove_it_for_smaller_ones():
    bow = cf.Graph(edges=["x -> y", "x <-> y", "y -> z"])
    verdict = cf.identify(bow, "P(z | do(x))", ["P(x, y)", "P(y, z)"])
    assert verdict.identifiable is False
    assert verdict.hedge is not None
    set_everywhere = cf.identify(bow, "P(y)", ["P(z | do(y))"])
    assert set_everywhere.identifiable is False
    assert "sets some of" in str(set_everywhere)


def test_counterfactual_is_told_by_pieces_of_data():
    graph = cf.Graph(edges=["z -> x -> y", "z -> y"])
    verdict = cf.identify(graph, "P(y[x=1] | x=0)", ["P(y | x, z)", "P(x, z)"])
    assert verdict.identifiable is True
    law = {"P(y | x, z)": np.array([[[0.9, 0.1], [0.6, 0.4]], [[0.3, 0.7], [0.2, 0.8]]])}
    joint = np.array([[0.3, 0.2], [0.1, 0.4]])
    tables = {
        "P(y | x, z)": cf.Table(["x", "z", "y"], law["P(y | x, z)"]),
        "P(x, z)": cf.Table(["x", "z"], joint),
    }
    expected = (joint[0, :, None] / joint[0].sum() * law["P(y | x, z)"][1]).sum(axis=0)
    assert verdict.evaluate(tables).to_numpy() == pytest.approx(expected)
    partial = cf.identify(graph, "P(y[x=1] | x=0)", ["P(y | x)", "P(x, z)"])
    assert partial.identifiable is None


def test_many_margins_of_a_long_chain_are_joined():
    size, generator = 10, np.random.default_rng(0)
    names = [f"v{at}" for at in range(size)]
    edges = [f"{a} -> {b}" for a, b in pairwise(names)]
    data = [*[f"P({a}, {b})" for a, b in pairwise(names)][1:], "P(v1 | v0)"]
    verdict = cf.identify(cf.Graph(edges=edges), "P(v9 | do(v0))", data[2:] + data[:2])
    assert verdict.identifiable is True
    steps = [generator.dirichlet([2, 2], size=2) for _ in names[1:]]
    law, tables = np.array([0.4, 0.6]), {}
    for (a, b), step in zip(pairwise(names), steps, strict=True):
        tables[f"P({a}, {b})"] = cf.Table([a, b], law[:, None] * step)
        law = law @ step
    tables["P(v1 | v0)"] = cf.Table(["v0", "v1"], steps[0])
    found = verdict.evaluate({name: tables[name] for name in data}).to_numpy(["v0", "v9"])
    assert np.abs(found - np.linalg.multi_dot(steps)).max() < EXACT


@pytest.mark.parametrize("size", [7, 25])
def test_no_formula_within_the_effort_is_unknown_not_no(size):
    """Every mediator is hidden in one of the two margins, and the graph is too large to search."""
    names = [f"m{at}" for at in range(size)]
    edges = [edge for name in names for edge in (f"x -> {name}", f"{name} -> y")]
    graph = cf.Graph(edges=[*edges, "x <-> y"])
    verdict = cf.identify(graph, "P(y | do(x))", [f"P(x, {', '.join(names)})", "P(x, y)"])
    assert verdict.identifiable is not True
    assert (verdict.identifiable is None) == (verdict.witness == ())


def test_witness_is_a_value():
    graph = cf.Graph(edges=["z -> x", "z -> y", "x -> y"])
    verdict = cf.identify(graph, "P(y | do(x))", ["P(x, y)", "P(x, z)"])
    copy = pickle.loads(pickle.dumps(verdict.witness))
    assert copy == verdict.witness
    assert hash(copy) == hash(verdict.witness)
    difference = cf.identify(graph, "P(y=1 | do(x=1)) - P(x=1)", ["P(x, y)", "P(x, z)"])
    assert difference.identifiable is False
    assert (
        difference.witness == cf.identify(graph, "P(y=1 | do(x=1))", ["P(x, y)", "P(x, z)"]).witness
    )
