"""Laws of the denoiser: its loss, its precision, exact round trips whatever its weights."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from causalflow.diffusion.coupling import COUPLINGS
from causalflow.diffusion.denoiser import WEIGHTINGS, Denoiser
from causalflow.diffusion.path import PATHS, PREDICTIONS, TAU_MIN, enter, grid, leave
from causalflow.diffusion.solver.solver import SOLVERS, ascend, descend, rest
from causalflow.errors import CompileError
from causalflow.graph.node import Class, Continuous, Diffusion, Image
from causalflow.nn.embedding import nulled

SMALL = Diffusion(width=8, multipliers=(1, 2), code=0)
REVERSIBLE = [name for name in SOLVERS if SOLVERS.get(name).reversible]
BAR, THICKNESS, SCAN = Class(levels=(0, 1)), Continuous(), Image(shape=(1, 8, 8))
N = 4
BARS, WIDTHS = torch.tensor([0, 1, 1, -1]), torch.tensor([1.0, 2.0, torch.nan, 9.0]).double()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed))


def shaken(nodes: dict, channels: int = 1, **options: object) -> Denoiser:
    """A denoiser none of whose weights is zero."""
    denoiser = Denoiser(channels, nodes, replace(SMALL, **options))
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
@pytest.mark.parametrize("parents", ["none", "all"])
@pytest.mark.parametrize("name", REVERSIBLE)
def test_the_round_trip_is_exact_for_any_network_and_parents(
    name: str, parents: str, steps: int
) -> None:
    nodes, values = PARENTS[parents]
    denoiser, solver, tau = shaken(nodes), SOLVERS.get(name), grid(steps)
    image = draw(N, 1, 8, 8).clamp(-1, 1)

    def field(y: Tensor, tau: float) -> Tensor:
        return denoiser.velocity(y, tau, values)

    with torch.no_grad():
        state = ascend(solver, field, enter(image), tau, generator())
        back = descend(solver, field, state, tau)
    assert (state[0] - enter(image)).abs().max() > 0.1
    # 1e-5 is promised; float64 states give 1e-12 unless a float32 input of the net flips a bit.
    torch.testing.assert_close(leave(back).float(), image, rtol=0, atol=1e-5)


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
    heun, noise = SOLVERS.get("heun"), draw(64, 1, 4, 4, seed=9)

    def field(y: Tensor, tau: float) -> Tensor:
        return denoiser.velocity(y, tau, {"bar": bars})

    with torch.no_grad():
        y = descend(heun, field, rest(heun, field, noise, grid(10)), grid(10))
    # The images are +-.5; an untrained net leaves noise, mean error about .9.
    assert (leave(y) - images).abs().mean() < 0.15


class Exact(nn.Module):
    """The exact prediction of one path for images of independent pixels N(.7, .4^2)."""

    def __init__(self, preserving: bool, prediction: str) -> None:
        super().__init__()
        self.preserving = preserving
        self.prediction = prediction

    def forward(self, x: Tensor, tau: Tensor, condition: Tensor) -> Tensor:
        tau = tau[:, None, None, None]
        length = ((1 - tau) ** 2 + tau**2).sqrt()
        norm = length if self.preserving else 1.0
        alpha, sigma = (1 - tau) / norm, tau / norm
        gain = alpha * 0.16 / (alpha**2 * 0.16 + sigma**2)
        image = 0.7 + gain * (x - alpha * 0.7)
        noise = (x - alpha * image) / sigma
        v = ((1 - tau) * noise - tau * image) / length
        predicted = {"velocity": noise - image, "noise": noise, "data": image, "v": v}
        return predicted[self.prediction]


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("path", PATHS)
def test_every_prediction_on_every_path_is_the_same_velocity(path: str, prediction: str) -> None:
    options = replace(SMALL, path=path, prediction=prediction)
    denoiser = Denoiser(1, {}, options, network=Exact(path != "rectified", prediction)).double()
    y = draw(N, 1, 3, 3).double()
    for tau in (TAU_MIN, 0.4, denoiser.tau_max):
        mean, variance = (1 - tau) * 0.7, (1 - tau) ** 2 * 0.16 + tau**2
        expected = -0.7 + (tau - (1 - tau) * 0.16) / variance * (y - mean)
        # 1e-10: float64 algebra, divided by 1 - tau >= 5e-5 at the end of "cosine-1000".
        velocity = denoiser.velocity(y, tau, {})
        torch.testing.assert_close(velocity, expected, rtol=0, atol=1e-10)


DEFINITIONS = {
    "velocity": lambda image, noise, x, eps, tau: (noise - image - eps + x).square(),
    "noise": lambda image, noise, x, eps, tau: (noise - eps).square(),
    "data": lambda image, noise, x, eps, tau: (image - x).square(),
    "min-snr": lambda image, noise, x, eps, tau: (
        (((1 - tau) / tau) ** 2).clamp(max=5) * (image - x).square()
    ),
}


@pytest.mark.parametrize("path", ["rectified", "linear-1000"])
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_every_weighting_is_the_loss_of_its_definition(weighting: str, path: str) -> None:
    seen: dict[str, Tensor] = {}

    class Recorder(nn.Module):
        def forward(self, x: Tensor, tau: Tensor, condition: Tensor) -> Tensor:
            seen.update(input=x, tau=tau)
            return torch.sin(3 * x)

    options = replace(SMALL, weighting=weighting, path=path)
    denoiser, x = Denoiser(1, {}, options, network=Recorder()).double(), draw(200, 1, 2, 2).double()
    loss = denoiser.loss(x, {}, generator())
    tau = seen["tau"][:, None, None, None]
    y = seen["input"] / (1 if path == "rectified" else ((1 - tau) ** 2 + tau**2) ** -0.5)
    velocity = torch.sin(3 * seen["input"])
    image, noise = y - tau * velocity, y + (1 - tau) * velocity
    eps = (y - (1 - tau) * x) / tau
    expected = DEFINITIONS[weighting](image, noise, x, eps, tau).mean(dim=(1, 2, 3))
    # 1e-4: the loss compares in float32, and eps here is divided by tau, at least .01.
    torch.testing.assert_close(loss.double(), expected, rtol=1e-4, atol=1e-4)


def test_the_loss_couples_within_parents_whatever_conditions_the_network() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    class Recorder(nn.Module):
        def forward(self, x: Tensor, tau: Tensor, condition: Tensor) -> Tensor:
            seen.append((x, tau))
            return x

    x, parents = draw(8, 1, 2, 2), {"digit": torch.arange(8) % 2}
    draws = []
    for coupling in COUPLINGS:
        options = replace(SMALL, coupling=coupling)
        Denoiser(1, {}, options, network=Recorder()).loss(x, parents, generator())
        y, tau = seen[-1]
        draws.append((y - (1 - tau[:, None, None, None]) * x) / tau[:, None, None, None])
    # 1e-4: float32, divided by tau.
    expected = COUPLINGS.get("optimal")(x, draws[0], parents)
    assert not torch.allclose(expected, draws[0])
    torch.testing.assert_close(draws[1], expected, rtol=0, atol=1e-4)


def test_a_null_rate_of_one_trains_on_nulls_and_of_zero_on_the_parents() -> None:
    nodes, values = PARENTS["all"]
    x = draw(N, 1, 8, 8)
    plain, always = shaken(nodes), shaken(nodes, null_rate=1.0)
    hidden = always.loss(x, values, generator())
    assert torch.equal(hidden, plain.loss(x, nulled(values, nodes), generator()))
    assert not torch.equal(hidden, plain.loss(x, values, generator()))


def test_each_parent_is_hidden_by_itself_at_the_stated_rate() -> None:
    n, rate = 5000, 0.3
    seen: dict[str, Tensor] = {}
    nodes = {"bar": BAR, "thickness": THICKNESS}
    denoiser = Denoiser(1, nodes, replace(SMALL, null_rate=rate), network=nn.Identity())
    denoiser.velocity = lambda y, tau, parents, code: seen.update(parents) or y
    values = {"bar": torch.ones(n).long(), "thickness": torch.ones(n).double()}
    denoiser.loss(draw(n, 1, 1, 1), values, generator())
    hidden = torch.stack([seen["bar"] == -1, seen["thickness"].isnan()]).double()
    error = 5 * math.sqrt(rate * (1 - rate) / n)
    assert hidden.mean(dim=1).tolist() == [pytest.approx(rate, abs=error)] * 2
    # Independent: 5 standard errors of a correlation.
    assert torch.corrcoef(hidden)[0, 1].abs() < 5 / math.sqrt(n)


def test_a_code_conditions_the_network_and_none_is_the_zero_code() -> None:
    denoiser, y = shaken({"bar": BAR}, code=3), draw(N, 1, 8, 8)
    with torch.no_grad():
        zero, none, other = (
            denoiser.velocity(y, 0.3, {"bar": BARS}, code)
            for code in (torch.zeros(N, 3), None, draw(N, 3, seed=5))
        )
    assert torch.equal(zero, none)
    assert (other - zero).abs().max() > 1e-3


def test_any_network_is_told_the_image_the_time_and_the_condition() -> None:
    class Own(nn.Module):
        def forward(self, x: Tensor, tau: Tensor, condition: Tensor) -> Tensor:
            assert condition.shape == (N, 4 * SMALL.width)
            return tau[:, None, None, None] * x + condition.mean(dim=1)[:, None, None, None]

    denoiser, y = Denoiser(1, {"bar": BAR}, SMALL, network=Own()), draw(N, 1, 8, 8)
    condition = denoiser.parents({"bar": BARS}, N).mean(dim=1)[:, None, None, None]
    # 1e-6: float32 of order 1.
    torch.testing.assert_close(
        denoiser.velocity(y, 0.25, {"bar": BARS}), 0.25 * y + condition, rtol=0, atol=1e-6
    )


def test_a_network_that_changes_the_shape_is_the_users_mistake() -> None:
    class Pooling(nn.Module):
        def forward(self, x: Tensor, tau: Tensor, condition: Tensor) -> Tensor:
            return x.mean(dim=(2, 3))

    denoiser = Denoiser(1, {}, SMALL, network=Pooling())
    with pytest.raises(
        CompileError, match=r"returned shape \(4, 1\) for images of shape \(4, 1, 8"
    ):
        denoiser.velocity(draw(N, 1, 8, 8), 0.3, {})


def test_half_precision_keeps_the_position_and_changes_the_velocity_by_its_rounding() -> None:
    denoiser, y = shaken({"bar": BAR}), draw(N, 1, 8, 8).double()
    with torch.no_grad():
        full = denoiser.velocity(y, 0.3, {"bar": BARS})
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = denoiser.velocity(y, 0.3, {"bar": BARS})
    assert half.dtype == torch.float64
    # bfloat16 has 8 bits; a dozen layers of them.
    assert 0 < (half - full).norm() / full.norm() < 0.05


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_nothing_of_the_velocity_depends_on_the_data_in_python(prediction: str) -> None:
    """Fake tensors have no numbers: reading one raises, as it would while a graph is captured."""
    nodes, values = PARENTS["all"]
    with FakeTensorMode(allow_non_fake_inputs=False) as mode, torch.no_grad():
        denoiser = Denoiser(1, nodes, replace(SMALL, prediction=prediction, path="linear", code=2))
        fake = {name: mode.from_tensor(value) for name, value in values.items()}
        y, code = torch.empty(N, 1, 8, 8), torch.empty(N, 2)
        for tau in (0.3, torch.empty(()), torch.empty(N)):
            assert denoiser.velocity(y, tau, fake, code).shape == y.shape


def test_a_code_is_left_out_where_a_parent_is_hidden():
    torch.manual_seed(0)
    parents = {"digit": Class(levels=(0, 1)), "color": Class(levels=(0, 1))}
    denoiser = Denoiser(1, parents, Diffusion(width=8, code=4))
    for weight in denoiser.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    y = torch.randn(3, 1, 8, 8)
    values = {"digit": torch.tensor([0, -1, 1]), "color": torch.tensor([1, 1, 0])}
    codes = torch.randn(2, 3, 4)
    first, second = (denoiser.velocity(y, 0.5, values, code) for code in codes)
    moved = (first - second).flatten(1).abs().amax(dim=1)
    assert moved[1] == 0
    assert (moved[[0, 2]] > 1e-4).all()
