"""Predictors: any classifier stands in, and none builds the denoiser's graph."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from causalflow.diffusion.field import Time, Values, confidence, noise_conditional, of_image
from causalflow.diffusion.guidance.anticausal import Pull, gradient
from causalflow.diffusion.guidance.contrast import guide
from causalflow.nn.embedding import changed, known

TAUS = [0.01, 0.3, 0.7, 0.99]


class Forward(torch.autograd.Function):
    """The identity, which must not be differentiated."""

    @staticmethod
    def forward(context, y: Tensor) -> Tensor:
        return y.clone()

    @staticmethod
    def backward(context, slope: Tensor) -> Tensor:
        raise AssertionError("the denoiser was differentiated")


def draws(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def classifier() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3)).double()


def standard_velocity(y: Tensor, tau: float) -> Tensor:
    """v of standard normal data; its x^_0 is (1 - tau) y / V, V = (1 - tau)^2 + tau^2."""
    return (2 * tau - 1) / ((1 - tau) ** 2 + tau**2) * y


@pytest.mark.parametrize("tau", TAUS)
def test_of_standard_normal_data_the_gradient_at_the_predicted_image_is_exact(tau: float) -> None:
    y, network, values = draws(4, 6), classifier(), {"digit": torch.tensor([0, 1, 2, 1])}
    read = of_image({"digit": network})
    slope = gradient(
        lambda y, t: read(y, t, standard_velocity(y, t).detach())(values)["digit"], y, tau
    )
    point = y.clone().requires_grad_()
    image = point - tau * standard_velocity(point, tau)
    logs = network(image).log_softmax(dim=1).gather(1, values["digit"][:, None])
    (exact,) = torch.autograd.grad(logs.sum(), point)
    # 1e-12: the chain rule in float64, whose only approximation is exact here.
    torch.testing.assert_close(slope, exact, rtol=0, atol=1e-12)


def test_the_image_that_is_read_is_the_predicted_one() -> None:
    y, seen = draws(4, 6), []

    def network(x: Tensor) -> Tensor:
        seen.append(x)
        return x[:, :3]

    of_image({"digit": network})(y, 0.3, 2 * y)
    torch.testing.assert_close(seen[0], y - 0.3 * 2 * y, rtol=0, atol=1e-15)  # the same algebra


@pytest.mark.parametrize("wrap", [of_image, lambda n: noise_conditional({"digit": lambda y, t: y})])
def test_no_graph_of_the_denoiser_is_built(wrap) -> None:
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)

    def denoiser(y: Tensor, tau: Time, values: Values) -> Tensor:
        return Forward.apply(weight * y)

    target, reference = {"digit": torch.tensor([0, 1])}, {"digit": torch.tensor([1, 0])}
    predictor = wrap({"digit": classifier()})
    edges = Pull(predictor=predictor, scales={"digit": 1.0})
    field = guide(denoiser, target, reference, neural=[], pulled=edges)
    assert field(draws(2, 6), 0.3).isfinite().all()
    assert weight.grad is None
    with pytest.raises(AssertionError, match="differentiated"):  # the denoiser would tell
        denoiser(draws(2, 6), 0.3, {}).sum().backward()


@pytest.mark.parametrize("tau", [0.3, torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)])
def test_a_noise_conditional_network_is_told_the_time_of_each_row(tau: Time) -> None:
    told = []

    def network(y: Tensor, times: Tensor) -> Tensor:
        told.append(times)
        return y[:, :3] * times[:, None]

    y, values = draws(4, 6), {"digit": torch.tensor([0, 1, 2, -1])}
    logs = noise_conditional({"digit": network})(y, tau, y)(values)["digit"]
    times = torch.as_tensor(tau, dtype=torch.float64).expand(4)
    assert torch.equal(told[0], times)
    expected = (y[:, :3] * times[:, None]).log_softmax(dim=1)
    # 1e-12: a softmax in float64.
    assert logs[:3].tolist() == pytest.approx([expected[i, i].item() for i in range(3)], abs=1e-12)
    assert logs[3] == 0


def test_an_unlabelled_value_and_a_parent_it_does_not_know_say_nothing() -> None:
    y, read = draws(2, 6), of_image({"digit": classifier()})
    values = {"digit": torch.tensor([-1, 2]), "color": torch.tensor([0, 1])}
    slope = gradient(lambda y, t: read(y, t, y)(values)["digit"], y, 0.3)
    assert set(read(y, 0.3, y)(values)) == {"digit"}
    assert not slope[0].any()
    assert slope[1].any()


def test_confidence_is_the_largest_probability_among_the_parents_that_change() -> None:
    tables = {
        "digit": torch.tensor([[0.2, 0.7, 0.1], [0.5, 0.3, 0.2], [0.3, 0.3, 0.4], [0.9, 0.1, 0]]),
        "color": torch.tensor([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.5, 0.5]]),
    }

    def posterior(values: Values) -> dict[str, Tensor]:
        return {n: tables[n].gather(1, v[:, None])[:, 0].log() for n, v in values.items()}

    reference = {"digit": torch.tensor([1, 0, 2, 0]), "color": torch.tensor([0, 1, 1, 0])}
    target = {"digit": torch.tensor([0, 0, 1, 0]), "color": torch.tensor([1, 0, 1, 0])}
    found = confidence(posterior, {"digit": 3, "color": 2}, target, reference)
    # 1e-6: float32; both change, color changes, digit changes, nothing does.
    assert found.tolist() == pytest.approx([0.7, 0.9, 0.4, 1.0], abs=1e-6)


def test_known_and_changed_of_images_are_by_row() -> None:
    images = torch.zeros(4, 1, 2, 2)
    others = images.clone()
    others[1, 0, 1, 1] = 1.0
    others[2, 0, 0, 0] = torch.nan
    images[3] = others[3] = torch.nan
    assert known(others).tolist() == [True, True, False, False]
    assert changed(images, others).tolist() == [False, True, True, False]
