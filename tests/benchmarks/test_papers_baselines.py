"""The baselines of Diff-SCM do what their papers' algorithms say, on scikit-learn's digits."""

import pytest
import torch

from benchmarks.papers.diff_scm.baselines import (
    PrototypeSearch,
    _Descent,
    nearest_to_prototypes,
    salient_pixels,
)
from benchmarks.papers.diff_scm.ensemble import Ensemble
from causalflow.data.sets.digits import digits
from causalflow.evaluation.autoencoder import Autoencoder


@pytest.fixture(scope="module")
def real():
    held = digits("train", 8)
    return torch.from_numpy(held.images)[:, None], torch.from_numpy(held.digits)


@pytest.fixture(scope="module")
def ensemble(real):
    return Ensemble.fit(*real, members=2, epochs=12, batch_size=32)


@pytest.fixture(scope="module")
def factual():
    held = digits("test", 8)
    images, labels = torch.from_numpy(held.images)[:20, None], torch.from_numpy(held.digits)[:20]
    return images, (labels + 1) % 10


def test_the_ensemble_averages_probabilities(ensemble, factual):
    each = torch.stack([member(factual[0]).softmax(1) for member in ensemble.members]).mean(0)
    found = ensemble.log_probabilities(factual[0])
    torch.testing.assert_close(found.exp(), each, rtol=1e-5, atol=1e-7)  # float32


def test_salient_pixels_reach_the_target_with_confidence_and_few_moves(ensemble, factual):
    images, target = factual
    found = salient_pixels(ensemble, images, target, confidence=0.9, moves=3, steps=200)
    likelihood = ensemble.log_probabilities(found.images).exp().gather(1, target[:, None])
    assert (likelihood >= 0.9).double().mean() >= 0.9
    change = (found.images - images).abs()
    assert float(change.max()) <= 3 * 0.2 + 1e-6  # three moves of a fifth, in float32
    assert float((change > 0).flatten(1).sum(1).double().mean()) < 32  # half of the pixels
    assert 0 <= float(found.images.min()) <= float(found.images.max()) <= 1
    assert found.gradients > 1


def test_a_picture_that_is_confident_already_is_left_alone(ensemble, real):
    images, labels = real[0][:50], real[1][:50]
    likelihood = ensemble.log_probabilities(images).exp().gather(1, labels[:, None])[:, 0]
    sure = likelihood > 0.9
    assert sure.sum() > 10
    found = salient_pixels(ensemble, images[sure], labels[sure], confidence=0.9)
    assert torch.equal(found.images, images[sure])
    assert found.gradients == 1


def test_prototypes_reach_the_target_near_the_factual_picture(ensemble, factual, real):
    images, target = factual
    autoencoder = Autoencoder.fit(real[0], epochs=3)
    search = PrototypeSearch(theta=10.0, gamma=10.0, steps=60)
    found = nearest_to_prototypes(ensemble, autoencoder, images, target, *real, search)
    assert (ensemble(found.images) == target).double().mean() >= 0.9
    others = torch.stack([real[0][real[1] == k][0] for k in target])
    moved, far = ((x - images).square().sum() for x in (found.images, others))
    assert moved < far / 2
    assert 0 <= float(found.images.min()) <= float(found.images.max()) <= 1
    assert found.gradients >= 60


def test_the_proximal_map_minimises_its_objective(ensemble, factual):
    image, point = torch.tensor([[[[0.4]]]]), torch.tensor([[[[0.75]]]])
    nothing = torch.zeros(1)
    descent = _Descent(ensemble, None, PrototypeSearch(), image, nothing, nothing, 1.0)
    grid = torch.linspace(0, 1, 10_001)
    for threshold in (0.0, 0.1, 0.5):
        objective = (grid - 0.75).square() / 2 + threshold * (grid - 0.4).abs()
        expected = float(grid[objective.argmin()])
        # the grid's spacing
        assert float(descent._shrunk(point, threshold)) == pytest.approx(expected, abs=1e-4)
