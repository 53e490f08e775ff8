"""Counts against their own laws: scipy's, and an inverse-CDF model whose noise is known."""

import numpy as np
import pytest
import torch
from scipy import special, stats

from causalflow.graph.node import Class
from causalflow.mechanisms.count import CountMechanism, quantile

NOISES = ["poisson", "negative_binomial"]
SIZE = 3.0
SWITCH = Class(levels=("off", "on"))


def law(noise, mean):
    """scipy's law of that mean."""
    if noise == "poisson":
        return stats.poisson(mean)
    return stats.nbinom(SIZE, SIZE / (SIZE + mean))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def known(noise, off, on):
    """A mechanism whose mean is `off` or `on`, by its parent."""
    mechanism = CountMechanism("n", noise, {"x": SWITCH})
    with torch.no_grad():
        mechanism.intercept.fill_(np.log(off))
        mechanism.weights.fill_(np.log(on) - np.log(off))
        mechanism.log_size.fill_(np.log(SIZE))
    return mechanism


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("mean", [1e-9, 0.02, 1.0, 30.0, 1e6])
def test_the_quantile_is_scipys_where_that_is_exact(noise, mean):
    u = np.random.default_rng(1).uniform(1e-9, 1 - 1e-9, 500)
    size = np.log(SIZE) if noise == "negative_binomial" else None
    found = quantile(special.ndtri(u), np.full(500, np.log(mean)), size)
    reached = law(noise, mean).cdf(found) >= u * (1 - 1e-9)
    before = law(noise, mean).cdf(found - 1) < u * (1 + 1e-9)
    assert reached.all()
    assert before.all()


@pytest.mark.parametrize("noise", NOISES)
def test_the_quantile_of_the_far_tails_is_told_from_the_nearer_end(noise):
    z, size = np.array([-37.0, -9.0, 9.0, 30.0]), np.log(SIZE) if noise != "poisson" else None
    found = quantile(z, np.full(4, np.log(50.0)), size)
    upper = law(noise, 50.0).sf
    assert found[0] == 0 or law(noise, 50.0).cdf(found[0] - 1) < special.ndtr(-37.0)
    assert (upper(found[2:]) <= special.ndtr(-z[2:])).all()
    assert (upper(found[2:] - 1) > special.ndtr(-z[2:])).all()


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("mean", [1e-9, 1.0, 1e3, 1e6])
def test_composition_gives_every_count_back_however_unlikely(noise, mean):
    mechanism = known(noise, mean, mean)
    value = torch.tensor([0.0, 1.0, 2.0, 17.0, 1e3, 1e6, 2.0**52], dtype=torch.float64)
    parents = {"x": torch.zeros(len(value), dtype=torch.int64)}
    noises = mechanism.abduct(value, parents, generator())
    assert mechanism.predict(parents, noises).tolist() == value.tolist()


@pytest.mark.parametrize("noise", NOISES)
def test_the_abducted_u_is_uniform(noise):
    mechanism, n = known(noise, 2.0, 2.0), 20_000
    value = torch.as_tensor(law(noise, 2.0).rvs(n, random_state=3), dtype=torch.float64)
    z = mechanism.abduct(value, {"x": torch.zeros(n, dtype=torch.int64)}, generator())["z"]
    distance = stats.kstest(special.ndtr(z.numpy()), "uniform").statistic
    assert distance < 1.95 / np.sqrt(n)  # the 0.1 % point of Kolmogorov's law


@pytest.mark.parametrize("noise", NOISES)
def test_a_counterfactual_is_that_of_the_inverse_cdf_model(noise):
    mechanism, n = known(noise, 2.0, 7.0), 20_000
    u = np.random.default_rng(5).random(n)
    seen, truth = law(noise, 2.0).ppf(u), law(noise, 7.0).ppf(u)
    value = torch.as_tensor(seen, dtype=torch.float64)
    off, on = torch.zeros(n, dtype=torch.int64), torch.ones(n, dtype=torch.int64)
    noises = mechanism.abduct(value, {"x": off}, generator())
    found = mechanism.predict({"x": on}, noises).numpy()
    low = law(noise, 7.0).ppf(law(noise, 2.0).cdf(seen - 1) + 1e-12)
    high = law(noise, 7.0).ppf(law(noise, 2.0).cdf(seen) - 1e-12)
    assert ((found >= np.maximum(low, 0)) & (found <= high)).all()
    for count in range(6):  # given what is seen the two have one law
        rows = seen == count
        error = np.sqrt((found[rows].var() + truth[rows].var()) / rows.sum())
        assert abs(found[rows].mean() - truth[rows].mean()) < 5 * error + 1e-12


@pytest.mark.parametrize("noise", NOISES)
def test_a_larger_mean_never_gives_less(noise):
    mechanism = known(noise, 3.0, 3.1)
    value = torch.arange(200, dtype=torch.float64)
    off = {"x": torch.zeros(200, dtype=torch.int64)}
    noises = mechanism.abduct(value, off, generator())
    assert (mechanism.predict({"x": torch.ones(200, dtype=torch.int64)}, noises) >= value).all()
    back = known(noise, 3.1, 3.0)
    noises = back.abduct(value, off, generator())
    assert (back.predict({"x": torch.ones(200, dtype=torch.int64)}, noises) <= value).all()


@pytest.mark.parametrize("noise", NOISES)
def test_calibration_finds_the_means_and_the_size(noise):
    n = 20_000
    x = np.random.default_rng(2).integers(0, 2, n)
    value = law(noise, np.where(x, 5.0, 0.5)).rvs(random_state=4)
    value = value.astype(float)
    value[:7] = np.nan
    mechanism = CountMechanism("n", noise, {"x": SWITCH})
    rows = {"n": torch.as_tensor(value), "x": torch.as_tensor(x)}
    mechanism.calibrate(rows, generator())
    assert mechanism.loss(rows, generator())[:7].tolist() == [0.0] * 7
    for level, mean in ((0, 0.5), (1, 5.0)):
        parents = {"x": torch.tensor([level])}
        kept = (x == level) & ~np.isnan(value)
        assert float(mechanism.log_mean(parents, 1).exp().detach()) == pytest.approx(
            value[kept].mean(),
            rel=1e-5,  # the score of a saturated line is 0 at the means
        )
        variance = law(noise, mean).var()
        assert abs(value[kept].mean() - mean) < 5 * np.sqrt(variance / kept.sum())
    if noise == "negative_binomial":
        assert float(mechanism.log_size.exp()) == pytest.approx(SIZE, rel=0.1)


@pytest.mark.parametrize("noise", NOISES)
def test_probabilities_are_those_of_the_law(noise):
    mechanism, value = known(noise, 4.0, 4.0), torch.arange(30, dtype=torch.float64)
    parents = {"x": torch.zeros(30, dtype=torch.int64)}
    found = mechanism.log_prob(value, parents).detach().numpy()
    np.testing.assert_allclose(found, law(noise, 4.0).logpmf(np.arange(30)), rtol=1e-9)


def test_counts_that_are_all_zero_are_fitted():
    mechanism = CountMechanism("n", "poisson", {})
    mechanism.calibrate({"n": torch.zeros(50, dtype=torch.float64)}, generator())
    assert mechanism.loss({"n": torch.zeros(50, dtype=torch.float64)}, generator()) is None
    drawn = mechanism.predict({}, mechanism.draw_noise(1000, generator()))
    assert drawn.sum() <= 40  # the mean is at most half a count in the 50 rows
