"""Regressor: a judge that reads a number off images, and knows nothing of the model it judges.

    reading error = mean over images of |a(x) - a|, in the attribute's unit: 0 at best

with a(x) the output of a small convolutional network, fitted to real labelled images by least
squares on the standardised values. Images are not shifted in training, as a position may be what is
read. Its reading error on held-out real images is the floor of what it can tell, and is to be
reported with every number it gives.

Source: Monteiro et al. (2023), Measuring axiomatic soundness of counterfactual image models, for
pseudo-oracles: judges fitted to real images.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from causalflow.errors import DataError
from causalflow.metrics.classifier import judge_network, unit_images

__all__ = ["ImageRegressor"]

CHUNK = 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageRegressor:
    """A fitted reader of one number.

    Attributes:
        network: images in [0, 1], (batch, channel, height, width) -> (batch, 1), standardised.
        centre: the mean of the values it was fitted to.
        spread: their standard deviation.
    """

    network: nn.Sequential
    centre: float
    spread: float

    @classmethod
    def fit(
        cls,
        images: Tensor,
        values: Tensor,
        *,
        epochs: int = 8,
        batch_size: int = 256,
        seed: int = 0,
        device: str | torch.device = "cpu",
        progress: bool = False,
    ) -> ImageRegressor:
        """Train on real images.

        Args:
            images: uint8 or float in [0, 1], shape (n, channel, height, width).
            values: the attribute, in its own unit, shape (n,).
            epochs: passes over the images.
            batch_size: images a step.
            seed: of the weights and the order.
            device: where to train and read.
            progress: show a bar on standard error.

        Raises:
            DataError: images and values of different lengths, or values that do not vary.
        """
        if len(images) != len(values):
            raise DataError(f"regressor: {len(images)} images and {len(values)} values")
        centre, spread = float(values.double().mean()), float(values.double().std())
        if not spread > 0:
            raise DataError("regressor: the values do not vary; there is nothing to read")
        random = torch.Generator().manual_seed(seed)
        network = judge_network(images.shape[1], 1, random).to(device)
        wanted = ((values.double() - centre) / spread).float()
        steps = epochs * -(-len(images) // batch_size)
        adam = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
        rate = torch.optim.lr_scheduler.OneCycleLR(adam, max_lr=2e-3, total_steps=steps)
        with tqdm(total=steps, unit="step", desc="regressor", disable=not progress) as bar:
            for _ in range(epochs):
                for rows in torch.randperm(len(images), generator=random).split(batch_size):
                    read = network(unit_images(images[rows]).to(device))[:, 0]
                    loss = functional.mse_loss(read, wanted[rows].to(device))
                    adam.zero_grad(set_to_none=True)
                    loss.backward()
                    adam.step()
                    rate.step()
                    bar.update()
        return cls(network=network.eval(), centre=centre, spread=spread)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """The number read off each image, float64, shape (batch,), on the CPU."""
        device = next(self.network.parameters()).device
        parts = [self.network(unit_images(c).to(device))[:, 0].cpu() for c in images.split(CHUNK)]
        return self.centre + self.spread * torch.cat(parts).double()
