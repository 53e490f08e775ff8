"""Sensitivity: its formulas against least squares with the cause seen, and published values."""

import numpy as np
import pytest

from causalflow.effects.refutation.refutation import Check
from causalflow.effects.refutation.sensitivity import (
    Sensitivity,
    as_strong,
    e_value,
    explained,
    risk_ratio_of_difference,
    robustness_value,
)


def slope(target, *columns):
    design = np.stack([np.ones(len(target)), *columns], axis=1)
    return np.linalg.lstsq(design, target)[0][1]


def residual(target, *columns):
    design = np.stack([np.ones(len(target)), *columns], axis=1)
    return target - design @ np.linalg.lstsq(design, target)[0]


def test_bias_formula_is_exact_for_least_squares():
    generator = np.random.default_rng(0)
    z, u = generator.normal(size=(2, 400))
    d = z + 0.7 * u + generator.normal(size=400)
    y = 0.5 * d + z + 0.9 * u + generator.normal(size=400)
    short, long = slope(y, d, z), slope(y, d, z, u)
    found = Sensitivity(
        estimate=short,
        nearest=0.0,
        units=1.0,
        scale=float(np.std(residual(y, d, z)) / np.std(residual(d, z))),
        risk_ratio=1.0,
        nearest_ratio=1.0,
        covariates={},
    )
    of_treatment = explained(d, z[:, None], u[:, None])
    of_outcome = explained(y, np.stack([z, d], axis=1), u[:, None])
    assert found.adjusted(np.array(of_treatment), np.array(of_outcome)) == pytest.approx(long)


def test_robustness_value_leaves_nothing_of_the_estimate():
    found = Sensitivity(
        estimate=-0.8,
        nearest=-0.3,
        units=2.0,
        scale=1.7,
        risk_ratio=1.0,
        nearest_ratio=1.0,
        covariates={},
    )
    share = np.array(found.robustness)
    assert found.adjusted(share, share) == pytest.approx(0, abs=1e-12)
    assert 0 < found.robustness_of_sign < found.robustness < 1


def test_robustness_value_of_the_darfur_study():
    # Cinelli & Hazlett (2020), Table 1: t = 4.18 at 783 degrees of freedom, RV = 13.9 %.
    assert robustness_value(4.18, 783**0.5) == pytest.approx(0.139, abs=5e-4)


def test_e_values_as_published():
    # VanderWeele & Ding (2017): risk ratio 3.9 (1.8, 8.7) has E-values 7.26 and 3.0.
    assert e_value(3.9) == pytest.approx(7.26, abs=0.005)
    assert e_value(1.8) == pytest.approx(3.0, abs=0.005)
    assert e_value(1 / 3.9) == pytest.approx(e_value(3.9))
    assert risk_ratio_of_difference(0.0, 2.0) == 1.0


@pytest.mark.parametrize(("far", "passes"), [(0, True), (4, True), (5, False), (10, False)])
def test_check_fails_where_more_repeats_are_far_than_chance_has(far, passes):
    distances = np.array([5.0] * far + [0.1] * (10 - far))
    check = Check(name="x", answer="", expected=0.0, values=distances, distances=distances)
    assert check.passes is passes
    assert ("FAILS" in str(check)) is not passes


def test_a_cause_as_strong_as_a_covariate_is_that_of_darfur():
    """Cinelli & Hazlett (2020), Table 1: once, twice as strong as 'female'; here once."""
    of_treatment, of_outcome = as_strong(0.009081, 0.10903)
    assert (of_treatment, of_outcome) == pytest.approx((0.00916, 0.12464), rel=2e-3)
    found = Sensitivity(
        estimate=0.09726,
        nearest=0.0516,
        units=1.0,
        scale=0.02326 * np.sqrt(783),
        risk_ratio=1.0,
        nearest_ratio=1.0,
        covariates={"female": (0.009081, 0.10903)},
    )
    assert "leaves 0.0752" in found.lines[2] or "leaves 0.0751" in found.lines[2]


def test_a_hidden_twin_of_a_covariate_is_as_strong_as_it():
    """u is independent of z and moves d and y as z does: what it explains is what is told of z."""
    generator = np.random.default_rng(1)
    z, u = generator.normal(size=(2, 200_000))
    d = z + u + 3 * generator.normal(size=len(z))
    y = 0.5 * d + z + u + generator.normal(size=len(z))
    nothing = np.zeros((len(z), 0))
    told = as_strong(explained(d, nothing, z[:, None]), explained(y, d[:, None], z[:, None]))
    real = (
        explained(d, z[:, None], u[:, None]),
        explained(y, np.stack([z, d], axis=1), u[:, None]),
    )
    assert told[0] == pytest.approx(real[0], rel=0.03)
    assert told[1] >= 0.97 * real[1]
