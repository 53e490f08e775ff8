"""Bending is one-to-one, and only columns whose deviation is that of a few rows are bent."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalflow.nn.tails import BEND, bent, is_heavy, log_slope, measured, straight

AT = torch.tensor(BEND, dtype=torch.float64)
NONE = torch.tensor(math.inf, dtype=torch.float64)


@settings(deadline=None)
@given(st.floats(-1e200, 1e200))
def test_straight_undoes_bent(number):
    t = torch.tensor([number], dtype=torch.float64)
    # exp of a logarithm up to 460: as many units in the last place.
    torch.testing.assert_close(straight(bent(t, AT), AT), t, rtol=1e-12, atol=0)
    assert bent(t, NONE).equal(t)
    assert straight(t, NONE).equal(t)


def test_bent_increases_with_the_slope_that_is_stated():
    t = torch.linspace(-20, 20, 4_001, dtype=torch.float64, requires_grad=True)
    e = bent(t, AT)
    (slope,) = torch.autograd.grad(e.sum(), t)
    assert (e.diff() > 0).all()
    torch.testing.assert_close(slope.log(), log_slope(t.detach(), AT))


def draws(kind):
    generator = torch.Generator().manual_seed(0)
    u = torch.rand(5_000, generator=generator, dtype=torch.float64)
    z = torch.randn(5_000, generator=generator, dtype=torch.float64)
    return {
        "normal": z,
        "uniform": u,
        "exponential": -u.log(),
        "two modes": z + 10 * (u < 0.5),
        "zero or one, 2 % ones": (u < 0.02).double(),
        "constant": torch.ones_like(u),
        "cauchy": torch.tan(math.pi * (u - 0.5)),
        "three outliers": torch.cat([z[3:], torch.tensor([1e6, 1e6, -1e6]).double()]),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "heavy"),
    [
        ("normal", False),
        ("uniform", False),
        ("exponential", False),
        ("two modes", False),
        ("zero or one, 2 % ones", False),
        ("constant", False),
        ("cauchy", True),
        ("three outliers", True),
    ],
)
def test_heavy_columns_are_told_from_the_others(kind, heavy):
    values = draws(kind)
    centre, spread, bend = measured(values)
    assert is_heavy(values) == heavy == bool(bend.isfinite())
    if heavy:
        # The quartiles of N(0, 1) give 1, those of a Cauchy law 1.48; errors of 5,000 rows.
        assert spread == pytest.approx(1.4826 if kind == "cauchy" else 1.0, abs=0.15)
        assert abs(centre) < 0.15
    else:
        assert centre == values.mean()
        assert spread == (values.std(correction=0) if kind != "constant" else 1)


@pytest.mark.parametrize("n", [4, 6, 10, 20, 40])
def test_few_draws_of_a_normal_law_are_not_heavy(n):
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randn((400, n), generator=generator, dtype=torch.float64)
    # quartiles of 4 or 6 numbers lie a thousandth as far apart as they should once in 500 times
    assert sum(map(is_heavy, drawn)) <= 4
    assert is_heavy(torch.cat([drawn[0], torch.tensor([1e9]).double()]))


def test_the_mean_of_large_numbers_is_finite():
    centre, spread, _ = measured(torch.tensor([1.0, 1.2, 1.4] * 30, dtype=torch.float64) * 1e308)
    assert math.isclose(float(centre), 1.2e308)
    assert math.isfinite(float(spread))
