"""ImageType: pictures, and the codes of those whose pixels are discrete.

A picture is real, floats in [0, 1] or uint8 0..255, or *discrete*: whole numbers 0..depth-1. A
discrete one is known by its *code* too: its pixels, in row-major order, are the digits of one
number in base ``depth``, the first pixel most significant.

Stored and shown: uint8 as given, else float32, shape (n, channel, height, width).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from causalflow.errors import CausalflowError, EvidenceError
from causalflow.values.column import Array, entries_of, is_tensor
from causalflow.values.real import RealType
from causalflow.values.variable import Look, NodeType

__all__ = ["ImageType", "codes_of", "image_of", "pixels_of"]

COLOURS = (1, 3, 4)
"""Channels that most pictures have."""
SLACK = 1e-3
"""How far a pixel may be outside [0, 1]: images of half precision end a little outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageType(NodeType):
    """Pictures of one shape.

    Attributes:
        shape: (channels, height, width).
        depth: the number of values of a discrete pixel; None: pixels are real.
    """

    shape: tuple[int, int, int]
    depth: int | None = None

    word: ClassVar[str] = "image"
    engine: ClassVar[str] = "causalflow.mechanisms.image.image_mechanism:ENGINE"
    look: ClassVar[Look] = Look(shape="card", fill="#fdebd6", line="#c26a1b")
    pictured: ClassVar[bool] = True

    @property
    def extent(self) -> tuple[float, float]:
        """What a discrete pixel can be; any number of a real one, as an equation may give it."""
        return (-math.inf, math.inf) if self.depth is None else (0.0, self.depth - 1.0)

    @property
    def integral(self) -> bool:
        """Whether pixels are discrete."""
        return self.depth is not None

    @property
    def predicate(self) -> str:
        """That it is an image."""
        return "an image"

    @property
    def caption(self) -> str:
        """The shape.

        Example:
            >>> ImageType(shape=(3, 28, 28)).caption
            '3 × 28 × 28'
        """
        return " × ".join(map(str, self.shape))

    @property
    def words(self) -> str:
        """The type and the shape."""
        return "image " + "x".join(map(str, self.shape))

    @property
    def note(self) -> str:
        """That channels come first, of a shape that looks as if they came last."""
        first, across, last = self.shape
        if not (last in COLOURS and first not in COLOURS and across not in COLOURS):
            return ""
        return (
            f"shape {[*self.shape]} is {first} channels of {across} x {last} pixels; channels come "
            f"first: a picture of {first} x {across} pixels is {[last, first, across]}"
        )

    def read(
        self, given: Any, *, where: str = "value", error: type[CausalflowError] = EvidenceError
    ) -> Array:
        """Checked pictures, shape (n, channel, height, width).

        Args:
            given: (n, channel, height, width), (n, height, width) if there is one channel, one
                picture, or codes.
            where: says in an error whose value it is, such as ``node 'x'``.
            error: the class of what is raised.

        Raises:
            CausalflowError: an error of class ``error``, for another shape, or pixels out of range.
        """
        array = self.shaped(given, where, error)
        self._check(array, where, error)
        return array

    def shaped(
        self, given: Any, where: str = "value", error: type[CausalflowError] = EvidenceError
    ) -> Array:
        """The same with any numbers as pixels: for pictures of which not all is seen."""
        array = _numbers(given, where, error)
        if self.depth is not None and array.ndim < 2:
            array = self._decoded(array, where, error)
        if array.dtype != np.uint8:
            array = array.astype(np.float32, copy=False)
        return self._with_channels(array, where, error)

    def show(self, stored: Any) -> Array:
        """The pictures themselves."""
        return np.asarray(stored)

    def _with_channels(self, array: Array, where: str, error: type[CausalflowError]) -> Array:
        channels, height, width = self.shape
        if array.ndim == 2 and channels == 1:
            array = array[None]
        if array.ndim == 3 and array.shape == self.shape:
            array = array[None]
        elif array.ndim == 3 and channels == 1:
            array = array[:, None]
        if array.ndim != 4 or array.shape[1:] != self.shape:
            expected = f"(n, {channels}, {height}, {width})"
            raise error(f"{where}: images of shape {array.shape}; expected {expected}")
        return array

    def _decoded(self, codes: Array, where: str, error: type[CausalflowError]) -> Array:
        """The pixels of images that are given by code."""
        assert self.depth is not None
        every, found = range(self.depth ** math.prod(self.shape)), codes.reshape(-1).tolist()
        for row, code in enumerate(found):
            if code not in every:
                place = f"{where}, row {row}" if codes.ndim else where
                expected = f"expected pixels, or their code, 0..{every[-1]}"
                raise error(f"{place}: no image is {code}; {expected}")
        return pixels_of(self, [int(code) for code in found])

    def _check(self, images: Array, where: str, error: type[CausalflowError]) -> None:
        if images.dtype == np.uint8 and self.depth is None:
            return
        flat = images.reshape(len(images), -1).astype(np.float32)
        if not np.isfinite(flat).all():
            row = int(np.argmax(~np.isfinite(flat).all(axis=1)))
            raise error(f"{where}, row {row}: the image has NaN or infinite pixels")
        slack, high = (SLACK, 1) if self.depth is None else (0.0, self.depth - 1)
        wrong = ((flat < -slack) | (flat > high + slack)).any(axis=1)
        if self.depth is not None:
            wrong |= (flat != flat.round()).any(axis=1)
        if wrong.any():
            row = int(np.argmax(wrong))
            real = "floats in [0, 1] or uint8 0..255"
            expected = real if self.depth is None else f"integers 0..{high}"
            given = f"{float(flat[row].min()):g} to {float(flat[row].max()):g}"
            raise error(f"{where}, row {row}: pixels from {given}; expected {expected}")


