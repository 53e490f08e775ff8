"""Coloured and masked digits: the law of the colours, true pictures, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import causalflow as cf
from causalflow.data.sets.grouped_mnist import render_colored, render_masked
from causalflow.errors import DataError

SETS = {"colored": cf.data.colored_mnist, "masked": cf.data.masked_mnist}
RED, GREEN, BLUE = 0, 1, 2


def shown(name: str, images: torch.Tensor) -> torch.Tensor:
    """The colour that a picture shows, 0 red and 1 green, by its own pixels."""
    light = images.long().sum(dim=(2, 3))
    return (light[:, GREEN] > light[:, RED]).long()


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(("split", "swapped", "turned"), [
    ("train", None, False),
    ("validation", None, False),
    ("test", None, True),
    ("test", False, False),
    ("validation", True, True),
])  # fmt: skip
def test_the_digits_group_decides_the_color(
    name: str, split: str, swapped: bool | None, turned: bool
) -> None:
    data = SETS[name](split, 60, swapped=swapped, source="digits")
    late = data.labels["digit"] >= 5
    assert late.any()
    assert not late.all()
    assert np.array_equal(data.labels["color"], np.where(turned, ~late, late).astype(int))
    assert torch.equal(shown(name, data.images), torch.from_numpy(data.labels["color"]))


@pytest.mark.parametrize("name", SETS)
def test_the_graph_gives_the_training_law_and_the_size(name: str) -> None:
    data = SETS[name]("train", 30, source="digits")
    assert data.graph.nodes["image"].shape == (3, 16, 16)
    assert tuple(data.images.shape) == (30, 3, 16, 16)
    model = cf.compile(data.graph)
    colors = model.sample(10, do={"digit": np.arange(10)}, nodes=["color"])["color"]
    assert colors.tolist() == [0] * 5 + [1] * 5
    assert len(data.frame) == 30


def test_strokes_are_light_of_their_channel_or_white_on_their_ground() -> None:
    strokes = np.array([[[0, 200], [50, 255]]] * 2, dtype=np.uint8)
    color = np.array([0, 1])
    colored, masked = render_colored(strokes, color), render_masked(strokes, color)
    for row, own, other in ((0, RED, GREEN), (1, GREEN, RED)):
        assert np.array_equal(colored[row, own], strokes[row])
        assert not colored[row, [other, BLUE]].any()
        assert (masked[row, own] == 255).all()
        assert np.array_equal(masked[row, other], strokes[row])
        assert np.array_equal(masked[row, BLUE], strokes[row])


@pytest.mark.parametrize("name", SETS)
def test_the_true_picture_under_another_color_is_that_of_the_swapped_data(name: str) -> None:
    data = SETS[name]("validation", 20, source="digits")
    swapped = SETS[name]("validation", 20, swapped=True, source="digits")
    found = data.true_counterfactual(range(20), {"color": 1 - data.labels["color"]})
    assert torch.equal(found["image"], swapped.images / 255)
    assert found["digit"].tolist() == data.labels["digit"].tolist()
    assert found["color"].tolist() == swapped.labels["color"].tolist()
    named = data.true_counterfactual([3, 4], {"color": "red"})
    assert named["color"].tolist() == [0, 0]
    kept = data.true_counterfactual(range(20), {"color": data.labels["color"]})
    assert torch.equal(kept["image"], data.images / 255)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: cf.data.colored_mnist("dev", source="digits"), "unknown split 'dev'"),
    (lambda: cf.data.masked_mnist(n=0), "masked_mnist: n is 0; expected at least 1"),
    (lambda: cf.data.masked_mnist(source="digit"), "unknown source 'digit'.*'digits'"),
    (
        lambda: cf.data.colored_mnist(n=4, source="digits").true_counterfactual([0], {"digit": 5}),
        r"no true counterfactual under do\(digit\)",
    ),
])  # fmt: skip
def test_what_is_not_there_is_named(call, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()
