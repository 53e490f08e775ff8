"""Laws of the image encoder and of adaptive group norm."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from causalflow.nn.encoder import Encoder, Modulation


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(2, 2), (16, 16), (28, 28)])
def test_rows_do_not_see_each_other(size: tuple[int, int]) -> None:
    with torch.random.fork_rng(devices=[]):  # norms of a few numbers magnify rounding: one net
        torch.manual_seed(0)
        encoder, x = Encoder(3, 8, 5), draw(3, 3, *size)
    apart = torch.cat([encoder(row[None]) for row in x])
    # 1e-5: float32 sums of order 1 in another order.
    torch.testing.assert_close(encoder(x), apart, rtol=1e-5, atol=1e-5)


def test_modulation_is_group_norm_scaled_and_shifted_by_the_embedding() -> None:
    modulation, h, embedding = Modulation(8, 6), draw(2, 8, 3, 3), draw(2, 6)
    modulation.affine.weight.data = draw(16, 6, seed=3)
    groups = h.reshape(2, 4, 18)
    centred = groups - groups.mean(dim=2, keepdim=True)
    norm = centred / (groups.var(dim=2, correction=0, keepdim=True) + 1e-5).sqrt()
    scale, shift = (embedding @ modulation.affine.weight.T).split(8, dim=1)
    expected = (1 + scale[..., None, None]) * norm.reshape(h.shape) + shift[..., None, None]
    # 1e-5: float32 moments of 18 numbers.
    torch.testing.assert_close(modulation(h, embedding), expected, rtol=1e-5, atol=1e-5)


def test_modulation_without_embedding_is_group_norm_with_learned_constants() -> None:
    modulation, h = Modulation(8, None), draw(2, 8, 3, 3)
    modulation.constants.data = draw(16, seed=3)
    scale, shift = modulation.constants.split(8)
    expected = torch.nn.functional.group_norm(h, 4, 1 + scale, shift)
    assert torch.equal(modulation(h, None), expected)


def test_the_time_moves_a_conditioned_code() -> None:
    encoder, x = Encoder(1, 8, 5, time_features=6), draw(2, 1, 8, 8)
    for norm in encoder.norms:
        torch.nn.init.ones_(norm.affine.weight)
    assert not torch.allclose(encoder(x, draw(2, 6)), encoder(x, draw(2, 6, seed=2)), atol=1e-3)


def test_the_gradient_is_in_the_precision_of_the_image() -> None:
    x = draw(2, 1, 8, 8).double().requires_grad_()
    (slope,) = torch.autograd.grad(Encoder(1, 8, 5)(x).sum(), x)
    assert slope.dtype == torch.float64
    assert slope.any()


def test_every_weight_takes_part() -> None:
    encoder = Encoder(1, 8, 5)
    encoder(draw(2, 1, 8, 8)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())
