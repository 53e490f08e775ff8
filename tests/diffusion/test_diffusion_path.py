"""Laws of the path and its coordinates."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from causalflow.diffusion.path import (
    GRIDS,
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
    tau_of,
    velocity_of_noise,
)
from causalflow.errors import CausalFlowError


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_an_image_that_enters_and_leaves_is_the_same_to_the_bit() -> None:
    x = draw(4, 3, 8, 8).float()
    assert torch.equal(leave(enter(x)).float(), x)


@pytest.mark.parametrize("kind", list(GRIDS))
@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_a_grid_rises_from_the_data_to_the_noise_and_is_symmetric(kind: str, steps: int) -> None:
    nodes = grid(steps, kind)
    assert len(nodes) == steps + 1
    assert (nodes[0].item(), nodes[-1].item()) == (TAU_MIN, TAU_MAX)
    assert (nodes.diff() > 0).all()
    # 1e-15: float64 rounding of numbers up to 1.
    mirrored = TAU_MIN + TAU_MAX - nodes.flip(0)
    torch.testing.assert_close(nodes, mirrored, rtol=0, atol=1e-15)


def test_the_cosine_grid_has_equal_angles() -> None:
    fractions = (grid(10, "cosine") - TAU_MIN) / (TAU_MAX - TAU_MIN)
    angles = torch.acos((1 - 2 * fractions).clamp(-1, 1))
    # 1e-7: arccos loses half the digits of float64 near 1.
    expected = torch.full((10,), math.pi / 10, dtype=torch.float64)
    torch.testing.assert_close(angles.diff(), expected, rtol=0, atol=1e-7)


def test_an_unknown_grid_and_no_steps_are_the_users_mistakes() -> None:
    with pytest.raises(CausalFlowError, match=r"unknown grid 'cosin'.*did you mean 'cosine'"):
        grid(5, "cosin")
    with pytest.raises(CausalFlowError, match=r"steps=0.*at least 1"):
        grid(0)


def test_velocity_points_back_to_the_image_and_on_to_the_noise() -> None:
    x, noise, tau = draw(4, 1, 2, 2), draw(4, 1, 2, 2, seed=1), torch.tensor([0.01, 0.3, 0.8, 1.0])
    y, velocity = interpolate(x, noise, tau), noise - x
    # 1e-14: float64 algebra on numbers of order 1.
    torch.testing.assert_close(data_of(velocity, y, tau), x, rtol=0, atol=1e-14)
    torch.testing.assert_close(noise_of(velocity, y, tau), noise, rtol=0, atol=1e-14)
    y = interpolate(x, noise, 0.3)
    torch.testing.assert_close(velocity_of_noise(noise, y, 0.3), velocity, rtol=0, atol=1e-14)


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
