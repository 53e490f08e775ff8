from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from finite_models import latent_model
from two_models import by_hedge

from causalflow.errors import DataError, QueryError
from causalflow.factors.table import Table
from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify

NAPKIN = ["w1 -> w2 -> x -> y", "w1 <-> x", "w1 <-> y"]


def model_of(graph: Graph, seed: int = 0, levels: int = 2):
    admg = graph.admg
    generator = np.random.default_rng(seed)
    return latent_model(generator, admg.nodes, admg.directed, admg.bidirected, levels)


def test_values_of_the_query_are_bound_and_bound_indices_are_not():
    graph = Graph(edges=["x -> m -> y", "x <-> y"])
    model = model_of(graph)
    verdict = identify(graph, "P(y=1 | do(x=0))")
    assert str(verdict).endswith("= sum_m P(m | x=0) sum_x P(y=1 | m, x) P(x)")
    value = verdict.evaluate(Table(model.names, model.joint())).to_dict()[()]
    assert value == pytest.approx(model.truth(["y"], ["x"])[1, 0], abs=1e-12)


def test_napkin_answer_is_the_same_at_every_value_of_the_constant():
    graph = Graph(edges=NAPKIN)
    model = model_of(graph, levels=3)
    joint = Table(model.names, model.joint())
    verdict = identify(graph, "P(y | do(x))")
    assert verdict.constant_in == ("w2",)
    from causalflow.symbolic.evaluate import evaluate

    whole = evaluate(verdict.estimand, joint).to_numpy(["w2", "y", "x"])
    assert np.abs(whole - whole[:1]).max() < 1e-12


def test_exact_data_give_an_exact_answer():
    graph = Graph(edges=["z -> x -> y", "z -> y"])
    cells = [Fraction(n, 36) for n in range(1, 9)]
    joint = Table(["z", "x", "y"], np.array(cells, dtype=object).reshape(2, 2, 2))
    table = identify(graph, "P(y | do(x=1))").evaluate(joint)
    p_z = [Fraction(10, 36), Fraction(26, 36)]
    expected = p_z[0] * Fraction(4, 7) + p_z[1] * Fraction(8, 15)
    assert table.is_exact
    assert table.to_dict()[1] == expected


def test_expectation_is_the_mean_of_the_identified_distribution():
    graph = Graph(edges=["z -> x -> y", "z -> y"])
    model = model_of(graph, levels=3)
    joint = Table(model.names, model.joint(), {"y": (1, 5, 10)})
    verdict = identify(graph, "E[2*y - z | do(x)]")
    truth = model.truth(["y", "z"], ["x"])
    expected = np.einsum("yzx,yz->x", truth, 2 * np.array([[1], [5], [10]]) - np.arange(3))
    assert np.abs(verdict.evaluate(joint).to_numpy(["x"]) - expected).max() < 1e-12


def test_experiment_that_a_factor_comes_from_is_named():
    graph = Graph(edges=["z -> x -> y", "z <-> x", "z <-> y"])
    text = identify(graph, "P(y | do(x))", ["P(v | do(z))"]).text(explain=True)
    assert "experiment: for {y}, ask the data in which {z} is set" in text


def test_verdict_is_true_when_identifiable_and_shows_itself_in_a_notebook():
    verdict = identify(Graph(edges=["x -> y"]), "P(y | do(x))")
    assert verdict
    assert verdict._repr_latex_() == (r"$\displaystyle P(y \mid \mathrm{do}(x)) = P(y \mid x)$")
    assert r"\begin{enumerate}" in verdict.derivation_latex()
    refused = identify(Graph(edges=["x -> y", "x <-> y"]), "P(y | do(x))")
    assert not refused
    assert refused.latex().endswith(r"\text{not identifiable from P(v)}")


def test_same_question_gives_an_equal_verdict():
    graph = Graph(edges=NAPKIN)
    assert identify(graph, "P(y | do(x))") == identify(graph, "P( y|do( x ) )")


