"""Features: the parents of a number as columns that a regression multiplies by weights.

level     one column for each level but the first, 0 or 1
number    itself
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from causalflow.graph.node import Node
from causalflow.mechanisms.mechanism import Values

__all__ = ["columns", "width"]


def width(node: Node) -> int:
    """The number of columns of a parent that is a level or a number."""
    return 1 if node.type.levels is None else len(node.type.levels) - 1


def columns(parents: Mapping[str, Node], values: Values, n: int, device: torch.device) -> Tensor:
    """The features of the parents in their order: float64, shape (n, columns)."""
    found = [torch.empty((n, 0), dtype=torch.float64, device=device)]
    for name, node in parents.items():
        value = values[name].to(device)
        if node.type.levels is None:
            found.append(value.double().unsqueeze(-1))
        else:
            found.append(functional.one_hot(value, width(node) + 1)[:, 1:].double())
    return torch.cat(found, dim=-1)
