"""Laws of autoencoders: shapes, halves, and the standardised latent."""

from __future__ import annotations

import pytest
import torch

from causalflow.graph.latent_options import Latent
from causalflow.nn.autoencoder import AUTOENCODERS, Autoencoder, ConvolutionalAutoencoder


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_latent_has_a_cell_for_every_block_of_pixels(factor, channels):
    made = AUTOENCODERS.get("convolutional")(channels, Latent(factor=factor, channels=5, width=4))
    assert isinstance(made, Autoencoder)
    assert not made.trained
    x = torch.randn(2, channels, 16, 24)
    z = made.encode(x)
    assert z.shape == (2, 5, 16 // factor, 24 // factor)
    assert made.decode(z).shape == x.shape


def test_all_weights_are_of_one_half():
    made = ConvolutionalAutoencoder(3, Latent(width=4))
    halves = [*made.encoder.parameters(), *made.decoder.parameters()]
    assert len(halves) == len([*made.parameters()])


def test_training_standardises_by_the_batch_and_an_answer_by_what_was_seen():
    torch.manual_seed(0)
    made = ConvolutionalAutoencoder(3, Latent(factor=4, channels=5, width=4)).train()
    x = 3 + 2 * torch.randn(32, 3, 16, 16)
    z = made.encode(x)
    assert z.mean(dim=(0, 2, 3)).abs().max() < 1e-4
    assert (z.var(dim=(0, 2, 3), correction=0) - 1).abs().max() < 1e-2
    made.eval()  # one batch was seen: its moments are the averages
    assert (made.encode(x) - z).abs().max() < 1e-4
    first = made.encode(x[:1])
    assert torch.allclose(first, made.encode(x)[:1], atol=1e-5)
    with torch.no_grad():
        made.train().encode(x + 9)
    assert torch.allclose(made.eval().encode(x[:1]), first)


def test_a_few_steps_bring_pictures_back():
    torch.manual_seed(0)
    made = ConvolutionalAutoencoder(1, Latent(factor=2, channels=4, width=8)).train()
    ramps = torch.linspace(-1, 1, 16).expand(1, 1, 16, 16)
    x = ramps * torch.linspace(-1, 1, 16)[:, None, None, None]
    steps = torch.optim.Adam(made.parameters(), lr=1e-2)
    for _ in range(80):
        loss = (made.decode(made.encode(x)) - x).abs().mean()
        steps.zero_grad()
        loss.backward()
        steps.step()
    assert loss < 0.1 < x.abs().mean()
