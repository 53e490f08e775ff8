"""Mechanism: how one node is made from its parents and its noise, x = f(parents, u).

Notation: x the node's value, pa its parents' values, u its exogenous noise.

    abduct   u ~ p(u | x, pa)      exact: predict(pa, abduct(x, pa)) = x
    predict  x = f(pa, u)          draws nothing
    draw     u ~ p(u)

Values inside the engine (``Values`` maps a node's name to a tensor whose first axis is the batch):

    class       int64, shape (batch,), level indices; -1 where unlabelled
    continuous  float64, shape (batch,), in the unit of the graph file; NaN where unlabelled
    image       float32, shape (batch, channel, height, width), in [-1, 1]

A noise is a mapping of named tensors with the batch as first axis, so that it can be stored,
indexed and replayed. Random numbers come from an explicit generator, never from the global one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

__all__ = ["Mechanism", "Noise", "Values"]

Values: TypeAlias = Mapping[str, Tensor]
Noise: TypeAlias = Mapping[str, Tensor]


class Mechanism(Protocol):
    """What every mechanism can do; implementations are final ``torch.nn.Module`` classes.

    All state that fitting produces lives in parameters and registered buffers of fixed shape, so
    that ``state_dict`` is the model.
    """

    def calibrate(self, values: Values, generator: torch.Generator) -> None:
        """Set what one pass over the labelled rows determines: tables, statistics, closed forms."""

    def loss(self, values: Values, generator: torch.Generator) -> Tensor | None:
        """What gradient steps minimise, shape (batch,); None when `calibrate` did all."""

    def draw_noise(self, n: int, generator: torch.Generator) -> Noise:
        """n draws of u."""

    def abduct(self, value: Tensor, parents: Values, generator: torch.Generator) -> Noise:
        """A noise with which ``parents`` give ``value``: drawn from its posterior if several do."""

    def predict(self, parents: Values, noise: Noise) -> Tensor:
        """The node's value under ``parents`` and ``noise``; deterministic."""
