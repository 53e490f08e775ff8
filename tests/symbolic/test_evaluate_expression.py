from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from causalflow.errors import DataError
from causalflow.factors.table import Table
from causalflow.symbolic.evaluate import evaluate
from causalflow.symbolic.expression import (
    ONE,
    ZERO,
    Event,
    Index,
    Linear,
    Product,
    Ratio,
    Sum,
    probability,
)
from causalflow.symbolic.substitute import bind


@pytest.fixture
def joint() -> Table:
    return Table(["x", "y"], [[0.1, 0.3], [0.2, 0.4]], {"y": ("no", "yes")})


def test_conditional_is_the_quotient_of_marginals(joint):
    table = evaluate(probability("y", "x"), joint)
    assert np.allclose(table.to_numpy(["x", "y"]), [[0.25, 0.75], [1 / 3, 2 / 3]], atol=1e-15)


def test_bound_index_has_an_axis_of_its_own(joint):
    square = Product(
        (probability("x"), Sum((Index("x"),), Product((probability("y", "x"), probability("x")))))
    )
    table = evaluate(square, joint)
    assert np.allclose(table.to_numpy(["x", "y"]), np.outer([0.4, 0.6], [0.3, 0.7]), atol=1e-15)


def test_literals_are_read_by_name_and_by_index(joint):
    by_name = evaluate(bind(probability("y", "x"), {"y": "yes"}), joint)
    by_index = evaluate(bind(probability("y", "x"), {"y": 1}), joint)
    assert by_name.axes == ("x",)
    assert by_name.to_dict() == by_index.to_dict()


def test_sum_over_an_index_that_is_absent_counts_its_levels(joint):
    table = evaluate(Sum((Index("y"),), probability("x")), joint)
    assert np.allclose(table.to_numpy(["x"]), [0.8, 1.2], atol=1e-15)


def test_fractions_stay_fractions():
    exact = Table(
        ["x", "y"], np.array([[Fraction(1, 6), Fraction(1, 3)], [Fraction(1, 4)] * 2], dtype=object)
    )
    table = evaluate(Ratio(probability("xy"), probability("x")), exact)
    assert table.to_dict()[0, 1] == Fraction(2, 3)
    assert evaluate(ONE, exact).to_dict() == {(): Fraction(1)}
    assert evaluate(ZERO, exact).to_dict() == {(): Fraction(0)}


def test_zero_by_zero_is_zero():
    table = Table(["x", "y"], [[0.0, 0.0], [0.4, 0.6]])
    assert evaluate(probability("y", "x"), table).to_numpy(["x", "y"])[0].tolist() == [0.0, 0.0]


def test_experiment_is_looked_up_by_what_it_sets(joint):
    experiment = Table(["x", "y"], [[0.5, 0.5], [0.9, 0.1]])
    data = {"P(v)": joint, "P(y | do(x))": experiment}
    found = evaluate(probability("y", do="x"), data)
    assert np.allclose(found.to_numpy(["x", "y"]), experiment.to_numpy(), atol=1e-15)


def test_expectation_weighs_by_the_levels(joint):
    numbers = Table(["x", "y"], joint.values, {"y": (10, 30)})
    weight = Linear(((Fraction(1, 2), Event("y", Index("y"))),))
    mean = evaluate(Sum((Index("y"),), Product((weight, probability("y", "x")))), numbers)
    assert np.allclose(mean.to_numpy(["x"]), [12.5, 35 / 3], atol=1e-13)


def test_expectation_of_words_counts_their_positions(joint):
    words = Table(["x", "y"], joint.values, {"y": ("low", "high")})
    weight = Linear(((Fraction(1), Event("y", Index("y"))),))
    assert evaluate(weight, words).values.tolist() == [0, 1]


def test_missing_data_are_named(joint):
    with pytest.raises(DataError, match=r"no table for P\(w\); given \['x', 'y'\] under do"):
        evaluate(probability("w"), joint)
