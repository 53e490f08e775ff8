"""Rows of probabilities near one: divided by their sum within rounding, refused beyond.

1e-6 is what 32-bit floats and decimals of seven digits miss; up to 1e-3, as decimals of three or
four digits do, with one warning; and a variable may have a single level.
"""

import json
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch

import causalflow as cf

BIF = """network n {}
variable a { type discrete [ 1 ] { only }; }
variable b { type discrete [ 3 ] { 1, 2, 3 }; }
probability ( a ) { table 1.0; }
probability ( b | a ) { (only) ROW; }
"""
SINGLE = "nodes: {x: {type: class, levels: 1, table: [1]}, y: {type: class, levels: [only]}}"


def law(row):
    """P(x) of a graph whose root has this table."""
    node = {"type": "class", "levels": len(row), "table": row}
    return cf.compile(cf.Graph(nodes={"x": node})).ask("P(x)").table


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ([2e-26, 1.0], [2e-26, 1.0]),
        ([2.1234567890123456e-26, 1.0], [2.1234567890123456e-26, 1.0]),
        ([5e-324, 1.0], [5e-324, 1.0]),
        (np.array([0.1, 0.9], dtype="float32"), [0.10000000372529039, 0.8999999962747096]),
        (np.full(10, 0.1, dtype="float32"), [0.1] * 10),
        (torch.full((10,), 0.1), [0.1] * 10),
        ([1 / 3] * 3, [1 / 3] * 3),
        ([0.3333333] * 3, [1 / 3] * 3),
        ([1], [1.0]),
    ],
)
def test_float_noise_is_divided_away_silently(row, wanted):
    # 1e-6 relative: the noise itself; the smallest numbers keep their size
    assert law(row).to_numpy() == pytest.approx(wanted, rel=1e-6, abs=0)


def test_the_rows_of_a_random_simplex_in_any_precision_are_taken():
    random = np.random.default_rng(5)
    for size in (2, 3, 17, 200):
        for spread in (0.01, 1, 100):
            row = random.dirichlet(np.full(size, spread))
            for kind in ("float64", "float32"):
                given = row.astype(kind)
                exact = given.astype("float64") / given.astype("float64").sum()
                assert law(given).to_numpy() == pytest.approx(exact, rel=1e-5, abs=1e-300)


def test_fractions_that_sum_to_one_stay_exact():
    assert law(["1/3", "2/3"]).to_dict() == {0: Fraction(1, 3), 1: Fraction(2, 3)}
    assert law([0.1, 0.2, 0.7]).to_dict() == {
        0: Fraction("0.1"),
        1: Fraction("0.2"),
        2: Fraction("0.7"),
    }


@pytest.mark.parametrize("row", [[0.3333] * 3, [0.333] * 3, [0.5, 0.4, 0.1005]])
def test_rough_rows_are_divided_with_one_warning(row):
    total = sum(Fraction(str(p)) for p in row)
    said = r"node 'x': table: the probabilities sum to .*; they must sum to 1 and are divided"
    with pytest.warns(cf.CausalflowWarning, match=said) as caught:
        found = law(row)
    assert len(caught) == 1
    assert found.to_dict() == {k: Fraction(str(p)) / total for k, p in enumerate(row)}


def test_many_rough_rows_are_one_warning():
    text = "exogenous: {u: {p: [.3333, .3333, .3333]}}\nnodes:\n"
    text += "  x: {type: class, levels: 3, equation: u}\n  y: {type: class, levels: 2, table:"
    text += " {0: [.5001, .5], 1: [.5, .5], 2: [.4999, .5]}}\nedges: [x -> y]"
    with pytest.warns(
        cf.CausalflowWarning, match=r"exogenous 'u': .*0\.9999 \(2 more rows"
    ) as caught:
        graph = cf.loads(text)
    assert len(caught) == 1
    assert cf.loads(graph.to_yaml()) == graph  # written exactly, read in silence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "nodes: {x: {type: class, levels: 2}, y: {type: class, levels: 2, table: "
            "{0: [.6, .5], 1: [.5, .5]}}}\nedges: [x -> y]",
            "node 'y': table: the probabilities for x=0 sum to 11/10; they must sum to 1",
        ),
        (
            "exogenous: {u: {p: [.25, .74]}}\nnodes: {x: {type: class, levels: 2, equation: u}}",
            "exogenous 'u': the probabilities sum to 99/100; they must sum to 1",
        ),
        (
            BIF.replace("ROW", "0.5, 0.25, 0.15"),
            "probability of 'b': the probabilities sum to 9/10",
        ),
    ],
)
def test_what_is_no_rounding_is_refused_with_node_row_and_sum(text, said):
    with pytest.raises(cf.CausalflowError) as caught:
        cf.loads(text)
    assert said in str(caught.value)


