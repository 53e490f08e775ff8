"""Autoencoders: what judges learn real images with, and nothing of the model they judge.

    Autoencoder             x -> A(x), fitted to |x - A(x)|^2: near x where x is like its images
    VariationalAutoencoder  x -> N(m(x), diag s(x)^2), s a standard deviation, fitted to the
                            evidence lower bound E_q log p(x | z) - KL(N(m, s^2) || N(0, I)), with
                            pixels Bernoulli

Images are in [0, 1] or uint8, shape (batch, channel, height, width). The autoencoders are
convolutional, of two shapes: "all" keeps one channel at half of the size, "class" eight at a
quarter; all layers but the last of each half are rectified. The variational one has one hidden
layer of 400 each way and 20 latent numbers.

Sources: Van Looveren & Klaise (2021), Interpretable counterfactual explanations guided by
prototypes, and Schut et al. (2021), the two shapes; Kingma & Welling (2014), Auto-encoding
variational Bayes; Sanchez & Tsaftaris (2022), Diff-SCM, Figure 3: the 20 numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.errors import DataError, one_of
from causalflow.evaluation.networks import Steps, unit_images

__all__ = ["Autoencoder", "VariationalAutoencoder"]

CHUNK = 1024
HIDDEN, LATENT = 400, 20
EPOCHS = {"all": 4, "class": 30}
QUARTER = 4

Loss = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Autoencoder:
    """A fitted convolutional autoencoder.

    Attributes:
        encoder: images in [0, 1] -> maps, (batch, 1 or 8, height / 2 or 4, width / 2 or 4).
        decoder: maps -> images.
    """

    encoder: nn.Sequential
    decoder: nn.Sequential

    @classmethod
    def fit(
        cls,
        images: Tensor,
        *,
        kind: str = "all",
        epochs: int | None = None,
        batch_size: int = 128,
        seed: int = 0,
        device: str | torch.device = "cpu",
        progress: bool = False,
    ) -> Autoencoder:
        """Train on real images, by Adam's defaults.

        Args:
            images: uint8 or float in [0, 1], height and width multiples of 4.
            kind: "all" or "class", the shape.
            epochs: passes over the images; None: the sources' 4 ("all") or 30 ("class").
            batch_size: images a step.
            seed: the seed of the weights and the order.
            device: where to train and apply.
            progress: show a bar on standard error.

        Raises:
            DataError: an unknown kind, no images, or a size that does not halve twice.
        """
        if kind not in EPOCHS:
            raise DataError(f"autoencoder: kind={kind!r}; {one_of(kind, EPOCHS)}")
        _check(images, QUARTER)
        random = torch.Generator().manual_seed(seed)
        encoder, decoder = (_seeded(half, random) for half in _halves(kind, images.shape[1]))
        own = cls(encoder=encoder.to(device), decoder=decoder.to(device))

        def loss(x: Tensor) -> Tensor:
            return functional.mse_loss(decoder(encoder(x)), x)

        passes = EPOCHS[kind] if epochs is None else epochs
        both = nn.ModuleList([encoder, decoder])
        name = f"autoencoder ({kind})"
        _fit(both, loss, images, Steps(len(images), passes, batch_size, random, name, progress))
        return own

    def __call__(self, images: Tensor) -> Tensor:
        """A(x), shape and scale of the images in [0, 1], on the CPU."""
        return _apply(lambda x: self.decoder(self.encoder(x)), self.encoder, images)

    def encode(self, images: Tensor) -> Tensor:
        """The encoder's maps, on the CPU."""
        return _apply(self.encoder, self.encoder, images)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VariationalAutoencoder:
    """A fitted variational autoencoder.

    Attributes:
        encoder: flat images in [0, 1] -> (m, log s^2), (batch, 40).
        decoder: (batch, 20) -> logits of the pixels.
    """

    encoder: nn.Sequential
    decoder: nn.Sequential

    @classmethod
    def fit(
        cls,
        images: Tensor,
        *,
        epochs: int = 10,
        batch_size: int = 128,
        seed: int = 0,
        device: str | torch.device = "cpu",
        progress: bool = False,
    ) -> VariationalAutoencoder:
        """Train on real images, by Adam's defaults.

        Args:
            images: uint8 or float in [0, 1].
            epochs: passes over the images.
            batch_size: images a step.
            seed: the seed of the weights, the order and the latent draws.
            device: where to train and apply.
            progress: show a bar on standard error.

        Raises:
            DataError: no images.
        """
        _check(images, 1)
        random = torch.Generator().manual_seed(seed)
        pixels = math.prod(images.shape[1:])
        encoder, decoder = (
            _seeded(nn.Sequential(nn.Linear(a, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, b)), random)
            for a, b in ((pixels, 2 * LATENT), (LATENT, pixels))
        )
        own = cls(encoder=encoder.to(device), decoder=decoder.to(device))

        def loss(x: Tensor) -> Tensor:
            flat = x.flatten(1)
            mean, log_variance = encoder(flat).chunk(2, dim=1)
            noise = torch.randn(mean.shape, generator=random).to(mean)
            logits = decoder(mean + (log_variance / 2).exp() * noise)
            error = functional.binary_cross_entropy_with_logits(logits, flat, reduction="sum")
            divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum() / 2
            return (error + divergence) / len(x)

        both = nn.ModuleList([encoder, decoder])
        name = "variational autoencoder"
        _fit(both, loss, images, Steps(len(images), epochs, batch_size, random, name, progress))
        return own

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """m and s^2 of each image, float64, shape (batch, 20) each, on the CPU."""
        output = _apply(lambda x: self.encoder(x.flatten(1)), self.encoder, images).double()
        mean, log_variance = output.chunk(2, dim=1)
        return mean, log_variance.exp()


