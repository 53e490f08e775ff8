from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from causalflow.data.bar_mnist import bar_mnist
from causalflow.data.digits import digits
from causalflow.data.mnist import mnist
from causalflow.metrics.effectiveness import agreement, digit_reader, read_bar, read_color

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


@pytest.mark.skipif(not (FILES_AT / "mnist").is_dir(), reason="no MNIST in $CAUSALFLOW_DATA")
def test_at_28_pixels_the_reader_is_trained_on_mnist(monkeypatch):
    monkeypatch.setenv("CAUSALFLOW_DATA", str(FILES_AT))
    monkeypatch.setattr("causalflow.metrics.effectiveness._EPOCHS", 1)
    real = mnist("test")
    read = digit_reader(28)(torch.from_numpy(real.images)[:, None])
    # one epoch gives 0.954 (all six 0.978); the shares' standard error is 0.002
    assert agreement(read, torch.from_numpy(real.digits)) >= 0.94
