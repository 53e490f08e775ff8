from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from causalflow.data.sets.bar_mnist import bar_mnist
from causalflow.data.sets.digits import digits, mnist
from causalflow.data.sets.morphology import intensity, thickness
from causalflow.errors import DataError
from causalflow.evaluation.readers import (
    agreement,
    digit_reader,
    hit_rate,
    read_bar,
    read_color,
    read_intensity,
    read_thickness,
    reading_error,
)

FILES_AT = Path(os.environ.get("CAUSALFLOW_DATA", "data")).resolve()


@pytest.fixture(scope="module")
def data():
    return bar_mnist("backdoor", "test", n=500)


@pytest.fixture(scope="module")
def reader():
    return digit_reader()


def test_color_and_bar_are_read_off_true_pictures_without_error(data):
    for images in (data.images, data.images.float() / 255):
        assert read_color(images).tolist() == data.labels["color"].tolist()
        assert read_bar(images).tolist() == data.labels["bar"].tolist()


def test_the_digit_reader_knows_held_out_real_digits(reader):
    real = digits("test")
    read = reader(torch.from_numpy(real.images)[:, None])
    assert agreement(read, torch.from_numpy(real.digits)) >= 0.97


def test_the_digit_reader_sees_strokes_only(reader, data):
    worlds = [
        reader(data.true_counterfactual(range(500), {"color": color, "bar": bar})["image"])
        for color in (0, 1)
        for bar in (0, 1)
    ]
    assert all(torch.equal(worlds[0], world) for world in worlds[1:])
    gray = torch.from_numpy(data.strokes[data.base])[:, None]
    assert torch.equal(worlds[0], reader(gray))


def test_agreement_is_the_share_of_hits():
    read = torch.tensor([1, 2, 3, 3])
    assert agreement(read, torch.tensor([1, 2, 3, 4])) == 0.75
    assert agreement(read, 3) == 0.5


def test_thickness_and_intensity_are_read_alike_off_bytes_and_floats():
    gray = (torch.from_numpy(digits("test", 28).images[:6]) * 255).round().to(torch.uint8)
    for images in (gray[:, None], gray[:, None].double() / 255):
        # float64 rounding of bytes over 255
        assert read_intensity(images).numpy() == pytest.approx(intensity(gray.numpy()), rel=1e-9)
        # float32 puts cells at exactly half of the range on either side
        assert read_thickness(images).numpy() == pytest.approx(thickness(gray.numpy()), abs=0.02)
    with pytest.raises(
        DataError, match=r"shape \(6, 3, 28, 28\); expected \(batch, 1, size, size\)"
    ):
        read_thickness(gray[:, None].expand(6, 3, 28, 28))


def test_scores_of_readings_count_hits_and_measure_distances():
    hits = hit_rate(torch.tensor([1, 2, 3, 3]), torch.tensor([1, 2, 3, 4]))
    assert (hits.value, hits.unit, hits.count) == (0.75, "share", 4)
    off = reading_error(torch.tensor([1.0, 4.0]), 3.0, "pixels")
    assert (off.value, off.unit, off.count) == (1.5, "pixels", 2)


@pytest.mark.skipif(not (FILES_AT / "mnist").is_dir(), reason="no MNIST in $CAUSALFLOW_DATA")
def test_at_28_pixels_the_reader_is_trained_on_mnist(monkeypatch):
    monkeypatch.setenv("CAUSALFLOW_DATA", str(FILES_AT))
    monkeypatch.setattr("causalflow.evaluation.readers._EPOCHS", 1)
    real = mnist("test")
    read = digit_reader(28)(torch.from_numpy(real.images)[:, None])
    # one epoch gives 0.954 (all six 0.978); the shares' standard error is 0.002
    assert agreement(read, torch.from_numpy(real.digits)) >= 0.94
