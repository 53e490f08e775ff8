from __future__ import annotations

import numpy as np
import pytest
import torch

from causalflow.errors import DataError
from causalflow.evaluation.axioms import composition, largest_error, reversibility, true_error

BYTES = [np.random.default_rng(k).integers(0, 256, (4, 3, 5, 5), dtype=np.uint8) for k in (0, 1)]
DISTANCES = [composition, reversibility, true_error]


@pytest.mark.parametrize("distance", DISTANCES)
def test_unsigned_bytes_do_not_wrap_around(distance):
    first, second = map(torch.from_numpy, BYTES)
    each = np.abs(BYTES[0].astype(int) - BYTES[1].astype(int))
    for score in (distance(first, second), distance(second, first)):
        # float64 rounding
        assert score.value == pytest.approx(each.mean(), rel=1e-12)
        half = 1.959964 * each.mean((1, 2, 3)).std(ddof=1) / 2
        assert score.interval == pytest.approx((each.mean() - half, each.mean() + half), rel=1e-6)
        assert (score.count, score.unit) == (4, "grey levels")
    assert largest_error(first, second) == each.max()


@pytest.mark.parametrize("distance", DISTANCES)
def test_floats_and_bytes_of_one_picture_are_no_distance_apart(distance):
    images = torch.from_numpy(BYTES[0])
    # float64 rounding, and half a unit of float32 in the last place of 255
    assert distance(images, images.double() / 255).value <= 1e-12
    assert distance(images, images.float() / 255).value <= 2e-5


@pytest.mark.parametrize("distance", DISTANCES)
def test_images_of_different_shapes_are_not_compared(distance):
    with pytest.raises(
        DataError, match=r"shapes \(1, 1, 2, 2\) and \(2, 1, 2, 2\); expected the same shape"
    ):
        distance(torch.zeros(1, 1, 2, 2), torch.zeros(2, 1, 2, 2))
