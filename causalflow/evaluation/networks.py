"""Networks that judge: a class or a number read off pictures, by who knows nothing of the model.

    ImageClassifier   p(class | picture), fitted by cross-entropy, pictures shifted by up to two
                      pixels; its last hidden layer, 128 numbers, is a feature space in which
                      distributions of pictures can be compared (`causalflow.evaluation.frechet`)
    ImageRegressor    a number, fitted by least squares on standardised values; pictures are not
                      shifted, as a position may be what is read

Both are one small convolutional network, fitted to real labelled pictures by its own seed, never to
pictures that a model made. Pictures of more than `LARGE` pixels a side have one of another shape:
two convolutions of stride 2 first, and batches of `LARGE_BATCH` at most; those of more than
`LARGEST` are averaged by area to that many, before they are learnt from and before they are read.
How well a judge reads held-out real pictures (a share in 0..1, or the mean distance in the
attribute's unit) is the ceiling of what it can confirm, and is to be reported with every number
that it gives.

Source: Monteiro et al. (2023), Measuring axiomatic soundness of counterfactual image models, for
pseudo-oracles: judges fitted to real images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.bar import tqdm
from causalflow.errors import DataError
from causalflow.evaluation.kept import kept_or_fitted

__all__ = [
    "LARGE",
    "LARGEST",
    "LEAST_SIZE",
    "ImageClassifier",
    "ImageRegressor",
    "Steps",
    "judge_network",
    "shrunk",
    "unit_images",
]

CHUNK = 1024
FEATURES = 128
LEAST_SIZE = 4
"""Pixels of a judged image's shorter side, at least: the network halves it twice."""
LARGE = 32
"""Pixels of a longer side above which a judge's first convolutions have stride 2."""
LARGEST = 64
"""Pixels of the longer side, at most, that a judge sees."""
LARGE_BATCH = 64
RECIPE = 1
"""Counts up when judges are fitted otherwise, so that none of before is taken for one of now."""
WORTH_KEEPING = 10_000
"""Pictures that a fit looks at, at least, for its weights to be kept in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageClassifier:
    """A fitted classifier of images.

    Attributes:
        network: images in [0, 1], (batch, channel, height, width) -> logits (batch, levels).
    """

    network: nn.Sequential

    @classmethod
    def fit(
        cls,
        images: Tensor,
        labels: Tensor,
        *,
        levels: int,
        epochs: int = 4,
        batch_size: int = 256,
        seed: int = 0,
        device: str | torch.device = "cpu",
        progress: bool = False,
    ) -> ImageClassifier:
        """Train on real images, shifted by up to two pixels.

        Args:
            images: uint8 or float in [0, 1], shape (n, channel, height, width).
            labels: 0..levels - 1, shape (n,).
            levels: how many classes there are.
            epochs: passes over the images.
            batch_size: images a step.
            seed: the seed of the weights, the order and the shifts.
            device: where to train and read.
            progress: show a bar on standard error.

        Raises:
            DataError: images and labels of different lengths.
        """
        if len(images) != len(labels):
            raise DataError(f"classifier: {len(images)} images and {len(labels)} labels")
        random, seen = torch.Generator().manual_seed(seed), shrunk(images, LARGEST)
        network = judge_network(seen.shape[1], levels, random, large=_is_large(seen)).to(device)

        def loss(rows: Tensor) -> Tensor:
            shifted = _shifted(unit_images(seen[rows]).to(device), random)
            return functional.cross_entropy(network(shifted), labels[rows].to(device))

        size = _batch(seen, batch_size)
        steps = Steps(len(images), epochs, size, random, "classifier", progress)
        return cls(network=_judge(network, loss, steps, seen, labels))

    def __call__(self, images: Tensor) -> Tensor:
        """The most probable class of each image, shape (batch,), on the CPU."""
        return self.probabilities(images).argmax(dim=1)

    def probabilities(self, images: Tensor) -> Tensor:
        """p(class | image), shape (batch, levels), on the CPU."""
        return _applied(self.network, images).softmax(dim=1)

    def features(self, images: Tensor) -> Tensor:
        """The last hidden layer, shape (batch, 128), on the CPU."""
        return _applied(self.network[:-1], images)


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
            seed: the seed of the weights and the order.
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
        random, seen = torch.Generator().manual_seed(seed), shrunk(images, LARGEST)
        network = judge_network(seen.shape[1], 1, random, large=_is_large(seen)).to(device)
        wanted = ((values.double() - centre) / spread).float()

        def loss(rows: Tensor) -> Tensor:
            read = network(unit_images(seen[rows]).to(device))[:, 0]
            return functional.mse_loss(read, wanted[rows].to(device))

        size = _batch(seen, batch_size)
        steps = Steps(len(images), epochs, size, random, "regressor", progress)
        judge = _judge(network, loss, steps, seen, wanted)
        return cls(network=judge, centre=centre, spread=spread)

    def __call__(self, images: Tensor) -> Tensor:
        """The number read off each image, float64, shape (batch,), on the CPU."""
        return self.centre + self.spread * _applied(self.network, images)[:, 0].double()

    def features(self, images: Tensor) -> Tensor:
        """The last hidden layer, shape (batch, 128), on the CPU."""
        return _applied(self.network[:-1], images)


@torch.no_grad()
def _applied(part: nn.Module, images: Tensor) -> Tensor:
    """Layers of a judge, applied to images where the judge is; on the CPU."""
    device = next(part.parameters()).device
    size = CHUNK // 4 if _is_large(images) else CHUNK
    chunks = (unit_images(shrunk(chunk, LARGEST)) for chunk in images.split(size))
    return torch.cat([part(chunk.to(device)).cpu() for chunk in chunks])


def _is_large(images: Tensor) -> bool:
    return max(images.shape[-2:]) > LARGE


def _batch(images: Tensor, size: int) -> int:
    return min(size, LARGE_BATCH) if _is_large(images) else size


@dataclass(frozen=True, slots=True)
class Steps:
    """Gradient steps over all rows, every epoch in another order.

    Attributes:
        rows: the number of rows of the data.
        epochs: the number of passes over them.
        batch_size: rows a step.
        random: draws the orders.
        name: what the bar calls the thing that is fitted.
        progress: show a bar on standard error.
    """

    rows: int
    epochs: int
    batch_size: int
    random: torch.Generator
    name: str
    progress: bool

    def __len__(self) -> int:
        return self.epochs * -(-self.rows // self.batch_size)

    def descend(
        self,
        loss: Callable[[Tensor], Tensor],
        optimizer: torch.optim.Optimizer,
        rate: torch.optim.lr_scheduler.LRScheduler | None = None,
    ) -> None:
        """Minimise ``loss``, a function of the numbers of a batch's rows."""
        with tqdm(total=len(self), unit="step", desc=self.name, disable=not self.progress) as bar:
            for _ in range(self.epochs):
                order = torch.randperm(self.rows, generator=self.random)
                for rows in order.split(self.batch_size):
                    optimizer.zero_grad(set_to_none=True)
                    loss(rows).backward()
                    optimizer.step()
                    if rate is not None:
                        rate.step()
                    bar.update()


