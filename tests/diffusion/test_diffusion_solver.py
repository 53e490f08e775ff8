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

import pytest
import torch
from torch import Tensor

from causalflow.diffusion.path import TAU_MIN, grid, leave
from causalflow.diffusion.solver.explicit import fixed_point
from causalflow.diffusion.solver.solver import (
    SOLVERS,
    Solver,
    ascend,
    descend,
    draw_offset,
    integrate,
    rest,
    shifted,
)
from causalflow.errors import CausalflowError

MEAN, SCALE, SPREAD = 0.7, 0.4, 0.3
ALL = [SOLVERS.get(name) for name in SOLVERS]
REVERSIBLE = [solver for solver in ALL if solver.reversible]
IRREVERSIBLE = [solver for solver in ALL if not solver.reversible]
DETERMINISTIC = [solver for solver in ALL if not solver.stochastic]
# EDICT's way to the noise multiplies the difference of its trajectories by 1 / .93^2 a step.
TAPED = {"ancestral", "difference"}
CONVERGE_UPWARDS = [solver for solver in DETERMINISTIC if solver.name != "edict"]


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


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, generator=generator(seed), dtype=torch.float64)


def test_the_registry_holds_each_solver_under_its_own_name() -> None:
    assert {name: SOLVERS.get(name).name for name in SOLVERS} == {name: name for name in SOLVERS}
    with pytest.raises(CausalflowError, match=r"unknown solver 'aif'.*did you mean 'alf'"):
        SOLVERS.get("aif")


def test_what_is_stated_of_each_solver() -> None:
    assert {solver.name for solver in REVERSIBLE} == {
        "alf", "leapfrog", "edict", "difference", "ancestral",
    }  # fmt: skip
    assert {solver.name for solver in ALL if solver.stochastic} == {"ancestral"}
    second = {solver.name for solver in ALL if solver.order == 2}
    assert second == {"midpoint", "heun", "dpm++2m", "alf", "leapfrog"}


@pytest.mark.parametrize("solver", ALL, ids=named)
def test_a_solver_calls_its_field_as_often_as_it_says(solver: Solver) -> None:
    times: list[float] = []

    def counted(y: Tensor, tau: float) -> Tensor:
        times.append(tau)
        return -y

    state = ascend(solver, counted, draw(2), grid(6), generator())
    assert len(times) == solver.calls_up(6)
    times.clear()
    descend(solver, counted, rest(solver, counted, state[0], grid(6)), grid(6))
    assert len(times) == solver.calls(6)
    assert all(type(tau) is float for tau in times)


@pytest.mark.parametrize("solver", ALL, ids=named)
def test_a_walk_is_pure(solver: Solver) -> None:
    nodes = grid(3)
    state = ascend(solver, crooked, draw(8).tanh(), nodes, generator())
    before = tuple(part.clone() for part in state)
    first, second = (descend(solver, crooked, state, nodes) for _ in range(2))
    assert all(map(torch.equal, state, before))
    assert torch.equal(first, second)


@pytest.mark.parametrize("solver", ALL, ids=named)
def test_a_state_starts_at_the_position_in_float64(solver: Solver) -> None:
    y = draw(8).float()
    state = rest(solver, gaussian, y, grid(4))
    assert all(part.dtype == torch.float64 and len(part) == 8 for part in state)
    assert torch.equal(state[0].float(), y)


@pytest.mark.parametrize("solver", ALL, ids=named)
def test_integrate_gives_a_state_for_each_node(solver: Solver) -> None:
    nodes = grid(5)
    state = rest(solver, gaussian, draw(3), nodes)
    states = list(integrate(solver, gaussian, state, nodes.flip(0)))
    assert len(states) == len(nodes)
    assert states[0] is state
    assert torch.equal(descend(solver, gaussian, state, nodes), states[-1][0])


@pytest.mark.parametrize("solver", [s for s in REVERSIBLE if s.name not in TAPED], ids=named)
def test_a_way_to_the_noise_may_end_at_any_node_and_come_back(solver: Solver) -> None:
    nodes, y = grid(7), draw(5)
    *_, state = integrate(solver, mixture, solver.start(mixture, y, nodes.tolist()), nodes[:5])
    # 1e-12: rounding of four steps in float64.
    torch.testing.assert_close(descend(solver, mixture, state, nodes[:5]), y, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["cosine", "uniform", "early"])
@pytest.mark.parametrize("steps", [5, 10, 20, 50])
@pytest.mark.parametrize("solver", REVERSIBLE, ids=named)
def test_a_reversible_solver_comes_back_to_its_start(solver: Solver, steps: int, kind: str) -> None:
    nodes, y = grid(steps, kind), draw(50)
    back = descend(solver, mixture, ascend(solver, mixture, y, nodes, generator(1)), nodes)
    # 1e-10: rounding of float64 states; the least smooth parts of the field magnify it.
    torch.testing.assert_close(back, y, rtol=0, atol=1e-10)


