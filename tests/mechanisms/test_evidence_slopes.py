"""Evidence of kernels: a closed form, whose slopes are those of differences."""

import math

import pytest
import torch
from torch import Tensor

from causalflow.mechanisms.regression.evidence import Evidence, _Search
from causalflow.mechanisms.regression.kernel import kernel, kernel_slopes


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


@pytest.mark.parametrize("noise", [None, 0.5])
@pytest.mark.parametrize("rough", [False, True])
def test_slopes_are_those_of_central_differences(noise: float | None, rough: bool) -> None:
    search, place, step = _Search(*_rows(), noise, 25), [0.2, 0.9, 2.5], 1e-5
    value, slopes = search.value_and_slopes(_at(place, rough, 2))
    assert value == pytest.approx(search.value(_at(place, rough, 2)), rel=1e-12)
    for k, slope in enumerate(slopes.tolist()):
        ends = [
            search.value(_at([p + side * step * (k == j) for j, p in enumerate(place)], rough, 2))
            for side in (-1, 1)
        ]
        assert slope == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-5, abs=1e-4)


def test_the_evidence_is_the_density_of_the_targets() -> None:
    z, y = _rows(40)
    search, at = _Search(z, y, 0.5, 10), _at([0.2, 0.9, 1.0], False, 1)
    columns, _ = search._columns(at)
    covariance = 0.5 * (torch.eye(40, dtype=torch.float64) + columns @ columns.T)
    _, width = torch.linalg.slogdet(covariance)
    square = y @ torch.linalg.solve(covariance, y)
    density = -(square + width + 40 * math.log(2 * math.pi)) / 2
    assert search.value(at) == pytest.approx(float(density), rel=1e-10)


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
