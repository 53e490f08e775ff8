"""Tasks: the paper's two interventions, and who judges the pictures.

    coloured   red digits 0 to 4; do(digit=5, color=red). In the graph the digit sets the color, so
               do(digit=5) alone asks for a green 5: the color must be set as well.
    masked     digits 0 to 4 on red; do(color=green).

Judges take no part in making pictures. *Shape* reads the brightest channel (coloured) or the
darkest (masked: strokes are white) of a picture, by the majority of the five nearest of MNIST's
55,000 training digits: no network and no gradient, so that what deceives the predictors that guide
does not deceive it for that reason. *Color* reads pixels in [0, 1]: a coloured picture is red if
red has at least 3/4 of all its ink; a masked one is green if, over the pixels whose darkest channel
is below 1/2, green exceeds red by 1/2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.papers.experiment import real_digits
from causalflow.data.sets.grouped_mnist import GROUP, GroupedMNIST, colored_mnist, masked_mnist
from causalflow.evaluation.axioms import pixel_errors

RED, GREEN = 0, 1
INK, EXCESS = 0.75, 0.5
FIVE = 5
NEIGHBOURS, CHUNK = 5, 100

Judge = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Pictures, and what they are to become.

    Attributes:
        images: in [0, 1], shape (n, 3, 28, 28).
        factual: digit and color, shape (n,) each.
        target: the same under the intervention.
        truth: the true pictures, where they are known.
    """

    images: Tensor
    factual: dict[str, Tensor]
    target: dict[str, Tensor]
    truth: Tensor | None

    def __len__(self) -> int:
        return len(self.images)

    def each(self, change: Callable[[Tensor], Tensor]) -> Rows:
        """The same rows, every tensor changed."""
        return Rows(
            images=change(self.images),
            factual={name: change(value) for name, value in self.factual.items()},
            target={name: change(value) for name, value in self.target.items()},
            truth=None if self.truth is None else change(self.truth),
        )

    def first(self, n: int) -> Rows:
        """The first n."""
        return self.each(lambda value: value[:n])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What the judges say of n pictures.

    Attributes:
        hit: whether the target is reached, shape (n,).
        kept: whether the attribute that is to stay has stayed, shape (n,).
        distance: to the factual picture, of every pixel in grey levels, shape (n, pixels).
        error: to the true picture, likewise; None where it is not known.
    """

    hit: Tensor
    kept: Tensor
    distance: Tensor
    error: Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One of the two interventions.

    Attributes:
        name: coloured or masked.
        net: of `benchmarks.nets`.
        asked: how it is written.
        hit: the name of what is to be reached.
        kept: the name of what is to stay.
        data: the data set.
    """

    name: str
    net: str
    asked: str
    hit: str
    kept: str
    data: Callable[..., GroupedMNIST]

    def rows(self, split: str, n: int) -> Rows:
        """The first n pictures of digits 0 to 4 of a split, with the training law's colors."""
        data = self.data(split, swapped=False)
        chosen = torch.from_numpy(data.labels["digit"] < GROUP).nonzero()[:n, 0]
        factual = {name: torch.from_numpy(v)[chosen] for name, v in data.labels.items()}
        images = data.images[chosen].float() / 255
        if self.name == "coloured":
            target = {**factual, "digit": torch.full_like(chosen, FIVE)}
            return Rows(images=images, factual=factual, target=target, truth=None)
        target = {**factual, "color": torch.full_like(chosen, GREEN)}
        truth = data.true_counterfactual(chosen, {"color": "green"})["image"]
        return Rows(images=images, factual=factual, target=target, truth=truth.float())

    def gray(self, images: Tensor) -> Tensor:
        """The strokes alone, white on black, shape (n, 1, height, width)."""
        if self.name == "coloured":
            return images.amax(dim=1, keepdim=True)
        return images.amin(dim=1, keepdim=True)

    def judged(self, images: Tensor, rows: Rows, shape: Judge) -> Outcome:
        """Pictures in [0, 1] of the first rows, judged."""
        images, rows = images.cpu().clamp(0, 1), rows.first(len(images))
        digit = shape(self.gray(images))
        if self.name == "coloured":
            hit, kept = digit == FIVE, ink_share(images, RED) >= INK
        else:
            hit, kept = green_ground(images) >= EXCESS, digit == rows.factual["digit"].cpu()
        error = None if rows.truth is None else pixel_errors(images, rows.truth)
        distance = pixel_errors(images, rows.images.cpu())
        return Outcome(hit=hit, kept=kept, distance=distance, error=error)


TASKS = (
    Task(
        name="coloured",
        net="colored_mnist",
        asked="red digits 0 to 4, do(digit=5, color=red)",
        hit="read as 5",
        kept="red kept",
        data=colored_mnist,
    ),
    Task(
        name="masked",
        net="masked_mnist",
        asked="digits 0 to 4 on red, do(color=green)",
        hit="ground green",
        kept="digit kept",
        data=masked_mnist,
    ),
)


def ink_share(images: Tensor, channel: int) -> Tensor:
    """The share of a channel in all the light of each picture, 0..1, shape (n,); 0 of black."""
    ink = images.sum(dim=(2, 3))
    return ink[:, channel] / ink.sum(dim=1).clamp_min(1e-6)


def green_ground(images: Tensor) -> Tensor:
    """The mean of green less red where the darkest channel is below 1/2, -1..1, shape (n,)."""
    ground = images.amin(dim=1) < 0.5
    excess = (images[:, GREEN] - images[:, RED]) * ground
    return excess.sum(dim=(1, 2)) / ground.sum(dim=(1, 2)).clamp_min(1)


def nearest_digits(device: str = "cpu") -> Judge:
    """The judge of shapes: gray pictures in [0, 1], (n, 1, height, width) -> digits, on the CPU."""
    images, digits = real_digits("train")
    known, digits = (images.flatten(1).float() / 255).to(device), digits.to(device)

    def read(pixels: Tensor) -> Tensor:
        distance = torch.cdist(pixels.to(known), known)
        nearest = distance.topk(NEIGHBOURS, largest=False).indices
        return functional.one_hot(digits[nearest], 10).sum(dim=1).argmax(dim=1).cpu()

    return lambda images: torch.cat([read(part) for part in images.flatten(1).split(CHUNK)])
