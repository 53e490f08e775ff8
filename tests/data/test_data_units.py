from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from causalflow.errors import DataError, EvidenceError
from causalflow.graph.node import Class, Continuous, Image
from causalflow.mechanisms.mechanism import to_engine, to_public

COLOR = Class(levels=("green", "red"))
DIGIT = Class(levels=tuple(range(10)))
THICKNESS = Continuous(support=(0.5, math.inf), unit="pixels")
PICTURE = Image(shape=(3, 2, 4))
GRAY = Image(shape=(1, 2, 4))
BITS = Image(shape=(1, 2, 2), levels=2)


@pytest.mark.parametrize("value", ["red", 1, "1", True, np.int64(1), torch.tensor(1)])
def test_one_value_has_no_batch_axis(value):
    engine = to_engine("color", COLOR.type, value)
    assert engine.shape == ()
    assert engine == 1


@pytest.mark.parametrize("node", [COLOR, DIGIT])
def test_class_values_survive_the_way_out_and_back(node):
    engine = torch.tensor([0, 1, -1, 1])
    assert torch.equal(to_engine("node", node.type, to_public(node.type, engine)), engine)


@pytest.mark.parametrize(
    ("node", "value", "message"),
    [
        (
            COLOR,
            "rde",
            "node 'color': unknown level 'rde'; expected one of ['green', 'red'] or an index 0..1; "
            "did you mean 'red'?",
        ),
        (
            COLOR,
            ["red", 2],
            "node 'color', row 1: unknown level 2; "
            "expected one of ['green', 'red'] or an index 0..1",
        ),
        (COLOR, [[0, 1], [1, 0]], "node 'color': expected one level a row, given list"),
        (
            DIGIT,
            "12",
            "node 'color': unknown level '12'; "
            "expected one of ['0', '1', '2', '3', '4', '5', '6', '7', "
            "'8', '9']",
        ),
        (
            THICKNESS,
            [0.5, 0.4],
            "node 'color', row 1: value 0.4 is outside its support; expected 0.5 <= value <= inf",
        ),
        (
            THICKNESS,
            math.inf,
            "node 'color': value inf; expected a finite number",
        ),
        (
            PICTURE,
            torch.zeros(5, 3, 4, 2),
            "node 'color': images of shape (5, 3, 4, 2); expected (n, 3, 2, 4)",
        ),
        (
            PICTURE,
            torch.zeros(5, 2, 4),
            "node 'color': images of shape (5, 2, 4); expected (n, 3, 2, 4)",
        ),
        (
            PICTURE,
            torch.full((1, 3, 2, 4), 255.0),
            "node 'color', row 0: pixels from 255 to 255; "
            "expected floats in [0, 1] or uint8 0..255",
        ),
        (
            BITS,
            [[[[0, 1], [1, 2]]]],
            "node 'color', row 0: pixels from 0 to 2; expected integers 0..1",
        ),
    ],
)
def test_an_impossible_value_is_a_one_line_error(node, value, message):
    with pytest.raises(EvidenceError) as caught:
        to_engine("color", node.type, value)
    assert str(caught.value) == message


def test_nan_pixels_name_their_row():
    images = torch.zeros(3, 3, 2, 4)
    images[2, 0, 0, 0] = math.nan
    with pytest.raises(DataError, match=r"^node 'x', row 2: the image has NaN or infinite pixels$"):
        to_engine("x", PICTURE.type, images, DataError)


@pytest.mark.parametrize("given", [[1.0, "thin"], pd.Series(["1", "thin"]), np.array([1, "thin"])])
def test_a_text_that_is_no_number_names_its_row(given):
    with pytest.raises(EvidenceError, match=r"^node 'x', row 1: not a number: 'thin'$"):
        to_engine("x", THICKNESS.type, given)


def test_numbers_may_be_given_as_text():
    values = to_engine("x", THICKNESS.type, ["2.5", "NA", "", "1e1"])
    assert values[[0, 3]].tolist() == [2.5, 10.0]
    assert values[1:3].isnan().all()
    nullable = pd.Series([2.5, None], dtype="Float64")
    assert to_engine("x", THICKNESS.type, nullable).isnan().tolist() == [False, True]


def test_continuous_values_keep_their_unit_and_their_gaps():
    values = to_engine("thickness", THICKNESS.type, [2.5, None, math.nan])
    assert values.dtype == torch.float64
    assert values[0] == 2.5
    assert values[1:].isnan().all()


def test_bytes_and_floats_of_one_picture_have_one_engine_value():
    pixels = torch.arange(24, dtype=torch.uint8).reshape(1, 3, 2, 4) * 11
    from_bytes, from_floats = (
        to_engine("x", PICTURE.type, v) for v in (pixels, pixels.double() / 255)
    )
    assert from_bytes.dtype == torch.float32
    assert from_bytes.min() == -1
    # one rounding of float32 each way
    assert torch.allclose(from_bytes, from_floats, atol=3e-7, rtol=0)
    assert torch.allclose(
        to_public(PICTURE.type, from_bytes) * 255, pixels.float(), atol=1e-4, rtol=0
    )


def test_public_images_stay_in_the_unit_interval():
    public = to_public(GRAY.type, torch.tensor([-1.2, -1, 0, 1, 1.5]).expand(1, 1, 2, 5))
    assert public[0, 0, 0].tolist() == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize("shape", [(2, 4), (1, 2, 4), (3, 2, 4), (3, 1, 2, 4)])
def test_gray_images_need_no_channel_axis(shape):
    pixels = np.arange(np.prod(shape), dtype=np.float64).reshape(shape) / 100
    engine = to_engine("x", GRAY.type, pixels)
    assert tuple(engine.shape[1:]) == (1, 2, 4)
    assert torch.allclose(engine.flatten(), 2 * torch.from_numpy(pixels.ravel()).float() - 1)


def test_discrete_images_are_given_by_code_too():
    node = Image(shape=(1, 1, 3), levels=3)
    pixels = torch.tensor([[[[0.0, 1.0, 2.0]]], [[[2.0, 0.0, 0.0]]]])
    assert torch.equal(to_engine("i", node.type, [5, 18]), pixels)
    assert torch.equal(to_engine("i", node.type, 18), pixels[1:])
    for code in (27, -1, 0.5, math.nan):
        with pytest.raises(EvidenceError, match=r"^node 'i': no image is .*their code, 0\.\.26$"):
            to_engine("i", node.type, code)


def test_discrete_images_keep_their_integers():
    bits = torch.tensor([[[[0, 1], [1, 0]]]])
    for given in (bits, bits.to(torch.uint8), bits.numpy(), bits.double()):
        engine = to_engine("i", BITS.type, given)
        assert engine.dtype == torch.float32
        assert torch.equal(engine, bits.float())
    assert torch.equal(to_public(BITS.type, bits.float()), bits.float())
