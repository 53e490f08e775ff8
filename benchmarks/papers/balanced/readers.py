"""Readers: a digit and a color read off noisy images, each blind to what shows the other.

Notation: y = (1 - tau) x + tau eps as in `causalflow.diffusion.path`, R, G, B its channels.

    shape   reads R + G and B: p(digit | y) is the same when red and green are exchanged, and its
            gradient never points from one of them to the other
    color   reads d = R - G at single pixels, h(d) = sum over pixels of sum_k a_k tanh(b_k d + c_k),
            a, b, c functions of tau: the logits are h(R - G) of red and h(G - R) of green, so that
            exchanging the channels exchanges the answers, and where a pixel is does not count

In the training data the color is a function of the digit, and a predictor is free to read either
off the other. That these two do not is the assumption that their makers put in place of data: *a
digit shows in R + G and B and alike in both colors, a color in R - G, wherever its pixels are*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.diffusion.path import TAU_MIN, interpolate
from causalflow.nn.embedding import TimeEmbedding
from causalflow.nn.encoder import Encoder

FEATURES = 64
UNITS = 8
WIDTH = 24
RATE = 2e-3


class ShapeReader(nn.Module):
    """p(digit | y, tau), of what is alike in red and green, by blocks of 2 by 2 pixels.

    The means of blocks hold half of the noise and hardly less of the digit, and their gradient has
    no fine pattern, which a classifier would take for a digit and nobody else.
    """

    def __init__(self, levels: int = 10) -> None:
        super().__init__()
        self.time = TimeEmbedding(FEATURES)
        self.encoder = Encoder(2, WIDTH, FEATURES, FEATURES)
        self.head = nn.Linear(FEATURES, levels)

    def forward(self, y: Tensor, tau: Tensor) -> Tensor:
        """The logits, shape (batch, levels), of y (batch, 3, height, width)."""
        both = (y[:, 0] + y[:, 1]) / 2**0.5
        seen = functional.avg_pool2d(torch.stack([both, y[:, 2]], dim=1), 2)
        return self.head(functional.silu(self.encoder(seen, self.time(tau))))


class ColorReader(nn.Module):
    """p(color | y, tau), of the differences between red and green at single pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.time = TimeEmbedding(3 * UNITS)

    def forward(self, y: Tensor, tau: Tensor) -> Tensor:
        """The logits of red and of green, shape (batch, 2)."""
        weight, slope, shift = self.time(tau)[:, :, None].chunk(3, dim=1)
        difference = ((y[:, :1] - y[:, 1:2]) / 2**0.5).flatten(2)

        def evidence(of: Tensor) -> Tensor:
            units = weight * torch.tanh(slope * of + shift)
            return units.sum(dim=(1, 2)) / of.shape[-1] ** 0.5

        return torch.stack([evidence(difference), evidence(-difference)], dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """Both, fitted.

    Attributes:
        digit: ``network(y, tau) -> logits`` of ten digits.
        color: ``network(y, tau) -> logits`` of red and green.
    """

    digit: ShapeReader
    color: ColorReader

    @property
    def networks(self) -> dict[str, nn.Module]:
        """By parent, as ``cf.compile(graph, predictors={"image": ...})`` takes them."""
        return {"digit": self.digit, "color": self.color}

    @property
    def state(self) -> dict[str, Tensor]:
        """All weights, by name."""
        return nn.ModuleDict(self.networks).state_dict()

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> Readers:
        """The readers that have these weights."""
        readers = cls(digit=ShapeReader(), color=ColorReader())
        both = nn.ModuleDict(readers.networks)
        both.load_state_dict(dict(state))
        both.requires_grad_(False).eval()
        return readers


def fit_readers(
    images: Tensor,
    labels: Mapping[str, Tensor],
    *,
    steps: int = 800,
    batch_size: int = 128,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Readers:
    """Train both on noisy images, tau uniform, as the engine trains its own predictors.

    Args:
        images: uint8, shape (n, 3, height, width); of the training law.
        labels: digit and color, shape (n,) each.
        steps: gradient steps.
        batch_size: images a step.
        seed: of the weights, the rows and the noise.
        device: where to train.
    """
    random = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        readers = Readers(digit=ShapeReader(), color=ColorReader())
    weights = [p for network in readers.networks.values() for p in network.to(device).parameters()]
    adam = torch.optim.AdamW(weights, lr=RATE)
    rate = torch.optim.lr_scheduler.OneCycleLR(adam, max_lr=RATE, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(images), (batch_size,), generator=random)
        tau = TAU_MIN + (1 - TAU_MIN) * torch.rand(batch_size, generator=random)
        clean = images[rows].float() / 127.5 - 1
        y = interpolate(clean, torch.randn(clean.shape, generator=random), tau)
        loss = _loss(readers, y.to(device), tau.to(device), {n: v[rows] for n, v in labels.items()})
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        rate.step()
    for network in readers.networks.values():
        network.requires_grad_(False).eval()
    return readers


def _loss(readers: Readers, y: Tensor, tau: Tensor, labels: Mapping[str, Tensor]) -> Tensor:
    """The sum of both cross-entropies, a scalar."""
    errors = [
        functional.cross_entropy(network(y, tau), labels[name].to(y.device))
        for name, network in readers.networks.items()
    ]
    return torch.stack(errors).sum()
