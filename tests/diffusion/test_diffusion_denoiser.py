"""Laws of the denoiser: its loss, its precision, exact round trips whatever its weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from causalflow.diffusion.denoiser import Denoiser, logit_normal
from causalflow.diffusion.path import TAU_MAX, TAU_MIN, enter, grid, leave
from causalflow.diffusion.solver import SOLVERS, solve
from causalflow.graph.schema import Class, Continuous, Diffusion, Image

SMALL = Diffusion(width=8, multipliers=(1, 2))
BAR, THICKNESS, SCAN = Class(levels=(0, 1)), Continuous(), Image(shape=(1, 8, 8))
N = 4
BARS, WIDTHS = torch.tensor([0, 1, 1, -1]), torch.tensor([1.0, 2.0, torch.nan, 9.0]).double()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed))


def shaken(nodes: dict, channels: int = 1) -> Denoiser:
    """A denoiser none of whose weights is zero."""
    denoiser = Denoiser(channels, nodes, SMALL)
    seeded = generator(1)
    for parameter in denoiser.parameters():
        parameter.data = 0.15 * torch.randn(parameter.shape, generator=seeded)
    return denoiser


PARENTS = {
    "none": ({}, {}),
    "class": ({"bar": BAR}, {"bar": BARS}),
    "continuous": ({"thickness": THICKNESS}, {"thickness": WIDTHS}),
    "all": (
        {"bar": BAR, "thickness": THICKNESS, "scan": SCAN},
        {"bar": BARS, "thickness": WIDTHS, "scan": draw(N, 1, 8, 8, seed=3)},
    ),
}


@pytest.mark.parametrize("steps", [5, 10, 20, 50])
@pytest.mark.parametrize("parents", PARENTS)
def test_alf_round_trip_is_exact_for_any_network_and_parents(parents: str, steps: int) -> None:
    nodes, values = PARENTS[parents]
    denoiser, alf, tau = shaken(nodes), SOLVERS.get("alf"), grid(steps)
    image = draw(N, 1, 8, 8).clamp(-1, 1)

    def field(y: Tensor, tau: float) -> Tensor:
        return denoiser.velocity(y, tau, values)

    with torch.no_grad():
        start = alf.start(field, enter(image), TAU_MIN)
        there = solve(alf, field, start, tau)
        back = solve(alf, field, there, tau.flip(0))
    assert (there[0] - start[0]).abs().max() > 0.1
    # 1e-5 is promised; float64 states give 1e-15 unless a float32 input of the net flips a bit.
    torch.testing.assert_close(leave(back[0]).float(), image, rtol=0, atol=1e-5)


def test_velocity_has_the_precision_of_the_position() -> None:
    denoiser, y = shaken({}), draw(N, 1, 8, 8)
    with torch.no_grad():
        single, double = denoiser.velocity(y, 0.3, {}), denoiser.velocity(y.double(), 0.3, {})
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    assert torch.equal(single.double(), double)


def test_one_time_for_all_is_that_time_for_each() -> None:
    denoiser, y = shaken({"bar": BAR}), draw(N, 1, 8, 8)
    values = {"bar": BARS}
    with torch.no_grad():
        one, each = (denoiser.velocity(y, t, values) for t in (0.3, torch.full((N,), 0.3)))
    assert torch.equal(one, each)


def test_parents_and_time_move_the_velocity() -> None:
    denoiser, y = shaken({"bar": BAR}), draw(N, 1, 8, 8)
    with torch.no_grad():
        base = denoiser.velocity(y, 0.3, {"bar": torch.zeros(N).long()})
        other_bar = denoiser.velocity(y, 0.3, {"bar": torch.ones(N).long()})
        other_time = denoiser.velocity(y, 0.6, {"bar": torch.zeros(N).long()})
    assert (base - other_bar).abs().max() > 1e-3
    assert (base - other_time).abs().max() > 1e-3


def test_the_loss_of_an_untrained_net_is_the_power_of_its_target() -> None:
    constant, n = 0.5, 400
    denoiser = Denoiser(1, {}, SMALL)
    loss = denoiser.loss(torch.full((n, 1, 8, 8), constant), {}, generator()).detach()
    assert loss.shape == (n,)
    # v = 0, so a pixel's loss is (eps - c)^2, mean 1 + c^2, variance 2 + 4 c^2; 5 standard errors.
    error = 5 * math.sqrt((2 + 4 * constant**2) / (n * 64))
    assert loss.mean().item() == pytest.approx(1 + constant**2, abs=error)


def test_the_loss_is_replayed_by_its_generator() -> None:
    denoiser, x = shaken({}), draw(N, 1, 8, 8)
    first, second, other = (denoiser.loss(x, {}, generator(s)) for s in (5, 5, 6))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_the_times_of_training_are_logit_normal() -> None:
    n = 20_000
    tau = logit_normal(n, generator())
    assert tau.min() >= TAU_MIN
    assert tau.max() <= TAU_MAX
    for z, share in ((-1, 0.158655), (0, 0.5), (1.5, 0.933193)):
        below = (tau < 1 / (1 + math.exp(-z))).double().mean().item()
        # 5 standard errors of a share.
        assert below == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / n))


def test_calibrate_standardises_the_continuous_parents() -> None:
    denoiser = Denoiser(1, {"thickness": THICKNESS}, SMALL)
    denoiser.calibrate({"thickness": torch.tensor([1.0, 3.0]).double()})
    (part,) = denoiser.parents.parts
    assert (part.location, part.scale) == (2, 1)


def test_every_weight_takes_part_in_the_loss() -> None:
    nodes, values = PARENTS["all"]
    denoiser = shaken(nodes)
    denoiser.loss(draw(N, 1, 8, 8), values, generator()).mean().backward()
    assert all(parameter.grad is not None for parameter in denoiser.parameters())


def test_a_short_training_makes_images_obey_their_parent() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        denoiser = Denoiser(1, {"bar": BAR}, SMALL)
    optimiser = torch.optim.Adam(denoiser.parameters(), lr=5e-3)
    seeded, bars = generator(), torch.arange(64) % 2
    images = (bars.float() - 0.5)[:, None, None, None].expand(-1, 1, 4, 4)
    for _ in range(150):
        optimiser.zero_grad()
        denoiser.loss(images, {"bar": bars}, seeded).mean().backward()
        optimiser.step()
    midpoint, noise = SOLVERS.get("midpoint"), draw(64, 1, 4, 4, seed=9)

    def field(y: Tensor, tau: float) -> Tensor:
        return denoiser.velocity(y, tau, {"bar": bars})

    with torch.no_grad():
        (y,) = solve(midpoint, field, midpoint.start(field, noise, TAU_MAX), grid(10).flip(0))
    # The images are +-.5; an untrained net leaves noise, mean error about .9.
    assert (leave(y) - images).abs().mean() < 0.15
