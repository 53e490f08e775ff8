from __future__ import annotations

import math

import numpy as np
import pytest

from causalflow.equations.law import FAMILIES
from causalflow.errors import GraphError

EXAMPLES = {
    "normal": {"mean": 1.0, "std": 2.0},
    "uniform": {"low": -1.0, "high": 3.0},
    "gamma": {"shape": 10.0, "rate": 5.0},
    "beta": {"a": 2.0, "b": 3.0},
    "exponential": {"rate": 4.0},
    "lognormal": {"mean": 0.3, "std": 0.4},
    "laplace": {"location": 1.0, "scale": 0.5},
    "logistic": {"location": 1.0, "scale": 0.5},
    "student_t": {"df": 9.0, "location": 1.0, "scale": 0.5},
    "bernoulli": {"p": 0.3},
    "poisson": {"rate": 2.5},
}
# Closed forms of (mean, variance), written from the textbook and not from scipy.
MOMENTS = {
    "normal": (1.0, 4.0),
    "uniform": (1.0, 16 / 12),
    "gamma": (2.0, 0.4),
    "beta": (0.4, 0.04),
    "exponential": (0.25, 1 / 16),
    "lognormal": (math.exp(0.38), (math.exp(0.16) - 1) * math.exp(0.76)),
    "laplace": (1.0, 0.5),
    "logistic": (1.0, 0.25 * math.pi**2 / 3),
    "student_t": (1.0, 0.25 * 9 / 7),
    "bernoulli": (0.3, 0.21),
    "poisson": (2.5, 2.5),
}


def test_every_family_has_an_example_here() -> None:
    assert set(FAMILIES) == set(EXAMPLES) == set(MOMENTS)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_draws_have_the_mean_of_the_closed_form_and_stay_in_the_support(name: str) -> None:
    """Tolerance: five standard errors of the mean."""
    family, parameters, n = FAMILIES.get(name), EXAMPLES[name], 20_000
    draws = family.sample(np.random.default_rng(0), n, **parameters)
    mean, variance = MOMENTS[name]
    assert abs(draws.mean() - mean) < 5 * math.sqrt(variance / n)
    low, high = family.support(family.complete(parameters))
    assert low <= draws.min() <= draws.max() <= high
    assert draws.dtype == (np.int64 if family.discrete else np.float64)
    assert np.isfinite(family.log_prob(draws[:100], **parameters)).all()


@pytest.mark.parametrize("name", list(FAMILIES))
def test_the_density_integrates_to_one_and_has_the_closed_form_moments(name: str) -> None:
    """Tolerance: a rectangle rule on 200,001 points, tails cut at 1e-10."""
    family, parameters = FAMILIES.get(name), EXAMPLES[name]
    if family.discrete:
        grid, weight = np.arange(0, 60), 1.0
    else:
        frozen = family.frozen(family.complete(parameters))
        grid = np.linspace(frozen.ppf(1e-10), frozen.ppf(1 - 1e-10), 200_001)
        weight = grid[1] - grid[0]
    density = np.exp(family.log_prob(grid, **parameters)) * weight
    mean, variance = MOMENTS[name]
    assert density.sum() == pytest.approx(1, abs=1e-4)
    assert (density * grid).sum() == pytest.approx(mean, abs=1e-3)
    assert (density * (grid - mean) ** 2).sum() == pytest.approx(variance, rel=2e-3)


def test_the_same_generator_state_gives_the_same_draws() -> None:
    for name, parameters in EXAMPLES.items():
        first, second = (
            FAMILIES.get(name).sample(np.random.default_rng(7), 5, **parameters) for _ in range(2)
        )
        assert (first == second).all()


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("gamma", {"shape": 10, "rat": 5}, "gamma has no parameter 'rat'; expected one of"),
        ("gamma", {"rate": 5}, "gamma needs the parameter 'shape'"),
        ("normal", {"std": 0}, "std is 0; expected a finite number > 0"),
        ("normal", {"mean": math.inf}, "mean is inf; expected a finite number"),
        ("normal", {"std": math.nan}, "std is nan; expected a finite number > 0"),
        ("bernoulli", {"p": 1.5}, "p is 1.5; expected a number between 0 and 1"),
        ("uniform", {"low": 2, "high": 2}, "low 2 must be less than high 2"),
    ],
)
def test_bad_parameters_are_graph_errors(name: str, given: dict[str, float], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        FAMILIES.get(name).complete(given)
