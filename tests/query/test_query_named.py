"""Quantities by name: the text, the question that it is, and what is wrong with one that is not."""

from __future__ import annotations

import pytest

import causalflow as cf
from causalflow.errors import QueryError
from causalflow.query.named import ALIASES, FORMS
from causalflow.query.parse import parse_query

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
    "ATE(x -> y)": "E[y[x=1] - y[x=0]]",
    "ACE(x=2.5/-1 -> y)": "E[y[x=2.5] - y[x=-1]]",
    "CATE(x -> y | z=1)": "E[y[x=1] - y[x=0] | z=1]",
    "cate(x → y | z, m=-1e-3)": "E[y[x=1] - y[x=0] | z, m=-0.001]",
    "ATT(x -> y)": "E[y[x=1] - y[x=0] | x=1]",
    "ETU(x -> y)": "E[y[x=1] - y[x=0] | x=0]",
    "ATU(x -> y)": "E[y[x=1] - y[x=0] | x=0]",
    "ATC(x=b/a -> y | z=1)": "E[y[x=b] - y[x=a] | x=a, z=1]",
    "RD(x -> y)": "P(y[x=1]=1) - P(y[x=0]=1)",
    "RR(x -> y=ill/well | z=1)": "P(y[x=1]=ill | z=1) / P(y[x=0]=ill | z=1)",
    "Ctf-SE(x -> y)": "E[y[x=0] | x=1] - E[y | x=0]",
    "Ctf-DE(x -> y; m | x=1, z=0)": "E[y[x=1, m[x=0]] - y[x=0] | x=1, z=0]",
    "CDE(x='a/b'/\"c->d\" -> y; m=0.5)": "E[y[x='a/b', m=0.5] - y[x='c->d', m=0.5]]",
    "TE(x='it\\'s'/'a=b, c' -> y)": "E[y[x=\"it's\"] - y[x='a=b, c']]",
}


@pytest.mark.parametrize(("named", "question"), QUESTIONS.items())
def test_a_name_stands_for_the_question_of_the_books(named, question):
    assert parse_query(named, GRAPH) == parse_query(question)


def test_every_name_is_tested():
    tested = {text.split("(")[0] for text in QUESTIONS}
    assert {*map(str.upper, tested)} == {name.upper() for name in (*FORMS, *ALIASES)}


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
        ("NDE(x)", r"expected '->', as in NDE\(treatment -> outcome; mediator, ...\); found '\)'"),
        ("NDE(x -> q)", "unknown node 'q'"),
        ("NDE(x -> y; q)", "unknown node 'q'"),
        ("NDE(z -> x)", "no node lies between 'z' and 'x'"),
        ("CDE(x -> y)", r"expected CDE\(treatment -> outcome; mediator=level"),
        ("TE(x -> y; m)", "TE takes a treatment and an outcome only"),
        ("Ctf-DE(x -> y | m=0)", r"expected '\| x=level'"),
        ("CATE(x -> y)", r"expected CATE\(treatment -> outcome \| covariate=level\)"),
        ("TE(x, y)", r"expected '->', as in TE\(treatment -> outcome\); found ','"),
        ("TE(x=1 -> y)", r"the level compared with, x=one/other"),
        ("TE(x=very yes/no -> y)", "words of one level are quoted: 'two words'"),
        ("ETT(x -> y | x=1)", "'x' appears twice"),
        ("NDE(x -> y; x)", "'x' is set twice"),
        ("TE(x -> y) + ", "expected a question here"),
        ("2*RR(x -> y)", "is a combination itself"),
        ("PSE(x -> y)", r"expected PSE\("),
        ("PSE(x -> y; x -> z)", "no edge 'x -> z'"),
    ],
)
def test_what_is_no_named_quantity_is_a_one_line_error(text, message):
    with pytest.raises(QueryError, match=message):
        parse_query(text, GRAPH)


def test_mediators_must_be_named_where_no_graph_tells_them():
    with pytest.raises(QueryError, match="name the mediators"):
        parse_query("NDE(x -> y)")
