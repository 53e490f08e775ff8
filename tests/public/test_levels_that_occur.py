"""Columns of rows of which no levels are declared: those that occur, read by the one rule."""

from decimal import Decimal

import pandas as pd
import pytest

import causalflow as cf


def test_a_text_that_shows_a_number_of_its_column_is_that_number():
    rows = {"x": [0, "1", 1.0, "0.0"], "y": [Decimal(1), 1, True, "0"]}
    found = cf.identify(cf.Graph(edges=["x -> y"]), "P(y=1 | do(x=1))").estimate(rows, resamples=9)
    assert (found.value, found.rows) == (1, 4)


@pytest.mark.parametrize("column", [pd.to_datetime(["2020-01-01", "2021-01-01"]), [[1], [2]]])
def test_dates_and_lists_are_no_levels(column):
    graph, rows = cf.Graph(edges=["x -> y"]), {"x": column, "y": [0, 1]}
    with pytest.raises(cf.DataError, match="column 'x': expected a name or a number a row"):
        cf.identify(graph, "P(y=1 | do(x=1))").estimate(rows)
    with pytest.raises(cf.DataError, match="column 'x': expected a name or a number a row"):
        cf.bounds(graph, "P(y=1 | do(x=1))", rows)


def test_minus_one_beside_zero_is_a_level_only_with_a_word():
    rows = {"x": [0, 1, 0, 1, -1], "y": [0, 1, 1, 1, 0]}
    verdict = cf.identify(cf.Graph(edges=["x -> y"]), "P(y=1 | do(x=0))")
    with pytest.warns(
        cf.CausalflowWarning, match="'x' has -1 beside 0, which is taken for a level"
    ):
        assert verdict.estimate(rows, resamples=9).rows == 5
    with pytest.warns(cf.CausalflowWarning, match="1 of 5 rows are left out"):
        assert verdict.estimate(rows, levels={"x": [0, 1]}, resamples=9).rows == 4
    assert verdict.estimate(rows, levels={"x": [-1, 0, 1]}, resamples=9).rows == 5
    with pytest.raises(cf.DataError, match=r"levels of \['X'\], which are no columns"):
        verdict.estimate(rows, levels={"X": [0, 1]})
