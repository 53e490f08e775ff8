"""Laws of the solvers: contracts over the registry, and oracles in closed form.

For x_0 ~ N(mu, s^2), y = (1 - tau) x_0 + tau eps is Gaussian with mean m = (1 - tau) mu and
variance V = (1 - tau)^2 s^2 + tau^2; the velocity is affine and its flow keeps the quantile:

    v(y, tau) = -mu + (tau - (1 - tau) s^2) / V (y - m),     (y - m) / sqrt(V) = constant.

Methods that use the midpoint are better than their order here: z = sqrt(V) has z''' = -3 z' z''/z
because V is quadratic in tau, and that cancels their local error h^3 (z'''/24 + z'/z z''/8). So a
mixture of two Gaussians pins the order: its flow in one dimension keeps F(y, tau) = P(y_tau <= y).
"""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from causalflow.diffusion.path import (
    TAU_MIN,
    alpha_bar_of,
    grid,
    leave,
    linear_alpha_bar,
    tau_of,
    velocity_of_noise,
)
from causalflow.diffusion.solver import SOLVERS, Solver, integrate, solve
from causalflow.errors import CausalFlowError

MEAN, SCALE, SPREAD = 0.7, 0.4, 0.3
ALL = [SOLVERS.get(name) for name in SOLVERS]
REVERSIBLE = [solver for solver in ALL if solver.reversible]
IRREVERSIBLE = [solver for solver in ALL if not solver.reversible]


def named(solver: Solver) -> str:
    return solver.name


def moments(tau: float) -> tuple[float, float]:
    """Mean and standard deviation of y at tau."""
    return (1 - tau) * MEAN, math.hypot((1 - tau) * SCALE, tau)


def gaussian(y: Tensor, tau: float) -> Tensor:
    """The velocity of a Gaussian."""
    mean, scale = moments(tau)
    return -MEAN + (tau - (1 - tau) * SCALE**2) / scale**2 * (y - mean)


def mixture(y: Tensor, tau: float) -> Tensor:
    """The velocity of .3 N(-1, SPREAD^2) + .7 N(1, SPREAD^2)."""
    means, weights = torch.tensor([-1.0, 1.0]).double(), torch.tensor([0.3, 0.7]).double()
    variance = ((1 - tau) * SPREAD) ** 2 + tau**2
    centred = y[:, None] - (1 - tau) * means
    posterior = (weights.log() - centred.square() / (2 * variance)).softmax(dim=1)
    slope = (tau - (1 - tau) * SPREAD**2) / variance
    return (posterior * (slope * centred - means)).sum(dim=1)


def mixture_cdf(y: Tensor, tau: float) -> Tensor:
    """F(y, tau) of the mixture, constant along its flow."""
    scale = math.hypot((1 - tau) * SPREAD, tau)
    left, right = (torch.special.ndtr((y - (1 - tau) * mean) / scale) for mean in (-1.0, 1.0))
    return 0.3 * left + 0.7 * right


def crooked(y: Tensor, tau: float) -> Tensor:
    """A field that is nobody's flow."""
    return torch.sin(5 * y + 3 * tau) + y.roll(1, dims=0).square() - y


def draw(n: int) -> Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_registry_holds_each_solver_under_its_own_name() -> None:
    assert {name: SOLVERS.get(name).name for name in SOLVERS} == {name: name for name in SOLVERS}
    assert {"ddim", "midpoint", "heun", "alf"} <= set(SOLVERS)
    with pytest.raises(CausalFlowError, match=r"unknown solver 'aif'.*did you mean 'alf'"):
        SOLVERS.get("aif")


@pytest.mark.parametrize("solver", ALL, ids=named)
def test_a_solver_calls_its_field_as_often_as_it_says(solver: Solver) -> None:
    times: list[float] = []

    def counted(y: Tensor, tau: float) -> Tensor:
        times.append(tau)
        return -y

    solve(solver, counted, solver.start(counted, draw(2), TAU_MIN), grid(6))
    assert len(times) == solver.calls(6)
    assert all(type(tau) is float for tau in times)


@pytest.mark.parametrize("solver", ALL, ids=named)
def test_a_step_is_pure(solver: Solver) -> None:
    state = solver.start(crooked, draw(8), 0.2)
    before = tuple(part.clone() for part in state)
    first, second = (solver.step(crooked, state, 0.2, 0.4) for _ in range(2))
    assert all(map(torch.equal, state, before))
    assert all(map(torch.equal, first, second))


@pytest.mark.parametrize("solver", ALL, ids=named)
def test_a_state_starts_at_the_position_in_float64(solver: Solver) -> None:
    y = draw(8).float()
    state = solver.start(gaussian, y, TAU_MIN)
    assert all(part.dtype == torch.float64 for part in state)
    assert torch.equal(state[0].float(), y)


@pytest.mark.parametrize("solver", ALL, ids=named)
def test_integrate_gives_a_state_for_each_node_and_solve_the_last(solver: Solver) -> None:
    nodes = grid(5)
    start = solver.start(gaussian, draw(3), TAU_MIN)
    states = list(integrate(solver, gaussian, start, nodes))
    assert len(states) == len(nodes)
    assert states[0] is start
    assert torch.equal(solve(solver, gaussian, start, nodes)[0], states[-1][0])


@pytest.mark.parametrize("kind", ["cosine", "uniform"])
@pytest.mark.parametrize("steps", [5, 10, 20, 50])
@pytest.mark.parametrize("solver", REVERSIBLE, ids=named)
def test_a_reversible_solver_comes_back_to_its_start(solver: Solver, steps: int, kind: str) -> None:
    nodes = grid(steps, kind)
    start = solver.start(mixture, draw(50), TAU_MIN)
    there = solve(solver, mixture, start, nodes)
    back = solve(solver, mixture, there, nodes.flip(0))
    for part, origin in zip(back, start, strict=True):
        # 1e-10: rounding of float64 states; the least smooth parts of the field magnify it.
        torch.testing.assert_close(part, origin, rtol=0, atol=1e-10)


