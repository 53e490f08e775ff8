"""Laws of what estimates are made of: folds, curves, learners, positivity, bands."""

import numpy as np
import pytest
from scipy.stats import norm

from causalflow.effects.complete_rows import read_column, read_rows
from causalflow.effects.effect import effect_of_influences
from causalflow.effects.estimator import folds_of
from causalflow.effects.nuisance.learners import learned_levels, learned_mean, read_learners
from causalflow.effects.nuisance.overlap import Overlap, void_of
from causalflow.effects.nuisance.smooth_curve import Projection, best_size, joint_basis
from causalflow.effects.nuisance.spline import spline_of
from causalflow.errors import DataError

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(600, 2))
AUTO = read_learners("auto")


def test_folds_are_even_in_every_group():
    groups = np.array([0] * 73 + [1] * 27)
    folds = folds_of(100, 5, 0, groups)
    assert np.bincount(folds).tolist() == [20] * 5
    for group in (0, 1):
        counts = np.bincount(folds[groups == group], minlength=5)
        assert counts.max() - counts.min() <= 1


def test_a_spline_is_a_line_outside_its_knots_and_smooth_within():
    spline = spline_of(np.linspace(0, 1, 200), 5)
    assert spline.size == 5
    beyond = spline(np.array([2.0, 3.0, 4.0]))
    assert np.diff(beyond, 2, axis=0) == pytest.approx(0, abs=1e-9)
    for knot in spline.knots[1:-1]:  # the second derivative has no jump at a knot
        step = 1e-3
        near = spline(knot + step * np.arange(-3.0, 4.0))
        second = np.diff(near, 2, axis=0) / step**2
        assert np.abs(second[-1] - second[0]).max() < 1


def test_a_projection_is_least_squares_with_its_robust_error():
    score = X[:, 0] + RANDOM.normal(size=600)
    group = X[:, 1] > -0.5
    basis = joint_basis([spline_of(X[:, 0], 2)], [X[:, 0]])
    projection = Projection(basis=basis, group=group)
    beta, *_ = np.linalg.lstsq(basis[group], score[group], rcond=None)
    at = basis[:3]
    values, influence = projection(score, at)
    assert values == pytest.approx(at @ beta)
    bread = np.linalg.inv(basis[group].T @ basis[group])
    leverage = np.einsum("ij,jk,ik->i", basis[group], bread, basis[group])
    residual = (score[group] - basis[group] @ beta) / (1 - leverage)
    meat = (basis[group] * residual[:, None] ** 2).T @ basis[group]
    errors = np.sqrt((influence**2).sum(axis=0)) / 600
    assert errors == pytest.approx(np.sqrt(np.diag(at @ bread @ meat @ bread @ at.T)))


def test_a_constant_basis_gives_the_mean_of_the_group():
    group = X[:, 1] > 0
    values, influence = Projection(basis=np.ones((600, 1)), group=group)(X[:, 0], np.ones((1, 1)))
    assert values[0] == pytest.approx(X[group, 0].mean())
    own = X[group, 0]
    error = np.sqrt((influence**2).sum()) / 600
    assert error == pytest.approx(own.std() / np.sqrt(group.sum()), rel=5 / group.sum())


def test_a_line_gets_few_functions_and_a_wave_many():
    x = np.linspace(-3, 3, 600)
    noise = RANDOM.normal(size=600) / 2
    everyone = np.ones(600, dtype=bool)
    assert best_size(x + noise, [x], everyone) <= 5
    assert best_size(np.sin(2 * x) + noise, [x], everyone) >= 7


@pytest.mark.parametrize(
    ("target", "learner"),
    [
        (X[:, 0] - X[:, 1], "linear"),
        (np.sin(2 * X[:, 0]) + X[:, 0] * X[:, 1], "smooth"),
        (4.0 * ((X[:, 0] > 0.3) ^ (X[:, 1] > 0.2)), "boosting"),
    ],
)
def test_the_learner_of_the_right_form_predicts_best(target, learner):
    noise = np.random.default_rng(1).normal(size=600) / 2
    found = learned_mean(AUTO, X, target + noise, folds_of(600, 5, 0))
    assert found.learner == learner
    assert np.mean((found.predictions - target) ** 2) < np.var(target) / 4