def test_unidentifiable_answer_cannot_be_evaluated():
    verdict = identify(Graph(edges=["x -> y", "x <-> y"]), "P(y | do(x))")
    with pytest.raises(QueryError, match="is not identifiable from"):
        verdict.evaluate(Table(["x", "y"], np.full((2, 2), 0.25)))


def test_data_without_a_variable_of_the_estimand_are_refused():
    verdict = identify(Graph(edges=["z -> x -> y", "z -> y"]), "P(y | do(x))")
    with pytest.raises(DataError, match=r"no table for P\("):
        verdict.evaluate(Table(["x", "y"], np.full((2, 2), 0.25)))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("P(q | do(x))", "unknown"),
        ("P(y | do(x), x)", "'x'"),
        ("P(y, y)", "'y'"),
        ("P(y | do(y))", "'y'"),
        ("E[y=1 | do(x)]", "y"),
        ("P(y | ", "expected"),
    ],
)
def test_unfit_queries_are_errors_that_name_the_trouble(query, message):
    with pytest.raises(QueryError, match=message):
        identify(Graph(edges=["x -> y"]), query)


def test_exogenous_variables_cannot_be_observed():
    graph = Graph(
        nodes={"y": {"type": "class", "levels": 2, "equation": "u"}},
        exogenous={"u": {"p": [0.5, 0.5]}},
    )
    with pytest.raises(QueryError, match="'u' is exogenous"):
        identify(graph, "P(y | u)")


FINITE = {name: {"type": "class", "levels": 2} for name in "xy"}


def test_refusal_points_to_bounds_where_every_variable_is_finite():
    edges = ["x -> y", "x <-> y"]
    finite = identify(Graph(nodes=FINITE, edges=edges), "P(y | do(x))")
    assert "bounds(graph, query, table)" in finite.text()
    worlds = identify(Graph(nodes=FINITE, edges=edges), "P(y[x=1] | x=0)")
    assert "bounds(graph, query, table)" in worlds.text()
    assert "bounds" not in identify(Graph(edges=edges), "P(y | do(x))").text()
    assert "bounds" not in identify(Graph(nodes=FINITE, edges=["x -> y"]), "P(y | do(x))").text()


def test_impossible_event_is_an_answer_and_told_from_what_is_not_identifiable():
    graph = Graph(edges=["x -> y", "x <-> y"])
    impossible = identify(graph, "P(y[x=1]=1, y=0, x=1)")
    assert impossible.identifiable
    assert impossible.is_impossible
    unknown = identify(graph, "P(y[x=1]=1, y=0, x=0)")
    assert not unknown.identifiable
    assert not unknown.is_impossible


def test_proof_is_part_of_the_text_when_asked_for():
    text = identify(Graph(edges=["x -> y"]), "P(y | do(x))").text(proof=True)
    assert text.splitlines() == [
        "P(y | do(x)) = P(y | x)",
        "Proof: P(y | do(x))",
        "  1. = P(y | x)",
        "       rule 2: P(y | do(x)) = P(y | x), as y and x are separated when the edges out of x"
        " are cut",
    ]


def test_bow_and_confounded_mediator_have_by_hedge():
    for edges in (["x -> y", "x <-> y"], ["x -> z -> y", "x <-> z"], ["z -> x -> y", "x <-> y"]):
        graph = Graph(edges=edges)
        one, other = by_hedge(graph.admg, identify(graph, "P(y | do(x))").hedge)
        assert np.array_equal(one.joint(), other.joint())
        assert np.abs(one.truth(["y"], ["x"]) - other.truth(["y"], ["x"])).max() > 0.2


def test_cells_of_probability_zero_leave_an_exact_answer_where_they_do_not_matter():
    graph = Graph(edges=["x -> y"])
    half, zero = Fraction(1, 2), Fraction(0)
    certain = Table(["x", "y"], np.array([[half, zero], [zero, half]], dtype=object))
    answer = identify(graph, "P(y[x=1]=1, x=0)").evaluate(certain)
    assert answer.to_dict() == {(): half}
    none = Table(["x", "y"], [[0.5, 0.5], [0.0, 0.0]])
    with pytest.raises(DataError, match="x=1"):
        identify(graph, "P(y[x=1]=1, x=0)").evaluate(none)
