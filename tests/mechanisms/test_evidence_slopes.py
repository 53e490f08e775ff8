"""Evidence of kernels: the density of the targets, whose slopes are those of differences."""

import math

import pytest
import torch
from torch import Tensor

from causalflow.mechanisms.regression.evidence import Evidence, _Search
from causalflow.mechanisms.regression.kernel import (
    JITTER,
    bounds_of,
    kernel,
    kernel_slopes,
    trend,
)


def _rows(n: int = 200) -> tuple[Tensor, Tensor]:
    z = torch.randn((n, 2), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = torch.randn(n, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return z, torch.sin(2 * z[:, 0]) * z[:, 1] + 0.5 * noise


def _at(place: list[float], rough: bool, degree: int) -> Evidence:
    numbers = torch.tensor(place, dtype=torch.float64)
    return Evidence(
        value=0.0,
        log_lengths=numbers[:-1],
        log_variance=numbers[-1],
        rough=rough,
        degree=degree,
    )


def _density(search: _Search, at: Evidence, noise: float | None) -> float:
    """The normal density of the targets, its scale the known one or the likeliest."""
    z, points = (each / at.log_lengths.exp() for each in (search.z, search.points))
    inner = kernel(points, points, at.rough) + JITTER * torch.eye(len(points)).double()
    similar = kernel(z, points, at.rough)
    plain = 10 * trend(search.z, at.degree, bounds_of(search.z, alone=False))
    covariance = torch.eye(len(z)).double() + plain @ plain.T
    covariance += at.log_variance.exp() * similar @ torch.linalg.solve(inner, similar.T)
    _, width = torch.linalg.slogdet(covariance)
    square = search.y @ torch.linalg.solve(covariance, search.y)
    scale = square / len(z) if noise is None else torch.tensor(noise).double()
    return float(-(square / scale + width + len(z) * (2 * math.pi * scale).log()) / 2)


@pytest.mark.parametrize("noise", [None, 0.5])
@pytest.mark.parametrize("rough", [False, True])
def test_slopes_are_those_of_central_differences(noise: float | None, rough: bool) -> None:
    search, place, step = _Search(*_rows(), noise, 25), [0.2, 0.9, 2.5], 1e-5
    value, slopes = search.value_and_slopes(_at(place, rough, 2))
    assert value == pytest.approx(_density(search, _at(place, rough, 2), noise), rel=1e-9)
    for k, slope in enumerate(slopes.tolist()):
        ends = [
            search.value(_at([p + side * step * (k == j) for j, p in enumerate(place)], rough, 2))
            for side in (-1, 1)
        ]
        assert slope == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("rough", [False, True])
def test_kernels_fall_with_the_square_of_the_distance_as_their_slopes_say(rough: bool) -> None:
    squares = torch.tensor([0.25, 1.0, 4.0], dtype=torch.float64)
    origin, step = torch.zeros((1, 1), dtype=torch.float64), 1e-6

    def similar(square: Tensor) -> Tensor:
        return kernel(origin, square.sqrt()[:, None], rough)[0]

    found, slopes = kernel_slopes(origin, squares.sqrt()[:, None], rough)
    apart = (similar(squares + step) - similar(squares - step)) / (2 * step)
    torch.testing.assert_close(found[0], similar(squares))
    torch.testing.assert_close(slopes[0], apart, rtol=1e-6, atol=1e-9)
