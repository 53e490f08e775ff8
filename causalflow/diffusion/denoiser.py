"""Denoiser: the network of an image node, the velocity v(y, tau, pa) of the flow given the parents.

Notation as in `causalflow.diffusion.path`: x_0 the image in [-1, 1], eps standard normal of the
same shape, y_tau = (1 - tau) x_0 + tau eps, pa the parents' values. The network predicts the
velocity and is fitted to

    E |v(y_tau, tau, pa) - (eps - x_0)|^2,     tau = sigmoid(n) clipped to [TAU_MIN, TAU_MAX],

n standard normal, whose minimiser is v = E[eps - x_0 | y_tau, pa]. The logit-normal law of tau puts
the training where the problem is hard, between the two ends. The embeddings of tau and of the
parents are summed, pass an MLP with SiLU, and modulate every block of the `UNet`.

Sources: Liu et al. (2023), Flow Straight and Fast (the target); Esser et al. (2024), Scaling
Rectified Flow Transformers, section 3.1 (the logit-normal law).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.diffusion.path import TAU_MAX, TAU_MIN, interpolate
from causalflow.graph.schema import Diffusion, Node
from causalflow.nn.embedding import ParentEmbedding, TimeEmbedding
from causalflow.nn.unet import UNet

__all__ = ["Denoiser", "logit_normal"]


class Denoiser(nn.Module):
    """The velocity of an image given its parents.

    Args:
        channels: of the image.
        parents: type by name of each parent that conditions the network.
        options: of the image node; width, multipliers and blocks are used.
    """

    def __init__(self, channels: int, parents: Mapping[str, Node], options: Diffusion) -> None:
        super().__init__()
        features = 4 * options.width
        self.time = TimeEmbedding(features)
        self.parents = ParentEmbedding(parents, features)
        self.condition = nn.Sequential(nn.SiLU(), nn.Linear(features, features), nn.SiLU())
        self.network = UNet(channels, options.width, options.multipliers, options.blocks, features)

    def calibrate(self, values: Mapping[str, Tensor]) -> None:
        """Take location and scale of the continuous parents from ``values``."""
        self.parents.calibrate(values)

    def velocity(self, y: Tensor, tau: float | Tensor, parents: Mapping[str, Tensor]) -> Tensor:
        """v(y, tau, pa), in the shape and precision of y; the network keeps its own precision.

        Args:
            y: positions in flow coordinates, shape (batch, channel, height, width).
            tau: one time for all, or shape (batch,).
            parents: values by name, batch rows each.
        """
        tau = torch.as_tensor(tau, dtype=torch.float32, device=y.device).expand(len(y))
        embedding = self.condition(self.time(tau) + self.parents(parents, len(y)))
        return self.network(y.to(embedding.dtype), embedding).to(y.dtype)

    def loss(self, x: Tensor, parents: Mapping[str, Tensor], generator: torch.Generator) -> Tensor:
        """The mean over pixels of the squared error of v at a random tau and eps, shape (batch,).

        Args:
            x: images in [-1, 1], shape (batch, channel, height, width).
            parents: values by name, batch rows each.
            generator: of tau and eps.
        """
        tau = logit_normal(len(x), generator).to(x.device)
        noise = torch.randn(x.shape, generator=generator, device=generator.device).to(x)
        velocity = self.velocity(interpolate(x, noise, tau), tau, parents)
        error = functional.mse_loss(velocity.float(), noise - x, reduction="none")
        return error.flatten(1).mean(dim=1)


def logit_normal(n: int, generator: torch.Generator) -> Tensor:
    """Draw n times tau in [TAU_MIN, TAU_MAX], float32, on the generator's device."""
    draws = torch.randn(n, generator=generator, device=generator.device)
    return draws.sigmoid().clamp(TAU_MIN, TAU_MAX)
