"""Laws of the U-Net."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from causalflow.nn.unet import UNet


def shaken(seed: int = 0, blocks: int = 1) -> UNet:
    """A small net none of whose weights is zero."""
    net = UNet(2, 8, (1, 2, 2), blocks, 16)
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
    return net


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_it_starts_as_the_constant_zero() -> None:
    net = UNet(2, 8, (1, 2, 2), 1, 16)
    assert not net(draw(3, 2, 8, 8), draw(3, 16)).any()


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (8, 8), (10, 12)])
def test_any_size_is_mapped_to_the_same_size_row_by_row(size: tuple[int, int]) -> None:
    net, x, embedding = shaken(), draw(3, 2, *size), draw(3, 16)
    together = net(x, embedding)
    apart = torch.cat([net(x[i : i + 1], embedding[i : i + 1]) for i in range(3)])
    assert together.shape == x.shape
    # Rows do not see each other; 1e-4: float32 convolutions of order 1, summed in another order.
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-4)


def test_padding_is_what_the_net_would_see_as_zeros() -> None:
    net, x, embedding = shaken(), draw(2, 2, 7, 6), draw(2, 16)
    padded = torch.zeros(2, 2, 8, 8)
    padded[..., :7, :6] = x
    assert torch.equal(net(x, embedding), net(padded, embedding)[..., :7, :6])


def test_every_weight_takes_part() -> None:
    net = shaken(blocks=2)
    net(draw(2, 2, 8, 8), draw(2, 16)).square().sum().backward()
    assert all(parameter.grad.any() for parameter in net.parameters())
