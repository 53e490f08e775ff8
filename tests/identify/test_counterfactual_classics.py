"""What forbids, by hand: two models with the same data in every experiment, different answers."""

from __future__ import annotations

import numpy as np
import pytest
from finite_models import Units, unit_model

from causalflow.errors import QueryError
from causalflow.graph.graph import Graph
from causalflow.identify.counterfactual import identify_counterfactual
from causalflow.identify.identify import identify
from causalflow.query.contrast import Contrast
from causalflow.query.parse import parse_query
from causalflow.query.query import Kind


def model(units, levels, **functions):
    """Equally likely units; (arguments, function of arrays) for each node, parents first."""
    arguments = {name: read.split() for name, (read, _) in functions.items()}
    sizes = dict.fromkeys(functions, levels) | ({"y": 2} if levels == 3 else {})
    laws = dict.fromkeys(units, [1 / levels] * levels)
    return Units(laws, {}, sizes, arguments, {name: f for name, (_, f) in functions.items()})


def chain(obeys):
    """y is a coin; or the same coin turned where m is 1."""
    return model(
        "ab",
        2,
        x=("a", lambda a: a),
        m=("x", lambda x: x),
        y=("m b", lambda m, b: b ^ (m & obeys)),
    )


def bow(level):
    """x is one of three; untreated, y would be 1 for those of one of the two treated levels."""
    return model("u", 3, x=("u", lambda u: u), y=("x u", lambda x, u: (x == 0) & (u == level)))


def witness(obeys):
    """w is a coin; or the same coin turned by x. m repeats w, and y compares them."""
    return model(
        "ab",
        2,
        x=("a", lambda a: a),
        w=("x b", lambda x, b: b ^ (x & obeys)),
        m=("x w", lambda x, w: w),
        y=("x w m", lambda x, w, m: w ^ m),
    )


CLASSICS = [
    (chain(0), chain(1), ["x -> m -> y"], "P(y[x=1]=1, y[x=0]=0)", [0.0, 0.5]),
    (chain(0), chain(1), ["x -> m -> y"], "P(y[x=0]=0 | x=1, y=1)", [0.0, 1.0]),
    (bow(1), bow(2), ["x -> y", "x <-> y"], "P(y[x=0]=1 | x=1)", [1.0, 0.0]),
    (
        witness(0),
        witness(1),
        ["x -> w -> m -> y", "w -> y", "x -> m", "x -> y"],
        "P(y[x=1, m[x=0]]=1)",
        [0.0, 1.0],
    ),
]


@pytest.mark.parametrize(("one", "other", "edges", "question", "answers"), CLASSICS)
def test_classic_is_refused_and_two_models_show_why(one, other, edges, question, answers):
    same, theirs = one.experiments(), other.experiments()
    assert all(np.abs(same[z].values - theirs[z].values).max() < 1e-15 for z in same)
    query = parse_query(question)
    assert [one.truth(query).item(), other.truth(query).item()] == pytest.approx(answers)
    for data in ("observational", "experimental"):
        verdict = identify(Graph(edges=edges), question, data)
        assert not verdict
        assert verdict.witness[0].conflict is not None


def test_witness_names_the_factor_and_the_variable_with_two_values():
    bow_graph = Graph(edges=["x -> y", "x <-> y"])
    assert identify(bow_graph, "P(y[x=1] | x=0)", "experimental").text() == (
        "P(y[x=1] | x=0) is not identifiable from every P(v | do(.))\n"
        "  ctf-factor P(y[x=1], x=0) needs x with two values, 1 and 0: no experiment has both"
    )


def test_witness_of_an_effect_that_observation_does_not_tell_is_a_hedge():
    graph = Graph(edges=["x -> m -> y", "x -> y", "x <-> m"])
    verdict = identify(graph, "P(y[x=1, m[x=0]])")
    assert "ctf-factor P(m[x=0])" in verdict.text()
    assert "hedge F = {m, x}, F' = {m}" in verdict.text()
    measured = identify(graph, "P(y[x=1, m[x=0]])", ["P(v)", "P(m | do(x))"])
    assert str(measured) == "P(y[x=1, m[x=0]]) = sum_m P(y | m, x=1) P(m | do(x=0))"
    assert identify(graph, "P(y[x=1, m[x=0]])", ["P(v)", "P(v | do(x))"])


@pytest.mark.parametrize(
    ("question", "formula"),
    [
        ("P(y[x=1]=1, y=0, x=1)", "0"),
        ("P(y[x=1, y=1]=0, x)", "0"),
        ("P(x[y=1]=1, x=0)", "0"),
        ("P(y[y=1]=1, x)", "P(x)"),
        ("P(y[x=1, x2=1], x=1)", "P(x=1, y)"),
    ],
)
def test_impossible_is_an_answer_and_certain_terms_vanish(question, formula):
    verdict = identify(Graph(edges=["x -> y", "x2 -> x3"]), question)
    assert str(verdict).endswith(f"= {formula}")


