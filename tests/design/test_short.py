"""Short answers: the textbook formulas, held against worlds; bounded on large graphs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from finite_models import unit_model
from questions import random_graph

from causalflow.admg import separators
from causalflow.admg.admg import ADMG
from causalflow.design import adjustment
from causalflow.design.adjustment import mediation_sets
from causalflow.design.formulas import short_answers
from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify
from causalflow.query.parse import parse_query
from causalflow.symbolic.evaluate import evaluate

EXACT = 1e-9  # float64 algebra on probabilities of at least about 1e-4
COVARIATE = ["z -> x -> m -> y", "z -> m", "z -> y", "x -> y"]


def answers(edges, question):
    return [*map(str, short_answers(Graph(edges=edges).admg, parse_query(question)))]


def test_mediation_formula_is_that_of_pearl():
    """Pearl (2001), equations 8 and 11."""
    assert answers(["x -> m -> y", "x -> y"], "P(y[x=1, m[x=0]])") == [
        "mediation formula {}: sum_m P(y | m, x=1) P(m | x=0)"
    ]
    assert answers(COVARIATE, "E[y[x=1, m[x=0]] - y[x=0]]") == [
        "mediation formula {z}: sum_{y, y', z} (y - y') P(y' | x=0, z) P(z)"
        " sum_m P(y | m, x=1, z) P(m | x=0, z)"
    ]


def test_one_covariate_may_do_where_the_general_formula_has_two():
    edges = ["w0 -> w1 -> x -> m -> y", "w1 -> m", "w0 -> y", "x -> y"]
    verdict = identify(Graph(edges=edges), "P(y[x=1, m[x=0]])")
    assert "w0" in str(verdict)
    assert str(verdict.short_answers[0]) == (
        "mediation formula {w1}: sum_w1 P(w1) sum_m P(y | m, w1, x=1) P(m | w1, x=0)"
    )


def test_effect_on_the_treated_weighs_the_back_door_by_those_treated():
    assert answers(["z -> x -> y", "z -> y"], "P(y[x=1] | x=0)") == [
        "back door {z}: sum_z P(y | x=1, z) P(z | x=0)"
    ]


def test_answers_with_fewest_variables_come_first():
    edges = ["a -> b -> x -> m -> y", "a -> c -> y", "c -> d -> y"]
    sizes = [
        len(each.variables) for each in identify(Graph(edges=edges), "P(y | do(x))").short_answers
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] == 1
    assert len(sizes) > 2


def test_instruments_are_named_where_nothing_else_answers():
    edges = ["w -> z -> x -> y", "w -> y", "x <-> y"]
    verdict = identify(Graph(edges=edges), "P(y | do(x))")
    assert [*map(str, verdict.short_answers)] == [
        "instrument z given {w}: bounds, or a linear model"
    ]
    napkin = identify(Graph(edges=["w -> z -> x -> y", "w <-> x", "w <-> y"]), "P(y | do(x))")
    assert napkin.short_answers == ()


def test_nothing_is_offered_without_observations():
    graph = Graph(edges=["z -> x -> y", "z -> y"])
    assert identify(graph, "P(y | do(x))", ["P(v | do(z))"]).short_answers == ()


QUESTIONS = [
    "E[{y}[{x}=1, {m}[{x}=0]] - {y}[{x}=0]]",
    "E[{y}[{x}=0, {m}[{x}=1]] - {y}[{x}=0]]",
    "P({y}[{x}=1, {m}[{x}=0]] | {x}=1)",
    "P({y}[{x}=1] | {x}=0)",
    "E[{y}[{x}=1] - {y}[{x}=0] | {x}=1]",
    "P({y}=1 | do({x}=0))",
    "E[{y} | do({x}=1)]",
]


def test_short_answers_equal_the_truth_in_random_models():
    generator, met = np.random.default_rng(0), Counter()
    for _ in range(60):
        names, directed, bidirected = random_graph(generator, 5, 0.45, 0.12)
        admg = ADMG(tuple(names), frozenset(directed), frozenset(map(frozenset, bidirected)))
        x, m, y = admg.topological_order()[-3:]
        model = unit_model(generator, names, directed, bidirected)
        for question in QUESTIONS:
            query = parse_query(question.format(x=x, m=m, y=y))
            for each in short_answers(admg, query):
                if each.estimand is not None:
                    found = evaluate(each.estimand, model.table())
                    error = found.to_numpy(found.axes) - model.truth(query)
                    assert np.abs(error).max() < EXACT, (str(admg), str(query), str(each))
                    met[each.rule] += 1
    assert met["back door"] > 50
    assert met["mediation formula"] > 50


def test_mediators_that_share_a_hidden_cause_with_the_outcome_have_no_short_answer():
    assert answers(["x -> m -> y", "x -> y", "m <-> y"], "P(y[x=1, m[x=0]])") == []
    assert not [*mediation_sets(Graph(edges=["x -> m -> y", "m <-> y"]), "x", "m", "y")]


def dense(seed):
    """A hundred nodes with three causes each, and thirty hidden causes."""
    generator = np.random.default_rng(seed)
    names = tuple(f"v{i}" for i in range(100))
    directed = {
        (names[i], names[j])
        for j in range(1, 100)
        for i in generator.integers(max(0, j - 10), j, size=3).tolist()
    }
    pairs = generator.integers(0, 100, size=(30, 2)).tolist()
    bidirected = {frozenset((names[a], names[b])) for a, b in pairs if a != b}
    return ADMG(names, frozenset(directed), frozenset(bidirected))


def wide():
    """Thirty common causes, a long chain, a mediator."""
    chain = [f"z{i} -> z{i + 1}" for i in range(60)] + [f"z{i} <-> z{i + 3}" for i in range(50)]
    covariates = [f"w{i} -> {end}" for i in range(30) for end in ("x", "y")]
    return Graph(edges=[*chain, "z60 -> x -> m -> y", "z0 -> y", *covariates]).admg


@pytest.mark.parametrize(
    ("admg", "question", "least"),
    [
        (wide(), "P(y | do(x))", 6),
        (wide(), "P(y[x=1, m[x=0]])", 5),
        (wide(), "E[y[x=1] - y[x=0] | x=1]", 5),
        (dense(0), "P(v99 | do(v50))", 0),
        (dense(0), "P(v80 | do(v20))", 1),
        (dense(0), "P(v99[v50=1, v70[v50=0]])", 0),
    ],
)
def test_hundred_nodes_take_few_cuts_and_separations(monkeypatch, admg, question, least):
    counts = Counter()

    def counted(name, function):
        def call(*args, **options):
            counts[name] += 1
            return function(*args, **options)

        return call

    monkeypatch.setattr(adjustment, "separation", counted("separation", adjustment.separation))
    monkeypatch.setattr(separators._Flow, "cut", counted("cut", separators._Flow.cut))
    assert len([*short_answers(admg, parse_query(question))]) >= least
    # A few sets of a rule: each set takes at most as many cuts as it has variables, and two
    # separations; instruments and front doors ask once or twice for each of the hundred nodes.
    assert counts["cut"] <= 200
    assert counts["separation"] <= 300
