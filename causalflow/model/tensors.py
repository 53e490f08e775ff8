"""Tensors: torch as the backend of the exact engine's float arithmetic, on any device.

Fractions stay with numpy. A GPU pays for batches of many rows in networks of some width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from causalflow.factors.array import Values
from causalflow.training.device import existing_device

__all__ = ["Tensors"]


class Tensors:
    """Tensors of float64 on a device.

    Args:
        device: such as "cpu", "cuda" or "cuda:1".

    Raises:
        CausalflowError: torch has no such device.

    Example:
        >>> from causalflow.exact.model import ExactModel
        >>> from causalflow.formats.formats import loads
        >>> coin = loads("nodes: {x: {type: class, levels: 2, table: [0.4, 0.6]}}")
        >>> model = ExactModel(coin, "float", backend=Tensors("cpu"))
        >>> model.ask("P(x)").table.to_dict()
        {0: 0.4, 1: 0.6}
    """

    def __init__(self, device: str | torch.device) -> None:
        self._device = existing_device(device)

    def put(self, values: Values) -> Any:
        """The tensor on the device."""
        return torch.tensor(values, dtype=torch.float64, device=self._device)

    def get(self, array: Any) -> Values:
        """The numpy array."""
        return np.asarray(array.cpu().numpy())

    def take(self, array: Any, index: Any) -> Any:
        """The places of the first axis."""
        if not isinstance(index, np.ndarray):
            return array[index]
        return array[torch.as_tensor(index, device=self._device)]

    def einsum(self, subscripts: str, arrays: Sequence[Any]) -> Any:
        """The sum of the product."""
        return torch.einsum(subscripts, *arrays)

    def extremes(self, array: Any, by_row: bool) -> tuple[Values, float]:
        """The largest values, the smallest above zero."""
        flat = array.reshape(len(array), -1) if by_row else array.reshape(1, -1)
        positive = torch.where(flat > 0, flat, torch.inf)
        peaks = self.get(flat.amax(dim=1))
        return peaks if by_row else peaks[0], float(positive.amin())

    def shift(self, array: Any, exponents: Values) -> Any:
        """The array times powers of two."""
        behind = [1] * (array.ndim - exponents.ndim)
        for half in (exponents // 2, exponents - exponents // 2):  # 2^1074 is no float
            powers = self.put(np.ldexp(1.0, half))
            array = array * powers.reshape((*powers.shape, *behind))
        return array
