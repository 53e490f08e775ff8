"""CLD is what its definition says, by loops, and stays in its range."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from causalflow.data.sets.digits import digits
from causalflow.errors import DataError
from causalflow.evaluation.likeness import (
    FLOOR,
    NOTHING,
    Minimality,
    gaussian_divergence,
    latent_divergence,
)


@pytest.fixture(scope="module")
def real():
    held = digits("train", 8)
    return torch.from_numpy(held.images)[:300, None], torch.from_numpy(held.digits)[:300]


@pytest.fixture(scope="module")
def judge(real):
    return Minimality.fit(*real, epochs=3)


def _normal(mean, variance):
    return Independent(Normal(mean, variance.sqrt()), 1)


def test_the_divergence_is_that_of_torch():
    random = torch.Generator().manual_seed(0)
    mean, mean_2 = torch.randn(2, 50, 20, generator=random, dtype=torch.float64)
    variance, variance_2 = 0.1 + torch.rand(2, 50, 20, generator=random, dtype=torch.float64)
    expected = kl_divergence(_normal(mean, variance), _normal(mean_2, variance_2))
    found = gaussian_divergence(mean, variance, mean_2, variance_2)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)  # float64 sums of 20


def test_shares_are_those_of_a_loop_over_the_pictures(judge, real):
    images, classes = real
    random = torch.Generator().manual_seed(1)
    made = torch.rand(7, 1, 8, 8, generator=random)
    factual, target = classes[:7], (classes[:7] + 3) % 10
    nearer, further = judge.shares(made, images[:7], target, factual)
    for row in range(7):
        origin = judge.encoder(images[row : row + 1])
        limit = float(_kl(judge.encoder(made[row : row + 1]), origin))
        each = [float(_kl(judge.encoder(x[None]), origin)) for x in images]
        new = [d <= limit for d, k in zip(each, classes, strict=True) if k == target[row]]
        old = [d >= limit for d, k in zip(each, classes, strict=True) if k == factual[row]]
        assert float(nearer[row]) == pytest.approx(sum(new) / len(new))
        assert float(further[row]) == pytest.approx(sum(old) / len(old))
        loop = math.log(math.exp(sum(new) / len(new)) + math.exp(sum(old) / len(old)))
        found = judge(made[row : row + 1], images[row : row + 1], target[row:][:1], factual[row:])
        assert found.value == pytest.approx(loop)


def _kl(first, second):
    return kl_divergence(_normal(*first), _normal(*second))


def test_pictures_left_as_they_were_score_log_1_plus_e(judge, real):
    images, classes = real
    score = judge(images[:40], images[:40], (classes[:40] + 1) % 10, classes[:40])
    assert score.value == pytest.approx(NOTHING, rel=1e-12)
    assert (score.count, score.unit) == (40, "CLD")


def test_pictures_between_the_classes_score_below_those_left_or_thrown_away(judge, real):
    images, classes = real
    target = (classes[:40] + 1) % 10
    others = torch.stack([images[classes == k][0] for k in target])
    found = judge(others, images[:40], target, classes[:40])
    noise = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    thrown = judge(noise, images[:40], target, classes[:40])
    assert FLOOR < found.value < min(NOTHING, thrown.value)


def test_cld_has_the_range_of_its_two_shares():
    shares = torch.linspace(0, 1, 11, dtype=torch.float64)
    found = latent_divergence(shares[:, None], shares)
    assert float(found.min()) == pytest.approx(FLOOR)
    assert float(found.max()) == pytest.approx(1 + FLOOR)
    assert float(found[0, -1]) == pytest.approx(NOTHING)


def test_a_class_without_pictures_is_refused(judge, real):
    images, classes = real
    with pytest.raises(DataError, match="no picture of class 11"):
        judge(images[:2], images[:2], torch.tensor([1, 11]), classes[:2])
    with pytest.raises(DataError, match="300 images and 2 classes"):
        Minimality.fit(images, classes[:2])
