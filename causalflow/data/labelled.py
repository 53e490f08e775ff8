"""Labelled images: what the data sets of digits have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalflow.errors import DataError, one_of

__all__ = ["SPLITS", "LabelledImages", "check_split"]

SPLITS = ("train", "test", "validation")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledImages:
    """Gray images of digits.

    Attributes:
        images: shape (n, height, width), float32 in [0, 1] or uint8.
        digits: shape (n,), int64, 0..9.
    """

    images: NDArray[Any]
    digits: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.digits)

    @property
    def columns(self) -> Mapping[str, NDArray[Any]]:
        """The columns ``digit`` and ``image``, as `causalflow.data.frame.Frame.read` takes them."""
        return {"digit": self.digits, "image": self.images}


def check_split(split: str) -> None:
    """Refuse a split that is not train, test or validation.

    Raises:
        DataError: unknown split.
    """
    if split not in SPLITS:
        raise DataError(f"unknown split {split!r}; {one_of(split, SPLITS)}")
