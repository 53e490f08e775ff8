import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from causalflow.errors import DataError
from causalflow.evaluation.frechet import UNIT, frechet_distance, frechet_score


def drawn(rows, features, seed, scale=1.0, shift=0.0):
    generator = np.random.default_rng(seed)
    return torch.from_numpy(shift + scale * generator.normal(size=(rows, features)))


def with_moments(features, mean, root):
    """Rows whose mean and covariance are exactly ``mean`` and ``root root^T``."""
    centred = features - features.mean(0)
    whitened = centred @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(centred.T)).T)
    return mean + whitened @ root.T


def test_equal_sets_are_not_apart_and_a_shift_is_its_length_squared():
    rows = drawn(60, 5, 0)
    shift = torch.tensor([1.0, -2.0, 0.0, 0.5, 3.0], dtype=torch.float64)
    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-9)
    expected = float(shift @ shift)
    assert frechet_distance(rows, rows + shift) == pytest.approx(expected, rel=1e-9)


def test_one_feature_is_the_formula_of_two_normal_laws():
    first, second = drawn(40, 1, 1, scale=2.0), drawn(70, 1, 2, scale=0.5, shift=3.0)
    mean = (first.mean() - second.mean()) ** 2
    spread = (first.std() - second.std()) ** 2
    assert frechet_distance(first, second) == pytest.approx(float(mean + spread), rel=1e-9)


def test_the_root_of_covariances_that_do_not_commute_is_scipys():
    first = with_moments(drawn(50, 3, 3), torch.zeros(3).double(), torch.eye(3).double())
    root = torch.tensor([[2.0, 0.0, 0.0], [1.0, 0.7, 0.0], [-0.5, 0.3, 1.2]], dtype=torch.float64)
    turn = torch.tensor([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 3.0]], dtype=torch.float64)
    second, third = (with_moments(first, torch.ones(3).double(), r) for r in (root, turn @ root))
    one, two = (np.cov(rows.numpy(), rowvar=False) for rows in (second, third))
    expected = np.trace(one + two - 2 * np.real(sqrtm(one @ two)))
    assert frechet_distance(second, third) == pytest.approx(expected, rel=1e-8)
    # From N(0, 1) to N(m, C): |m|^2 + tr(C) + 3 - 2 tr(C^(1/2)).
    closed = 3 + np.trace(one) + 3 - 2 * np.trace(np.real(sqrtm(one)))
    assert frechet_distance(first, second) == pytest.approx(closed, rel=1e-8)


def test_more_features_than_rows_still_have_a_distance():
    rows = drawn(6, 40, 4)
    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-6)
    assert math.isfinite(frechet_distance(rows, drawn(7, 40, 5)))


def test_the_interval_holds_the_distance_of_the_laws():
    """Means apart by 2 in one feature of two: 4. The mean of 200 rows errs by .07 a feature."""
    held = 0
    for seed in range(20):
        first, second = drawn(200, 2, seed), drawn(200, 2, 100 + seed)
        second[:, 0] += 2
        score = frechet_score(first, second)
        assert (score.count, score.unit) == (200, UNIT)
        assert score.interval[0] <= score.value <= score.interval[1]
        held += score.interval[0] <= 4 <= score.interval[1]
    assert held >= 16  # fewer than that of 20 at 95 % happens once in 400


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (drawn(5, 2, 0), drawn(5, 3, 0), "sets of 2 and 3 features"),
        (drawn(5, 2, 0)[0], drawn(5, 2, 0), r"features of shape \(2,\)"),
        (drawn(1, 2, 0), drawn(5, 2, 0), r"features of shape \(1, 2\)"),
        (drawn(5, 2, 0) * math.nan, drawn(5, 2, 0), "row 0 has a feature that is no finite"),
    ],
)
def test_what_has_no_distance_is_refused(first, second, message):
    with pytest.raises(DataError, match=message):
        frechet_distance(first, second)


def test_an_interval_takes_four_rows():
    with pytest.raises(DataError, match="3 rows; an interval takes at least 4"):
        frechet_score(drawn(3, 2, 0), drawn(9, 2, 0))
