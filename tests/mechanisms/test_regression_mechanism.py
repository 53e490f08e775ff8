"""Regression held against least squares, quadrature, known laws and known counterfactuals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from causalflow.errors import CompileError, DataError, EvidenceError
from causalflow.graph.node import Class, Continuous, Image
from causalflow.mechanisms.regression.column_line import Scale
from causalflow.mechanisms.regression.evidence import Evidence
from causalflow.mechanisms.regression.kernel_function import KernelFunction
from causalflow.mechanisms.regression.regression_mechanism import STAGES, RegressionMechanism
from causalflow.model.missing.imputation import BLOCK, first_copy

ROWS = 1500
A = {"a": Continuous()}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tensors(**columns):
    return {name: torch.as_tensor(np.asarray(column)) for name, column in columns.items()}


def fitted(columns, parents=None, support=(-math.inf, math.inf)):
    """The mechanism of x, fitted to the columns."""
    mechanism = RegressionMechanism("x", Continuous(support=support, noise="auto"), parents or {})
    mechanism.calibrate(tensors(**columns), generator())
    return mechanism


def drawn(mechanism, parents, n=20_000, seed=5):
    return mechanism.predict(parents, mechanism.draw_noise(n, generator(seed))).numpy()


def zero_inflated(rng, n):
    a = rng.normal(size=n)
    x = np.where(
        rng.random(n) < 1 / (1 + np.exp(-a - 0.8)), 0.0, np.exp(a + 0.5 * rng.normal(size=n))
    )
    return {"a": a, "x": x}


def test_a_line_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    a, c = rng.normal(3, 2, ROWS), rng.integers(0, 3, ROWS)
    x = 5 - 2 * a + np.array([0.0, 4.0, -1.0])[c] + 0.7 * rng.normal(size=ROWS)
    parents = {"a": Continuous(), "c": Class(levels=("u", "v", "w"))}
    mechanism = fitted({"a": a, "c": c, "x": x}, parents)
    design = np.column_stack([np.ones(ROWS), a, c == 1, c == 2])
    line, *_ = np.linalg.lstsq(design, x, rcond=None)
    at = tensors(a=a, c=c)
    middle = mechanism.predict(at, {"u": torch.zeros(ROWS).double(), "v": torch.zeros(ROWS)})
    assert STAGES[int(mechanism.stage)] == "mean"
    assert np.abs(middle.numpy() - design @ line).max() < 0.01
    u = mechanism.abduct(torch.as_tensor(x), at, generator())["u"].numpy()
    assert np.allclose(u, (x - design @ line) / 0.7, atol=0.15)


@pytest.mark.parametrize("seed", range(3))
def test_the_counterfactual_of_a_curved_mean_is_the_true_one(seed):
    rng = np.random.default_rng(seed)
    a, u = rng.normal(size=ROWS), rng.normal(size=ROWS)
    mechanism = fitted({"a": a, "x": 2 * a**2 + u}, A)
    noise = mechanism.abduct(torch.as_tensor(2 * a**2 + u), tensors(a=a), generator())
    found = mechanism.predict(tensors(a=np.full(ROWS, 0.5)), noise).numpy()
    assert np.sqrt(np.mean((found - 0.5 - u) ** 2)) < 0.12  # the noise's deviation is 1


def test_a_cubed_sum_is_taken_on_the_scale_of_its_root_and_undone():
    rng = np.random.default_rng(2)
    a, u = rng.normal(size=ROWS), rng.normal(size=ROWS)
    x = (4 + a + 0.7 * u) ** 3
    mechanism = fitted({"a": a, "x": x}, A)
    assert mechanism.description == "auto noise: line, cube root scale"
    noise = mechanism.abduct(torch.as_tensor(x), tensors(a=a), generator())
    assert np.sqrt(np.mean((noise["u"].numpy() - u) ** 2)) < 0.1
    again = mechanism.predict(tensors(a=a), noise).numpy()
    assert np.abs(again / x - 1).max() < 1e-12
    found = mechanism.predict(tensors(a=np.full(ROWS, 0.5)), noise).numpy()
    assert np.median(np.abs(found / (4.5 + 0.7 * u) ** 3 - 1)) < 0.02


def test_columns_of_any_law_that_depend_as_normal_ones_are_taken_by_their_normal_scores():
    rng = np.random.default_rng(4)
    a, u = rng.normal(size=ROWS), rng.normal(size=ROWS)
    made = lambda t: 1 / (1 + np.exp(-1.5 * t))  # noqa: E731
    mechanism = fitted({"a": a, "x": made(a + u)}, A)
    assert mechanism.description == "auto noise: line, normal scores"
    noise = mechanism.abduct(torch.as_tensor(made(a + u)), tensors(a=a), generator())
    again = mechanism.predict(tensors(a=a), noise).numpy()
    assert np.abs(again - made(a + u)).max() < 1e-9
    found = mechanism.predict(tensors(a=np.full(ROWS, 0.5)), noise).numpy()
    assert np.median(np.abs(found - made(0.5 + u))) < 0.04
    assert np.quantile(np.abs(found - made(0.5 + u)), 0.95) < 0.12


def test_a_log_normal_column_is_a_line_on_the_log_scale():
    rng = np.random.default_rng(0)
    a, u = rng.normal(size=ROWS), rng.normal(size=ROWS)
    mechanism = fitted({"a": a, "x": np.exp(1 + 0.8 * a + 0.5 * u)}, A)
    assert mechanism.description == "auto noise: line, log scale"


def test_the_density_on_the_root_scale_adds_up_to_one():
    rng = np.random.default_rng(3)
    x = (4 + rng.normal(size=ROWS)) ** 3
    mechanism = fitted({"x": x})
    assert mechanism.line.scale is Scale.ROOT
    at = torch.linspace(-40, 1500, 400_001, dtype=torch.float64)
    density = mechanism.log_prob(at, {}).exp()
    assert float(torch.trapezoid(density, at)) == pytest.approx(1, abs=1e-3)


def test_a_scale_that_varies_is_found_and_undone():
    rng = np.random.default_rng(1)
    a, u = rng.uniform(-2, 2, 3000), rng.normal(size=3000)
    x = a + np.exp(0.7 * a) * u
    mechanism = fitted({"a": a, "x": x}, A)
    assert "scale" in STAGES[int(mechanism.stage)]
    noise = mechanism.abduct(torch.as_tensor(x), tensors(a=a), generator())
    assert np.sqrt(np.mean((noise["u"].numpy() - u) ** 2)) < 0.15


def test_a_shape_that_varies_with_a_parent_is_found():
    rng = np.random.default_rng(2)
    c, z = rng.integers(0, 2, 3000), rng.normal(size=3000)
    skewed = (np.exp(z) - math.exp(0.5)) / math.sqrt((math.e - 1) * math.e)
    x = np.where(c == 1, skewed, -skewed)
    mechanism = fitted({"c": c, "x": x}, {"c": Class(levels=(0, 1))})
    assert "varying" in STAGES[int(mechanism.stage)]
    for level, sign in ((0, -1), (1, 1)):
        found = drawn(mechanism, tensors(c=np.full(20_000, level)))
        truth = sign * (np.exp(rng.normal(size=20_000)) - math.exp(0.5)) / 2.1612
        assert stats.ks_2samp(found, truth).statistic < 0.05


@pytest.mark.parametrize(
    ("law", "support"),
    [
        (lambda r, n: r.standard_cauchy(n), (-math.inf, math.inf)),
        (
            lambda r, n: np.where(np.arange(n) % 1000 == 7, 1e6, r.normal(size=n)),
            (-math.inf, math.inf),
        ),
        (lambda r, n: 3.0 * r.integers(0, 10, n) + 0.3 * r.normal(size=n), (-math.inf, math.inf)),
        (lambda r, n: np.clip(r.normal(0.5, 0.5, n), 0, 1), (0.0, 1.0)),
        (lambda r, n: r.poisson(3.0, n).astype(float), (-math.inf, math.inf)),
        (lambda r, n: np.round(np.maximum(r.lognormal(7, 1, n) - 500, 0)), (-math.inf, math.inf)),
        (lambda r, n: 3 - r.gamma(2.0, size=n), (-math.inf, 3.0)),
    ],
    ids=["cauchy", "outliers", "ten modes", "shares", "counts", "incomes", "below an end"],
)
def test_marginals_are_met(law, support):
    rng = np.random.default_rng(3)
    mechanism = fitted({"x": law(rng, 5000)}, support=support)
    found, truth = drawn(mechanism, {}), law(rng, 50_000)
    assert stats.ks_2samp(found, truth).statistic < 0.03


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_a_shape_that_a_fifth_of_the_rows_does_not_tell_surely_is_found_by_all(seed):
    """A normal law cut at 0 and 1 is no normal one on the logit scale, by .03 at most."""

    def shares(rng, n):
        a = rng.normal(size=n)
        return a, np.clip(rng.normal(0.5 + a / 5, 0.4), 0, 1)

    a, x = shares(np.random.default_rng(seed), 5_000)
    mechanism = fitted({"a": a, "x": x}, A, support=(0.0, 1.0))
    others, law = shares(np.random.default_rng(9), 400_000)
    found = drawn(mechanism, tensors(a=others), len(others))
    assert stats.ks_2samp(found, law).statistic < 0.02


def test_the_law_adds_up_to_one_and_its_atom_to_its_share():
    rng = np.random.default_rng(4)
    mechanism = fitted(zero_inflated(rng, 4000), A)
    assert mechanism.atoms.count == 1
    for a in (-1.0, 0.0, 1.0):
        at = mechanism.log_prob(torch.zeros(1).double(), tensors(a=np.array([a]))).exp()
        assert abs(float(at) - 1 / (1 + math.exp(-a - 0.8))) < 0.05
        grid = np.linspace(-5, 80, 400_001) + 1e-7  # between the atoms
        density = mechanism.log_prob(torch.as_tensor(grid), tensors(a=np.full(len(grid), a))).exp()
        assert abs(float(at) + np.trapezoid(density.numpy(), grid) - 1) < 2e-3


def test_abduction_is_exact_and_more_noise_is_a_larger_value():
    rng = np.random.default_rng(6)
    rows = zero_inflated(rng, 3000)
    mechanism = fitted(rows, A)
    x, at = torch.as_tensor(rows["x"]), tensors(a=rows["a"])
    noise = mechanism.abduct(x, at, generator())
    assert torch.allclose(mechanism.predict(at, noise), x, rtol=1e-9, atol=0)
    one = tensors(a=np.zeros(2001))
    u = torch.linspace(-4, 4, 2001, dtype=torch.float64)
    values = mechanism.predict(one, {"u": u, "v": torch.full_like(u, math.nan)})
    assert (values.diff() >= 0).all()
    assert (values == 0).double().mean() > 0.1


def test_noise_is_standard_normal_given_the_rows_also_at_atoms():
    rng = np.random.default_rng(7)
    rows = zero_inflated(rng, 4000)
    mechanism = fitted(rows, A)
    u = mechanism.abduct(torch.as_tensor(rows["x"]), tensors(a=rows["a"]), generator())["u"]
    assert stats.kstest(u.numpy(), "norm").statistic < 0.03


def test_a_parent_that_says_nothing_costs_nothing():
    rng = np.random.default_rng(8)
    a, u = rng.normal(size=ROWS), rng.normal(size=ROWS)
    mechanism = fitted({"a": a, "x": u}, A)
    assert STAGES[int(mechanism.stage)] == "mean"
    noise = mechanism.abduct(torch.as_tensor(u), tensors(a=a), generator())
    found = mechanism.predict(tensors(a=a + 1), noise).numpy()
    assert np.abs(found - u).max() < 0.15


@pytest.mark.parametrize("n", [1, 2, 5, 30])
def test_few_rows_give_a_law(n):
    rng = np.random.default_rng(9)
    a = rng.normal(size=n)
    mechanism = fitted({"a": a, "x": 2 * a + 0.1 * rng.normal(size=n)}, A)
    found = drawn(mechanism, tensors(a=np.zeros(50)), 50)
    assert np.isfinite(found).all()


def test_few_rows_of_a_normal_law_give_no_far_draws():
    for seed in range(20):
        x = np.random.default_rng(seed).normal(size=6)
        # 6 numbers: their deviation is .3 of the law's or more, its draws within 5 of theirs
        assert np.abs(drawn(fitted({"x": x}), {}, 500)).max() < 20


def test_far_from_all_rows_it_is_a_number():
    rng = np.random.default_rng(11)
    a = rng.normal(size=400)
    for x in (a + rng.normal(size=400), np.sin(3 * a) + np.exp(a / 2) * rng.normal(size=400)):
        mechanism = fitted({"a": a, "x": x}, A)
        found = drawn(mechanism, tensors(a=np.repeat([1e9, -1e200, 1e300], 20)), 60)
        assert np.isfinite(found).all()


def test_the_middle_of_a_sorted_table_is_that_of_all_its_rows():
    z = torch.linspace(0, 1, 30_000, dtype=torch.float64)[:, None]
    function = KernelFunction(1, 5)
    lengths, variance = torch.zeros(1).double(), torch.zeros(()).double()
    function.choose(z, Evidence(value=0.0, log_lengths=lengths, log_variance=variance))
    # 8,192 rows drawn: standard error of a quantile at .005 is .0008
    assert abs(float(function.low) - 0.005) < 0.004
    assert abs(float(function.high) - 0.995) < 0.004


def test_numbers_whose_sum_is_none_are_fitted():
    a, e = np.linspace(-1.5, 1.5, 300), np.random.default_rng(12).normal(size=300)
    mechanism = fitted({"a": a, "x": 1e307 * (a + 0.1 * e)}, A)
    assert np.isfinite(drawn(mechanism, tensors(a=a), 300)).all()


def test_a_constant_column_is_one_atom():
    mechanism = fitted({"a": np.arange(20.0), "x": np.full(20, 7.0)}, A)
    assert (drawn(mechanism, tensors(a=np.zeros(50)), 50) == 7).all()


def test_missing_cells_are_left_out():
    rng = np.random.default_rng(10)
    a = rng.normal(size=400)
    x = a + rng.normal(size=400)
    gaps = {"a": np.r_[a, 3.0, np.nan], "x": np.r_[x, np.nan, 9.0]}
    whole, holed = fitted({"a": a, "x": x}, A), fitted(gaps, A)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(
            tensor,
            holed.state_dict()[name],
        ) or torch.allclose(tensor, holed.state_dict()[name], equal_nan=True), name


def test_what_it_cannot_do_is_said_in_a_line():
    with pytest.raises(CompileError, match="noise 'auto' cannot have the image parent 'a'"):
        RegressionMechanism("x", Continuous(noise="auto"), {"a": Image(shape=(1, 8, 8))})
    with pytest.raises(DataError, match="outside its support"):
        fitted({"x": np.array([-1.0, 2.0, 3.0])}, support=(0.0, math.inf))
    with pytest.raises(DataError, match="no row has a label"):
        fitted({"x": np.array([math.nan])})
    mechanism = fitted({"x": np.random.default_rng(0).gamma(2, size=300)}, support=(0.0, math.inf))
    with pytest.raises(EvidenceError, match="no noise gives the value -1"):
        mechanism.abduct(torch.tensor([-1.0]).double(), {}, generator())


@pytest.mark.parametrize("n", [83, 442])
def test_copies_of_the_rows_say_no_more_than_the_rows(n):
    """Five equal tables, as from a table without gaps, have one law: what is chosen and fitted."""
    rng = np.random.default_rng(4)
    a = rng.normal(size=n)
    columns = {"a": a, "x": 3 * a + rng.normal(size=n)}
    blocks = torch.arange(n).split(BLOCK)
    order = torch.cat([block for block in blocks for _ in range(5)])
    once, often = (RegressionMechanism("x", Continuous(noise="auto"), A) for _ in range(2))
    once.calibrate(tensors(**columns), generator())
    copied = {name: column[order] for name, column in tensors(**columns).items()}
    often.calibrate(copied, generator(), first_copy(5 * n, 5))
    noise = {"u": torch.linspace(-2, 2, n).double(), "v": torch.full((n,), math.nan)}
    at = tensors(a=a)
    assert often.atoms.count == 0
    assert often.description == once.description
    assert np.allclose(often.predict(at, noise), once.predict(at, noise), atol=0.02)
    assert not first_copy(5 * n, 5)[[BLOCK, 4 * BLOCK + 4, -1]].any()
    assert (order[first_copy(5 * n, 5)] == torch.arange(n)).all()
