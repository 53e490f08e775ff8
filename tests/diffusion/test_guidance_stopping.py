"""Stopping against two Gaussians on a line, whose flow and classifier are known in closed form.

The flow in one dimension keeps the quantile, F(y(tau), tau) = F(y_0, tau_0); so tau* is a root in
one unknown, found here by bisections of its own.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from causalflow.diffusion.field import Time
from causalflow.diffusion.guidance.balance import clock, stopping_time
from causalflow.diffusion.path import TAU_MIN, column, enter, grid, leave
from causalflow.diffusion.solver.solver import SOLVERS, ascend, descend

MEANS = torch.tensor([-1.0, 1.0], dtype=torch.float64)
WEIGHTS = torch.tensor([0.4, 0.6], dtype=torch.float64)
SPREAD = 0.4
IMAGES = torch.tensor([[-1.3], [-0.9], [-0.6], [0.7], [1.0], [1.5]], dtype=torch.float64)


def variance(tau: Time) -> Time:
    return (1 - tau) ** 2 * SPREAD**2 + tau**2


def posterior(y: Tensor, tau: Time) -> Tensor:
    tau = column(tau, y)
    square = (y - (1 - tau) * MEANS).square()
    return (WEIGHTS.log() - square / (2 * variance(tau))).softmax(dim=1)


def velocity(y: Tensor, tau: Time) -> Tensor:
    chances, tau = posterior(y, tau), column(tau, y)
    slope = (tau - (1 - tau) * SPREAD**2) / variance(tau)
    return (chances * (-MEANS + slope * (y - (1 - tau) * MEANS))).sum(dim=1, keepdim=True)


def confidence(y: Tensor, tau: Time, v: Tensor) -> Tensor:
    return posterior(y, tau).amax(dim=1)


def quantile(y: float, tau: float) -> float:
    scale = math.sqrt(2 * float(variance(tau)))
    terms = zip(WEIGHTS.tolist(), MEANS.tolist(), strict=True)
    return sum(w * (1 + math.erf((y - (1 - tau) * m) / scale)) / 2 for w, m in terms)


def bisected(function, low: float, high: float) -> float:
    """Where the falling ``function`` passes zero."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return high


def exact(x: float, margin: float) -> float:
    """tau* of an image, from the flow's quantile."""
    kept = quantile((1 - TAU_MIN) * x, TAU_MIN)

    def above(tau: float) -> float:
        y = bisected(lambda y: kept - quantile(y, tau), -9, 9)
        return float(posterior(torch.tensor([[y]]).double(), tau).max()) - 0.5 - margin

    nodes = torch.linspace(TAU_MIN, 1, 400, dtype=torch.float64).tolist()
    first = next(i for i, tau in enumerate(nodes) if above(tau) <= 0)
    return bisected(above, nodes[first - 1], nodes[first])


@pytest.mark.parametrize("margin", [0.15, 0.3])
def test_the_stopping_time_is_the_exact_one_to_second_order(margin: float) -> None:
    truth = torch.tensor([exact(x, margin) for x in IMAGES[:, 0].tolist()], dtype=torch.float64)
    errors = []
    for steps in (100, 200):
        found = stopping_time(velocity, confidence, enter(IMAGES), grid(steps), margin=margin)
        errors.append((found - truth).abs().max().item())
    # Second order: a quarter, with room for higher terms; 2e-5: measured 6e-6.
    assert errors[1] < 2e-5
    assert errors[1] < errors[0] / 3


def test_of_a_straight_flow_the_stopping_time_is_exact_to_the_bisections() -> None:
    slopes = torch.tensor([[0.3], [-1.0], [2.0], [0.8]], dtype=torch.float64)
    start = torch.zeros(4, 1, dtype=torch.float64)

    def falling(y: Tensor, tau: Time, v: Tensor) -> Tensor:
        """At y = slope (tau - TAU_MIN), 1 - |slope| (tau - TAU_MIN)."""
        return 1 - y[:, 0].abs()

    found = stopping_time(lambda y, tau: slopes.expand_as(y), falling, start, grid(8), margin=0.0)
    exact = TAU_MIN + 0.5 / slopes[:, 0].abs()
    # A step is at most .2 wide; 20 bisections leave 2e-7 of it. 0.3 never falls below a half.
    assert found[1:].tolist() == pytest.approx(exact[1:].tolist(), abs=2e-7)
    assert found[0] == 1.0


def test_rows_in_doubt_from_the_start_stop_there() -> None:
    y = torch.tensor([[0.0], [-1.0]], dtype=torch.float64)

    def doubtful(y: Tensor, tau: Time, v: Tensor) -> Tensor:
        return torch.tensor([0.5, 1.0])

    found = stopping_time(velocity, doubtful, y, grid(5, tau_max=0.9))
    assert found.tolist() == pytest.approx([TAU_MIN, 0.9], abs=1e-15)


def test_it_is_the_first_time_where_doubt_comes_and_goes() -> None:
    def wave(y: Tensor, tau: Time, v: Tensor) -> Tensor:
        times = torch.as_tensor(tau, dtype=torch.float64).expand(len(y))
        return 0.5 + 0.5 * torch.cos(4 * math.pi * times)

    found = stopping_time(velocity, wave, enter(IMAGES), grid(40), margin=0.0)
    # The first root of cos(4 pi tau) is 1/8; 20 bisections of steps below .04.
    assert found.tolist() == pytest.approx([0.125] * 6, abs=1e-7)


def test_as_many_calls_as_nodes_and_fewer_when_all_have_stopped() -> None:
    calls = []

    def counted(y: Tensor, tau: Time) -> Tensor:
        calls.append(tau)
        return velocity(y, tau)

    stopping_time(counted, lambda y, t, v: torch.ones(len(y)), enter(IMAGES), grid(10))
    assert len(calls) == 11
    calls.clear()
    stopping_time(counted, confidence, enter(IMAGES), grid(10), margin=0.45)
    assert len(calls) < 11


def test_the_clock_runs_every_row_to_its_own_end() -> None:
    ends = torch.tensor([0.2, 0.35, 0.5, 0.65, 0.8, 0.95], dtype=torch.float64)
    solver, unit = SOLVERS.get("alf"), torch.linspace(0, 1, 201, dtype=torch.float64)
    (reached, *_) = ascend(solver, clock(velocity, TAU_MIN, ends), enter(IMAGES), unit)
    before = [quantile(y, TAU_MIN) for y in enter(IMAGES)[:, 0].tolist()]
    after = [quantile(y, t) for y, t in zip(reached[:, 0].tolist(), ends.tolist(), strict=True)]
    # 5e-6: second order, 200 steps; measured 1e-6.
    assert after == pytest.approx(before, abs=5e-6)


def test_abducted_to_its_stopping_time_an_image_comes_back() -> None:
    nodes = grid(20)
    unit = (nodes - nodes[0]) / (nodes[-1] - nodes[0])
    ends = stopping_time(velocity, confidence, enter(IMAGES), nodes, margin=0.2)
    field, solver = clock(velocity, TAU_MIN, ends), SOLVERS.get("alf")
    state = ascend(solver, field, enter(IMAGES), unit)
    # 1e-9: leap-frog is reversible up to the rounding of float64.
    torch.testing.assert_close(
        leave(descend(solver, field, state, unit)), IMAGES, rtol=0, atol=1e-9
    )
