"""Morpho-MNIST made of scikit-learn's digits, so that the truth is tested without MNIST."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import causalflow.data.arrays as cache
from causalflow.data.frame import Frame
from causalflow.data.sets.dataset import LabelledImages
from causalflow.data.sets.digits import digits, mnist
from causalflow.data.sets.morpho_mnist import morpho_mnist
from causalflow.data.sets.morphology import intensity, thickness
from causalflow.errors import DataError, EvidenceError

FILES_AT = Path(os.environ.get("CAUSALFLOW_DATA", "data")).resolve()
MODULE = sys.modules[
    "causalflow.data.sets.morpho_mnist"
]  # the attribute of that name is the function
N = 40


def small_mnist(split: str, source: str = "mnist") -> LabelledImages:
    real = digits(split, 28)
    return LabelledImages(images=(real.images * 255).round().astype(np.uint8), digits=real.digits)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULE, "mnist", small_mnist)
        patch.setenv("CAUSALFLOW_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield lambda **options: morpho_mnist(**{"split": "test", "n": N, "workers": 1, **options})


@pytest.fixture(scope="module")
def data(made):
    return made()


def as_bytes(images: torch.Tensor) -> torch.Tensor:
    return (images * 255).round().to(torch.uint8)


def test_without_an_intervention_the_counterfactual_is_the_factual(data):
    rows = torch.tensor([5, 0, 7])
    for do in ({}, {name: data.labels[name][rows] for name in ("thickness", "intensity")}):
        world = data.true_counterfactual(rows, do)
        assert torch.equal(as_bytes(world["image"]), data.images[rows])
        assert all(np.array_equal(world[name], data.labels[name][rows]) for name in data.labels)


def test_intensity_follows_thickness_by_its_equation_with_the_same_noise(data):
    world = data.true_counterfactual(range(N), {"thickness": 4.0})
    u = data.exogenous["u_intensity"]
    expected = 64 + 191 / (1 + np.exp(-(2 * (4.0 - 2.5) + 0.5 * u)))
    assert world["thickness"].eq(4.0).all()
    # float64 algebra
    assert world["intensity"].numpy() == pytest.approx(expected, rel=1e-12)
    pictures = as_bytes(world["image"]).numpy()[:, 0]
    # rounded down, which also moves a pixel across half of the range
    assert np.abs(intensity(pictures) - expected + 0.5).max() <= 1.01
    # the floor of setting and reading thickness of these digits: test_morphology.py
    assert abs(thickness(pictures).mean() - 4.0) <= 0.25


def test_do_intensity_leaves_thickness_and_where_the_strokes_are(data):
    world = data.true_counterfactual(range(N), {"intensity": 90.0})
    assert np.array_equal(world["thickness"], data.labels["thickness"])
    assert np.array_equal(world["digit"], data.labels["digit"])
    pictures = as_bytes(world["image"]).numpy()[:, 0]
    assert np.abs(intensity(pictures) - 89.5).max() <= 1.01
    drift = thickness(pictures) - thickness(data.images.numpy()[:, 0])
    # the same cells, reduced: grey levels rounded to one of 90 move edges, and ties of the blots'
    # axes (test_morphology.py: .014); .035 on these
    assert np.abs(drift).mean() <= 0.05


def test_both_may_be_set_one_value_a_row(data):
    t, i = np.linspace(1, 5, 8), np.linspace(80, 240, 8)
    world = data.true_counterfactual(range(8), {"thickness": t, "intensity": i})
    assert np.array_equal(world["thickness"], t)
    assert np.array_equal(world["intensity"], i)


def test_the_labels_follow_the_published_law(made, monkeypatch):
    blank = np.zeros((1000, 28, 28), dtype=np.uint8)
    monkeypatch.setattr(MODULE, "cached_array", lambda name, compute: blank)
    labels = made(split="train", n=1000).labels
    # the published file: mean 2.5032, sd .6318; 158.02, 48.38; correlation .908; within 5 standard
    # errors of 1,000 rows
    error = 5 / np.sqrt(1000)
    assert labels["thickness"].mean() == pytest.approx(2.5032, abs=error * 0.632)
    assert labels["intensity"].mean() == pytest.approx(158.02, abs=error * 48.4)
    correlation = np.corrcoef(labels["thickness"], labels["intensity"])[0, 1]
    assert correlation == pytest.approx(0.908, abs=error * (1 - 0.908**2))


def test_fewer_rows_are_the_first_of_more(made, data):
    few = made(n=20)
    assert torch.equal(few.images, data.images[:20])
    assert all(np.array_equal(few.labels[name], data.labels[name][:20]) for name in data.labels)


def test_pictures_are_drawn_once(made, data, monkeypatch):

    def again(*arrays, **options):
        raise AssertionError

    monkeypatch.setattr(MODULE, "by_pieces", again)
    assert torch.equal(made().images, data.images)


def test_the_rows_fit_the_modelling_graph_at_every_size(made, data):
    frame = data.frame
    assert len(frame) == len(data) == N
    assert torch.equal(frame.rows(torch.tensor([3]))["image"], data.images[3:4].float() / 127.5 - 1)
    small = made(size=16, n=10)
    assert small.graph.nodes["image"].shape == (1, 16, 16)
    assert small.frame.columns["image"].shape == (10, 1, 16, 16)
    # .41 on these ten; at 28 pixels .2: 16 pixels blur more
    assert np.abs(thickness(small.images.numpy()[:, 0]) - small.labels["thickness"]).mean() <= 0.6
    assert list(data.to_dataframe().columns) == ["digit", "thickness", "intensity"]


def test_hidden_labels_are_read_as_unlabelled(data):
    columns = data.with_labels(0.2, seed=3)
    kept = Frame.read(columns, data.graph).labels()
    seen = kept["digit"] >= 0
    assert int(seen.sum()) == N // 5
    assert torch.equal(~kept["thickness"].isnan(), seen)
    assert torch.equal(~kept["intensity"].isnan(), seen)
    assert np.array_equal(kept["digit"][seen], data.labels["digit"][seen.numpy()])
    assert columns["image"] is data.columns["image"]


@pytest.mark.parametrize(
    ("do", "error", "message"),
    [
        ({"digit": 3}, DataError, r"do\(digit\) has no true picture"),
        ({"image": 0}, DataError, r"no true counterfactual under do\(image\); expected one of"),
        ({"thickness": 0.2}, EvidenceError, r"node 'thickness': value 0.2 is outside"),
        ({"intensity": 300}, EvidenceError, r"node 'intensity': value 300 is outside"),
    ],
)
def test_an_intervention_without_a_true_picture_is_refused(data, do, error, message):
    with pytest.raises(error, match=f"^{message}"):
        data.true_counterfactual([0], do)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "val"}, "unknown split 'val'"),
        ({"source": "publish"}, "unknown 'publish'; .*did you mean 'published'"),
        ({"size": 32}, "size is 32; expected 8 to 28"),
        ({"n": 0}, "n is 0; expected 1 to 10,000 in split 'test'"),
        ({"n": 10_001}, "n is 10001; expected 1 to 10,000 in split 'test'"),
        ({"workers": 0, "seed": 77}, "workers is 0; expected at least 1"),
    ],
)
def test_an_impossible_data_set_is_refused(made, options, message):
    with pytest.raises(DataError, match=message):
        made(**options)


def test_published_files_are_not_fetched(made, monkeypatch, tmp_path):
    monkeypatch.setenv("CAUSALFLOW_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"t10k-morpho\.csv: no such file; set \$CAUSALFLOW_DATA"):
        made(source="published")


@pytest.mark.skipif(
    not (FILES_AT / "morphomnist").is_dir(), reason="no Morpho-MNIST in $CAUSALFLOW_DATA"
)
def test_the_published_rows_are_the_worlds_of_their_labels(monkeypatch, tmp_path):
    monkeypatch.setenv("CAUSALFLOW_DATA", str(FILES_AT))
    monkeypatch.setenv("CAUSALFLOW_CACHE", str(tmp_path))
    monkeypatch.setattr(MODULE, "mnist", mnist)
    data = morpho_mnist("test", n=32, source="published", workers=1)
    # the head of t10k-morpho.csv
    assert data.labels["thickness"][0] == pytest.approx(2.2673757, rel=1e-9)
    assert data.labels["intensity"][0] == pytest.approx(145.269, rel=1e-9)
    drawn = data.true_counterfactual(range(32), {})["image"] * 255
    # the renderer's own error: test_morphology.py
    assert float((drawn - data.images).abs().mean()) <= 0.5
    # the published noise is standard normal
    u = morpho_mnist("validation", n=1, source="published").exogenous["u_intensity"]
    assert np.abs(u).max() <= 6


def test_a_damaged_cache_file_is_made_again(monkeypatch, tmp_path):
    monkeypatch.setenv("CAUSALFLOW_CACHE", str(tmp_path))
    made = []

    def compute():
        made.append(1)
        return np.arange(3)

    assert cache.cached_array("a", compute).tolist() == [0, 1, 2]
    assert cache.cached_array("a", compute).tolist() == [0, 1, 2]
    assert len(made) == 1
    (tmp_path / "a.npz").write_bytes(b"cut off")
    assert cache.cached_array("a", compute).tolist() == [0, 1, 2]
    assert len(made) == 2
    assert cache.cached_array("a", list).tolist() == [0, 1, 2]
    assert os.listdir(tmp_path) == ["a.npz"]


def test_a_cache_that_cannot_be_written_is_a_one_line_error(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CAUSALFLOW_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"a\.npz: .*; set \$CAUSALFLOW_CACHE$"):
        cache.cached_array("a", lambda: np.arange(3))
    monkeypatch.delenv("CAUSALFLOW_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / ".cache" / "causalflow"
