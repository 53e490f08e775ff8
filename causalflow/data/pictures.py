"""Pictures: a column of images that are decoded when their rows are asked for.

A picture goes through four steps: its numbers are decoded (`causalflow.data.decoding`), brought to
the graph's size (`causalflow.data.resizing`), scaled so that black is 0 and white 1, and padded
with black. What 8 bits hold stays in 8 bits; deeper pictures are float32.

The *window* (low, high) says which numbers are black and white; what lies beyond is cut. Without
one a format's own ends count: 0 and 255, 0 and 65535, 0 and 1. Numbers that have no ends of their
own are refused without a window.

``workers`` threads decode the pictures of a batch side by side; whatever their number, a row is the
same bytes. Memory holds the pictures of the batch, and one more at its full size for each worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalflow.data.decoding import READ_MODES, Raw
from causalflow.data.resizing import placed, resized, rounded
from causalflow.errors import DataError

__all__ = ["Chosen", "Manner", "PictureSource", "Pictures", "ordered"]

Item = TypeVar("Item")
Found = TypeVar("Found")


class PictureSource(Protocol):
    """Where the pictures of a column are kept; read by several threads at a time."""

    def __len__(self) -> int:
        """How many there are."""

    def name(self, row: int) -> str:
        """A row's picture in messages."""

    def raw(self, row: int, channels: int | None, cut: str) -> Raw:
        """The numbers of a row's picture, of so many channels; of a volume the slice ``cut``.

        Raises:
            DataError: it cannot be read.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How pictures are read.

    Attributes:
        resize: the rule by which other sizes become the graph's (`causalflow.data.resizing`).
        window: the numbers that are black and white; None: each format's own.
        cut: the slice of volumes; "": they have only one.
        workers: threads that decode; 0: the thread that asks.
    """

    resize: str = "refuse"
    window: tuple[float, float] | None = None
    cut: str = ""
    workers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """A column of images.

    Attributes:
        source: where they are.
        shape: (channels, height, width) that every image gets; None: that of the first.
        manner: how they are read.

    ``pictures[indices]`` are the images of some rows, uint8 or, if one of them is deeper, float32
    in [0, 1], shape (batch, channels, height, width).
    """

    source: PictureSource
    shape: tuple[int, int, int] | None = None
    manner: Manner = field(default_factory=Manner)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, indices: Tensor | Sequence[int]) -> Tensor:
        wanted = [int(index) for index in indices]
        if not wanted:
            return torch.zeros((0, *(self.shape or (0, 0, 0))), dtype=torch.uint8)
        shape = self.shape or self.size(0)
        read = partial(self._read, shape=shape)
        images = list(ordered(read, wanted, self.manner.workers))
        if any(image.dtype != np.uint8 for image in images):
            images = [_in_unit(image) for image in images]
        return torch.from_numpy(np.stack(images))

    def of_shape(self, shape: tuple[int, int, int]) -> Pictures:
        """The same pictures, each brought to ``shape`` when read; gray fills colour channels.

        Raises:
            DataError: images of so many channels cannot come from files.
        """
        if shape[0] not in READ_MODES:
            raise DataError(
                f"image files have 1 to 4 channels; the graph asks for {shape[0]}: a shape is "
                f"[channels, height, width], given {list(shape)}"
            )
        return replace(self, shape=shape)

    def size(self, row: int) -> tuple[int, int, int]:
        """The shape of a row's picture before it is resized."""
        height, width, channels = self.source.raw(row, None, self.manner.cut).values.shape
        return channels, height, width

    def raw(self, row: int) -> Raw:
        """The numbers of a row's picture, in the channels of the shape."""
        channels = self.shape[0] if self.shape else None
        return self.source.raw(row, channels, self.manner.cut)

    def fitted(self, row: int, raw: Raw, shape: tuple[int, int, int]) -> NDArray[Any]:
        """A picture in the shape: uint8, or float32 in [0, 1], shape (channels, height, width)."""
        name, size = self.source.name(row), shape[1:]
        if raw.values.shape[:2] == size:
            return _channels_first(_scaled(raw, self.manner.window, name))
        if self.manner.resize == "refuse":
            given = "x".join(map(str, raw.values.shape[:2]))
            raise DataError(
                f"{name}: image of height x width {given}; expected {size[0]}x{size[1]}, or a rule "
                "by which it is resized: resize=cover, contain or stretch"
            )
        place = placed(self.manner.resize, raw.values.shape[:2], size)
        values = resized(raw.values, place)
        small = replace(raw, values=rounded(values) if raw.values.dtype == np.uint8 else values)
        scaled = _scaled(small, self.manner.window, name)
        top, left = place.corner
        whole = np.zeros((*size, scaled.shape[2]), scaled.dtype)
        whole[top : top + place.size[0], left : left + place.size[1]] = scaled
        return _channels_first(whole)

    def _read(self, row: int, shape: tuple[int, int, int]) -> NDArray[Any]:
        return self.fitted(row, self.source.raw(row, shape[0], self.manner.cut), shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Some rows of a source.

    Attributes:
        source: all of them.
        rows: which, in order.
    """

    source: PictureSource
    rows: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, row: int) -> str:
        """A row's picture in messages."""
        return self.source.name(self.rows[row])

    def raw(self, row: int, channels: int | None, cut: str) -> Raw:
        """The numbers of a row's picture."""
        return self.source.raw(self.rows[row], channels, cut)


def ordered(
    function: Callable[[Item], Found], items: Sequence[Item], workers: int
) -> Iterator[Found]:
    """The function of every item, in order; by threads, which are never far ahead.

    Example:
        >>> list(ordered(str, [1, 2, 3], workers=2))
        ['1', '2', '3']
    """
    if not workers:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        left = iter(items)
        waiting = [pool.submit(function, item) for item in islice(left, 4 * workers)]
        while waiting:
            found = waiting.pop(0).result()
            waiting.extend(pool.submit(function, item) for item in islice(left, 1))
            yield found


def _in_unit(image: NDArray[Any]) -> NDArray[Any]:
    """A picture in [0, 1]."""
    return image.astype(np.float32) / 255 if image.dtype == np.uint8 else image


def _channels_first(values: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))


def _scaled(raw: Raw, window: tuple[float, float] | None, name: str) -> NDArray[Any]:
    """Black 0 and white 1, float32; of 8 bits without a window 0 and 255, uint8."""
    if window is None and raw.values.dtype == np.uint8:
        return 255 - raw.values if raw.inverted else raw.values
    ends = window or raw.ends
    lowest, highest = float(raw.values.min()), float(raw.values.max())
    if not np.isfinite([lowest, highest]).all():
        raise DataError(f"{name}: the image has NaN or infinite pixels")
    if ends is None or (window is None and not ends[0] <= lowest <= highest <= ends[1]):
        kept = "" if ends is None else f" beyond {ends[0]:g} to {ends[1]:g}"
        raise DataError(
            f"{name}: pixels from {lowest:g} to {highest:g}{kept}; say which numbers are black and "
            "white: window=LOW,HIGH or, by the share of pixels below, window=1%,99%"
        )
    low, high = ends
    unit = ((raw.values.astype(np.float64) - low) / (high - low)).clip(0, 1)
    return (1 - unit if raw.inverted else unit).astype(np.float32)
