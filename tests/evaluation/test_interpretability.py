"""IM1 and IM2 are their formulas, and tell the classes of pictures apart."""

import pytest
import torch

from causalflow.errors import DataError
from causalflow.evaluation.autoencoder import Autoencoder, VariationalAutoencoder
from causalflow.evaluation.likeness import EPSILON, Interpretability, im1, im2


def _stripes(n, upright, seed):
    """Noisy stripes, upright or lying: what an autoencoder of one kind cannot give of the other."""
    random = torch.Generator().manual_seed(seed)
    lines = torch.rand(n, 1, 1, 8, generator=random).expand(-1, -1, 8, -1)
    return lines if upright else lines.transpose(2, 3)


@pytest.fixture(scope="module")
def pictures():
    images = torch.cat([_stripes(200, False, 0), _stripes(200, True, 1)])
    return images, torch.arange(2).repeat_interleave(200)


@pytest.fixture(scope="module")
def judge(pictures):
    return Interpretability.fit(*pictures, epochs=(4, 20), batch_size=8)


def test_the_formulas_are_those_of_a_loop_over_pixels():
    random = torch.Generator().manual_seed(0)
    x, a, b = torch.rand(3, 4, 1, 5, 5, generator=random)
    for row in range(4):
        flat = [part[row].flatten().double().tolist() for part in (x, a, b)]
        near = sum((p - q) ** 2 for p, q in zip(flat[0], flat[1], strict=True))
        far = sum((p - q) ** 2 for p, q in zip(flat[0], flat[2], strict=True))
        apart = sum((p - q) ** 2 for p, q in zip(flat[1], flat[2], strict=True))
        assert float(im1(x, a, b)[row]) == pytest.approx(near / (far + EPSILON))
        assert float(im2(x, a, b)[row]) == pytest.approx(apart / (sum(flat[0]) + EPSILON))


def test_held_out_pictures_of_the_target_are_below_1_and_of_the_old_class_above(judge):
    lying, upright = _stripes(50, False, 2), _stripes(50, True, 3)
    old, new = torch.zeros(50).long(), torch.ones(50).long()
    reached, _ = judge(upright, new, old)
    left, _ = judge(lying, new, old)
    assert reached.interval[1] < 1 < left.interval[0]
    assert (reached.count, reached.unit) == (50, "IM1")


def test_im2_is_read_by_the_autoencoder_of_the_new_class(judge):
    images, new = _stripes(6, True, 4), torch.ones(6).long()
    expected = im2(images, judge.by_class[1](images), judge.of_all(images)).mean()
    for factual in (0, 1):
        found = judge(images, new, torch.full((6,), factual))[1]
        assert found.value == pytest.approx(float(expected))


def test_bytes_and_floats_of_one_picture_score_alike(judge):
    images = (_stripes(6, True, 5) * 255).round()
    classes = torch.ones(6).long()
    for first, second in zip(
        judge(images.byte(), classes, 1 - classes),
        judge(images / 255, classes, 1 - classes),
        strict=True,
    ):
        assert first.value == pytest.approx(second.value)


def test_autoencoders_repeat_themselves_and_learn(pictures):
    images = pictures[0][:200]
    first, second = (
        Autoencoder.fit(images, kind="class", epochs=20, batch_size=8) for _ in range(2)
    )
    held = _stripes(50, False, 6)
    assert torch.equal(first(held), second(held))
    assert (first(held) - held).square().mean() < (images.mean(0) - held).square().mean() / 2
    assert first.encode(held).shape == (50, 8, 2, 2)


def test_the_variational_autoencoder_gives_held_out_pictures_back_from_their_latents(pictures):
    images = pictures[0]
    first, second = (VariationalAutoencoder.fit(images, epochs=20, batch_size=8) for _ in range(2))
    held = torch.cat([_stripes(50, False, 6), _stripes(50, True, 7)])
    mean, variance = first(held)
    assert mean.shape == variance.shape == (100, 20)
    assert torch.equal(mean, second(held)[0])
    returned = first.decoder(mean.float()).sigmoid().view_as(held)
    # Of the mean picture's error half is left; had the latents told nothing, all of it would be.
    left = (returned - held).square().mean() / (images.mean(0) - held).square().mean()
    assert left < 0.7


def test_what_cannot_be_fitted_is_refused(judge, pictures):
    images, classes = pictures
    with pytest.raises(DataError, match=r"kind='both'; expected one of \['all', 'class'\]"):
        Autoencoder.fit(images, kind="both")
    with pytest.raises(DataError, match=r"shape \(1, 1, 6, 8\); expected .* multiples of 4"):
        Autoencoder.fit(torch.zeros(1, 1, 6, 8))
    with pytest.raises(DataError, match="400 images and 3 classes"):
        Interpretability.fit(images, classes[:3])
    with pytest.raises(DataError, match=r"no autoencoder of class 2; expected one of \['0', '1'\]"):
        judge(images[:2], torch.tensor([1, 2]), torch.tensor([0, 0]))
