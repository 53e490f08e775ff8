from __future__ import annotations

import numpy as np
import pytest
import torch

from causalflow.errors import DataError
from causalflow.metrics.composition import composition

BYTES = [np.random.default_rng(k).integers(0, 256, (4, 3, 5, 5), dtype=np.uint8) for k in (0, 1)]


def test_unsigned_bytes_do_not_wrap_around():
    first, second = map(torch.from_numpy, BYTES)
    expected = np.abs(BYTES[0].astype(int) - BYTES[1].astype(int)).mean()
    # float64 rounding
    assert composition(first, second).grey_levels == pytest.approx(expected, rel=1e-12)
    assert composition(second, first).grey_levels == pytest.approx(expected, rel=1e-12)


def test_floats_and_bytes_of_one_picture_are_no_distance_apart():
    images = torch.from_numpy(BYTES[0])
    assert composition(images, images.double() / 255).unit == 0
    # half a unit of float32 in the last place
    assert composition(images, images.float() / 255).unit <= 6e-8


def test_the_two_units_differ_by_255():
    score = composition(torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.5))
    assert (score.unit, score.grey_levels) == (0.5, 127.5)


def test_images_of_different_shapes_are_not_compared():
    with pytest.raises(
        DataError, match=r"shapes \(1, 1, 2, 2\) and \(2, 1, 2, 2\); expected the same shape"
    ):
        composition(torch.zeros(1, 1, 2, 2), torch.zeros(2, 1, 2, 2))
