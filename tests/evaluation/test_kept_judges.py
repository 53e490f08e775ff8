"""Judges are fitted once: the same pictures, labels and passes find the weights in the cache."""

import pytest
import torch
from torch import nn

from causalflow.evaluation.kept import kept_or_fitted
from causalflow.evaluation.networks import (
    LARGE,
    LARGEST,
    ImageRegressor,
    judge_network,
    shrunk,
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUSALFLOW_CACHE", str(tmp_path))
    return tmp_path / "judges"


def network():
    made = nn.Linear(2, 1)
    with torch.no_grad():
        made.weight.fill_(1.0)
        made.bias.zero_()
    return made


def fitted(seen, about="once", worth=True):
    """The weight, and whether it was fitted: a fit adds 1 to it."""
    own, calls = network(), []

    def fit():
        calls.append(1)
        with torch.no_grad():
            own.weight.add_(1.0)

    kept_or_fitted(own, fit, about, [seen], worth=worth)
    return own.weight[0, 0].item(), bool(calls)


def test_weights_are_kept_for_what_they_were_fitted_to(cache):
    seen = torch.zeros(3, dtype=torch.uint8)
    assert fitted(seen) == (2.0, True)
    assert fitted(seen) == (2.0, False)
    assert fitted(seen + 1) == (2.0, True)
    assert fitted(seen, about="twice") == (2.0, True)
    assert len(list(cache.iterdir())) == 3
    assert fitted(seen, worth=False) == (2.0, True)


def test_a_damaged_file_is_fitted_anew_and_a_cache_that_cannot_be_written_is_no_error(
    cache, monkeypatch
):
    seen = torch.zeros(3)
    fitted(seen)
    (file,) = cache.iterdir()
    file.write_bytes(b"no weights")
    assert fitted(seen) == (2.0, True)
    assert fitted(seen) == (2.0, False)
    monkeypatch.setenv("CAUSALFLOW_CACHE", str(file / "below"))
    assert fitted(seen) == (2.0, True)


def test_large_pictures_are_averaged_by_area_and_small_ones_left_alone():
    pictures = torch.arange(16.0).reshape(1, 1, 4, 4) / 16
    assert shrunk(pictures, 4) is pictures
    assert torch.equal(
        shrunk(pictures, 2)[0, 0], pictures[0, 0].unfold(0, 2, 2).unfold(1, 2, 2).mean((2, 3))
    )
    assert shrunk(torch.zeros(2, 3, 256, 128, dtype=torch.uint8), 64).shape == (2, 3, 64, 32)


@pytest.mark.parametrize("side", [28, LARGE + 16, LARGEST + 32])
def test_a_judge_reads_brightness_at_every_size(side):
    random = torch.Generator().manual_seed(0)
    values = torch.rand(64, generator=random)
    pictures = (255 * values).to(torch.uint8)[:, None, None, None].expand(-1, 3, side, side)
    judge = ImageRegressor.fit(pictures, values, epochs=20, batch_size=8)
    read = torch.stack([judge(pictures), values.double()])
    assert torch.corrcoef(read)[0, 1] > 0.9
    assert judge.features(pictures).shape == (64, 128)


def test_the_network_of_small_pictures_is_as_it_was():
    layers = judge_network(1, 2, torch.Generator().manual_seed(0))
    assert [tuple(weight.shape) for weight in layers.parameters() if weight.ndim > 1] == [
        (32, 1, 3, 3),
        (32, 32, 3, 3),
        (64, 32, 3, 3),
        (64, 64, 3, 3),
        (128, 64, 3, 3),
        (128, 512),
        (2, 128),
    ]
