"""Units: the one border between the values a user sees and the values the engine computes with.

    node        public                                              engine
    class       level name, level index, or -1 / None / NaN         int64 index, -1 where unlabelled
    continuous  number in the unit of the graph file, None or NaN   float64, the same number
    image       float in [0, 1] or uint8 0..255                     float32 in [-1, 1]
    - discrete  integer pixels 0..levels-1, or their code           float32, the same integers

A number is an index. A text is a name if there is such a level, else one of the words for a missing
value (`MISSING`, empty text among them), else a number: so a CSV file is best read as text
(`causalflow.data.table`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causalflow.discrete.domain import pixels_of
from causalflow.errors import CausalflowError, EvidenceError, one_of
from causalflow.graph.schema import Class, Continuous, Image, Level, Node

__all__ = ["MISSING", "level_name", "store_images", "to_engine", "to_public"]

_Error: TypeAlias = type[CausalflowError]
MISSING = frozenset({"", "na", "n/a", "nan", "none", "null", "<na>"})
"""Texts, in lower case, that stand for a missing value, unless a level has that name."""

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
        case Class():
            return _class_to_engine(name, node, value, error)
        case Continuous():
            return _continuous_to_engine(name, node, value, error)
        case Image():
            return images_to_engine(node, store_images(name, node, value, error))
        case _:
            raise error(
                f"node '{name}' has no type; declare it under nodes: as class, continuous or image"
            )


def to_public(name: str, node: Node, value: Tensor) -> Tensor:
    """The public value of an engine value, same shape.

    Images are in [0, 1]; classes are indices.
    """
    match node:
        case Image(levels=None):
            return ((value + 1) / 2).clamp(0, 1)
        case _:
            return value


def level_name(node: Class, index: int) -> Level | None:
    """The name of a level; None for -1, an unlabelled entry."""
    return None if index < 0 else node.levels[index]


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


def _class_to_engine(name: str, node: Class, value: Any, error: _Error) -> Tensor:
    try:
        entries = _array(value)
        unique, inverse = _unique(entries)
    except (TypeError, ValueError):
        raise error(
            f"node '{name}': expected one level a row, given {type(value).__name__}"
        ) from None
    found = [_find_level(node, level) for level in unique]
    for row, position in enumerate(inverse.ravel()) if None in found else ():
        if found[position] is None:
            level = unique[position]
            where = _where(name, row, entries.ndim > 0)
            raise error(f"{where}: unknown level {level!r}; {_allowed(node, level)}")
    return torch.tensor(found, dtype=torch.int64)[torch.from_numpy(inverse)].reshape(entries.shape)


def _continuous_to_engine(name: str, node: Continuous, value: Any, error: _Error) -> Tensor:
    values = _tensor(name, value, error).to(torch.float64)
    low, high = node.support
    outside = (values <= low) | (values >= high) | values.isinf()
    if outside.any():
        row = int(outside.reshape(-1).nonzero()[0])
        given = float(values.reshape(-1)[row])
        where = _where(name, row, values.ndim > 0)
        raise error(
            f"{where}: value {given:g} is outside its support; expected {low:g} < value < {high:g}"
        )
    return values


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


def _find_level(node: Class, level: object) -> int | None:
    """The index of a level, -1 if it is missing, None if there is no such level."""
    if isinstance(level, str):
        return _find_name(node, level)
    if level is None or level != level:  # NaN and pandas' NaT differ from themselves
        return -1
    if not isinstance(level, (int, float, np.integer, np.floating, np.bool_)):
        return None
    return _find_index(node, float(level))


def _find_name(node: Class, text: str) -> int | None:
    names = [str(level) for level in node.levels]
    if text in names:
        return names.index(text)
    if text.strip().lower() in MISSING:
        return -1
    try:
        return _find_index(node, float(text))
    except ValueError:
        return None


def _find_index(node: Class, number: float) -> int | None:
    return int(number) if number.is_integer() and -1 <= number < len(node.levels) else None


def _allowed(node: Class, level: object) -> str:
    """`one_of` the names, and that an index does as well."""
    numbered = isinstance(node.levels[0], int)
    indices = "" if numbered else f" or an index 0..{len(node.levels) - 1}"
    allowed, _, hint = one_of(level, node.levels).partition("; ")
    return f"{allowed}{indices}{'; ' + hint if hint else ''}"


def _where(name: str, row: int, many: bool) -> str:
    return f"node '{name}', row {row}" if many else f"node '{name}'"


def _array(value: Any) -> NDArray[Any]:
    """A column of class values; lists and tables of mixed entries keep their Python objects."""
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    if hasattr(value, "to_numpy"):
        return _from_pandas(value)
    if isinstance(value, np.ndarray):
        return value
    array = np.empty(len(value) if _is_sequence(value) else (), dtype=object)
    array[...] = value
    return array


def _from_pandas(value: Any) -> NDArray[Any]:
    """A pandas column; its missing values become None, unless they are NaN among numbers."""
    if value.ndim > 1:  # two columns of one name
        return np.asarray(value)
    if isinstance(value.dtype, np.dtype) and value.dtype.kind != "O":
        return np.asarray(value.to_numpy())
    return np.asarray(value.astype(object).where(value.notna(), None).to_numpy())


def _unique(entries: NDArray[Any]) -> tuple[list[object], NDArray[np.int64]]:
    """The different entries, and for each entry its position among them."""
    if entries.dtype != object:
        values, inverse = np.unique(entries, return_inverse=True)
        return values.tolist(), inverse.reshape(entries.shape)
    order: dict[tuple[type, object], int] = {}
    found = [order.setdefault((type(entry), entry), len(order)) for entry in entries.ravel()]
    return [entry for _, entry in order], np.array(found, dtype=np.int64).reshape(entries.shape)


def _is_sequence(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _tensor(name: str, value: Any, error: _Error) -> Tensor:
    """Numbers as a tensor; None becomes NaN."""
    try:
        if isinstance(value, Tensor):
            return value.detach()
        if hasattr(value, "to_numpy"):
            value = _from_pandas(value)
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
    entries = array.ravel().tolist()
    numbers = [_number(entry) for entry in entries]
    if None in numbers:
        row = numbers.index(None)
        raise error(f"{_where(name, row, array.ndim > 0)}: not a number: {entries[row]!r}")
    return np.array(numbers, dtype=np.float64).reshape(array.shape)


def _number(entry: object) -> float | None:
    """A number, also as text; NaN where it is missing, None where it is none."""
    if entry is None or (isinstance(entry, str) and entry.strip().lower() in MISSING):
        return math.nan
    try:
        return float(entry)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
