"""Morphology on strokes of known width, on real digits, and against published pictures."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from causalflow.data.sets.digits import digits, mnist
from causalflow.data.sets.morpho_mnist import published_images, published_labels
from causalflow.data.sets.morphology import (
    intensity,
    render_strokes,
    set_intensity,
    set_thickness,
    thickness,
)
from causalflow.errors import DataError

FILES_AT = Path(os.environ.get("CAUSALFLOW_DATA", "data")).resolve()
CELL = 1 / 8  # pixels: thickness is read on 8 cells a pixel


@pytest.fixture(scope="module")
def strokes():
    return (digits("test", 28).images[:24] * 255).round().astype(np.uint8)


def bar(width: int, size: int = 28) -> np.ndarray:
    """One image of a horizontal stroke so wide, far from the frame."""
    image = np.zeros((1, size, size), dtype=np.uint8)
    image[0, size // 2 - width // 2 : size // 2 - width // 2 + width, 4:-4] = 200
    return image


@pytest.mark.parametrize("width", [2, 3, 4, 6])
def test_the_thickness_of_a_bar_is_its_width(width):
    # its rounded ends are thinner, and as long as it is wide: of 20 pixels, a third at most of them
    ends = width / 20 * width / 3
    assert width - ends - CELL <= thickness(bar(width))[0] <= width + CELL


def test_thickness_is_in_pixels_of_the_28_pixel_frame_at_every_size():
    # 16 pixels for 28: a stroke of 2 is one of 3.5, read to a cell and its ends
    assert thickness(bar(2, 16))[0] == pytest.approx(3.5, abs=2 * CELL + 0.1)


def test_an_image_has_the_thickness_it_has_alone_up_to_the_ties_of_its_axis(strokes):
    together = thickness(strokes[:20])
    alone = np.array([thickness(strokes[row : row + 1])[0] for row in range(20)])
    # blots of 8x8 pixels branch more than pen strokes (.001): .014 on the mean, .09 at most
    assert np.abs(together - alone).mean() <= 0.03


def test_thickness_knows_no_grey_level(strokes):
    brighter = strokes[:8] * 0.4 + 30
    # float32 puts cells at exactly half of the range on either side
    assert thickness(brighter) == pytest.approx(thickness(strokes[:8]), abs=0.02)


def test_what_is_plain_has_no_strokes():
    plain = np.zeros((2, 28, 28), dtype=np.uint8)
    assert np.isnan(thickness(plain)).all()
    assert not set_thickness(plain, 3.0).any()
    assert not set_intensity(plain, 200.0).any()
    assert np.isnan(thickness(np.concatenate([bar(3), plain]))).tolist() == [False, True, True]
    assert thickness(plain[:0]).shape == (0,)


def ring(width: float) -> np.ndarray:
    """One image of a circle of radius 8 drawn so wide, its edge pixels gray."""
    x, y = np.mgrid[:28, :28] - 13.5
    return (255 * (width / 2 + 0.5 - abs(np.hypot(x, y) - 8)).clip(0, 1))[None]


@pytest.mark.parametrize("now", [2.0, 3.0])
@pytest.mark.parametrize("target", [1.5, 2.4, 3.1, 5.0])
def test_a_thickness_that_was_set_is_read_again(now, target):
    read = thickness(set_thickness(ring(now), target))[0]
    # the radius is rounded down to a sixteenth, 1/8 of width, towards the width now; the disk is
    # 1/16 to 1/8 wider each side, as published; pixels blur what is thinner than two of them by
    # another 1/8; reading is exact to half a cell each side
    towards = 1 if target > now else -1
    off = towards * (read - target)
    assert -1 / 4 - CELL / 2 <= off <= 1 / 4 + CELL / 2


def test_handwriting_set_to_a_thickness_is_read_a_little_thicker(strokes):
    # enlarged from 8x8 pixels, these are blots of 4.3 pixels whose corners round off: .18 thicker
    # on the mean of these; MNIST's by .10, on the published pictures below
    off = thickness(set_thickness(strokes, 2.5)) - 2.5
    assert 0 <= off.mean() <= 0.25


def test_thicker_is_drawn_around_thinner(strokes):
    thin, middle, thick = (set_thickness(strokes[:8], target) for target in (1.5, 2.5, 4.0))
    assert (thin <= middle).all()
    assert (middle <= thick).all()


def test_dilation_and_erosion_are_those_of_scipy_with_the_same_disk():
    from scipy import ndimage

    from causalflow.data.sets import morphology

    cells = np.zeros((448, 448), dtype=bool)
    cells[100:300, 200:240] = cells[180:220, 120:330] = True
    for radius in (1, 7):
        disk = np.fft.irfft2(morphology._disk(radius), (448, 448)) > 0.5
        disk = np.roll(disk, (radius, radius), (0, 1))[: 2 * radius + 1, : 2 * radius + 1]
        pixels = radius / 8 + 1e-9  # int(16 change / 2) = radius
        wide, narrow = (morphology._widen(cells, sign * pixels) for sign in (1, -1))
        assert np.array_equal(wide, ndimage.binary_dilation(cells, disk))
        assert np.array_equal(narrow, ndimage.binary_erosion(cells, disk))


@pytest.mark.parametrize("target", [70.0, 128.5, 250.0])
def test_an_intensity_that_was_set_is_read_again(strokes, target):
    # white strokes: no pixel but the overshoot of a few is above the median, none is clipped
    white = set_thickness(strokes, 3.0)
    assert intensity(set_intensity(white, target)) == pytest.approx(target, rel=1e-6)
    drawn = render_strokes(strokes, 3.0, target, thickness(strokes))
    # rounded down, so up to one below
    assert ((target - 1 <= intensity(drawn)) & (intensity(drawn) <= target)).all()


def test_intensity_is_the_median_of_the_upper_half():
    image = np.array([[[0, 40, 99, 100, 130, 200]]])
    assert intensity(image).tolist() == [130.0]


def test_images_that_are_not_square_are_refused():
    with pytest.raises(DataError, match=r"shape \(2, 28, 20\); expected \(n, size, size\)"):
        thickness(np.zeros((2, 28, 20)))
    with pytest.raises(DataError, match=r"shape \(28, 28\); expected \(n, size, size\)"):
        set_thickness(np.zeros((28, 28)), 3.0)


@pytest.mark.skipif(
    not (FILES_AT / "morphomnist").is_dir(), reason="no Morpho-MNIST in $CAUSALFLOW_DATA"
)
def test_the_renderer_draws_the_published_pictures(monkeypatch):
    monkeypatch.setenv("CAUSALFLOW_DATA", str(FILES_AT))
    rows = slice(0, 128)
    published, base = published_images()[rows], mnist("test").images[rows]
    labels = {name: values[rows] for name, values in published_labels("test").items()}
    drawn = render_strokes(base, labels["thickness"], labels["intensity"], thickness(base))
    error = np.abs(drawn.astype(float) - published).mean((1, 2))
    # .08 grey levels where the radius is the published one (3 of 4), 1 where it is one cell off
    assert np.median(error) <= 0.1
    assert error.mean() <= 0.4
    unchanged = np.abs(base.astype(float) - published).mean()
    assert error.mean() <= unchanged / 30
    # the measuring floor: pictures are drawn .10 pixels too thick, and rounded down
    off = thickness(published) - labels["thickness"]
    assert off.mean() == pytest.approx(0.10, abs=0.03)
    assert np.abs(off).mean() <= 0.15
    assert np.abs(intensity(published) - labels["intensity"]).mean() <= 0.6
