"""The noise of an image: the same whether it is taken by part or as a mapping."""

import pytest
import torch

from causalflow.graph.node import Anticausal, Class, Continuous, Diffusion, Image, Neural
from causalflow.mechanisms.image.codec import ImageNoise
from causalflow.mechanisms.image.image_mechanism import ImageMechanism

ROWS = 3
COLOR = Class(levels=("g", "r"))
OPTIONS = {"width": 8, "multipliers": (1, 2), "predictor_width": 8, "steps": 2}
CASES = {
    "plain": (Neural(), None, {"code": 0}),
    "code and two offsets": (Neural(), None, {"solver": "edict"}),
    "guided": (Anticausal(), None, {}),
    "balanced": (Anticausal(), None, {"balance": "printed"}),
    "latent": (Neural(), 2, {}),
}


def mechanism(case):
    kind, length, options = CASES[case]
    node = Image(shape=(1, 8, 8), diffusion=Diffusion(**OPTIONS | options))
    parents = {"color": COLOR, "size": Continuous(representation=length)}
    kinds = {"color": kind, "size": Neural()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ImageMechanism("image", node, parents, kinds).eval()


def noises(case):
    made, draws = mechanism(case), torch.Generator().manual_seed(1)
    image = torch.rand(ROWS, 1, 8, 8, generator=draws) * 2 - 1
    size = torch.randn(ROWS, generator=draws, dtype=torch.float64)
    parents = {"color": torch.tensor([0, 1, 0]), "size": size}
    return made.draw_noise(ROWS, draws), made.abduct(image, parents, draws), parents, image


@pytest.mark.parametrize("case", CASES)
def test_a_noise_has_the_same_parts_and_names_drawn_or_abducted(case):
    drawn, abducted, parents, image = noises(case)
    assert list(drawn) == list(abducted)
    for noise in (drawn, abducted):
        again = ImageNoise.of(noise).tensors()
        assert list(again) == list(noise)
        assert all(again[name] is part for name, part in noise.items())
        assert {len(part) for part in noise.values()} == {ROWS}
    whole = ImageNoise.of(abducted)
    assert all(whole.reference[name].equal(value) for name, value in parents.items())
    assert (whole.code is not None) == (case in ("code and two offsets", "latent"))
    assert (whole.guided_residual is not None) == (case in ("guided", "balanced"))
    assert set(whole.latents) == ({"size"} if case == "latent" else set())
    assert (whole.image is not None and whole.image.equal(image)) == (case == "balanced")