@pytest.mark.parametrize("solver", REVERSIBLE, ids=named)
def test_reversibility_is_algebra_and_holds_for_a_field_that_is_no_flow(solver: Solver) -> None:
    y, nodes = draw(20), torch.tensor([0.3, 0.5, 0.9], dtype=torch.float64)
    state = ascend(solver, crooked, y, nodes, generator())
    # 1e-10: two steps there and back in float64, numbers up to a hundred or so.
    torch.testing.assert_close(descend(solver, crooked, state, nodes), y, rtol=0, atol=1e-10)


@pytest.mark.parametrize("solver", REVERSIBLE, ids=named)
def test_the_offset_from_rest_at_the_position_is_all_that_the_state_adds(solver: Solver) -> None:
    nodes, y = grid(8), draw(20)
    state = ascend(solver, mixture, y, nodes, generator())
    at_rest = rest(solver, mixture, state[0], nodes)
    offset = tuple(part - still for part, still in zip(state[1:], at_rest[1:], strict=True))
    back = descend(solver, mixture, shifted(at_rest, offset), nodes)
    # 1e-10: as for the round trip.
    torch.testing.assert_close(back, y, rtol=0, atol=1e-10)


@pytest.mark.parametrize("solver", IRREVERSIBLE, ids=named)
def test_the_other_solvers_come_back_only_in_the_limit(solver: Solver) -> None:
    def lost(steps: int) -> float:
        nodes, y = grid(steps), draw(50)
        back = descend(solver, mixture, ascend(solver, mixture, y, nodes), nodes)
        return (back - y).abs().mean().item()

    assert 1e-6 < lost(40) < lost(10)


@pytest.mark.parametrize("solver", DETERMINISTIC, ids=named)
def test_the_error_on_a_gaussian_falls_at_least_with_the_stated_order(solver: Solver) -> None:
    def error(steps: int) -> float:
        nodes, quantiles = grid(steps), draw(50)
        (mean, scale), (end_mean, end_scale) = moments(float(nodes[-1])), moments(float(nodes[0]))
        state = rest(solver, gaussian, mean + scale * quantiles, nodes)
        exact = end_mean + end_scale * quantiles
        return (descend(solver, gaussian, state, nodes) - exact).abs().max().item()

    # alf from rest at tau = 1 is exact here. .15: the next order contributes about 1/steps.
    exactly = error(128) < 1e-13
    assert exactly or math.log2(error(128) / error(256)) > solver.order - 0.15


def to_data(solver: Solver, y: Tensor, nodes: Tensor) -> Tensor:
    return descend(solver, mixture, rest(solver, mixture, y, nodes), nodes)


def to_noise(solver: Solver, y: Tensor, nodes: Tensor) -> Tensor:
    return ascend(solver, mixture, y, nodes)[0]


@pytest.mark.parametrize(
    ("solver", "way"),
    [(s, to_data) for s in DETERMINISTIC] + [(s, to_noise) for s in CONVERGE_UPWARDS],
    ids=lambda case: getattr(case, "name", None) or case.__name__,
)
def test_the_error_on_a_mixture_falls_with_exactly_the_stated_order(solver: Solver, way) -> None:
    def error(steps: int) -> float:
        nodes = grid(steps)
        ends = (float(nodes[0]), float(nodes[-1]))
        tau, end = ends if way is to_noise else ends[::-1]
        y = torch.linspace(-1.5, 1.5, 20, dtype=torch.float64)
        return (mixture_cdf(way(solver, y, nodes), end) - mixture_cdf(y, tau)).abs().mean().item()

    # .05: the next order contributes a few 1/steps relatively. The way up of "difference" is second
    # order but for a tenth of Euler's error, so that its second order still shows.
    second = solver.name == "difference" and way is to_noise
    assert math.log2(error(128) / error(256)) == pytest.approx(
        solver.order, abs=0.2 if second else 0.05
    )


@pytest.mark.parametrize("solver", ALL, ids=named)
def test_noise_becomes_a_sample_of_the_mixture(solver: Solver) -> None:
    nodes, n = grid(100), 4000
    offset = draw_offset(solver, draw(n), nodes, generator(1))
    state = shifted(rest(solver, mixture, draw(n), nodes), offset)
    x = leave(descend(solver, mixture, state, nodes))
    spread = math.sqrt(SPREAD**2 + 4 * 0.3 * 0.7)
    # 5 standard errors, and .02 for the noise of tau = TAU_MIN and the error of Euler's 100 steps.
    assert x.mean().item() == pytest.approx(0.4, abs=0.02 + 5 * spread / math.sqrt(n))
    assert x.std().item() == pytest.approx(spread, abs=0.02 + 5 * spread / math.sqrt(2 * n))
    share = (x > 0).double().mean().item()
    assert share == pytest.approx(0.7, abs=5 * math.sqrt(0.3 * 0.7 / n))


