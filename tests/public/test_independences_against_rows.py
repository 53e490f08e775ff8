"""Rows against the independences that a graph implies: by truth, in simulated worlds."""

import numpy as np
import pandas as pd
import pytest

import causalflow as cf

GRAPH = cf.Graph(
    nodes={
        "a": {"type": "continuous"},
        "k": {"type": "class", "levels": ["x", "y", "z"]},
        "b": {"type": "continuous"},
        "c": {"type": "continuous"},
        "d": {"type": "continuous"},
    },
    edges=["a -> b -> d", "a -> c -> d", "k -> c"],
)


def world(n, seed, direct=0.0):
    """Rows of the graph, none of it linear; ``direct`` is an edge a -> d that it does not have."""
    random = np.random.default_rng(seed)
    a, k = random.normal(size=n), random.integers(0, 3, n)
    b = np.sin(2 * a) + random.normal(size=n)
    c = a**2 + k + random.normal(size=n) * np.exp(a / 2)
    d = b * np.tanh(c) + direct * a + random.standard_t(3, n)
    return pd.DataFrame({"a": a, "k": np.array(["x", "y", "z"])[k], "b": b, "c": c, "d": d})


def chain(n, seed, linked=0.0):
    """Levels x -> m -> y of 3, 6 and 4, some rare; ``linked`` of the rows copy x to y."""
    random = np.random.default_rng(seed)
    x = random.choice(3, n, p=[0.7, 0.25, 0.05])
    m = (2 * x + random.choice(3, n)) % 6
    y = np.where(random.random(n) < linked, x, (m + random.choice([0, 1], n, p=[0.8, 0.2])) % 4)
    return {"x": x, "m": m, "y": y}


CHAIN = cf.Graph(edges=["x -> m -> y"])


def p_values(graph, rows, **options):
    found = cf.implied_independences(graph).test(rows, **options)
    return {str(each.independence): each.p for each in found}


def share(values, level):
    return float(np.mean(np.array(values) <= level))


def test_true_statements_are_contradicted_as_rarely_as_they_should():
    seeds = range(25)
    found = [cf.implied_independences(GRAPH).test(world(400, seed)) for seed in seeds]
    values = [each.p for tests in found for each in tests]
    assert len(values) == 25 * 6
    assert share(values, 0.1) < 0.1 + 5 * np.sqrt(0.1 * 0.9 / 150)
    alarms = sum(bool(tests.contradicted) for tests in found)
    assert alarms < 25 * 0.05 + 5 * np.sqrt(25 * 0.05 * 0.95)


def test_an_edge_that_the_graph_lacks_contradicts_the_statement_that_it_breaks():
    found = cf.implied_independences(GRAPH).test(world(2000, 0, direct=1.0))
    assert {str(each.independence) for each in found.contradicted} == {"a _||_ d | b, c"}
    assert found.tests[0].strength > 0.2


@pytest.mark.parametrize("n", [40, 200, 2000])
def test_levels_that_are_rare_raise_no_false_alarm(n):
    values = [p_values(CHAIN, chain(n, seed))["x _||_ y | m"] for seed in range(80)]
    assert share(values, 0.05) < 0.05 + 5 * np.sqrt(0.05 * 0.95 / 80)


def test_levels_that_are_linked_besides_are_found():
    values = [p_values(CHAIN, chain(500, seed, linked=0.3))["x _||_ y | m"] for seed in range(20)]
    assert share(values, 0.01) > 0.9


def test_a_curve_in_what_is_given_is_no_dependence_and_straight_lines_say_it_is():
    random = np.random.default_rng(0)
    a = random.normal(size=2000)
    rows = {name: a**2 + 0.5 * random.normal(size=2000) for name in ("b", "c")} | {"a": a}
    graph = cf.Graph(edges=["a -> b", "a -> c"])
    assert p_values(graph, rows)["b _||_ c | a"] > 0.01
    assert p_values(graph, rows, method="correlation")["b _||_ c | a"] < 1e-6


def test_correlation_is_fishers_partial_correlation():
    random = np.random.default_rng(1)
    z = random.normal(size=300)
    x, y = z + random.normal(size=300), random.normal(size=300) - z
    found = p_values(
        cf.Graph(edges=["z -> x", "z -> y"]), {"x": x, "y": y, "z": z}, method="correlation"
    )
    inverse = np.linalg.inv(np.corrcoef([x, y, z]))
    r = -inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])
    t = r * np.sqrt(297 / (1 - r**2))
    draws = np.abs(np.random.default_rng(2).standard_t(297, 400_000))
    assert found["x _||_ y | z"] == pytest.approx(np.mean(draws > abs(t)), abs=0.004)


def test_a_row_with_a_gap_is_left_out_of_the_tests_of_its_column_only():
    rows = world(300, 2)
    rows.loc[:99, "b"] = np.nan
    rows.loc[:9, "k"] = None
    counts = {str(t.independence): t.rows for t in cf.implied_independences(GRAPH).test(rows)}
    assert counts["a _||_ d | b, c"] == 200
    assert counts["a _||_ k"] == 290


def test_holm_multiplies_by_the_statements_that_are_left():
    tests = cf.implied_independences(GRAPH).test(world(300, 3)).tests
    running = 0.0
    for place, each in enumerate(tests):
        running = max(running, min(1.0, (len(tests) - place) * each.p))
        assert each.adjusted == running


def test_pictures_and_columns_of_one_value_are_named_and_not_tested():
    graph = cf.Graph(
        nodes={
            "a": {"type": "continuous"},
            "b": {"type": "continuous"},
            "i": {"type": "image", "shape": [1, 2, 2]},
        },
        edges=["b -> i"],
    )
    found = cf.implied_independences(graph).test({"a": [1.0] * 30, "b": range(30)})
    assert not found.tests
    assert {reason for _, reason in found.untested} == {"'a' takes one value", "'i' is an image"}
    assert "not tested: a _||_ b: 'a' takes one value" in str(found)


def test_the_report_says_what_it_says():
    shown = str(cf.implied_independences(GRAPH).test(world(1000, 4, direct=1.0)))
    assert shown.startswith("6 independences that the graph implies, 1,000 rows: 1 contradicted")
    assert "!  a _||_ d | b, c" in shown
    assert "no contradiction is no proof" in shown


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        ({"x": [1] * 30, "m": [1] * 30}, {}, "no column 'y'"),
        ({"x": [1] * 30, "m": [1] * 30, "y": [1] * 29}, {}, "columns of one length"),
        ("rows.csv", {}, "expected a data frame or a mapping of columns, given str"),
        (chain(50, 0), {"level": 5}, "level=5"),
        (chain(50, 0), {"method": "G"}, "method='G'"),
        (chain(50, 0), {"method": "correlation"}, "more than two levels"),
        (chain(50, 0) | {"do(x)": [1] * 50}, {}, "50 rows are of an experiment"),
        (chain(50, 0) | {"m": np.arange(50) / 7}, {"method": "strata"}, "no column of levels"),
    ],
)
def test_what_cannot_be_tested_is_refused_in_one_line(rows, options, said):
    with pytest.raises(cf.DataError, match=said.replace("(", r"\(")) as refused:
        cf.implied_independences(CHAIN).test(rows, **options)
    assert "\n" not in str(refused.value)
