"""The classifier of Diff-SCM's baselines: an adversarially trained ensemble.

Each member is a small convolutional network, fitted to real pictures and to the same after one step
of the fast gradient sign method.

Source: Schut et al. (2021), section 3; Goodfellow et al. (2015), Explaining and harnessing
adversarial examples.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.evaluation.networks import unit_images

SIGN_STEP = 0.1
CHUNK = 512


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ensemble:
    """Classifiers whose probabilities are averaged.

    Attributes:
        members: pictures in [0, 1] -> logits.
    """

    members: nn.ModuleList

    @classmethod
    def fit(
        cls,
        images: Tensor,
        labels: Tensor,
        *,
        levels: int = 10,
        members: int = 5,
        epochs: int = 2,
        batch_size: int = 128,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> Ensemble:
        """Train each member by its own seed, on pictures as they are and a sign step away.

        Args:
            images: uint8 or float in [0, 1], shape (n, channel, height, width).
            labels: shape (n,).
            levels: how many classes there are.
            members: how many classifiers.
            epochs: passes of each over the pictures.
            batch_size: pictures a step.
            seed: of the first member; the others follow.
            device: where to train and read.
        """
        networks = [_network(images.shape[1:], levels) for _ in range(members)]
        for index, network in enumerate(networks):
            random = torch.Generator().manual_seed(seed + index)
            _seed(network, random)
            _train(network.to(device), images, labels, epochs, batch_size, random)
        return cls(members=nn.ModuleList(networks).eval().requires_grad_(False))

    @property
    def device(self) -> torch.device:
        """Where the members are."""
        return next(self.members.parameters()).device

    def log_probabilities(self, images: Tensor) -> Tensor:
        """log p(k | x), shape (batch, levels), differentiable in x."""
        each = torch.stack([member(images).log_softmax(dim=1) for member in self.members])
        return each.logsumexp(dim=0) - torch.log(torch.tensor(float(len(each))))

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """The most probable class, shape (batch,), on the CPU."""
        parts = [self.log_probabilities(x.to(self.device)) for x in images.split(CHUNK)]
        return torch.cat(parts).argmax(dim=1).cpu()


def _train(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    epochs: int,
    batch_size: int,
    random: torch.Generator,
) -> None:
    device = next(network.parameters()).device
    adam = torch.optim.Adam(network.parameters())
    for _ in range(epochs):
        for rows in torch.randperm(len(images), generator=random).split(batch_size):
            x, y = unit_images(images[rows]).to(device).requires_grad_(), labels[rows].to(device)
            loss = functional.cross_entropy(network(x), y)
            (slope,) = torch.autograd.grad(loss, x, retain_graph=True)
            attacked = (x + SIGN_STEP * slope.sign()).clamp(0, 1).detach()
            adam.zero_grad(set_to_none=True)
            (loss + functional.cross_entropy(network(attacked), y)).backward()
            adam.step()


def _network(shape: torch.Size, levels: int) -> nn.Sequential:
    channels, height, width = shape
    quarter = -(-height // 4) * -(-width // 4)
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * quarter, 64),
        nn.ReLU(),
        nn.Linear(64, levels),
    )


def _seed(network: nn.Module, random: torch.Generator) -> None:
    for weight in network.parameters():
        if weight.ndim > 1:
            nn.init.kaiming_uniform_(weight, nonlinearity="relu", generator=random)
        else:
            nn.init.zeros_(weight)