def test_the_fixed_point_is_what_ddim_takes_back_and_each_iteration_gains_a_digit_or_so() -> None:
    t, s, y = 0.5, 0.45, draw(50)

    def missed(iterations: int) -> float:
        z = fixed_point(mixture, y, s, t, iterations)
        return (z + (s - t) * mixture(z, t) - y).abs().max().item()

    points = torch.linspace(-4, 4, 2001, dtype=torch.float64)
    steepest = (mixture(points, t).diff() / points.diff()).abs().max().item()
    # The iteration contracts by (t - s) |dv/dy| = .3 here; 1 % for the finite difference.
    assert all(missed(k + 1) < 1.01 * (t - s) * steepest * missed(k) for k in range(2, 8))
    assert missed(40) < 1e-14


def test_what_ancestral_sampling_draws_has_the_exact_moments_in_the_limit_at_first_order() -> None:
    ancestral = SOLVERS.get("ancestral")

    def moments_of(steps: int) -> tuple[float, float]:
        """Mean and variance of the result, which is affine in the position and the tape."""
        nodes = grid(steps, "uniform")
        position = torch.zeros(steps + 2, dtype=torch.float64)
        tape = torch.zeros(steps + 2, steps, dtype=torch.float64)
        position[0] = 1
        tape[1 : steps + 1] = torch.eye(steps)
        *slopes, mean = descend(ancestral, gaussian, (position, tape), nodes).tolist()
        return mean, sum((slope - mean) ** 2 for slope in slopes)

    exact_mean, exact_scale = moments(TAU_MIN)
    errors = [
        (abs(mean - exact_mean), abs(variance - exact_scale**2))
        for mean, variance in map(moments_of, (128, 256))
    ]
    # The mean is kept to rounding, x_0 being linear in y; .1: higher orders of 1/steps.
    assert max(mean for mean, _ in errors) < 1e-12
    assert math.log2(errors[0][1] / errors[1][1]) == pytest.approx(1, abs=0.1)


def test_the_forward_trajectory_of_ancestral_sampling_is_noise_at_its_end_and_replays() -> None:
    ancestral, nodes, n = SOLVERS.get("ancestral"), grid(50), 4000
    x = (1 - TAU_MIN) * (MEAN + SCALE * draw(n, 1))
    first, second = (ascend(ancestral, gaussian, x, nodes, generator(2)) for _ in range(2))
    assert all(map(torch.equal, first, second))
    position, tape = first
    # 5 standard errors of a standard normal sample.
    assert position.mean().item() == pytest.approx(0, abs=5 / math.sqrt(n))
    assert position.std().item() == pytest.approx(1, abs=5 / math.sqrt(2 * n))
    assert torch.corrcoef(torch.stack([position, x]))[0, 1].abs() < 5 / math.sqrt(n)
    # In the middle the backward noise is standard normal too, up to the 50 steps' first order.
    assert tape[:, 20].mean().item() == pytest.approx(0, abs=5 / math.sqrt(n))
    assert tape[:, 20].std().item() == pytest.approx(1, abs=0.03 + 5 / math.sqrt(2 * n))


def test_a_stochastic_solver_asks_for_its_generator() -> None:
    with pytest.raises(CausalflowError, match=r"'ancestral' draws its noise; give a generator"):
        ascend(SOLVERS.get("ancestral"), gaussian, draw(2), grid(3))


def test_the_difference_moves_a_row_by_the_change_of_the_field_alone() -> None:
    """Under v + f(tau), whatever v is, it ends where f alone takes d = 0, by the same formula."""
    difference, nodes, y = SOLVERS.get("difference"), grid(5, "early"), draw(30)
    state = ascend(difference, crooked, y, nodes)
    path = [*integrate(difference, crooked, state, nodes.flip(0))]
    known = {tau: s[0] for tau, s in zip(nodes.flip(0).tolist(), path, strict=True)}

    def shifted_field(y: Tensor, tau: float) -> Tensor:
        return crooked(known[tau], tau) + math.cos(3 * tau)

    moved = descend(difference, shifted_field, state, nodes) - y
    alone = descend(
        difference,
        lambda d, tau: torch.full_like(d, math.cos(3 * tau)),
        (torch.zeros_like(y), torch.zeros(30, 5, dtype=torch.float64)),
        nodes,
    )
    # 1e-11: rounding of five steps of numbers up to a hundred.
    torch.testing.assert_close(moved, alone, rtol=0, atol=1e-11)