def _numbers(given: Any, where: str, error: type[CausalflowError]) -> Array:
    """Numbers as an array; None becomes NaN."""
    if isinstance(given, np.ndarray) and given.dtype.kind not in "OU":
        return given
    try:
        if is_tensor(given) or hasattr(given, "to_numpy"):
            given = entries_of(given).array
        listed = isinstance(given, Sequence) and not isinstance(given, str)
        if listed and any(is_tensor(each) or isinstance(each, np.ndarray) for each in given):
            given = np.stack([_one(each) for each in given])
        array = np.asarray(given)
        if array.dtype.kind not in "OU":
            return array
        if array.size and (is_tensor(array.flat[0]) or isinstance(array.flat[0], np.ndarray)):
            return np.stack([_one(each) for each in array.flat])
    except CausalflowError:
        raise
    except (TypeError, ValueError) as mistake:
        raise error(f"{where}: not numbers: {str(mistake).splitlines()[0]}") from None
    return RealType().read(array, where=where, error=error)


def _one(picture: Any) -> Array:
    return entries_of(picture).array if is_tensor(picture) else np.asarray(picture)


def image_of(kind: NodeType) -> ImageType | None:
    """The type itself where its values are pictures, else None."""
    return kind if isinstance(kind, ImageType) else None


def codes_of(name: str, image: ImageType, pixels: Any) -> Array:
    """The codes of images, shape (batch,): int64, or Python integers where they need more digits.

    Args:
        name: the node's name, for messages.
        image: its type; discrete.
        pixels: 0..depth-1; every image in the declared shape or as a list.

    Raises:
        EvidenceError: the pixels are not of that shape, or not among its levels.
    """
    array, levels, count = np.asarray(pixels), image.depth or 0, math.prod(image.shape)
    if array.size != len(array) * count:
        raise EvidenceError(f"image '{name}' has shape {array.shape[1:]}; expected {image.shape}")
    digits = array.reshape(len(array), count)
    whole = np.round(digits)
    wrong = ~(np.abs(digits - whole) <= 1e-4) | (whole < 0) | (whole >= levels)
    if wrong.any():
        row = int(np.argmax(wrong.any(axis=1)))
        where = f"row {row}: " if len(array) > 1 else ""
        given = f"has a pixel that is not among its {levels} levels"
        raise EvidenceError(f"{where}image '{name}' {given}")
    small = levels**count < 2**62
    powers = [levels**place for place in reversed(range(count))]
    kind: Any = np.int64 if small else object
    return np.asarray(whole.astype(np.int64).astype(kind) @ np.array(powers, dtype=kind))


def pixels_of(image: ImageType, codes: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The pixels of discrete images given by code: (batch, channel, height, width)."""
    assert image.depth is not None
    digits = np.empty((len(codes), math.prod(image.shape)), dtype=np.int64)
    left = np.array(list(codes), dtype=object)
    for pixel in reversed(range(digits.shape[1])):
        digits[:, pixel] = left % image.depth
        left = left // image.depth
    return digits.reshape(len(codes), *image.shape)
