from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from causalflow.data.frame import Frame, hide_labels
from causalflow.data.sets.bar_mnist import bar_mnist, render
from causalflow.data.sets.digits import digits, mnist
from causalflow.errors import DataError, EvidenceError
from causalflow.formats.formats import load
from causalflow.shipped import graph_path

FILES_AT = Path(os.environ.get("CAUSALFLOW_DATA", "data")).resolve()
RED, GREEN, BLUE = 0, 1, 2


@pytest.fixture(scope="module", params=["frontdoor", "backdoor"])
def data(request):
    return bar_mnist(request.param, "test", n=400)


def test_the_channels_of_a_picture_say_its_color_and_bar(data):
    images, color, bar = data.images.numpy(), data.labels["color"], data.labels["bar"]
    strokes = data.strokes[data.base]
    assert np.array_equal(images[:, GREEN], strokes * (color == 0)[:, None, None])
    assert np.array_equal(images[:, RED], strokes * (color == 1)[:, None, None])
    assert np.array_equal(
        images[:, BLUE, :2], np.broadcast_to(255 * bar[:, None, None], (400, 2, 16))
    )
    assert not images[:, BLUE, 2:].any()


def test_every_row_shows_a_held_out_digit_of_its_class(data):
    real = digits("test")
    assert np.array_equal(real.digits[data.base], data.labels["digit"])
    assert np.array_equal(data.strokes, (real.images * 255).round())


def test_base_digits_are_drawn_uniformly_with_replacement():
    data = bar_mnist(n=20_000)
    threes = np.flatnonzero(digits("train").digits == 3)
    counts = np.bincount(data.base, minlength=1293)[threes]
    mean = counts.mean()
    # chi-square with len - 1 degrees of freedom, within 5 of its standard deviations
    freedom = len(threes) - 1
    assert abs(((counts - mean) ** 2 / mean).sum() - freedom) <= 5 * np.sqrt(2 * freedom)


def test_the_true_picture_under_do_color_swaps_the_stroke_channels(data):
    rows = np.arange(400)
    color = data.labels["color"]
    world = data.true_counterfactual(rows, do={"color": 1 - color, "bar": data.labels["bar"]})
    swapped = data.images[:, [GREEN, RED, BLUE]]
    assert torch.equal((world["image"] * 255).round().to(torch.uint8), swapped)
    assert np.array_equal(world["digit"], data.labels["digit"])


def test_do_bar_moves_the_bar_and_nothing_else(data):
    absent, present = (
        data.true_counterfactual(range(400), {"bar": level}) for level in ("absent", "present")
    )
    for name in ("digit", "color"):
        assert torch.equal(absent[name], present[name])
    assert torch.equal(absent["image"][:, :BLUE], present["image"][:, :BLUE])
    assert not absent["image"][:, BLUE].any()
    assert present["image"][:, BLUE, :2].eq(1).all()


def test_the_true_bar_under_do_color_replays_the_noise(data):
    u = data.exogenous
    for color in (0, 1):
        world = data.true_counterfactual(range(400), {"color": color})
        small = {"bar-mnist-frontdoor": u["u_digit"] < 3, "bar-mnist-backdoor": u["u_digit"] >= 5}[
            data.graph.name
        ]
        first, second = small ^ (u["flip_digit"] == 1), (color ^ u["flip_color"]) == 1
        assert np.array_equal(world["bar"], (first | second) & (u["keep"] == 1))
        assert (world["color"] == color).all()


def test_a_frame_holds_the_engine_values_of_the_data(data):
    frame = Frame.read(data, data.graph)
    rows = frame.rows(torch.tensor([1, 2]))
    assert torch.equal(rows["image"], data.images[1:3].float() / 127.5 - 1)
    assert np.array_equal(rows["bar"], data.labels["bar"][1:3])
    assert len(data.frame) == len(data) == 400
    labels = data.graph.subgraph(["digit", "color", "bar"])
    from_table = Frame.read(data.to_dataframe(), labels).labels()
    assert all(np.array_equal(from_table[name], data.labels[name]) for name in data.labels)


def test_the_table_of_labels_speaks_in_level_names(data):
    table = data.to_dataframe()
    assert set(table["color"]) == {"green", "red"}
    assert set(table["bar"]) == {"absent", "present"}
    assert table["digit"].dtype == np.int64


def test_the_modelling_graph_has_the_pictures_size():
    demo, graph = load(graph_path("digits_demo_frontdoor")), bar_mnist(n=1).graph
    assert (graph.edges, graph.bidirected) == (demo.edges, demo.bidirected)
    assert {**graph.nodes, "image": None} == {**demo.nodes, "image": None}
    assert graph.nodes["image"].shape == demo.nodes["image"].shape == (3, 16, 16)
    assert bar_mnist(n=1, size=20).graph.nodes["image"].shape == (3, 20, 20)
    large = bar_mnist(n=1, size=28, source="digits")
    assert large.graph == load(graph_path("bar_mnist_frontdoor"))