@pytest.mark.parametrize("solver", REVERSIBLE, ids=named)
def test_reversibility_is_algebra_and_holds_for_a_field_that_is_no_flow(solver: Solver) -> None:
    state = solver.start(crooked, draw(20), 0.3)
    back = solver.step(crooked, solver.step(crooked, state, 0.3, 0.9), 0.9, 0.3)
    for part, origin in zip(back, state, strict=True):
        # 1e-13: one step there and back in float64, numbers of order 10.
        torch.testing.assert_close(part, origin, rtol=0, atol=1e-13)


@pytest.mark.parametrize("solver", IRREVERSIBLE, ids=named)
def test_the_other_solvers_come_back_only_in_the_limit(solver: Solver) -> None:
    def lost(steps: int) -> float:
        nodes, start = grid(steps), solver.start(mixture, draw(50), TAU_MIN)
        there = solve(solver, mixture, start, nodes)
        return (solve(solver, mixture, there, nodes.flip(0))[0] - start[0]).abs().mean().item()

    assert 1e-6 < lost(40) < lost(10)


@pytest.mark.parametrize("direction", ["to noise", "to data"])
@pytest.mark.parametrize("solver", ALL, ids=named)
def test_the_error_falls_with_the_stated_order(solver: Solver, direction: str) -> None:
    def error(steps: int) -> float:
        nodes = grid(steps, "uniform")
        nodes = nodes if direction == "to noise" else nodes.flip(0)
        (mean, scale), (end_mean, end_scale) = moments(float(nodes[0])), moments(float(nodes[-1]))
        quantiles = draw(50)
        start = solver.start(gaussian, mean + scale * quantiles, float(nodes[0]))
        exact = end_mean + end_scale * quantiles
        return (solve(solver, gaussian, start, nodes)[0] - exact).abs().max().item()

    # .15: the next order contributes about 1/steps relatively, a few per cent here.
    assert math.log2(error(128) / error(256)) > solver.order - 0.15


@pytest.mark.parametrize("direction", ["to noise", "to data"])
@pytest.mark.parametrize("solver", ALL, ids=named)
def test_the_error_on_a_mixture_falls_with_exactly_the_stated_order(
    solver: Solver, direction: str
) -> None:
    def error(steps: int) -> float:
        nodes = grid(steps, "uniform")
        nodes = nodes if direction == "to noise" else nodes.flip(0)
        tau, end = float(nodes[0]), float(nodes[-1])
        y = torch.linspace(-1.5, 1.5, 20, dtype=torch.float64)
        (y_end, *_) = solve(solver, mixture, solver.start(mixture, y, tau), nodes)
        return (mixture_cdf(y_end, end) - mixture_cdf(y, tau)).abs().mean().item()

    # .05: the next order contributes a few 1/steps relatively.
    assert math.log2(error(128) / error(256)) == pytest.approx(solver.order, abs=0.05)


@pytest.mark.parametrize("solver", ALL, ids=named)
def test_noise_becomes_a_sample_of_the_mixture(solver: Solver) -> None:
    nodes, n = grid(100).flip(0), 4000
    state = solve(solver, mixture, solver.start(mixture, draw(n), 1.0), nodes)
    x = leave(state[0])
    spread = math.sqrt(SPREAD**2 + 4 * 0.3 * 0.7)
    # 5 standard errors, and .02 for the noise of tau = TAU_MIN and the error of Euler's 100 steps.
    assert x.mean().item() == pytest.approx(0.4, abs=0.02 + 5 * spread / math.sqrt(n))
    assert x.std().item() == pytest.approx(spread, abs=0.02 + 5 * spread / math.sqrt(2 * n))
    share = (x > 0).double().mean().item()
    assert share == pytest.approx(0.7, abs=5 * math.sqrt(0.3 * 0.7 / n))


def test_ddim_is_the_plain_loop_of_the_variance_preserving_papers() -> None:
    alpha_bar = linear_alpha_bar()[torch.linspace(10, 999, 25).long()].flip(0)

    def predict_noise(x: Tensor, a: float) -> Tensor:
        return torch.tanh(2 * x + a) + 0.3 * torch.sin(7 * a + x)

    def field(y: Tensor, tau: float) -> Tensor:
        a = alpha_bar_of(torch.tensor(tau, dtype=torch.float64)).item()
        x = y * (math.sqrt(a) + math.sqrt(1 - a))
        return velocity_of_noise(predict_noise(x, a), y, tau)

    x = draw(100)
    scales = alpha_bar.sqrt() + (1 - alpha_bar).sqrt()
    nodes = tau_of(alpha_bar)
    ddim = SOLVERS.get("ddim")
    states = integrate(ddim, field, ddim.start(field, x / scales[0], nodes[0].item()), nodes)
    next(states)
    for (a, a_next), scale, (y,) in zip(
        pairwise(alpha_bar.tolist()), scales[1:], states, strict=True
    ):
        noise = predict_noise(x, a)
        x_0 = (x - math.sqrt(1 - a) * noise) / math.sqrt(a)
        x = math.sqrt(a_next) * x_0 + math.sqrt(1 - a_next) * noise
        # 1e-6 relative: the early steps divide by sqrt(alpha_bar) = 6e-3, so numbers reach 100.
        torch.testing.assert_close(y * scale, x, rtol=1e-6, atol=1e-6)
