"""Augmentation and jitter: what each of them changes of a picture and its parents, and what not."""

from __future__ import annotations

import pytest
import torch

from causalflow.graph.node import Class, Continuous, Diffusion, Image, Neural
from causalflow.mechanisms.image.augmentation import augmented
from causalflow.mechanisms.image.image_mechanism import ImageMechanism

ROWS = 400
PARENTS = {"color": Class(levels=("g", "r")), "width": Continuous()}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(n=ROWS):
    return torch.rand(n, 2, 6, 8, generator=generator(1)) * 2 - 1


def seen(**options):
    return augmented(pictures(), Diffusion(**options), generator())


def test_by_itself_nothing_is_augmented_and_nothing_is_drawn():
    draws, image = generator(), pictures()
    assert augmented(image, Diffusion(), draws) is image
    assert torch.equal(draws.get_state(), generator().get_state())


def test_a_flip_mirrors_half_of_the_pictures_and_changes_nothing_else():
    got, image = seen(augment_flip=True), pictures()
    mirrored = (got == image.flip(-1)).flatten(1).all(dim=1)
    assert ((got == image).flatten(1).all(dim=1) ^ mirrored).all()
    assert abs(float(mirrored.double().mean()) - 0.5) < 5 * 0.5 / ROWS**0.5


def test_a_shift_moves_pictures_by_whole_pixels_and_repeats_the_edge():
    got, image = seen(augment_shift=2), pictures()
    found = set()
    for row in range(ROWS):
        fits = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if torch.equal(got[row], moved(image[row], down, right))
        ]
        assert len(fits) == 1
        found |= set(fits)
    assert len(found) == 25


def moved(picture, down, right):
    wide = torch.nn.functional.pad(picture[None], (2, 2, 2, 2), mode="replicate")[0]
    return wide[:, 2 - down : 8 - down, 2 - right : 10 - right]


def test_brightness_adds_one_number_to_a_picture():
    got, image = seen(augment_brightness=0.1), pictures()
    change = (got - image)[:, :, :, :]
    inner = got.abs() < 1
    lightest = torch.where(inner, change, -torch.inf).flatten(1).amax(dim=1)
    darkest = torch.where(inner, change, torch.inf).flatten(1).amin(dim=1)
    torch.testing.assert_close(lightest, darkest, rtol=0, atol=1e-6)
    assert lightest.abs().max() <= 0.2  # .1 of pixels in [0, 1]
    assert lightest.min() < -0.15 < 0.15 < lightest.max()
    assert got.abs().max() <= 1


def test_noise_has_the_deviation_that_is_said_at_most():
    image = torch.zeros(ROWS, 2, 6, 8)
    got = augmented(image, Diffusion(augment_noise=0.1), generator())
    spread = got.flatten(1).std(dim=1)
    # The mean of s uniform to .2 (of pixels in [-1, 1]) is .1.
    assert float(spread.mean()) == pytest.approx(0.1, abs=5 * 0.2 / 12**0.5 / ROWS**0.5)
    assert float(spread.max()) < 0.2 * 1.3  # a deviation estimated from 96 numbers


def test_a_row_without_a_picture_stays_one():
    image = pictures()
    image[3] = torch.nan
    every = {"augment_flip": True, "augment_shift": 1}
    every |= {"augment_noise": 0.1, "augment_brightness": 0.1}
    got = augmented(image, Diffusion(**every), generator())
    assert got[3].isnan().all()
    assert not got[:3].isnan().any()


def mechanism(**options):
    small = {"width": 4, "multipliers": (1,), "predictor_width": 4, "code": 0}
    node = Image(shape=(2, 6, 8), diffusion=Diffusion(**small | options))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ImageMechanism("image", node, PARENTS, dict.fromkeys(PARENTS, Neural()))


def rows():
    draws = generator(2)
    return {
        "image": pictures(),
        "color": torch.arange(ROWS) % 2,
        "width": 3 + 2 * torch.randn(ROWS, generator=draws, dtype=torch.float64),
    }


def test_a_fit_sees_the_augmented_pictures(monkeypatch):
    made, values, told = mechanism(augment_flip=True), rows(), []
    monkeypatch.setattr(
        type(made.denoiser), "loss", lambda self, x, *_, **__: told.append(x) or x.sum((1, 2, 3))
    )
    made.loss(values, generator())
    assert torch.equal(told[0], seen(augment_flip=True))


def test_jitter_moves_the_numbers_that_the_network_is_told_by_their_own_scale():
    made, values = mechanism(parent_jitter=0.1), rows()
    made.calibrate(values, generator())
    told = made.denoiser.parents.jittered(values, 0.1, generator())
    off = told["width"] - values["width"]
    scale = float(values["width"].std())
    assert float(off.std()) == pytest.approx(0.1 * scale, rel=5 / (2 * ROWS) ** 0.5)
    assert torch.equal(told["color"], values["color"])
    lacking = {**values, "width": torch.full_like(values["width"], torch.nan)}
    assert made.denoiser.parents.jittered(lacking, 0.1, generator())["width"].isnan().all()
    plain = mechanism()
    plain.load_state_dict(made.state_dict())
    with torch.no_grad():
        pairs = [each.loss(values, generator()).mean() for each in (made, plain)]
    assert float(pairs[0]) != float(pairs[1])