def test_free_terms_that_are_one_variable_must_agree():
    graph = Graph(edges=["x -> y"])
    truth = unit_model(np.random.default_rng(0), ["x", "y"], [("x", "y")], [], 3)
    for text in ("P(x[y=1], x)", "P(x[y=0]=2, x)", "P(y[y=1], y)", "P(x[y=1], y | x)"):
        verdict = identify_counterfactual(graph, text)
        answer = verdict.evaluate(truth.table()).values
        assert np.abs(answer - truth.truth(verdict.query)).max() < 1e-12


def test_impossible_condition_is_an_error():
    with pytest.raises(QueryError, match="condition is impossible"):
        identify(Graph(edges=["x -> y"]), "P(y[x=0] | y[x=1]=1, x=1, y=0)")


def test_depth_of_nesting_does_not_matter():
    graph = Graph(edges=["x -> a -> b -> c -> y", "x -> y"])
    question = "P(y[x=1, c[b[a[x=0]]]])"
    truth = unit_model(np.random.default_rng(1), graph.admg.nodes, graph.admg.directed, [])
    verdict = identify(graph, question)
    error = verdict.evaluate(truth.table()).values - truth.truth(parse_query(question))
    assert np.abs(error).max() < 1e-12


NAMED = {
    "total": "E[y[x=1] - y[x=0]]",
    "on_the_treated": "E[y[x=1] - y[x=0] | x=1]",
    "necessity": "P(y[x=0]=0 | x=1, y=1)",
    "sufficiency": "P(y[x=1]=1 | x=0, y=0)",
    "necessity_and_sufficiency": "P(y[x=1]=1, y[x=0]=0)",
}


@pytest.mark.parametrize(("name", "text"), NAMED.items())
def test_named_quantities_are_the_questions_of_the_books(name, text):
    assert getattr(Contrast(treatment="x", outcome="y"), name)() == parse_query(text)


def test_named_direct_and_indirect_effects():
    contrast = Contrast(treatment="x", outcome="y", treated="on", control="off")
    texts = {
        "E[y[x=on, m=1] - y[x=off, m=1]]": contrast.controlled_direct({"m": 1}),
        "E[y[x=on, m[x=off]] - y[x=off]]": contrast.natural_direct(["m"]),
        "E[y[x=off, m[x=on]] - y[x=off]]": contrast.natural_indirect(["m"]),
        "E[y[x=on, m[x=off]] - y[x=off] | x=off]": contrast.natural_direct(["m"], given="off"),
    }
    for text, query in texts.items():
        assert query == parse_query(text)
        assert query.kind is Kind.EXPECTATION
    assert [*map(str, contrast.spurious())] == ["E[y[x=off] | x=on]", "E[y | x=off]"]


def test_total_effect_is_direct_minus_reversed_indirect():
    graph = Graph(edges=["x -> m -> y", "x -> y", "z -> x", "z -> y"])
    truth = unit_model(np.random.default_rng(3), graph.admg.nodes, graph.admg.directed, [])
    one, other = (
        Contrast(treatment="x", outcome="y"),
        Contrast(treatment="x", outcome="y", treated=0, control=1),
    )
    queries = one.total(), one.natural_direct(["m"]), other.natural_indirect(["m"])
    total, direct, reverse = (identify(graph, q).evaluate(truth.table()).values for q in queries)
    assert total == pytest.approx(direct - reverse, abs=1e-12)


def test_path_specific_effect_is_known_unless_a_witness_recants():
    contrast = Contrast(treatment="x", outcome="y")
    graph = Graph(edges=["x -> w -> m -> y", "w -> y", "x -> m", "x -> y"])
    direct = contrast.path_specific(graph, [("x", "y")])
    assert str(direct) == "E[y[x=1, m[x=0], w[x=0]] - y[x=0]]"
    assert identify(graph, direct)
    assert identify(graph, contrast.path_specific(graph, [("x", "m"), ("m", "y")]))
    recanting = contrast.path_specific(graph, [("x", "w"), ("w", "m"), ("m", "y")])
    assert str(recanting) == "E[y[x=0, m[x=0, w[x=1]], w[x=0]] - y[x=0]]"
    assert not identify(graph, recanting, "experimental")


def test_path_specific_effect_refuses_edges_that_carry_nothing():
    contrast, graph = Contrast(treatment="x", outcome="y"), Graph(edges=["x -> m -> y"])
    with pytest.raises(QueryError, match="no edge 'x -> y'"):
        contrast.path_specific(graph, [("x", "y")])
    with pytest.raises(QueryError, match="'x -> m' is on no path"):
        contrast.path_specific(graph, [("x", "m")])
