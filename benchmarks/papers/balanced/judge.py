"""Judge of shapes: the digit of a picture by its nearest neighbours among MNIST's training digits.

No network and no gradient: what deceives the predictors that guide does not deceive it for that
reason. It reads the majority of the five nearest of the 55,000 digits, by distance of gray pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from causalflow.data.sets.digits import mnist

__all__ = ["NearestDigits", "nearest_digits"]

NEIGHBOURS = 5
CHUNK = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NearestDigits:
    """Digits that are known, and how many neighbours vote.

    Attributes:
        known: gray pixels in [0, 1], shape (m, pixels).
        digits: of these, shape (m,).
        neighbours: voters.
    """

    known: Tensor
    digits: Tensor
    neighbours: int = NEIGHBOURS

    def __call__(self, images: Tensor) -> Tensor:
        """The digit of gray pictures in [0, 1], (n, 1, height, width); shape (n,), on the CPU."""
        return torch.cat([self._read(part) for part in images.flatten(1).split(CHUNK)])

    def _read(self, pixels: Tensor) -> Tensor:
        distance = torch.cdist(pixels.to(self.known), self.known)
        nearest = distance.topk(self.neighbours, largest=False).indices
        votes = functional.one_hot(self.digits[nearest], 10).sum(dim=1)
        return votes.argmax(dim=1).cpu()


def nearest_digits(device: str = "cpu") -> NearestDigits:
    """The judge by MNIST's training split."""
    real = mnist("train")
    known = torch.from_numpy(real.images).flatten(1).float() / 255
    return NearestDigits(known=known.to(device), digits=torch.from_numpy(real.digits).to(device))
