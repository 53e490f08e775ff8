"""A mean of levels that are names counts their positions, in every engine, and says so."""

import numpy as np
import pandas as pd
import pytest

import causalflow as cf

SAID = "the levels of 'cured' count as no=0, yes=1"
TEXT = """
nodes:
  sick: {type: class, levels: [mild, bad], table: [1/2, 1/2]}
  drug: {type: class, levels: [no, yes], table: {mild: [3/4, 1/4], bad: [1/4, 3/4]}}
  cured:
    type: class
    levels: [no, yes]
    table: {mild: {no: [.5, .5], yes: [.2, .8]}, bad: {no: [.9, .1], yes: [.7, .3]}}
edges: [sick -> drug, sick -> cured, drug -> cured]
"""
QUESTIONS = {
    "TE(drug -> cured)": 0.25,  # .5 (.8 - .5) + .5 (.3 - .1)
    "E[cured | do(drug=yes)]": 0.55,
    "E[cured | do(drug=yes)] / E[cured | do(drug=no)]": 0.55 / 0.3,
}


@pytest.fixture
def joint():
    return cf.compile(cf.loads(TEXT)).ask("P(sick, drug, cured)").table


def rows_of(joint):
    """160 rows whose relative frequencies are the joint's."""
    cells = [(cell, float(p)) for cell, p in joint.to_dict().items()]
    rows = [cell for cell, p in cells for _ in range(round(160 * p))]
    return pd.DataFrame(rows, columns=list(joint.axes))


@pytest.mark.parametrize(("question", "value"), QUESTIONS.items())
def test_model_table_rows_and_bounds_give_the_same_mean(joint, question, value):
    graph = cf.loads(TEXT)
    model = cf.compile(graph).ask(question)
    found = cf.identify(graph, question).estimate(rows_of(joint), resamples=20)
    bounds = cf.bounds(graph, question, joint)
    table = cf.identify(graph, question).evaluate(joint)
    numbers = [model.value, found.value, bounds.low, bounds.high, table.values.item()]
    assert [float(each) for each in numbers] == pytest.approx([value] * 5, abs=1e-6)
    assert all(SAID in str(each) for each in (model, found, bounds))


def test_declared_levels_count_in_their_order_whatever_that_of_a_table(joint):
    turned = cf.Table(joint.axes, joint.values[..., ::-1], {**joint.levels, "cured": ("yes", "no")})
    verdict = cf.identify(cf.loads(TEXT), "TE(drug -> cured)")
    assert float(verdict.evaluate(turned).values.item()) == pytest.approx(0.25, abs=1e-12)


def test_levels_that_only_occur_have_no_order_to_count():
    graph = cf.Graph(edges=["drug -> cured"])
    rows = {"drug": ["no", "yes"] * 2, "cured": ["no", "yes", "yes", "yes"]}
    verdict = cf.identify(graph, "TE(drug=yes/no -> cured)")
    said = "a mean of 'cured' needs numbers, or an order of its levels"
    with pytest.raises(cf.DataError, match=said):
        verdict.estimate(rows)
    with pytest.raises(cf.DataError, match=said):
        cf.bounds(graph, "TE(drug=yes/no -> cured)", rows)
    for levels, value in ((["no", "yes"], 0.5), (["yes", "no"], -0.5)):
        assert verdict.estimate(rows, levels={"cured": levels}, resamples=20).value == value


def test_levels_of_which_some_are_numbers_count_as_positions_too():
    node = {"type": "class", "levels": ["<5", "5", "6"]}
    graph = cf.Graph(nodes={"x": {"type": "class", "levels": 2}, "y": node}, edges=["x -> y"])
    rows = {"x": np.array([0, 0, 1, 1]), "y": ["<5", "5", "6", "6"]}
    found = cf.identify(graph, "TE(x -> y)").estimate(rows, resamples=20)
    assert found.value == 1.5
    assert "count as <5=0, 5=1, 6=2" in str(found)
