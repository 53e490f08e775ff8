"""Graphs that say why cells are empty: what they recover, by truth, and what they refuse."""

import math

import numpy as np
import pytest

import causalflow as cf

ROWS = 20_000


def graph(*edges):
    nodes = {name: {"type": "class", "levels": 2} for name in "xy"}
    nodes |= {"no_x": {"missing": "x"}, "no_y": {"missing": "y"}}
    return cf.Graph(nodes=nodes, edges=["x -> y", *edges])


def rows(no_x, no_y, seed=0):
    """P(x=1) = .4, P(y=1 | x) = .3 or .8; the chances of gaps as functions of x and y."""
    random = np.random.default_rng(seed)
    x = (random.random(ROWS) < 0.4) * 1.0
    y = (random.random(ROWS) < np.where(x == 1, 0.8, 0.3)) * 1.0
    empty_x, empty_y = (random.random(ROWS) < p(x, y) for p in (no_x, no_y))
    return {"x": np.where(empty_x, math.nan, x), "y": np.where(empty_y, math.nan, y)}


CROSS = graph("y -> no_x", "x -> no_y")
CROSSED = rows(lambda x, y: 0.1 + 0.4 * y, lambda x, y: 0.1 + 0.4 * x)


def test_gaps_that_depend_on_values_behind_other_gaps_are_recovered_by_a_fit():
    model = cf.compile(CROSS)
    report = model.fit(CROSSED, progress=False)
    (note,) = report.assumptions
    assert "missing not at random, by the graph: P(x, y) is recoverable" in note
    assert abs(model.ask("P(x=1)").value - 0.4) < 0.02
    assert abs(model.ask("P(y=1 | do(x=0))").value - 0.3) < 0.02
    answer = model.ask("P(y=1 | do(x=1))")
    assert abs(answer.value - 0.8) < 0.02
    assert note in str(answer)
    whole = ~np.isnan(CROSSED["x"]) & ~np.isnan(CROSSED["y"])
    assert abs(CROSSED["x"][whole].mean() - 0.4) > 0.1


def test_an_estimate_from_complete_rows_is_refused_where_the_graph_says_it_is_biased():
    with pytest.raises(cf.QueryError, match=r"is biased: P\(x=1\) differs.*fit a model"):
        cf.identify(CROSS, "P(x=1)").estimate(CROSSED)


def test_an_estimate_from_complete_rows_is_given_without_warning_where_it_is_right():
    data = rows(lambda x, y: 0.5 * x, lambda x, y: 0.1 + 0.6 * x)
    verdict = cf.identify(graph("x -> no_x", "x -> no_y"), "P(y=1 | do(x=1))")
    found = verdict.estimate(data)
    assert abs(found.value - 0.8) < 0.02
    assert "by the graph does not bias the answer" in str(found)


def test_a_column_that_hides_its_own_value_is_refused_and_a_fit_warns():
    own = graph("y -> no_y")
    data = rows(lambda x, y: 0.0, lambda x, y: 0.1 + 0.5 * y)
    reason = "not recoverable: whether 'y' is empty depends on its own value"
    with pytest.raises(cf.QueryError, match=reason):
        cf.identify(own, "P(y=1 | do(x=1))").estimate(data)
    with pytest.warns(cf.CausalflowWarning, match=reason):
        report = cf.compile(own).fit(data, progress=False)
    assert "not recoverable" in report.assumptions[0]
    assert cf.missingness(own).recoverable is False


@pytest.mark.parametrize(
    ("edges", "kind"),
    [
        ([], "completely at random"),
        (["x -> no_y"], "at random"),
        (["y -> no_y"], "not at random"),
    ],
)
def test_three_kinds_of_missingness_are_told_apart(edges, kind):
    nodes = {name: {"type": "class", "levels": 2} for name in "xy"} | {"no_y": {"missing": "y"}}
    found = cf.missingness(cf.Graph(nodes=nodes, edges=["x -> y", *edges]))
    assert found.kind == kind
    assert str(found).splitlines()[0] == f"y is missing {kind}"


def test_the_law_of_fewer_columns_may_be_recoverable():
    own = graph("y -> no_y")
    assert cf.missingness(own, ["x"]).recoverable is True
    assert cf.missingness(own).recoverable is False


def test_continuous_gaps_that_depend_on_another_gap_are_recovered():
    random = np.random.default_rng(1)
    x = random.normal(size=2_000)
    y = x + random.normal(size=2_000)
    no_x = random.random(2_000) < 1 / (1 + np.exp(-2 * y))
    data = {"x": np.where(no_x, math.nan, x), "y": y}
    nodes = {name: {"type": "continuous", "noise": "linear"} for name in "xy"}
    nodes["no_x"] = {"missing": "x"}
    model = cf.compile(cf.Graph(nodes=nodes, edges=["x -> y -> no_x"]))
    model.fit(data, progress=False)
    assert np.nanmean(data["x"]) < -0.3
    assert abs(model.ask("E[x]").value) < 0.1


def test_graph_text_is_read_back():
    assert cf.loads(CROSS.to_yaml()) == CROSS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("r: {missing: z}", "unknown node 'z'"),
        ("r: {missing: x}, s: {missing: x}", "'s' marks the gaps of 'x' already"),
        ("r: {missing: r}", "no column with gaps of its own"),
        ("r: {missing: x, levels: 3}", "leave them out"),
    ],
)
def test_indicators_that_mark_nothing_are_refused(text, said):
    with pytest.raises(cf.CausalflowError, match=said):
        cf.loads(f"nodes: {{x: {{type: class, levels: 2}}, {text}}}")


def test_an_empty_cell_has_no_effect_on_columns():
    with pytest.raises(cf.CausalflowError, match="has no effect on 'y'"):
        graph("no_x -> y")