def test_a_row_is_predicted_by_learners_that_have_not_seen_it():
    from sklearn.neighbors import KNeighborsRegressor

    target = RANDOM.normal(size=200)
    own = read_learners(KNeighborsRegressor(1))
    found = learned_mean(own, X[:200], target, folds_of(200, 4, 0))
    assert np.abs(found.predictions - target).min() > 0


def test_probabilities_of_levels_sum_to_one_and_come_near_the_truth():
    truth = 1 / (1 + np.exp(-2 * X[:, 0]))
    places = (np.random.default_rng(2).random(600) < truth).astype(np.int64)
    found = learned_levels(AUTO, X, places, 2, folds_of(600, 5, 0, places))
    assert found.predictions.sum(axis=1) == pytest.approx(1)
    assert np.abs(found.predictions[:, 1] - truth).mean() < 0.06


def test_too_few_rows_to_learn_from_are_refused():
    with pytest.raises(DataError, match="too few rows"):
        learned_mean(AUTO, X, X[:, 0], folds_of(600, 2, 0), among=np.zeros(600, dtype=bool))


def test_regions_without_a_treatment_are_found_and_named():
    treated = (X[:, 0] < 0.8) & (RANDOM.random(600) < 0.5)
    found = void_of(X, ["age", "dose"], treated, np.full(600, 0.4), 0.01)
    assert (found.rows == (X[:, 0] > 0.8)).mean() > 0.97
    assert len(found.words) == 1
    assert found.words[0].startswith("age > 0.")


def test_good_overlap_has_no_such_region():
    propensity = 1 / (1 + np.exp(-X[:, 0]))
    treated = RANDOM.random(600) < propensity
    assert not void_of(X, ["age", "dose"], treated, propensity, 0.01).rows.any()


def test_effective_rows_of_equal_weights_are_all():
    treated = np.array([0, 1] * 50)
    overlap = Overlap(
        levels=("a", "b"), propensities=np.full((100, 2), 0.5), treated=treated, least=0.01
    )
    assert overlap.effective == pytest.approx([50, 50])
    assert overlap.violated.tolist() == [0, 0]


@pytest.mark.parametrize("count", [1, 5])
def test_a_band_of_independent_answers_is_as_wide_as_sidak_says(count):
    influence = np.random.default_rng(3).normal(size=(4_000, count))
    influence -= influence.mean(axis=0)
    found = effect_of_influences(
        np.zeros(count),
        influence,
        confidence=0.95,
        query="q",
        method="m",
        cells=tuple((each,) for each in range(count)),
    )
    assert found.high / found.standard_errors == pytest.approx(norm.ppf(0.975))
    if found.band is None:
        assert count == 1
        return
    sidak = norm.ppf((1 + 0.95 ** (1 / count)) / 2)
    assert found.band[1] / found.standard_errors == pytest.approx(sidak, abs=0.12)


def test_columns_are_numbers_or_levels_by_what_they_hold():
    assert read_column("x", ["b", "a", None]).places.tolist() == [1, 0, -1]
    assert not read_column("x", np.linspace(0, 1, 30)).is_finite
    assert not read_column("x", np.arange(30)).is_finite
    three = read_column("x", [3, 1, 3, 2])
    assert three.levels == (1, 2, 3)
    assert three.features.tolist() == [[0, 1], [0, 0], [0, 1], [1, 0]]


def test_features_of_given_values_are_those_of_a_row_that_has_them():
    rows = read_rows({"c": ["b", "a", "c"], "w": [0.1, 0.2, 0.3]}, ["c", "w"], {}, {"w": []})
    wanted = rows.features_at({"w": rows["w"].levels[1], "c": "a"})
    assert wanted.tolist() == rows.features(["c", "w"])[1:2].tolist()
