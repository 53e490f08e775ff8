"""Readings of pendulum pictures against the labels that the pictures were drawn from."""

from __future__ import annotations

import pytest
import torch

from causalflow.data.sets.pendulum import LABELS, pendulum
from causalflow.errors import DataError
from causalflow.evaluation.readers import read_pendulum, shadow_inside

# The floor is resolution: three times the mean error at 32 x 32 that the module states, and less
# than a third of the smallest cell of the poster's table: .031 * 42 steps and .064 * 8 units.
MEAN = {"angle": 0.4, "light": 0.15, "shadow_length": 0.06, "shadow_position": 0.06}
MOST = {"angle": 0.6, "light": 0.3, "shadow_length": 0.3, "shadow_position": 0.15}


@pytest.fixture(scope="module")
def data():
    return pendulum("test", 32, n=150)


def errors(images, labels):
    read = read_pendulum(images)
    return {name: (read[name] - torch.as_tensor(labels[name])).abs() for name in LABELS}


def test_labels_are_read_off_true_pictures(data):
    for name, error in errors(data.images, data.labels).items():
        assert error.mean() < MEAN[name]
        assert error.max() < MOST[name]


@pytest.mark.parametrize(
    "do",
    [{"angle": -33.3}, {"light": 143.0}, {"shadow_length": 11.5}, {"shadow_position": 3.7}],
    ids=lambda do: next(iter(do)),
)
def test_labels_are_read_off_true_counterfactuals(data, do):
    world = data.true_counterfactual(range(len(data)), do)
    seen = shadow_inside(world["shadow_length"], world["shadow_position"])
    assert seen.double().mean() > 0.9
    for name, error in errors(world["image"], world).items():
        assert error[seen].mean() < MEAN[name]


def test_reading_is_finer_at_higher_resolution(data):
    fine = pendulum("test", 96, n=30)
    for name, error in errors(fine.images, fine.labels).items():
        assert error.mean() < errors(data.images, data.labels)[name].mean()


def test_a_shape_is_read_whatever_else_is_in_the_picture(data):
    blank = data.images.clone()
    blank[:, :, 24:] = 255  # the ground and what lies on it
    whole, read = read_pendulum(data.images), read_pendulum(blank)
    assert read["shadow_length"].isnan().all()
    assert read["shadow_position"].isnan().all()
    assert torch.equal(read["light"], whole["light"])


def test_floats_and_bytes_are_read_alike(data):
    whole, unit = read_pendulum(data.images), read_pendulum(data.images.double() / 255)
    for name in LABELS:
        torch.testing.assert_close(unit[name], whole[name], rtol=0, atol=1e-9)


def test_a_shadow_beyond_the_edge_is_known_to_be(data):
    world = data.true_counterfactual([0, 0], {"shadow_length": [6.0, 12.0], "shadow_position": 19})
    assert shadow_inside(world["shadow_length"], world["shadow_position"]).tolist() == [True, False]


def test_gray_pictures_are_refused():
    with pytest.raises(DataError, match=r"expected \(batch, 3, size, size\)"):
        read_pendulum(torch.zeros(2, 1, 32, 32))
