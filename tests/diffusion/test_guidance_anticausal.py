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

from causalflow.diffusion.field import Time, Values
from causalflow.diffusion.guidance.anticausal import AIMS, Pull, anticausal, gradient, pull
from causalflow.diffusion.guidance.contrast import guide
from causalflow.diffusion.path import data_of, noise_of
from causalflow.errors import CausalflowError

MEANS = torch.tensor([[-1.0, 0.5, 0.2], [0.3, 0.4, -0.6], [0.9, -0.8, 0.1]], dtype=torch.float64)
SCALES = torch.tensor([0.3, 0.5, 0.4], dtype=torch.float64)
PRIOR = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
TIMES = [0.01, 0.3, 0.7, 0.95]


def column(tau: Time) -> Tensor:
    """One time for all rows, or one a row, as a column."""
    return torch.as_tensor(tau, dtype=torch.float64).reshape(-1, 1)


def variances(tau: Time) -> Tensor:
    """V_c, shape (1 or batch, classes)."""
    return (1 - column(tau)) ** 2 * SCALES**2 + column(tau) ** 2


def residuals(y: Tensor, tau: Time) -> Tensor:
    """y less the mean of each class, shape (batch, classes, dimensions)."""
    return y[:, None] - (1 - column(tau))[..., None] * MEANS


def joint(y: Tensor, tau: Time) -> Tensor:
    """log p(c, y), shape (batch, classes)."""
    square, variance = residuals(y, tau).square().sum(dim=-1), variances(tau)
    return PRIOR.log() - square / (2 * variance) - MEANS.shape[1] / 2 * (math.tau * variance).log()


def posterior(y: Tensor, tau: Time) -> Tensor:
    return joint(y, tau).log_softmax(dim=1)


def velocities(y: Tensor, tau: Time) -> Tensor:
    """v_c, shape (batch, classes, dimensions)."""
    slope = (column(tau) - (1 - column(tau)) * SCALES**2) / variances(tau)
    return -MEANS + slope[..., None] * residuals(y, tau)


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


def read(y: Tensor, tau: Time, velocity: Tensor):
    """The exact predictor of the class, beside that of a continuous parent: N(y_0, 1)."""
    logs = posterior(y, tau)

    def answer(values: Values) -> dict[str, Tensor]:
        found = {"class": logs.gather(1, values["class"].clamp_min(0)[:, None])[:, 0]}
        found["class"] = found["class"] * (values["class"] >= 0)
        if "size" in values:
            square = (values["size"].nan_to_num() - y[:, 0]).square()
            found["size"] = torch.where(values["size"].isnan(), 0.0, -square / 2)
        return found

    return answer


def classes(*values: int) -> Tensor:
    return torch.tensor(values).repeat_interleave(4)


def average(y: Tensor, tau: float) -> Tensor:
    """The velocity of all images."""
    return (posterior(y, tau).exp()[..., None] * velocities(y, tau)).sum(dim=1)


TARGET, REFERENCE = classes(0, 1, 2, 0, 1), classes(0, 1, 0, 1, -1)
MOVED = TARGET != REFERENCE


@pytest.mark.parametrize("tau", TIMES)
@pytest.mark.parametrize("aim", AIMS)
def test_every_aim_is_bayes_rule_in_closed_form(aim: str, tau: float) -> None:
    y = positions(tau)[: len(TARGET)]
    field = guide(
        lambda y, tau, c: average(y, tau),
        {"class": TARGET},
        {"class": REFERENCE},
        neural=[],
        pulled=Pull(predictor=read, scales={"class": 1.0}, aim=aim),
    )
    rows, fields, plain = torch.arange(len(y)), velocities(y, tau), average(y, tau)
    wanted, factual = fields[rows, TARGET], fields[rows, REFERENCE.clamp_min(0)]
    pushed = MOVED & (REFERENCE >= 0)
    expected = {
        "printed": wanted,
        "hold": torch.where(MOVED[:, None], wanted, plain),
        "contrast": torch.where(
            pushed[:, None],
            wanted + plain - factual,
            torch.where(MOVED[:, None], wanted, plain),
        ),
    }
    # 1e-9: float64 algebra, at worst divided by the least variance, .01^2 + .3^2.
    torch.testing.assert_close(field(y, tau), expected[aim], rtol=0, atol=1e-9)


@pytest.mark.parametrize("aim", ["hold", "contrast"])
def test_rows_in_which_nothing_changed_are_not_moved_at_all(aim: str) -> None:
    y = positions(0.4)[: len(TARGET)]
    edges = Pull(predictor=read, scales={"class": 7.0}, aim=aim)
    change = pull(edges, y, 0.4, y, {"class": TARGET}, {"class": REFERENCE})
    assert not change[~MOVED].any()
    assert change[MOVED].ne(0).any(dim=1).all()


def test_a_parent_is_held_where_only_another_has_changed() -> None:
    y = positions(0.4)[:4]
    target = {"class": classes(2), "bar": torch.tensor([0, 1, 0, 1])}
    reference = {"class": classes(2), "bar": torch.tensor([0, 0, 0, 0])}
    change = pull(Pull(predictor=read, scales={"class": 1.0}), y, 0.4, y, target, reference)
    hold = anticausal(lambda y, t: posterior(y, t)[:, 2], y, 0.4)
    # 1e-12: the same float64 algebra in another order.
    torch.testing.assert_close(change[1::2], hold[1::2], rtol=0, atol=1e-12)
    assert not change[::2].any()


def test_a_continuous_parent_is_pulled_to_its_target_and_not_off_its_old_value() -> None:
    y = positions(0.4)[:4]
    same, sizes = classes(1), torch.tensor([0.5, 2.0, torch.nan, -1.0], dtype=torch.float64)
    change = pull(
        Pull(predictor=read, scales={"class": 0.0, "size": 1.5}),
        y,
        0.4,
        y,
        {"class": same, "size": sizes},
        {"class": same, "size": torch.zeros(4, dtype=torch.float64)},
    )
    pulled = -1.5 * 0.4 / 0.6 * (sizes - y[:, 0]).nan_to_num()
    # 1e-12: the same float64 algebra in another order.
    torch.testing.assert_close(change[:, 0], pulled, rtol=0, atol=1e-12)
    assert not change[:, 1:].any()


def test_times_by_row_are_those_of_one_row_at_a_time() -> None:
    y, times = positions(0.4)[:4], torch.tensor([0.1, 0.4, 0.7, 0.9], dtype=torch.float64)

    def slope(y: Tensor, tau: float | Tensor) -> Tensor:
        return (y.square().sum(dim=1) * torch.as_tensor(tau, dtype=y.dtype)).sin()

    together = anticausal(slope, y, times, 2.0)
    for row, tau in enumerate(times.tolist()):
        alone = anticausal(slope, y[row : row + 1], tau, 2.0)
        # 1e-12: the same float64 algebra.
        torch.testing.assert_close(together[row : row + 1], alone, rtol=0, atol=1e-12)


def test_an_unknown_aim_lists_those_there_are() -> None:
    with pytest.raises(CausalflowError, match=r"unknown anti-causal guidance 'contrst'; .*printed"):
        Pull(predictor=read, scales={}, aim="contrst")
