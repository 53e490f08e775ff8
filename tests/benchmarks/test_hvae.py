"""The hierarchical VAE keeps its laws: exact composition, a true bound, parents that act."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

import causalflow as cf
from benchmarks.scenes.hvae import HVAE, Context, levels_of
from benchmarks.scenes.hvae_network import (
    Network,
    NetworkOptions,
    discretised_nll,
    gaussian_kl,
)

SMALL = {"latent": 4, "widths": {8: 16, 4: 16, 1: 24}, "levels": {8: 1, 4: 1, 1: 1}}


def squares(n, seed=0):
    """Gray 8x8 pictures: ground of a row's own, left half lighter by `step`, right by `kind`."""
    random = torch.Generator().manual_seed(seed)
    ground = torch.randint(20, 100, (n, 1, 1, 1), generator=random)
    step = torch.randint(0, 100, (n,), generator=random).double()
    kind = torch.randint(0, 2, (n,), generator=random)
    images = ground.repeat(1, 1, 8, 8)
    images[..., :4] += step.long()[:, None, None, None]
    images[..., 4:] += 60 * kind[:, None, None, None]
    return images.to(torch.uint8), {"step": step, "kind": kind}


@pytest.fixture(scope="module")
def fitted():
    images, parents = squares(512)
    return HVAE.fit(images, parents, levels={"kind": 2}, steps=150, options=SMALL)


def test_divergence_is_that_of_torch():
    a, b, c, d = torch.randn(4, 100, generator=torch.Generator().manual_seed(0)).double()
    expected = kl_divergence(Normal(a, b.exp()), Normal(c, d.exp()))
    assert torch.allclose(gaussian_kl(a, b, c, d), expected, rtol=1e-9)


def test_masses_of_all_grey_levels_sum_to_one():
    levels = (2 * torch.arange(256) / 255 - 1).double()[:, None]
    mean = torch.tensor([-1.3, 0.0, 0.4], dtype=torch.float64)
    log_scale = torch.tensor([-3.0, 0.5, -5.0], dtype=torch.float64)
    mass = (-discretised_nll(levels, mean, log_scale)).exp().sum(dim=0)
    assert torch.allclose(mass, torch.ones(3, dtype=torch.float64), atol=1e-3)


def test_bound_is_below_the_evidence_and_tight_where_latents_do_nothing():
    # Weights of zero: the posterior is the prior, and every pixel is N(bias, exp(bias)^2).
    network = Network(NetworkOptions(shape=(1, 8, 8), parents=1, **SMALL)).double()
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
        network.pixels.bias.copy_(torch.tensor([0.2, -1.0]))
    x = (2 * torch.arange(64).double() / 255 - 1).reshape(1, 1, 8, 8)
    with torch.no_grad():
        nll, divergence = network.negative_elbo(
            x, torch.ones(1, 1).double(), torch.Generator().manual_seed(0)
        )
    law = Normal(torch.tensor(0.2).double(), math.exp(-1.0))
    mass = law.cdf(x + 1 / 255) - torch.where(x > -1, law.cdf(x - 1 / 255), 0.0)
    assert float(divergence) == pytest.approx(0, abs=1e-9)
    assert float(nll) == pytest.approx(float(-mass.log().sum()), rel=1e-9)


def test_null_intervention_gives_the_pictures_back(fitted):
    images, parents = squares(40, seed=1)
    for temperature in (0.0, 1.0):
        made = fitted.counterfactual(images, parents, {}, temperature=temperature)
        assert (made - images / 255).abs().max() < 1e-6


def test_a_counterfactual_keeps_the_noise_and_takes_the_new_parents(fitted):
    images, parents = squares(10, seed=2)
    new = {**parents, "step": torch.full((10,), 40.0)}
    x, network, random = 2 * (images / 255) - 1, fitted.network, torch.Generator().manual_seed(0)
    with torch.no_grad():
        z = network.infer(x, fitted.context(parents), 0.1, random).values
        mean, log_scale = network.decode(z, fitted.context(parents))
        mean_2, log_scale_2 = network.decode(z, fitted.context(new))
    noise = (x - mean) / log_scale.exp()
    expected = ((mean_2 + log_scale_2.exp() * noise).clamp(-1, 1) + 1) / 2
    made = fitted.counterfactual(images, parents, {"step": new["step"]}, seed=0)
    assert torch.allclose(made, expected, atol=1e-5)
    assert (made - images / 255).abs().max() > 0.01


def test_fitting_lowers_the_bound_of_new_pictures(fitted):
    # 5.55 nats a pixel is the uniform law of 256 levels, of which the pictures use a part.
    images, parents = squares(64, seed=4)
    assert fitted.bound(images, parents).mean() < 5.0
    assert fitted.log["steps"] == 150


def test_a_file_answers_as_what_was_written(fitted, tmp_path):
    images, parents = squares(8, seed=3)
    new = {"kind": 1 - parents["kind"]}
    fitted.save(tmp_path / "peer.safetensors")
    again = HVAE.load(tmp_path / "peer.safetensors")
    made = (each.counterfactual(images, parents, new, seed=5) for each in (fitted, again))
    assert torch.equal(*made)
    assert again.log == fitted.log


def test_the_same_seed_is_the_same_network():
    images, parents = squares(64)
    found = [
        HVAE.fit(images, parents, levels={"kind": 2}, steps=3, options=SMALL, seed=seed)
        for seed in (0, 0, 1)
    ]
    bounds = [each.bound(images, parents) for each in found]
    assert torch.equal(bounds[0], bounds[1])
    assert not torch.equal(bounds[0], bounds[2])


def test_parents_are_told_standardised_or_one_hot():
    context = Context.of({"a": torch.tensor([1.0, 3.0]), "b": torch.tensor([0, 1])}, {"b": 3})
    told = context({"a": torch.tensor([2.0]), "b": torch.tensor([2])})
    assert told.tolist() == [[0, 0, 0, 1]]
    graph = cf.Graph(
        nodes={
            "a": {"type": "continuous"},
            "b": {"type": "class", "levels": 3},
            "image": {"type": "image", "shape": [1, 8, 8]},
        },
        edges=["a -> image", "b -> image"],
    )
    assert levels_of(graph) == {"b": 3}


def test_rows_without_labels_and_no_budget_are_refused():
    images, parents = squares(4)
    with pytest.raises(cf.CausalflowError, match="unlabelled"):
        HVAE.fit(images, {"kind": torch.tensor([0, 1, -1, 1])}, levels={"kind": 2}, steps=1)
    with pytest.raises(cf.CausalflowError, match="seconds= or steps="):
        HVAE.fit(images, parents, levels={"kind": 2})
