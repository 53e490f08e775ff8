"""Quantities by name: the text, the question that it is, and what is wrong with one that is not."""

from __future__ import annotations

import pytest

import causalflow as cf
from causalflow.errors import QueryError
from causalflow.query.language import parse_query
from causalflow.query.named import NAMED, written_out

GRAPH = cf.Graph(edges=["x -> m -> y", "x -> w -> y", "x -> y", "z -> x", "z -> y"])
BOTH = "m[x=0], w[x=0]"
QUESTIONS = {
    "TE(x -> y)": "E[y[x=1] - y[x=0]]",
    "ETT(x -> y)": "E[y[x=1] - y[x=0] | x=1]",
    "PN(x -> y)": "P(y[x=0]=0 | x=1, y=1)",
    "PS(x->y)": "P(y[x=1]=1 | x=0, y=0)",
    "PNS( x -> y )": "P(y[x=1]=1, y[x=0]=0)",
    "CDE(x -> y; m=1, w=0)": "E[y[x=1, m=1, w=0] - y[x=0, m=1, w=0]]",
    "NDE(x -> y)": f"E[y[x=1, {BOTH}] - y[x=0]]",
    "NDE(x -> y; m)": "E[y[x=1, m[x=0]] - y[x=0]]",
    "NIE(x -> y; m, w)": "E[y[x=0, m[x=1], w[x=1]] - y[x=0]]",
    "PSE(x -> y; x -> m -> y)": "E[y[x=0, m[x=1], w[x=0]] - y[x=0]]",
    "PSE(x -> y; x -> m -> y, x -> y)": "E[y[x=1, m[x=1], w[x=0]] - y[x=0]]",
    "Ctf-DE(x -> y; m)": "E[y[x=1, m[x=0]] - y[x=0] | x=0]",
    "Ctf-DE(x -> y; m | x=1)": "E[y[x=1, m[x=0]] - y[x=0] | x=1]",
    "Ctf-IE(x -> y; m | x=1)": "E[y[x=0, m[x=1]] - y[x=0] | x=1]",
    "ETT(x=drug/none -> y)": "E[y[x=drug] - y[x=none] | x=drug]",
    "PN(x=2/1 -> y=dead/alive)": "P(y[x=1]=alive | x=2, y=dead)",
}


@pytest.mark.parametrize(("named", "question"), QUESTIONS.items())
def test_a_name_stands_for_the_question_of_the_books(named, question):
    assert parse_query(named, GRAPH) == parse_query(question)


def test_every_name_is_tested():
    assert {text.split("(")[0] for text in QUESTIONS} == {*NAMED} - {"Ctf-SE"}


def test_the_spurious_effect_is_two_questions_and_says_which():
    with pytest.raises(QueryError, match=r"E\[y\[x=0\] \| x=1\] and E\[y \| x=0\]"):
        parse_query("Ctf-SE(x -> y)", GRAPH)


def test_names_work_wherever_a_question_is_asked():
    assert cf.identify(GRAPH, "NDE(x -> y)") == cf.identify(GRAPH, QUESTIONS["NDE(x -> y)"])
    assert cf.identify(GRAPH.admg, "NDE(x -> y)")
    drug = cf.Contrast(treatment="x", outcome="y")
    assert cf.identify(GRAPH, drug.natural_direct(["m", "w"])).identifiable
    joint = cf.Table(["x", "y"], [[0.3, 0.2], [0.1, 0.4]])
    found = cf.bounds(cf.Graph(edges=["x -> y", "x <-> y"]), "TE(x -> y)", joint)
    assert found.low == pytest.approx(found.high - 1)


def test_levels_and_names_are_checked_against_the_graph():
    treated = {"type": "class", "levels": ["drug", "none"]}
    graph = cf.Graph(nodes={"x": treated, "y": {"type": "class", "levels": 2}}, edges=["x -> y"])
    with pytest.raises(QueryError, match="dru"):
        parse_query("ETT(x=dru/none -> y)", graph)
    assert str(parse_query("ETT(x -> y)", graph)) == "E[y[x=none] - y[x=drug] | x=none]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NDF(x -> y)", "did you mean 'NDE'"),
        ("NDE(x)", r"expected NDE\(treatment -> outcome\)"),
        ("NDE(x -> q)", "unknown node 'q'"),
        ("NDE(x -> y; q)", "unknown node 'q'"),
        ("NDE(z -> x)", "no node lies between 'z' and 'x'"),
        ("CDE(x -> y)", r"expected CDE\(treatment -> outcome; mediator=level"),
        ("TE(x -> y; m)", "TE takes a treatment and an outcome only"),
        ("Ctf-DE(x -> y | m=0)", r"expected '\| x=level'"),
        ("PSE(x -> y)", r"expected PSE\("),
        ("PSE(x -> y; x -> z)", "no edge 'x -> z'"),
    ],
)
def test_what_is_no_named_quantity_is_a_one_line_error(text, message):
    with pytest.raises(QueryError, match=message):
        parse_query(text, GRAPH)


def test_mediators_must_be_named_where_no_graph_tells_them():
    with pytest.raises(QueryError, match="name the mediators"):
        written_out("NDE(x -> y)")
