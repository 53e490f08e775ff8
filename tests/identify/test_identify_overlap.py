from pathlib import Path

import pytest

import causalflow as cf
from causalflow.identify.positivity import left_overlaps
from causalflow.query.parse import parse_query

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
COLORED = cf.load(GRAPHS / "colored_mnist.yaml")
START = "color is a function of digit, so no data show image under "


def said(query):
    return [str(each) for each in left_overlaps(COLORED, parse_query(query, COLORED))]


@pytest.mark.parametrize(
    ("query", "cells"),
    [
        ("P(image | do(color=red, digit=5))", "digit=5, color=red"),
        ("P(image | do(color=red), digit=7)", "digit=7, color=red"),
        (
            "P(image | do(color=red))",
            "digit=5, color=red; digit=6, color=red; digit=7, color=red, and 2 more",
        ),
        ("P(image[color=green] | digit=3)", "digit=3, color=green"),
        ("E[digit | do(image, color=red)]", None),
        ("P(image | do(digit=5))", None),
        ("P(image | do(digit))", None),
        ("P(image | do(color=red), digit=2)", None),
        ("P(image | do(color=green, digit=5))", None),
        ("P(image | color=red)", None),
        ("P(color | do(digit=5))", None),
        ("P(digit | do(color=red))", None),
    ],
)
def test_a_question_is_warned_of_where_it_leaves_the_data_and_only_there(query, cells):
    assert said(query) == ([] if cells is None else [START + cells])


def test_free_interventions_leave_the_data_where_any_value_does():
    (sentence,) = said("P(image | do(color, digit))")
    assert sentence.endswith("digit=2, color=green, and 7 more")


def test_verdict_warns_and_assumes():
    verdict = cf.identify(COLORED, "P(image | do(color=red, digit=5))")
    warning = f"positivity fails: {START}digit=5, color=red"
    assert verdict.identifiable
    assert verdict.warnings == (warning,)
    assert f"{warning}: there the answer rests on the model" in verdict.assumptions
    assert f"\n  warning: {warning}" in verdict.text()
    assert cf.identify(COLORED, "P(image | do(digit=5))").warnings == ()


def test_experiments_may_well_show_what_observation_does_not():
    verdict = cf.identify(COLORED, "P(image | do(color=red, digit=5))", data="experimental")
    assert verdict.warnings == ()


def test_a_number_that_decides_warns_where_both_are_set():
    graph = cf.loads("""
    nodes:
      size: {type: continuous}
      big: {type: class, levels: 2, equation: size > 3}
      y: {type: class, levels: 2}
    edges: [size -> y, big -> y]
    """)
    queries = ("P(y | do(big=1))", "P(y | do(size=4))", "P(y | do(size=4, big=0))")
    assert [len(left_overlaps(graph, parse_query(q, graph))) for q in queries] == [1, 0, 1]