def _judge(
    network: nn.Sequential, loss: Callable[[Tensor], Tensor], steps: Steps, *seen: Tensor
) -> nn.Sequential:
    """The network, fitted to what it has ``seen`` or so found in the cache, in evaluation mode."""

    def fit() -> None:
        adam = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
        rate = torch.optim.lr_scheduler.OneCycleLR(adam, max_lr=2e-3, total_steps=len(steps))
        steps.descend(loss, adam, rate)

    about = f"{RECIPE} {steps.name} {steps.epochs} {steps.batch_size}"
    kept_or_fitted(network, fit, about, seen, worth=steps.rows * steps.epochs >= WORTH_KEEPING)
    return network.eval()


def judge_network(
    channels: int, outputs: int, random: torch.Generator, *, large: bool = False
) -> nn.Sequential:
    """An untrained network: images in [0, 1], (batch, channel, height, width) -> (batch, outputs).

    Args:
        channels: the channels of the images, whose height and width are at least `LEAST_SIZE`.
        outputs: numbers an image.
        random: draws the weights.
        large: the shape for images of more than `LARGE` pixels a side.
    """
    cells = 4 if large else 2
    with torch.random.fork_rng(devices=[]):  # torch draws weights of its own, replaced below
        network = nn.Sequential(
            *(_halved(channels, 32, 5) if large else _block(channels, 32)),
            *(_halved(32, 48, 3) if large else ()),
            *_block(48 if large else 32, 64),
            nn.Conv2d(64, FEATURES, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(cells),
            nn.Flatten(),
            nn.Linear(cells**2 * FEATURES, FEATURES),
            nn.ReLU(),
            nn.Linear(FEATURES, outputs),
        )
    for weight in network.parameters():
        if weight.ndim > 1:
            nn.init.kaiming_uniform_(weight, generator=random)
        else:
            nn.init.zeros_(weight)
    return network


def _block(given: int, made: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(given, made, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(made, made, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


def _halved(given: int, made: int, side: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(given, made, side, stride=2, padding=side // 2), nn.ReLU()


def shrunk(images: Tensor, size: int) -> Tensor:
    """Images averaged by area so that their longer side has at most ``size`` pixels.

    Args:
        images: uint8 or float in [0, 1], shape (batch, channel, height, width).
        size: that side, in pixels; images that are no larger are given back as they are.
    """
    height, width = images.shape[-2:]
    if max(height, width) <= size:
        return images
    scale = size / max(height, width)
    shape = (max(1, round(scale * height)), max(1, round(scale * width)))
    parts = [functional.interpolate(unit_images(p), shape, mode="area") for p in images.split(256)]
    return torch.cat(parts)


def unit_images(images: Tensor) -> Tensor:
    """Float32 in [0, 1] of uint8 or floating images."""
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()


def _shifted(images: Tensor, random: torch.Generator) -> Tensor:
    """A batch moved by up to two pixels down and right, or up and left; black comes in."""
    down, right = (int(d) for d in torch.randint(0, 5, (2,), generator=random))
    height, width = images.shape[-2:]
    padded = functional.pad(images, (2, 2, 2, 2))
    return padded[..., down : down + height, right : right + width]
