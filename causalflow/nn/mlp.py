"""MLP: the multilayer perceptron, linear maps with SiLU between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["MLP"]


class MLP(nn.Module):
    """A map of the last axis, (..., inputs) -> (..., outputs).

    Args:
        inputs: length of the input's last axis; 0 is allowed, the map is then a constant.
        outputs: length of the output's last axis.
        hidden: widths of the hidden layers; none: a linear map.
        dtype: of the parameters; inputs are converted to it.
        zero: start the last layer at zero, so that the map starts as the constant 0.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: Sequence[int] = (64, 64),
        dtype: torch.dtype = torch.float32,
        zero: bool = False,
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.dtype = dtype
        widths = (max(inputs, 1), *hidden, outputs)
        self.layers = nn.ModuleList(nn.Linear(a, b, dtype=dtype) for a, b in pairwise(widths))
        if zero:
            for parameter in self.layers[-1].parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """The value at x, shape (..., inputs) -> (..., outputs)."""
        first, *rest = self.layers
        # torch cannot initialise a linear map of no columns: one column of zeros stands for them.
        x = x if self.inputs else x.new_zeros(*x.shape[:-1], 1)
        x = first(x.to(self.dtype))
        for layer in rest:
            x = layer(nn.functional.silu(x))
        return x