@pytest.mark.skipif(not (FILES_AT / "mnist").is_dir(), reason="no MNIST in $CAUSALFLOW_DATA")
def test_at_28_pixels_the_strokes_are_those_of_mnist(monkeypatch):
    monkeypatch.setenv("CAUSALFLOW_DATA", str(FILES_AT))
    data = bar_mnist("backdoor", "test", size=28, n=100)
    assert data.images.shape == (100, 3, 28, 28)
    assert data.graph == load(graph_path("bar_mnist_backdoor"))
    real = mnist("test")
    assert np.array_equal(data.images[:, :BLUE].amax(1), real.images[data.base])
    assert np.array_equal(real.digits[data.base], data.labels["digit"])
    # published: 4 of 28 rows
    assert np.array_equal(data.images[:, BLUE].sum((1, 2)), 255 * 4 * 28 * data.labels["bar"])


@pytest.mark.skipif(not (FILES_AT / "mnist").is_dir(), reason="no MNIST in $CAUSALFLOW_DATA")
def test_at_16_pixels_mnist_is_reduced_and_keeps_its_ink(monkeypatch):
    monkeypatch.setenv("CAUSALFLOW_DATA", str(FILES_AT))
    data = bar_mnist("backdoor", "validation", size=16, source="mnist", n=100)
    assert data.images.shape == (100, 3, 16, 16)
    assert data.graph.nodes["image"].shape == (3, 16, 16)
    real = mnist("validation")
    # a mean of pixels is kept but for rounding (.5 at most) and the frame, where nothing is drawn
    assert abs(data.strokes[:500].mean((1, 2)) - real.images[:500].mean((1, 2))).max() <= 1


def test_the_validation_rows_show_digits_of_their_own():
    held = bar_mnist("backdoor", "validation", n=200)
    real = digits("validation")
    assert np.array_equal(held.strokes, (real.images * 255).round())
    assert np.array_equal(real.digits[held.base], held.labels["digit"])


@pytest.mark.parametrize("strength", [0.99, 0.8])
def test_strong_confounding_ties_the_color_to_the_digit_but_not_under_do(strength):
    data = bar_mnist("backdoor", n=4000, confounding=strength)
    digit, color, bar = (data.labels[name] for name in ("digit", "color", "bar"))
    agree = ((digit >= 5) == (color == 1)).mean()
    # 5 standard errors of 4,000 rows
    assert agree == pytest.approx(strength, abs=5 * np.sqrt(strength * (1 - strength) / 4000))
    assert data.graph == bar_mnist("backdoor", n=1).graph
    world = data.true_counterfactual(range(4000), {"color": "red"})
    assert np.array_equal(world["digit"], digit)
    # P(bar | do(color = red)) = .4125 whatever the confounding
    assert world["bar"].double().mean() == pytest.approx(0.4125, abs=5 * 0.5 / np.sqrt(4000))
    assert np.array_equal(world["bar"][color == 1], bar[color == 1])


def test_hidden_labels_are_of_whole_rows_and_nested_in_the_share(data):
    few, many = (data.with_labels(share, seed=1) for share in (0.1, 0.5))
    seen = [columns["color"] >= 0 for columns in (few, many)]
    assert [mask.sum() for mask in seen] == [40, 200]
    assert not (seen[0] & ~seen[1]).any()
    for name in ("digit", "bar", "color"):
        assert np.array_equal(many[name] >= 0, seen[1])
        assert np.array_equal(many[name][seen[1]], data.labels[name][seen[1]])
    assert torch.equal(Frame.read(many, data.graph).columns["image"], data.images)
    only = hide_labels(data.columns, 0.25, names=["bar"])
    assert only["color"] is data.columns["color"]
    assert int((only["bar"] >= 0).sum()) == 100
    with pytest.raises(DataError, match=r"share is 1\.5; expected 0 to 1"):
        data.with_labels(1.5)
    with pytest.raises(DataError, match="no column of labels 'image'"):
        hide_labels(data.columns, 0.5, names=["image"])


def test_a_picture_is_made_of_its_parts():
    strokes = np.array([[[0] * 7] * 6 + [[9] * 7]], dtype=np.uint8)
    image = render(strokes, np.array([1]), np.array([1]))[0]
    assert image[RED].tolist() == strokes[0].tolist()
    assert not image[GREEN].any()
    assert image[BLUE].tolist() == [[255] * 7] + [[0] * 7] * 6


@pytest.mark.parametrize(
    ("do", "error", "message"),
    [
        ({"digit": 3}, DataError, r"do\(digit\) has no true picture"),
        (
            {"image": 0},
            DataError,
            r"no true counterfactual under do\(image\); expected one of \['color', 'bar'\]",
        ),
        ({"color": "blue"}, EvidenceError, "node 'color': unknown level 'blue'"),
    ],
)
def test_an_intervention_without_a_true_picture_is_refused(data, do, error, message):
    with pytest.raises(error, match=f"^{message}"):
        data.true_counterfactual([0], do)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "front-door"}, "unknown 'front-door'; .*did you mean 'frontdoor'"),
        ({"split": "val"}, "unknown split 'val'"),
        ({"source": "imagenet"}, "unknown 'imagenet'"),
        ({"source": "mnist", "size": 32}, "MNIST at size 32; expected 8 to 28"),
        (
            {"confounding": 0.99},
            "confounding 0.99 of kind 'frontdoor'; expected a probability, and kind 'backdoor'",
        ),
        ({"kind": "backdoor", "confounding": 1.2}, "confounding 1.2 of kind 'backdoor'"),
        ({"size": 0}, "digits of size 0"),
        ({"n": 0}, "n is 0; expected at least 1"),
    ],
)
def test_an_impossible_data_set_is_refused(options, message):
    with pytest.raises(DataError, match=message):
        bar_mnist(**options)