def test_networks_of_other_tools_follow_the_same_rule():
    with pytest.warns(cf.CausalflowWarning, match="probability of 'b': .* sum to 0.999"):
        graph = cf.loads(BIF.replace("ROW", "0.333, 0.333, 0.333"))
    assert cf.compile(graph).ask("P(b=2 | a)", a="only").value == Fraction(1, 3)
    exact = cf.loads(BIF.replace("ROW", "0.1000000015, 0.2, 0.7"))
    assert float(cf.compile(exact).ask("P(b=3 | a)", a=0).value) == pytest.approx(0.7, abs=1e-8)


@pytest.mark.parametrize("row", ["0.33, 0.33, 0.33", "0.14, 0.43, 0.42"])
def test_a_row_of_two_decimals_may_miss_one_by_a_hundredth(row):
    with pytest.warns(cf.CausalflowWarning, match="probability of 'b': .* sum to 99/100;"):
        graph = cf.loads(BIF.replace("ROW", row))
    total = sum(map(Fraction, row.split(", ")))
    found = cf.compile(graph).ask("P(b=1 | a)", a="only").value
    assert found == Fraction(row[:4]) / total


@pytest.mark.parametrize("row", ["0.3, 0.3, 0.3", "0.3, 0.6, 0", ".5, .5, .1", "0.32, 0.33, 0.33"])
def test_no_few_decimals_explain_a_row_that_misses_one_by_more(row):
    with pytest.raises(cf.CausalflowError, match=r"probability of 'b': the probabilities sum to"):
        cf.loads(BIF.replace("ROW", row))


@pytest.mark.parametrize("ask", ["evaluate", "bounds"])
def test_tables_given_as_data_follow_the_same_rule(ask):
    graph = cf.Graph(edges=["x -> y"])
    cells = np.array([[0.1, 0.2], [0.3, 0.4]])

    def found(values):
        table = cf.Table(["x", "y"], values)
        if ask == "bounds":
            return cf.bounds(graph, "P(y=1 | do(x=1))", table).low
        return cf.identify(graph, "P(y=1 | do(x=1))").evaluate(table).values.item()

    assert found(cells.astype("float32")) == pytest.approx(4 / 7, abs=1e-7)
    with pytest.warns(cf.CausalflowWarning, match="sum to 0.9999;") as caught:
        assert found(cells * 0.9999) == pytest.approx(4 / 7, abs=1e-9)
    assert len(caught) == 1
    with pytest.raises(cf.CausalflowError, match=r"sum to 0\.9"):
        found(cells * 0.9)


def test_a_variable_of_one_level_goes_all_the_way(cli, tmp_path):
    graph = cf.loads(SINGLE + "\nedges: [x -> y]")
    model = cf.compile(graph)
    model.fit(pd.DataFrame({"x": [0, 0, 0], "y": ["only", 0, None]}), progress=False)
    world = model.sample(3)
    assert world["y"].tolist() == [0, 0, 0]
    assert model.counterfactual(world, do={"x": 0})["y"].tolist() == [0, 0, 0]
    assert model.ask("P(y | do(x=0))").table.to_dict() == {"only": 1.0}
    rows = pd.DataFrame({"x": [0, 0], "y": ["only", "only"]})
    found = cf.identify(graph, "P(y | do(x))").estimate(rows, resamples=2)
    assert found.table.to_numpy().tolist() == [[1.0]]
    assert cf.bounds(graph, "P(y=only | do(x=0))", rows).low == pytest.approx(1)
    assert cf.Table(["x"], [1.0], {"x": ["only"]}).at({"x": "only"}).values.item() == 1
    (tmp_path / "g.yaml").write_text(graph.to_yaml())
    assert cf.load(tmp_path / "g.yaml") == graph
    assert cli("check", "g.yaml").code == 0
    (tmp_path / "n.bif").write_text(BIF.replace("ROW", "0.5, 0.25, 0.25"))
    ran = cli("ask", "n.bif", "P(a)", "--json")
    assert json.loads(ran.out)["table"] == [{"a": "only", "p": 1.0, "exact": "1"}]
