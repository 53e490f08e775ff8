"""Derivations as they are read: formulas in the signs of their style; assumptions that are made."""

import re

import pytest

import causalflow as cf

POSITIVITY = "P(v) is positive wherever the estimand conditions on it"
MEDIATED = "edges: [x -> m, m -> y, x -> y, z -> x, z -> y]"
BOW = "edges: [x -> y, x <-> y]"
BINARY = f"""
nodes: {{x: {{type: class, levels: 2}}, y: {{type: class, levels: 2}}}}
{BOW}
"""
QUESTIONS = [
    (MEDIATED, "P(y | do(x))"),
    (MEDIATED, "P(y[x=1] | x=0)"),
    (MEDIATED, "NDE(x -> y)"),
    (MEDIATED, "P(y[x=1]=1, y[x=0]=0)"),
    (MEDIATED, "P(y[x=1, m[x=0]], z)"),
    (MEDIATED, "P(y | do(x ~ pi(z)))"),
    (MEDIATED, "P(y=1 | y=1)"),
    (BOW, "P(y[x=1] | x=0)"),
    (BINARY, "P(y | do(x ~ {0: .3, 1: .7}))"),
    (
        "edges: ['blood_pressure -> größe', 'blood_pressure -> x_1', 'x_1 -> größe']",
        "ETT(x_1 -> größe)",
    ),
]
DATA = ["observational", "experimental", ["P(v)", "P(v | do(x))"]]


def steps():
    for text, query in QUESTIONS:
        for data in DATA if "x ->" in text else DATA[:2]:
            yield from cf.identify(cf.loads(text), query, data).derivation


def test_the_text_of_a_step_has_no_name_of_the_inside():
    for text in map(str, steps()):
        assert not re.search(r"sum_\{[^,}]*\}", text), text  # one index stands without braces
        assert "' = " not in text, text  # a quoted name of no variable
        assert " ~ pi" not in text, text
        assert "\\" not in text, text


def test_formulas_of_a_step_stand_between_dollars_in_latex():
    for each in steps():
        latex = each.latex()
        words = re.sub(r"\$[^$]*\$", "", latex)
        if each.rule != "witness":
            assert not re.search(r"P\(|\[|sum\\_", words), latex
        assert r"\mathrm{}" not in latex


def test_the_worlds_of_a_counterfactual_are_a_formula_in_each_style():
    verdict = cf.identify(cf.loads(MEDIATED), "P(y[x=1, m[x=0]])")
    first = verdict.derivation[0]
    assert str(first) == (
        "unnest: with each variable as it responds to its direct causes: "
        "sum_{m, z} P(z, m[x=0], y[x=1, m, z])"
    )
    assert first.latex() == (
        "unnest: with each variable as it responds to its direct causes: "
        r"$\sum_{m, z} P(z, m[x=0], y[x=1, m, z])$"
    )
    second = verdict.derivation[1]
    assert second.latex() == "district: $P(m[x=0])$ has one value for each variable"


def test_a_single_index_of_a_sum_stands_without_braces():
    steps = cf.identify(cf.loads(BOW), "P(y[x=1] | x=0)").derivation
    assert str(steps[0]).endswith("outcomes and conditions: sum_y' P(y[x=1]=y', x=0)")


def test_a_policy_stands_in_a_step_as_in_the_estimand():
    verdict = cf.identify(cf.loads(MEDIATED), "P(y | do(x ~ pi(z)))")
    assert str(verdict.derivation[0]).endswith("sum_{m, x, z} pi(x | z) P(z, m[x], y[x, m, z])")


def test_what_the_conditions_say_is_the_questions_own_formula():
    (step,) = cf.identify(cf.loads(MEDIATED), "P(y=1 | y=1)").derivation
    assert str(step) == "conditions: the conditions say the outcomes: P(y=1 | y=1) = 1"


@pytest.mark.parametrize(
    ("text", "query", "data"),
    [
        (BOW, "P(y | do(x))", "observational"),
        (BOW, "P(y[x=1] | x=0)", "experimental"),
        (BOW, "TE(x -> y)", "observational"),
        (BOW, "P(y | do(x=1)) - P(y | x=1)", "observational"),
        (BOW, "P(y)", "observational"),
        (BOW, "P(y | do(x))", "experimental"),
        (BOW, "P(x | do(y))", ["P(v | do(y))"]),
        (MEDIATED, "P(y[x=1]=1, y[x=0]=0)", "observational"),
    ],
)
def test_positivity_is_not_assumed_where_no_estimand_conditions(text, query, data):
    verdict = cf.identify(cf.loads(text), query, data)
    assert verdict.estimand is None or " | " not in str(verdict.estimand).replace("| do(", "")
    assert POSITIVITY not in verdict.assumptions
    assert "positive" not in verdict.text(explain=True)


@pytest.mark.parametrize(
    "query", ["P(y | x)", "P(y | do(x))", "ETT(x -> y)", "P(x | y) / P(x)", "P(y | do(x)) - P(y)"]
)
def test_positivity_is_assumed_where_the_estimand_conditions(query):
    verdict = cf.identify(cf.loads(MEDIATED), query)
    assert verdict.assumptions.count(POSITIVITY) == 1
