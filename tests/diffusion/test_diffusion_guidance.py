"""Anti-causal guidance against Bayes' rule, in a mixture of Gaussians known in closed form.

x_0 | c ~ N(mu_c, s_c^2 I) with prior p_c; y = (1 - tau) x_0 + tau eps; then y | c is Gaussian with
mean (1 - tau) mu_c and variance V_c = (1 - tau)^2 s_c^2 + tau^2, and

    v_c = E[eps - x_0 | y, c] = -mu_c + (tau - (1 - tau) s_c^2) / V_c (y - (1 - tau) mu_c).
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from causalflow.diffusion.guidance import anticausal, gradient
from causalflow.diffusion.path import data_of, noise_of

MEANS = torch.tensor([[-1.0, 0.5, 0.2], [0.3, 0.4, -0.6], [0.9, -0.8, 0.1]], dtype=torch.float64)
SCALES = torch.tensor([0.3, 0.5, 0.4], dtype=torch.float64)
PRIOR = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
TIMES = [0.01, 0.3, 0.7, 0.95]


def variances(tau: float) -> Tensor:
    return (1 - tau) ** 2 * SCALES**2 + tau**2


def joint(y: Tensor, tau: float) -> Tensor:
    """log p(c, y), shape (batch, classes)."""
    square = (y[:, None] - (1 - tau) * MEANS).square().sum(dim=-1)
    variance = variances(tau)
    return PRIOR.log() - square / (2 * variance) - MEANS.shape[1] / 2 * (math.tau * variance).log()


def posterior(y: Tensor, tau: float) -> Tensor:
    return joint(y, tau).log_softmax(dim=1)


def velocities(y: Tensor, tau: float) -> Tensor:
    """v_c, shape (batch, classes, dimensions)."""
    slope = (tau - (1 - tau) * SCALES**2) / variances(tau)
    return -MEANS + slope[:, None] * (y[:, None] - (1 - tau) * MEANS)


def positions(tau: float) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn(2, 20, 3, generator=generator, dtype=torch.float64)
    return (1 - tau) * draws[0] + tau * draws[1]


@pytest.mark.parametrize("tau", TIMES)
def test_guided_by_the_exact_posterior_it_is_the_field_of_the_class(tau: float) -> None:
    y = positions(tau)
    fields = velocities(y, tau)
    unconditional = (posterior(y, tau).exp()[..., None] * fields).sum(dim=1)
    for c in range(3):
        guided = unconditional + anticausal(lambda y, t, c=c: posterior(y, t)[:, c], y, tau)
        # 1e-9: float64 algebra, at worst divided by the least variance, .01^2 + .3^2.
        torch.testing.assert_close(guided, fields[:, c], rtol=0, atol=1e-9)


@pytest.mark.parametrize("tau", TIMES)
def test_it_is_the_papers_move_of_the_noise_with_the_image_recomputed(tau: float) -> None:
    y, scale = positions(tau), 2.5
    velocity = velocities(y, tau)[:, 0]
    slope = gradient(lambda y, t: posterior(y, t)[:, 1], y, tau)
    noise = noise_of(velocity, y, tau) - scale * tau * slope
    image = (y - tau * noise) / (1 - tau)
    guided = velocity + anticausal(lambda y, t: posterior(y, t)[:, 1], y, tau, scale)
    # 1e-9: float64 algebra, divided by 1 - tau >= .05.
    torch.testing.assert_close(guided, noise - image, rtol=0, atol=1e-9)
    torch.testing.assert_close(data_of(guided, y, tau), image, rtol=0, atol=1e-9)


def test_the_gradient_is_that_of_finite_differences() -> None:
    y, tau, width = positions(0.4), 0.4, 1e-5
    slope = gradient(lambda y, t: posterior(y, t)[:, 2], y, tau)
    for axis in range(3):
        move = width * torch.eye(3, dtype=torch.float64)[axis]
        change = posterior(y + move, tau)[:, 2] - posterior(y - move, tau)[:, 2]
        # 1e-6: central differences of width 1e-5 have errors of order 1e-9 here.
        torch.testing.assert_close(slope[:, axis], change / (2 * width), rtol=0, atol=1e-6)


def test_a_contrast_of_equal_parents_does_nothing() -> None:
    y = positions(0.4)
    same = anticausal(lambda y, t: posterior(y, t)[:, 1] - posterior(y, t)[:, 1], y, 0.4, 7.0)
    assert not same.any()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_off_and_leaves_the_predictor_alone(mode) -> None:
    predictor = torch.nn.Linear(3, 2, dtype=torch.float64)
    with mode():
        y = positions(0.4)
        change = anticausal(lambda y, t: predictor(y).log_softmax(dim=1)[:, 0], y, 0.4)
    assert change.any()
    assert not change.requires_grad
    assert predictor.weight.grad is None
