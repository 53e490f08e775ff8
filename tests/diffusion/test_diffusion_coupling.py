"""Laws of the coupling of images and noise in training."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch import Tensor

from causalflow.diffusion.coupling import COUPLINGS


def draw(n: int, seed: int) -> Tensor:
    return torch.randn(n, 1, 2, 2, generator=torch.Generator().manual_seed(seed))


def cost(x: Tensor, noise: Tensor) -> float:
    return (x - noise).square().sum().item()


def rows(noise: Tensor) -> set[tuple[float, ...]]:
    return {tuple(row.tolist()) for row in noise.flatten(1)}


def test_independent_noise_is_left_as_drawn() -> None:
    x, noise = draw(6, 0), draw(6, 1)
    assert COUPLINGS.get("independent")(x, noise, {}) is noise


def test_optimal_noise_has_the_least_cost_of_all_permutations() -> None:
    x, noise = draw(6, 0), draw(6, 1)
    coupled = COUPLINGS.get("optimal")(x, noise, {})
    best = min(cost(x, noise[list(order)]) for order in permutations(range(6)))
    # 1e-5 relative: float32 sums of 24 squares.
    assert cost(x, coupled) == pytest.approx(best, rel=1e-5)
    assert cost(x, coupled) < cost(x, noise)
    assert rows(coupled) == rows(noise)


def test_noise_stays_within_rows_of_equal_parents() -> None:
    x, noise = draw(12, 0), draw(12, 1)
    parents = {"digit": torch.arange(12) % 3, "bar": torch.arange(12) // 6}
    coupled = COUPLINGS.get("optimal")(x, noise, parents)
    assert cost(x, coupled) < cost(x, noise)
    for digit in range(3):
        for bar in range(2):
            group = (parents["digit"] == digit) & (parents["bar"] == bar)
            assert rows(coupled[group]) == rows(noise[group])
            best = COUPLINGS.get("optimal")(x[group], noise[group], {})
            assert torch.equal(coupled[group], best)


def test_continuous_parents_couple_equal_values_only() -> None:
    x, noise = draw(6, 0), draw(6, 1)
    optimal = COUPLINGS.get("optimal")
    apart = {"thickness": torch.linspace(1, 2, 6, dtype=torch.float64)}
    assert torch.equal(optimal(x, noise, apart), noise)
    equal = {"thickness": torch.full((6,), 2.5, dtype=torch.float64)}
    assert torch.equal(optimal(x, noise, equal), optimal(x, noise, {}))


@pytest.mark.parametrize("missing", ["digit", "thickness", "scan"])
def test_a_row_with_a_missing_parent_keeps_its_noise(missing: str) -> None:
    x, noise = draw(6, 0), draw(6, 1)
    parents = {
        "digit": torch.zeros(6).long(),
        "thickness": torch.ones(6).double(),
        "scan": torch.zeros(6, 1, 2, 2),
    }
    gone = -1 if missing == "digit" else torch.nan
    parents[missing][2:4] = gone
    coupled = COUPLINGS.get("optimal")(x, noise, parents)
    rest = torch.tensor([0, 1, 4, 5])
    assert torch.equal(coupled[2:4], noise[2:4])
    assert torch.equal(coupled[rest], COUPLINGS.get("optimal")(x[rest], noise[rest], {}))


def test_the_noise_of_each_parent_value_keeps_its_law() -> None:
    """Over the whole batch the coupling would give bright rows bright noise; within, it cannot."""
    n = 400
    bright = torch.arange(n) % 2
    x = draw(n, 0) * 0.1 + 2.0 * bright[:, None, None, None]
    noise = draw(n, 1)
    optimal = COUPLINGS.get("optimal")
    kept = optimal(x, noise, {"bright": bright})
    mixed = optimal(x, noise, {})
    # 200 rows of 4 numbers: 5 standard errors are .18; the free coupling moves the mean by .6.
    assert kept[bright == 1].mean().abs() < 0.18
    assert mixed[bright == 1].mean() > 0.4
