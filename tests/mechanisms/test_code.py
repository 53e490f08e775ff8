"""The semantic code: its divergence in closed form, and what it may and may not carry."""

from __future__ import annotations

import torch

from causalflow.graph.node import Class, Continuous, Diffusion, Image
from causalflow.mechanisms.image.semantic_code import SemanticCode

PARENTS = {"color": Class(levels=(0, 1)), "width": Continuous()}
ROWS = 6


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def code(shape=(2, 9, 7), length=3):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        image = Image(shape=shape, diffusion=Diffusion(predictor_width=4, code=length))
        made = SemanticCode(image, PARENTS)
    draws = generator(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=draws))
    return made


def factual():
    draws = generator(2)
    x = torch.rand(ROWS, 2, 9, 7, generator=draws) * 2 - 1
    color = torch.randint(2, (ROWS,), generator=draws)
    return x, {"color": color, "width": torch.randn(ROWS, generator=draws).double()}


def test_the_divergence_is_that_of_torch_distributions():
    made, (x, parents) = code(), factual()
    with torch.no_grad():
        mean, log_variance = made.moments(x, parents)
        q = torch.distributions.Normal(mean, (log_variance / 2).exp())
        p = torch.distributions.Normal(torch.zeros(()), torch.ones(()))
        expected = torch.distributions.kl_divergence(q, p).sum(dim=1)
        torch.testing.assert_close(made.kl(x, parents), expected, rtol=1e-5, atol=1e-5)
        assert (expected > 0.1).all()


def test_draws_in_training_have_the_moments_of_q():
    made, (x, parents) = code(), factual()
    n = 4_000
    one = {name: value[:1].expand(n) for name, value in parents.items()}
    with torch.no_grad():
        z, _ = made.sample(x[:1].expand(n, -1, -1, -1), one, generator(3))
        mean, log_variance = made.moments(x[:1], {name: v[:1] for name, v in parents.items()})
    spread = (log_variance / 2).exp()
    assert ((z.mean(dim=0) - mean[0]).abs() < 5 * spread[0] / n**0.5).all()
    assert ((z.std(dim=0) / spread[0] - 1).abs() < 5 / (2 * n) ** 0.5).all()


def test_the_encoder_hears_the_image_and_every_parent_and_takes_nulls():
    made, (x, parents) = code(), factual()
    with torch.no_grad():
        mean = made.mean(x, parents)
        for other in (
            made.mean(-x, parents),
            made.mean(x, {**parents, "color": 1 - parents["color"]}),
            made.mean(x, {**parents, "width": parents["width"] + 1}),
            made.mean(x, {**parents, "color": torch.full((ROWS,), -1)}),
            made.mean(x, {**parents, "width": torch.full((ROWS,), torch.nan)}),
        ):
            assert other.isfinite().all()
            assert ((other - mean).abs().amax(dim=1) > 1e-4).all()
