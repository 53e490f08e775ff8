"""The package's networks in bfloat16: their gradients are those of float32, on maps of any size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from causalflow.graph.latent_options import Latent
from causalflow.nn.autoencoder import ConvolutionalAutoencoder
from causalflow.nn.backbone import OWN
from causalflow.nn.dit import DiT
from causalflow.nn.encoder import Encoder
from causalflow.nn.residual import ResidualNet
from causalflow.nn.unet import PatchUNet, UNet

BATCH, FEATURES = 6, 16
SIDES = [(1, 1), (1, 2), (2, 1), (3, 1), (2, 3), (5, 4), (8, 8), (9, 16)]


class Both(nn.Module):
    """There and back."""

    def __init__(self):
        super().__init__()
        self.autoencoder = ConvolutionalAutoencoder(3, Latent(factor=4, channels=5, width=8))

    def forward(self, x):
        return self.autoencoder.decode(self.autoencoder.encode(x))


def unet(channels):
    return UNet(channels, 8, (1, 2), 1, FEATURES, attention=(2,), heads=2)


NETWORKS = {
    "unet": lambda: unet(3),
    "patch unet": lambda: PatchUNet(3, 2, unet),
    "residual": lambda: ResidualNet(3, 16, 2, FEATURES),
    "dit": lambda: DiT(3, FEATURES, 2, 2, 2, 16),
    "encoder": lambda: Encoder(3, 8, 10),
    "autoencoder": Both,
}


def made(name):
    """Random weights throughout, in the layout of a fit."""
    draws = torch.Generator().manual_seed(0)
    network = NETWORKS[name]()
    for weight in network.parameters():
        noise = torch.randn(weight.shape, generator=draws) / max(1, weight[0].numel()) ** 0.5
        weight.data = noise + (weight.ndim == 1)
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return network


def gradient(network, x, embedding, half):
    network.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        out = network(x) if embedding is None else network(x, embedding)
    (out.float() * torch.linspace(-1, 2, out.numel()).reshape(out.shape)).sum().backward()
    every = [w.grad for w in network.parameters() if w.grad is not None]
    assert all(each.dtype == torch.float32 for each in every)
    return torch.cat([each.flatten() for each in every])


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_in_bfloat16_is_that_of_float32_but_for_rounding(name, sides):
    network, draws = made(name), torch.Generator().manual_seed(1)
    height, width = (4 * side for side in sides) if name == "autoencoder" else sides
    x = torch.randn(BATCH, 3, height, width, generator=draws)
    heard = isinstance(network, OWN)
    embedding = torch.randn(BATCH, FEATURES, generator=draws) if heard else None
    exact = gradient(network, x, embedding, half=False)
    for _ in range(3):  # what was not written differs by call
        rounded = gradient(network, x, embedding, half=True)
        assert (rounded - exact).norm() < 0.05 * exact.norm()


def test_one_column_is_halved_as_its_neighbours_would_be():
    network = NETWORKS["encoder"]()
    x = torch.randn(4, 3, 5, 1)
    wide = torch.cat([x, torch.zeros(4, 3, 5, 1)], dim=3)
    first = network.halvings[0]
    assert torch.allclose(first(x), first(wide), atol=1e-6)
    stored = nn.Conv2d(3, 8, 3, stride=2, padding=1)
    stored.load_state_dict(first.state_dict())
    assert torch.allclose(first(x), stored(x), atol=1e-6)
