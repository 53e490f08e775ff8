"""Representations: the places of labels, how latents move with them, and what alignment costs."""

from __future__ import annotations

import pytest
import torch

from causalflow.diffusion.denoiser import Denoiser
from causalflow.errors import DataError
from causalflow.graph.node import Class, Continuous, Diffusion, Image, Vector
from causalflow.mechanisms.image.representation import SPREAD, Representation

ROWS = 6


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def made(ramp=0, levels=3, length=4):
    """A class and a number, with random weights and calibrated places."""
    parents = {
        "kind": Class(levels=tuple(range(levels)), representation=length),
        "size": Continuous(representation=length),
    }
    options = Diffusion(predictor_width=4, alignment_ramp=ramp)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = Representation(Image(shape=(1, 8, 8), diffusion=options), parents)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(1)))
    found.calibrate(labels(200))
    return found


def labels(n=ROWS, seed=2):
    draws = generator(seed)
    size = 10 + 3 * torch.randn(n, generator=draws, dtype=torch.float64)
    return {"kind": torch.randint(3, (n,), generator=draws), "size": size}


def images(n=ROWS):
    return torch.rand(n, 1, 8, 8, generator=generator(3)) * 2 - 1


def unlabelled(n=ROWS):
    return {"kind": torch.full((n,), -1), "size": torch.full((n,), torch.nan).double()}


def placed(representation, given):
    """The places of labels, as latents drawn without spread are moved to them."""
    n = len(given["kind"])
    nothing = {name: torch.zeros(n, d) for name, d in representation.lengths.items()}
    return representation.moved(nothing, unlabelled(n), given)


@pytest.mark.parametrize(("levels", "length"), [(2, 1), (3, 1), (10, 1), (10, 2), (5, 16)])
def test_every_level_is_read_at_its_place(levels, length):
    representation = made(levels=levels, length=length)
    given = {"kind": torch.arange(levels), "size": torch.full((levels,), 10.0).double()}
    z = placed(representation, given)
    assert torch.equal(representation.labels(z)["kind"], given["kind"])
    assert float(torch.pdist(z["kind"]).min()) > SPREAD / 2  # still apart when they are crowded


def test_the_places_of_levels_are_orthogonal_where_the_length_allows():
    z = placed(made(levels=3, length=2), {"kind": torch.arange(3), "size": torch.zeros(3).double()})
    gram = z["kind"] @ z["kind"].T
    assert torch.allclose(torch.pdist(z["kind"]), torch.pdist(z["kind"])[0], atol=1e-6)
    assert torch.allclose(gram.sum(), torch.zeros(()), atol=1e-5)


def test_a_number_is_read_at_its_place_and_stays_within_what_was_seen():
    representation, seen = made(), labels(200)["size"]
    size = torch.linspace(float(seen.min()), float(seen.max()), 50).double()
    z = placed(representation, {"kind": torch.zeros(50, dtype=torch.int64), "size": size})
    torch.testing.assert_close(representation.labels(z)["size"], size, rtol=1e-6, atol=1e-5)
    beyond = {"size": z["size"] + 100, "kind": z["kind"]}
    assert (representation.labels(beyond)["size"] == seen.max()).all()


def test_latents_stay_bit_by_bit_where_the_label_does_and_come_back():
    representation, here, there = made(), labels(seed=4), labels(seed=5)
    z = representation.read(images())
    same = representation.moved(z, here, {name: value.clone() for name, value in here.items()})
    assert all(torch.equal(same[name], z[name]) for name in z)
    away = representation.moved(z, here, there)
    back = representation.moved(away, there, here)
    for name, value in z.items():
        torch.testing.assert_close(back[name], value, rtol=0, atol=1e-5)  # float32
    assert (away["size"] - z["size"]).abs().mean() > 0.1


def test_a_label_that_is_given_is_believed_and_the_rest_of_the_latent_kept():
    representation, given = made(), labels()
    z = representation.read(images())
    found = representation.believing(z, given)
    read = representation.labels(found)["size"]
    torch.testing.assert_close(read, given["size"], atol=1e-5, rtol=0)
    for name, value in found.items():
        told = placed(representation, representation.labels(z))[name]
        beside = z[name] - told, value - placed(representation, given)[name]
        torch.testing.assert_close(*beside, rtol=0, atol=1e-5)
    assert all(torch.equal(v, z[n]) for n, v in representation.believing(z, unlabelled()).items())
    assert all(torch.equal(v, z[n]) for n, v in representation.believing(z, {}).items())


def test_no_label_is_told_as_none():
    representation = made()
    z = representation.moved(representation.read(images()), labels(), unlabelled())
    assert all(value.isnan().all() for value in z.values())


def test_drawn_latents_have_the_prior_of_their_label():
    representation, n = made(), 4_000
    one = {name: value[:1].expand(n) for name, value in labels().items()}
    z = representation.moved(representation.draw(n, generator(6)), unlabelled(n), one)
    for name, place in placed(representation, one).items():
        scaled = (z[name] - place) / SPREAD
        assert scaled.mean(dim=0).abs().max() < 5 / n**0.5
        assert (scaled.std(dim=0) - 1).abs().max() < 5 / (2 * n) ** 0.5


def test_the_alignment_is_the_divergence_of_the_encoder_from_the_prior():
    representation, given, x = made(), labels(), images()
    _, cost = representation.sample(x, given, generator())
    mean, log_variance = representation.encoder.moments(x, {})
    prior = torch.cat(list(placed(representation, given).values()), dim=1)
    q = torch.distributions.Normal(mean, SPREAD * (log_variance / 2).exp())
    p = torch.distributions.Normal(prior, SPREAD)
    expected = torch.distributions.kl_divergence(q, p).sum(dim=1)
    torch.testing.assert_close(cost, expected, rtol=1e-4, atol=1e-4)


def test_a_missing_label_is_the_one_that_the_latents_tell():
    representation, x = made(), images()
    _, without = representation.sample(x, unlabelled(), generator())
    told = representation.labels(representation.read(x))
    _, given = representation.sample(x, told, generator())
    torch.testing.assert_close(without, given)
    _, other = representation.sample(x, labels(), generator())
    assert (other > without).all()


def test_the_weight_of_the_alignment_rises_over_the_steps_of_training():
    representation, given, x = made(ramp=4), labels(), images()
    representation.eval()
    whole = representation.sample(x, given, generator())[1].detach()
    representation.train()
    shares = [
        float((representation.sample(x, given, generator())[1].detach() / whole).mean())
        for _ in range(5)
    ]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1, 1])
    assert "steps" in representation.state_dict()  # a resumed fit goes on where it stopped


def test_a_representation_is_hidden_together_with_all_other_parents():
    parents = {"kind": Class(levels=(0, 1)), "size": Vector(length=2)}
    denoiser = Denoiser(1, parents, Diffusion(width=4, multipliers=(1,), null_rate=0.5))
    n = 400
    given = {"kind": torch.ones(n, dtype=torch.int64), "size": torch.ones(n, 2)}
    hidden = denoiser._hide(given, n, generator())
    gone = hidden["kind"] < 0
    assert torch.equal(gone, hidden["size"].isnan().any(dim=1))
    assert torch.equal(gone, hidden["size"].isnan().all(dim=1))
    assert abs(float(gone.float().mean()) - 0.5) < 5 * 0.5 / n**0.5


def test_a_node_without_any_label_cannot_be_aligned():
    with pytest.raises(DataError, match="node 'kind': no row has a label"):
        made().calibrate(unlabelled())
