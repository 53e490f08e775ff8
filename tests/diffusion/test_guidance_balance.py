"""The balanced forward processes: the printed numbers, moments in closed form, and replay."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from causalflow.diffusion.field import Time, Values
from causalflow.diffusion.guidance.balance import BALANCES, balanced, draw_tape, zeta
from causalflow.diffusion.path import enter, grid
from causalflow.errors import CausalflowError

MEANS = torch.tensor([[-1.0, 0.3], [1.0, 0.1]], dtype=torch.float64)
SPREAD = 0.3


def logits(y: Tensor, tau: Time) -> Tensor:
    variance = (1 - tau) ** 2 * SPREAD**2 + tau**2
    return -(y[:, None] - (1 - tau) * MEANS).square().sum(dim=-1) / (2 * variance)


def velocity(y: Tensor, tau: Time) -> Tensor:
    """The exact velocity of two Gaussians, N(MEANS[c], SPREAD^2)."""
    slope = (tau - (1 - tau) * SPREAD**2) / ((1 - tau) ** 2 * SPREAD**2 + tau**2)
    fields = -MEANS + slope * (y[:, None] - (1 - tau) * MEANS)
    return (logits(y, tau).softmax(dim=1)[..., None] * fields).sum(dim=1)


def read(y: Tensor, tau: Time, v: Tensor):
    logs = logits(y, tau).log_softmax(dim=1)
    return lambda values: {"class": logs.gather(1, values["class"][:, None])[:, 0]}


def classes(value: int, n: int) -> Values:
    return {"class": torch.full((n,), value)}


def images(n: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return MEANS[0] + SPREAD * torch.randn(n, 2, generator=generator, dtype=torch.float64)


GAMMAS = {"gamma_1": 0.5, "gamma_2": 0.1}


def run(balance: str, x: Tensor, steps: int, *, end: float = 0.6, target: int = 1, **given):
    nodes = grid(steps, tau_max=end)
    tape = draw_tape(x, steps, torch.Generator().manual_seed(1))
    n = len(x)
    reference = classes(0, n)
    return balanced(
        balance,
        velocity,
        read,
        enter(x),
        nodes,
        classes(target, n),
        reference,
        tape,
        **(GAMMAS | given),
    )


def test_zeta_has_the_printed_values() -> None:
    known = {1.0: 1.558, 0.5: 1.213, 0.1: 0.164, 0.0: 0.0, -0.7: 0.0}
    found = zeta(torch.tensor(list(known), dtype=torch.float64))
    # 5e-4: the values are printed with three decimals.
    assert found.tolist() == pytest.approx(list(known.values()), abs=5e-4)
    assert found[3:].tolist() == [0, 0]


@pytest.mark.parametrize("balance", BALANCES)
def test_the_same_tape_replays_the_run_and_another_does_not(balance: str) -> None:
    x, nodes = images(5), grid(10, tau_max=0.6)
    tapes = [draw_tape(x, 10, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    first, again, other = (
        balanced(
            balance, velocity, read, enter(x), nodes, classes(1, 5), classes(0, 5), tape, **GAMMAS
        )
        for tape in tapes
    )
    assert torch.equal(first, again)
    assert first.ne(other).all()


@pytest.mark.parametrize("steps", [1, 7, 30])
def test_without_a_push_preserving_keeps_the_marginal_and_printed_leaves_it(steps: int) -> None:
    n, end = 4_000, 0.6
    x = torch.tensor([[0.8, -0.5]], dtype=torch.float64).expand(n, 2)
    alpha, sigma = 0.4 / math.hypot(0.4, 0.6), 0.6 / math.hypot(0.4, 0.6)
    scale = alpha + sigma
    kept = scale * run("preserving", x, steps, end=end, target=0)
    drifting = scale * run("printed", x, steps, end=end, target=0, gamma_2=0.2)
    for found, mean, spread in ((kept, alpha * x[0], sigma), (drifting, x[0], 0.2)):
        # 5 standard errors of a mean and of a standard deviation of n draws.
        assert (found.mean(dim=0) - mean).abs().max() < 5 * spread / math.sqrt(n)
        assert (found.std(dim=0) - spread).abs().max() < 5 * spread / math.sqrt(2 * n)
    assert (drifting.std(dim=0) - sigma).abs().min() > 0.5


@pytest.mark.parametrize(("balance", "gamma_2"), [("printed", 0.2), ("preserving", 0.2)])
def test_a_step_is_the_papers_equation_in_its_own_coordinates(balance: str, gamma_2: float) -> None:
    x, n = images(4), 4
    nodes = grid(1, tau_max=0.5)
    tape = draw_tape(x, 1, torch.Generator().manual_seed(3))
    t = 0.01
    scale = ((1 - t) + t) / math.hypot(1 - t, t)  # alpha + sigma

    def noise(x: Tensor) -> Tensor:
        return x / scale + (1 - t) * velocity(x / scale, t)

    def probability(x: Tensor) -> Tensor:
        return logits(x / scale, t).softmax(dim=1)

    point = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(probability(point)[:, 1].sum(), point)
    p = probability(x)
    reach = 2 * torch.exp(-1 / (4 * (p[:, 0] - p[:, 1]).clamp(min=1e-6)))
    delta = noise(x + reach[:, None] * slope) - noise(x)
    abar = 0.5
    keep, spread = (1.0, gamma_2) if balance == "printed" else (math.sqrt(abar),) * 2
    expected = (keep * x + 0.7 * delta + spread * tape[:, 0].double()) / math.sqrt(2)
    found = balanced(
        balance, velocity, read, enter(x), nodes, classes(1, n), classes(0, n), tape, 0.7, gamma_2
    )
    # 1e-12: the same float64 algebra in other coordinates.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("balance", BALANCES)
def test_a_class_that_stays_is_not_pushed(balance: str) -> None:
    x = images(6)
    still = run(balance, x, 20, target=0)
    assert torch.equal(still, run(balance, x, 20, target=0, gamma_1=9.0))
    assert run(balance, x, 20, target=1, gamma_1=9.0).ne(still).any()


PUSHES = {"printed": 0.5, "preserving": 0.5, "odds": 0.005}
"""Log-odds are steep where the probability is flat, so that their push is a hundredth."""


@pytest.mark.parametrize("balance", BALANCES)
def test_the_push_ends_nearer_to_uniform_likelihood(balance: str) -> None:
    x = images(200)
    imbalance = []
    for gamma_1 in (0.0, PUSHES[balance]):
        y = run(balance, x, 100, gamma_1=gamma_1)
        imbalance.append((logits(y, 0.6).softmax(dim=1)[:, 0] - 0.5).abs().mean())
    assert imbalance[1] < 0.8 * imbalance[0]


def test_a_sure_predictor_stops_the_printed_push_and_not_that_of_the_odds() -> None:
    def sure(y: Tensor, tau: Time, v: Tensor):
        logs = (40 * logits(y, tau)).log_softmax(dim=1)
        return lambda values: {"class": logs.gather(1, values["class"][:, None])[:, 0]}

    x = images(50)
    tape, nodes = draw_tape(x, 20, torch.Generator().manual_seed(1)), grid(20, tau_max=0.6)
    ends = (classes(1, 50), classes(0, 50))

    def moved(balance: str) -> Tensor:
        pushed, left = (
            balanced(balance, velocity, sure, enter(x), nodes, *ends, tape, gamma_1, 0.0)
            for gamma_1 in (0.1, 0.0)
        )
        return (pushed - left).flatten(1).norm(dim=1)

    certain = sure(enter(x), 0.01, x)(classes(0, 50))["class"] > -1e-12
    assert certain.sum() > 10
    # p_CF below 1e-12 leaves a push of that order; the odds' has no such factor.
    assert moved("printed")[certain].median() < 1e-3 * moved("odds")[certain].median()


def test_a_parent_that_stays_does_not_count() -> None:
    x, tape = images(4), draw_tape(images(4), 20, torch.Generator().manual_seed(1))

    def both(y: Tensor, tau: Time, v: Tensor):
        def posterior(values: Values) -> dict[str, Tensor]:
            return read(y, tau, v)(values) | {"bar": -y[:, 1].square() - 0.5}

        return posterior

    bars = {"bar": torch.tensor([0, 1, 0, 1])}
    alone, beside = (
        balanced(
            "printed",
            velocity,
            predictor,
            enter(x),
            grid(20, tau_max=0.6),
            {**classes(1, 4), **more},
            {**classes(0, 4), **more},
            tape,
            **GAMMAS,
        )
        for predictor, more in ((read, {}), (both, bars))
    )
    assert torch.equal(alone, beside)


def test_two_calls_of_the_field_a_step() -> None:
    rows, x = [], images(3)

    def counted(y: Tensor, tau: Time) -> Tensor:
        rows.append(len(y))
        return velocity(y, tau)

    tape = draw_tape(x, 7, torch.Generator())
    nodes = grid(7, tau_max=0.6)
    balanced(
        "printed", counted, read, enter(x), nodes, classes(1, 3), classes(0, 3), tape, **GAMMAS
    )
    assert rows == [3] * 14


def test_a_predictor_without_a_class_that_changes_is_refused() -> None:
    x = images(2)
    size = {"size": torch.zeros(2)}
    tape = draw_tape(x, 3, torch.Generator())
    with pytest.raises(CausalflowError, match=r"no class parent.*or balance 'none'"):
        balanced(
            "printed",
            velocity,
            lambda y, t, v: lambda values: {},
            enter(x),
            grid(3),
            size,
            size,
            tape,
            **GAMMAS,
        )


def test_an_unknown_balance_lists_those_there_are() -> None:
    with pytest.raises(CausalflowError, match=r"unknown balance 'print'.*did you mean 'printed'"):
        run("print", images(2), 3)