def _fit(network: nn.Module, loss: Loss, images: Tensor, steps: Steps) -> None:
    """Minimise the loss of batches; the network is left in evaluation mode."""
    device = next(network.parameters()).device
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    adam = torch.optim.Adam(network.parameters())
    steps.descend(lambda rows: loss(_unit(images[rows], device)), adam)
    network.eval().requires_grad_(False)


@torch.no_grad()
def _apply(function: Callable[[Tensor], Tensor], part: nn.Module, images: Tensor) -> Tensor:
    device = next(part.parameters()).device
    return torch.cat([function(_unit(c, device)).cpu() for c in images.split(CHUNK)])


def _halves(kind: str, channels: int) -> tuple[nn.Sequential, nn.Sequential]:
    pool, up = nn.MaxPool2d(2), nn.Upsample(scale_factor=2)
    if kind == "all":
        layers = [_conv(channels, 16), nn.ReLU(), _conv(16, 16), nn.ReLU(), pool, _conv(16, 1)]
        back = [_conv(1, 16), nn.ReLU(), up, _conv(16, 16), nn.ReLU(), _conv(16, channels)]
        return nn.Sequential(*layers), nn.Sequential(*back)
    layers = [_conv(channels, 16), nn.ReLU(), pool, _conv(16, 8), nn.ReLU(), pool, _conv(8, 8)]
    back = [_conv(8, 8), nn.ReLU(), up, _conv(8, 16), nn.ReLU(), up, _conv(16, channels)]
    return nn.Sequential(*layers), nn.Sequential(*back)


def _conv(given: int, made: int) -> nn.Conv2d:
    return nn.Conv2d(given, made, 3, padding=1)


def _seeded(network: nn.Sequential, random: torch.Generator) -> nn.Sequential:
    """The same layers with weights drawn from ``random``."""
    for weight in network.parameters():
        if weight.ndim > 1:
            nn.init.kaiming_uniform_(weight, nonlinearity="relu", generator=random)
        else:
            nn.init.zeros_(weight)
    return network


def _check(images: Tensor, multiple: int) -> None:
    shape = tuple(images.shape)
    if images.ndim != 4 or not len(images) or shape[2] % multiple or shape[3] % multiple:
        raise DataError(
            f"autoencoder: images of shape {shape}; expected (batch, channel, height, width), "
            f"not none, height and width multiples of {multiple}"
        )


def _unit(images: Tensor, device: torch.device) -> Tensor:
    """float32 in [0, 1]; channels last, in which these convolutions are twice as fast."""
    return unit_images(images).to(device).contiguous(memory_format=torch.channels_last)
