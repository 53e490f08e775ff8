from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalflow.errors import CompileError, DataError, EvidenceError
from causalflow.graph.node import Class, Continuous, Image
from causalflow.mechanisms.continuous import ContinuousMechanism, to_real, to_support
from causalflow.mechanisms.flow import NOISES, ResidualMap

SUPPORTS = [(-math.inf, math.inf), (2.0, math.inf), (-math.inf, -1.0), (64.0, 255.0)]

MAPS = [name for name in NOISES if isinstance(NOISES.get(name), ResidualMap)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def perturbed(mechanism: ContinuousMechanism, seed: int = 0) -> ContinuousMechanism:
    """Parameters as far from the start as training takes them."""
    with torch.no_grad():
        for parameter in mechanism.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape, generator=generator(seed)))
    return mechanism


@pytest.mark.parametrize("support", SUPPORTS)
def test_the_support_map_is_a_bijection_with_the_stated_slope(support):
    y = torch.linspace(-6, 6, 101, dtype=torch.float64, requires_grad=True)
    x = to_support(y, support)
    back, slope = to_real(x, support)
    (gradient,) = torch.autograd.grad(x.sum(), y)
    low, high = support
    assert ((low < x) & (x < high)).all()
    assert torch.allclose(back, y, rtol=1e-10, atol=1e-10)  # e^6 times the rounding of x
    assert torch.allclose(slope, -gradient.abs().log(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("support", SUPPORTS)
@pytest.mark.parametrize("noise", MAPS)
def test_predict_inverts_abduct_and_stays_in_the_support(noise, support):
    parents = {"a": Continuous(), "c": Class(levels=(0, 1, 2))}
    mechanism = perturbed(
        ContinuousMechanism("x", Continuous(noise=noise, support=support), parents)
    )
    values = {
        "a": torch.randn(500, generator=generator(1), dtype=torch.float64),
        "c": torch.randint(3, (500,), generator=generator(2)),
    }
    value = mechanism.predict(values, mechanism.draw_noise(500, generator(3)))
    low, high = support
    assert ((low < value) & (value < high)).all()
    abducted = mechanism.abduct(value, values, generator())
    assert torch.allclose(mechanism.predict(values, abducted), value, rtol=1e-9, atol=0)


@settings(max_examples=60, deadline=None)
@given(noise=st.sampled_from(MAPS), u=st.floats(-30, 30), seed=st.integers(0, 1000))
def test_abduct_inverts_predict_far_into_the_tails(noise, u, seed):
    mechanism = perturbed(
        ContinuousMechanism("x", Continuous(noise=noise), {"a": Continuous()}), seed
    )
    parents = {"a": torch.tensor([0.3], dtype=torch.float64)}
    noise_in = {"u": torch.tensor([u], dtype=torch.float64)}
    out = mechanism.abduct(mechanism.predict(parents, noise_in), parents, generator())["u"]
    # A spline bin may be a thousand times steeper than its neighbour: 1e-12 becomes 1e-9.
    assert out == pytest.approx(u, rel=1e-9, abs=1e-8)


@pytest.mark.parametrize("support", SUPPORTS)
@pytest.mark.parametrize("noise", MAPS)
def test_log_prob_is_a_density(noise, support):
    mechanism = perturbed(ContinuousMechanism("x", Continuous(noise=noise, support=support), {}))
    y = torch.linspace(-40, 40, 40_001, dtype=torch.float64)
    x = to_support(y, support)
    inside = (x > support[0]) & (x < support[1])
    density = mechanism.log_prob(x[inside], {}).detach().exp()
    # The trapezoid rule in x over 40,000 cells; spline kinks leave an error of cell size squared.
    assert torch.trapezoid(density, x[inside]).abs() == pytest.approx(1, abs=2e-3)


def test_least_squares_survives_a_doubled_and_a_constant_column():
    a = torch.randn(100, generator=generator(), dtype=torch.float64)
    values = {"a": a, "b": a.clone(), "k": torch.full_like(a, 3.0), "x": 1 + 2 * a}
    kinds = dict.fromkeys(["a", "b", "k"], Continuous())
    mechanism = ContinuousMechanism("x", Continuous(noise="linear"), kinds)
    mechanism.calibrate(values, generator())
    noise = {"u": torch.zeros(100, dtype=torch.float64)}
    assert torch.allclose(mechanism.predict(values, noise), values["x"], atol=1e-9)


def test_unlabelled_rows_do_not_count():
    a = torch.tensor([0.0, 1.0, 2.0, torch.nan, 5.0]).double()
    x = torch.tensor([1.0, 3.0, 5.0, 100.0, torch.nan]).double()
    mechanism = ContinuousMechanism("x", Continuous(noise="additive"), {"a": Continuous()})
    mechanism.calibrate({"a": a, "x": x}, generator())
    assert mechanism.weights.item() == pytest.approx(2)
    loss = mechanism.loss({"a": a, "x": x}, generator())
    assert loss.isfinite().all()
    assert (loss[3:] == 0).all()


def test_a_value_outside_the_support_is_refused_by_name_and_row():
    mechanism = ContinuousMechanism("x", Continuous(support=(0.0, 1.0)), {})
    with pytest.raises(EvidenceError, match=r"node 'x': row 1: .* value 2; .*\(0.0, 1.0\)"):
        mechanism.abduct(torch.tensor([0.5, 2.0]).double(), {}, generator())
    with pytest.raises(DataError, match="node 'x': values outside its support"):
        mechanism.calibrate({"x": torch.tensor([0.5, 1.5]).double()}, generator())
    with pytest.raises(DataError, match="node 'x': no row"):
        mechanism.calibrate({"x": torch.tensor([torch.nan]).double()}, generator())


def test_a_linear_node_cannot_have_an_image_parent():
    with pytest.raises(CompileError, match="'linear' cannot have the image parent 'scan'"):
        ContinuousMechanism("x", Continuous(noise="linear"), {"scan": Image(shape=(1, 8, 8))})


def test_an_image_parent_conditions_the_flow():
    parents = {"scan": Image(shape=(1, 8, 8)), "a": Continuous()}
    mechanism = ContinuousMechanism("x", Continuous(), parents)
    values = {
        "scan": torch.rand((6, 1, 8, 8), generator=generator()) * 2 - 1,
        "a": torch.arange(6).double(),
        "x": torch.randn(6, generator=generator(1), dtype=torch.float64),
    }
    mechanism.calibrate(values, generator())
    perturbed(mechanism)
    abducted = mechanism.abduct(values["x"], values, generator())
    darker = {**values, "scan": -values["scan"]}
    assert torch.allclose(mechanism.predict(values, abducted), values["x"], rtol=1e-6)
    assert not torch.allclose(mechanism.predict(darker, abducted), values["x"], rtol=1e-2)


@pytest.mark.parametrize("support", [(0.0, math.inf), (-math.inf, 3.0), (-1.0, 1.0)])
def test_values_far_in_the_tail_stay_inside_the_open_support(support):
    y = torch.tensor([-2000.0, -800.0, -40.0, 40.0, 800.0, 2000.0], dtype=torch.float64)
    x = to_support(y, support)
    assert ((x > support[0]) & (x < support[1])).all()
    assert to_real(x, support)[0].isfinite().all()


@pytest.mark.parametrize("noise", MAPS)
@pytest.mark.parametrize("support", [(0.0, 1.0), (0.0, math.inf), (-math.inf, 1.0)])
def test_closed_ends_and_the_density_between_them_make_one(noise, support):
    mechanism = perturbed(ContinuousMechanism("x", Continuous(noise=noise, support=support), {}))
    ends = [end for end in support if math.isfinite(end)]
    mechanism.calibrate({"x": torch.tensor([0.2, 0.5, 0.7, *ends]).double()}, generator())
    assert mechanism.closed.tolist() == [float(math.isfinite(end)) for end in support]
    low, high = (end if math.isfinite(end) else math.copysign(40, end) for end in support)
    x = torch.linspace(low, high, 200_001, dtype=torch.float64)
    inside = (x > support[0]) & (x < support[1])
    density = mechanism.log_prob(x[inside], {}).detach().exp()
    masses = mechanism.log_prob(torch.tensor(ends).double(), {}).detach().exp()
    # The trapezoid rule, and a cell of width 4e-4 at each end.
    assert float(torch.trapezoid(density, x[inside]) + masses.sum()) == pytest.approx(1, abs=5e-3)


@pytest.mark.parametrize("noise", MAPS)
def test_the_noise_of_an_end_is_that_of_draws_that_fall_on_it(noise):
    torch.manual_seed(0)  # of a flow's first weights
    mechanism = perturbed(ContinuousMechanism("x", Continuous(noise=noise, support=(0.0, 1.0)), {}))
    mechanism.calibrate({"x": torch.tensor([0.0, 0.0, 0.4, 0.8, 1.0]).double()}, generator())
    u = mechanism.draw_noise(200_000, generator(1))
    value = mechanism.predict({}, u)
    for end in (0.0, 1.0):
        by_rejection = u["u"][value == end]
        assert len(by_rejection) > 500
        abducted = mechanism.abduct(torch.full((20_000,), end).double(), {}, generator(2))["u"]
        assert (mechanism.predict({}, {"u": abducted}) == end).all()
        # 5 standard errors of the difference of two means of numbers with deviation below 1.
        bound = 5 * (1 / len(by_rejection) + 1 / 20_000) ** 0.5
        assert abs(float(abducted.mean() - by_rejection.mean())) < bound
