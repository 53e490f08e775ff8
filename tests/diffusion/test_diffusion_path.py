"""Laws of the path and its coordinates."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from torch import Tensor

from causalflow.diffusion.path import (
    GRIDS,
    PATHS,
    PREDICTIONS,
    TAU_MAX,
    TAU_MIN,
    alpha_bar_of,
    cosine_alpha_bar,
    data_of,
    enter,
    grid,
    interpolate,
    leave,
    linear_alpha_bar,
    noise_of,
    path_of_levels,
    tau_of,
)
from causalflow.errors import CausalflowError


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_an_image_that_enters_and_leaves_is_the_same_to_the_bit() -> None:
    x = draw(4, 3, 8, 8).float()
    assert torch.equal(leave(enter(x)).float(), x)


@pytest.mark.parametrize("kind", list(GRIDS))
@pytest.mark.parametrize("tau_max", [TAU_MAX, 0.7])
@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_a_grid_rises_from_the_data_to_the_noise_and_two_of_them_are_symmetric(
    kind: str, steps: int, tau_max: float
) -> None:
    nodes = grid(steps, kind, tau_max)
    assert len(nodes) == steps + 1
    assert (nodes[0].item(), nodes[-1].item()) == (TAU_MIN, pytest.approx(tau_max, abs=1e-15))
    assert (nodes.diff() > 0).all()
    # 1e-15: float64 rounding of numbers up to 1.
    mirrored = TAU_MIN + tau_max - nodes.flip(0)
    if kind == "early":
        assert (nodes - mirrored).max() < 1e-15
    else:
        torch.testing.assert_close(nodes, mirrored, rtol=0, atol=1e-15)


def test_the_cosine_grid_has_equal_angles() -> None:
    fractions = (grid(10, "cosine") - TAU_MIN) / (TAU_MAX - TAU_MIN)
    angles = torch.acos((1 - 2 * fractions).clamp(-1, 1))
    # 1e-7: arccos loses half the digits of float64 near 1.
    expected = torch.full((10,), math.pi / 10, dtype=torch.float64)
    torch.testing.assert_close(angles.diff(), expected, rtol=0, atol=1e-7)


def test_an_unknown_grid_and_no_steps_are_the_users_mistakes() -> None:
    with pytest.raises(CausalflowError, match=r"unknown grid 'cosin'.*did you mean 'cosine'"):
        grid(5, "cosin")
    with pytest.raises(CausalflowError, match=r"steps=0.*expected 1 to"):
        grid(0)


def test_velocity_points_back_to_the_image_and_on_to_the_noise() -> None:
    x, noise, tau = draw(4, 1, 2, 2), draw(4, 1, 2, 2, seed=1), torch.tensor([0.01, 0.3, 0.8, 1.0])
    y, velocity = interpolate(x, noise, tau), noise - x
    # 1e-14: float64 algebra on numbers of order 1.
    torch.testing.assert_close(data_of(velocity, y, tau), x, rtol=0, atol=1e-14)
    torch.testing.assert_close(noise_of(velocity, y, tau), noise, rtol=0, atol=1e-14)


@pytest.mark.parametrize("tau", [0.3, torch.tensor([0.01, 0.3, 0.8, 0.99])])
def test_each_prediction_determines_the_velocity(tau: float | Tensor) -> None:
    x, noise = draw(4, 1, 2, 2), draw(4, 1, 2, 2, seed=1)
    alpha_bar = alpha_bar_of(torch.as_tensor(tau, dtype=torch.float64))
    alpha, sigma = (part.sqrt().reshape(-1, 1, 1, 1) for part in (alpha_bar, 1 - alpha_bar))
    v = alpha * noise - sigma * x
    outputs = {"velocity": noise - x, "noise": noise, "data": x, "v": v}
    assert set(outputs) == set(PREDICTIONS)
    for name, output in outputs.items():
        velocity = PREDICTIONS.get(name).velocity_of(output, interpolate(x, noise, tau), tau)
        # 1e-12: float64 algebra, divided by tau or 1 - tau, at least .01.
        torch.testing.assert_close(velocity, noise - x, rtol=0, atol=1e-12)


def test_a_variance_preserving_sample_is_a_point_of_the_straight_line() -> None:
    x, noise = draw(3, 1, 2, 2), draw(3, 1, 2, 2, seed=1)
    alpha_bar = torch.tensor([0.99, 0.5, 0.01], dtype=torch.float64)
    alpha, sigma = (
        alpha_bar.sqrt()[:, None, None, None],
        (1 - alpha_bar).sqrt()[:, None, None, None],
    )
    y = (alpha * x + sigma * noise) / (alpha + sigma)
    # 1e-14: float64 algebra on numbers of order 1.
    torch.testing.assert_close(interpolate(x, noise, tau_of(alpha_bar)), y, rtol=0, atol=1e-14)


@pytest.mark.parametrize("schedule", [linear_alpha_bar, cosine_alpha_bar])
def test_a_schedule_falls_and_its_times_give_it_back(schedule) -> None:
    alpha_bar = schedule()
    assert len(alpha_bar) == 1000
    assert (alpha_bar.diff() < 0).all()
    assert (tau_of(alpha_bar).diff() > 0).all()
    # 1e-9 relative: 1 - tau of the last level is about 1e-4, known to 1e-16.
    torch.testing.assert_close(alpha_bar_of(tau_of(alpha_bar)), alpha_bar, rtol=1e-9, atol=0)


def test_the_schedules_have_their_published_values() -> None:
    linear, cosine = linear_alpha_bar(), cosine_alpha_bar()
    # The product of 1 - beta_i in logarithms, an independent sum.
    betas = [1e-4 + (0.02 - 1e-4) * i / 999 for i in range(1000)]
    assert linear[-1].item() == pytest.approx(math.exp(sum(map(math.log1p, (-b for b in betas)))))
    half = math.cos((0.5 + 0.008) / 1.008 * math.pi / 2) ** 2
    start = math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    assert cosine[499].item() == pytest.approx(half / start)


@pytest.mark.parametrize("name", PATHS)
def test_the_times_of_training_rise_with_the_quantile_and_end_at_the_noise(name: str) -> None:
    path, u = PATHS.get(name), torch.linspace(0, 1, 5001)
    times = path.times(u)
    assert times.dtype == torch.float32
    assert (times.diff() >= 0).all()
    assert times[0] >= TAU_MIN
    assert times[-1].item() == pytest.approx(path.tau_max, abs=1e-6)
    levels = times.unique()
    # The cosine path's first two levels lie below TAU_MIN, and are taken there.
    assert path.levels is None or len(levels) >= path.levels - 1


def test_the_times_of_rectified_flow_are_logit_normal() -> None:
    z = torch.tensor([-2.0, -1.0, 0.0, 1.5], dtype=torch.float64)
    times = PATHS.get("rectified").times(torch.special.ndtr(z))
    # 1e-7: the times are float32.
    torch.testing.assert_close(times.double(), 1 / (1 + (-z).exp()), rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "schedule"), [("linear-1000", linear_alpha_bar), ("cosine-1000", cosine_alpha_bar)]
)
def test_the_times_of_a_discrete_path_are_its_levels_each_once(name: str, schedule) -> None:
    times = PATHS.get(name).times((torch.arange(1000, dtype=torch.float64) + 0.5) / 1000)
    expected = tau_of(schedule()).clamp_min(TAU_MIN).float()
    assert torch.equal(times, expected)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_a_continuous_path_is_the_limit_of_its_levels(name: str) -> None:
    u = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    # .01: the cosine path's continuum ends at t = .9946; else half a level apart, at most .003.
    difference = PATHS.get(name).times(u) - PATHS.get(f"{name}-1000").times(u)
    assert difference.abs().max() < 0.01


def test_the_network_of_a_preserving_path_sees_unit_power_and_of_rectified_flow_the_line() -> None:
    tau = torch.tensor([0.01, 0.4, 0.99], dtype=torch.float64)
    for name in PATHS:
        scale = torch.as_tensor(PATHS.get(name).network_scale(tau)).double()
        alpha, sigma = (1 - tau) * scale, tau * scale
        power = alpha**2 + sigma**2 if name != "rectified" else alpha + sigma
        # 1e-15: float64 rounding.
        torch.testing.assert_close(power, torch.ones_like(tau), rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", PATHS)
def test_the_prior_is_the_law_of_data_of_unit_power_at_the_noise_end(name: str) -> None:
    path, n = PATHS.get(name), 100_000
    y = interpolate(draw(n), draw(n, seed=1), path.tau_max)
    # 5 standard errors of a standard deviation.
    assert y.std().item() == pytest.approx(path.prior_scale, abs=5 / math.sqrt(2 * n))


def test_a_path_of_levels_is_the_named_one_of_the_same_levels_also_when_it_is_copied() -> None:
    levels = tuple(linear_alpha_bar().tolist())
    made, named = path_of_levels("mine", levels), PATHS.get("linear-1000")
    for path in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert (path.name, path.tau_max, path.levels) == ("mine", named.tau_max, 1000)
        u = torch.linspace(0, 1, 50)
        assert torch.equal(path.times(u), named.times(u))
        assert path.network_scale(0.3) == named.network_scale(0.3)
