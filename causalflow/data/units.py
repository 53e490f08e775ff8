"""Units: the one border between the values a user sees and the values the engine computes with.

    node        public                                              engine
    class       a level (`causalflow.values.finite`), or a gap      int64 index, -1 for a gap
    continuous  number in the unit of the graph file, None or NaN   float64, the same number
    image       float in [0, 1] or uint8 0..255                     float32 in [-1, 1]
    - discrete  integer pixels 0..levels-1, or their code           float32, the same integers

What stands for a level, and what for a gap, says `causalflow.values`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalflow.errors import CausalflowError, EvidenceError
from causalflow.exact.domain import pixels_of
from causalflow.graph.node import Class, Continuous, Image, Node
from causalflow.values.column import entries_of
from causalflow.values.real import RealType

__all__ = ["store_images", "to_engine", "to_public"]

_Error: TypeAlias = type[CausalflowError]

_PIXEL_SLACK = 1e-3  # half-precision images may end a little outside [0, 1]


def to_engine(name: str, node: Node, value: Any, error: _Error = EvidenceError) -> Tensor:
    """The engine value of ``value``.

    Args:
        name: the node's name, for messages.
        node: the node's type.
        value: one value (then the result has shape ()), or one per row: a sequence, array, pandas
            column or tensor; images as (n, channels, height, width), as (n, height, width) if
            there is one channel, one image, or codes.
        error: the class of the exceptions raised.

    Returns:
        Shape () or (n,), images (n, channels, height, width).

    Raises:
        CausalflowError: of class ``error``: unknown level, value outside the support, misshapen
            image, ...

    Example:
        >>> to_engine("color", Class(levels=("green", "red")), ["red", 0, None])
        tensor([ 1,  0, -1])
    """
    match node:
        case Class() | Continuous():
            stored = node.type.read(value, where=f"node '{name}'", error=error)
            return torch.from_numpy(np.array(stored))
        case Image():
            return images_to_engine(node, store_images(name, node, value, error))
        case _:
            raise error(
                f"node '{name}' has no type; declare it under nodes: as class, continuous or image"
            )


def to_public(name: str, node: Node, value: Tensor) -> Tensor:
    """The public value of an engine value, same shape.

    Images are in [0, 1]; classes are the levels' numbers, or indices where levels are names.
    """
    match node:
        case Image(levels=None):
            return ((value + 1) / 2).clamp(0, 1)
        case Class() if node.type.stored_differs:
            shown = node.type.show(value.cpu().numpy())
            return torch.from_numpy(np.array(shown)).to(value.device)
        case _:
            return value


def images_to_engine(node: Image, stored: Tensor) -> Tensor:
    """Stored images, uint8 or in [0, 1] -> float32 in [-1, 1]; discrete ones stay integers."""
    if node.levels is not None:
        return stored.float()
    return stored.float() / 127.5 - 1 if stored.dtype == torch.uint8 else stored.float() * 2 - 1


def store_images(name: str, node: Image, value: Any, error: _Error = EvidenceError) -> Tensor:
    """Checked images as they are kept in memory: uint8 as given, else float32 in public units.

    Returns:
        Shape (n, channels, height, width).
    """
    images = _tensor(name, value, error)
    if node.levels is not None and images.ndim < 2:
        images = _decoded(name, node, images, error)
    if images.dtype != torch.uint8:
        images = images.to(torch.float32)
    images = _with_channels(name, node, images, error)
    _check_pixels(name, node, images, error)
    return images


def _with_channels(name: str, node: Image, images: Tensor, error: _Error) -> Tensor:
    channels, height, width = node.shape
    if images.ndim == 2 and channels == 1:
        images = images[None]
    if images.ndim == 3 and tuple(images.shape) == node.shape:
        images = images[None]
    elif images.ndim == 3 and channels == 1:
        images = images[:, None]
    if images.ndim != 4 or tuple(images.shape[1:]) != node.shape:
        expected = f"(n, {channels}, {height}, {width})"
        raise error(f"node '{name}': images of shape {tuple(images.shape)}; expected {expected}")
    return images


def _decoded(name: str, node: Image, codes: Tensor, error: _Error) -> Tensor:
    """The pixels of images that are given by code."""
    every, found = range((node.levels or 1) ** math.prod(node.shape)), codes.reshape(-1).tolist()
    for row, code in enumerate(found):
        if code not in every:
            expected = f"expected pixels, or their code, 0..{every[-1]}"
            raise error(f"{_where(name, row, codes.ndim > 0)}: no image is {code}; {expected}")
    return torch.from_numpy(pixels_of(node, [int(code) for code in found]))


def _check_pixels(name: str, node: Image, images: Tensor, error: _Error) -> None:
    if images.dtype == torch.uint8 and node.levels is None:
        return
    flat = images.flatten(1).float()
    if not flat.isfinite().all():
        row = int((~flat.isfinite()).any(1).nonzero()[0])
        raise error(f"{_where(name, row, True)}: the image has NaN or infinite pixels")
    slack, high = (_PIXEL_SLACK, 1) if node.levels is None else (0.0, node.levels - 1)
    wrong = ((flat < -slack) | (flat > high + slack)).any(1)
    if node.levels is not None:
        wrong |= (flat != flat.round()).any(1)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        expected = (
            "floats in [0, 1] or uint8 0..255" if node.levels is None else f"integers 0..{high}"
        )
        given = f"{float(flat[row].min()):g} to {float(flat[row].max()):g}"
        raise error(f"{_where(name, row, True)}: pixels from {given}; expected {expected}")


def _where(name: str, row: int, many: bool) -> str:
    return f"node '{name}', row {row}" if many else f"node '{name}'"


def _is_sequence(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _tensor(name: str, value: Any, error: _Error) -> Tensor:
    """Numbers as a tensor; None becomes NaN."""
    try:
        if isinstance(value, Tensor):
            return value.detach()
        if hasattr(value, "to_numpy"):
            value = entries_of(value).array
        if _is_sequence(value) and any(isinstance(entry, (Tensor, np.ndarray)) for entry in value):
            value = np.stack([np.asarray(entry) for entry in value])
        array = np.asarray(value)
        if array.dtype.kind in "OU":
            array = _stack_objects(name, array, error)
        return torch.from_numpy(np.array(array))
    except CausalflowError:
        raise
    except (TypeError, ValueError) as mistake:
        raise error(f"node '{name}': not numbers: {str(mistake).splitlines()[0]}") from None


def _stack_objects(name: str, array: NDArray[Any], error: _Error) -> NDArray[Any]:
    if array.size and isinstance(array.flat[0], (np.ndarray, Tensor)):
        return np.stack([np.asarray(entry) for entry in array.flat])
    return RealType().read(array, where=f"node '{name}'", error=error)
