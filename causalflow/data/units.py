"""Units: the one border between the values a user sees and the values the engine computes with.

    node        public                                              engine
    class       a level (`causalflow.values.finite`), or a gap      int64 index, -1 for a gap
    continuous  number in the unit of the graph file, None or NaN   float64, the same number
    image       float in [0, 1] or uint8 0..255                     float32 in [-1, 1]
    - discrete  integer pixels 0..levels-1, or their code           float32, the same integers

What stands for a value, and what for a gap, says the node's type (`causalflow.values`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from causalflow.errors import CausalflowError, EvidenceError
from causalflow.graph.node import Node

__all__ = ["stored", "to_engine", "to_public", "to_scale"]


def to_engine(
    name: str, node: Node, value: Any, error: type[CausalflowError] = EvidenceError
) -> Tensor:
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
        >>> from causalflow.graph.node import Class
        >>> to_engine("color", Class(levels=("green", "red")), ["red", 0, None])
        tensor([ 1,  0, -1])
    """
    return to_scale(node, stored(name, node, value, error))


def stored(
    name: str, node: Node, value: Any, error: type[CausalflowError] = EvidenceError
) -> Tensor:
    """Checked values as they are kept in memory: images uint8 as given, else float32 as public."""
    return torch.from_numpy(np.array(node.type.read(value, where=f"node '{name}'", error=error)))


def to_scale(node: Node, kept: Tensor) -> Tensor:
    """What is kept on the engine's scale: images in [-1, 1], discrete ones as their integers."""
    if not node.type.shape:
        return kept
    if node.type.depth is not None:
        return kept.float()
    return kept.float() / 127.5 - 1 if kept.dtype == torch.uint8 else kept.float() * 2 - 1


def to_public(name: str, node: Node, value: Tensor) -> Tensor:
    """The public value of an engine value, same shape.

    Images are in [0, 1]; classes are the levels' numbers, or indices where levels are names.
    """
    if node.type.shape and node.type.depth is None:
        return ((value + 1) / 2).clamp(0, 1)
    if node.type.stored_differs:
        shown = node.type.show(value.cpu().numpy())
        return torch.from_numpy(np.array(shown)).to(value.device)
    return value
