"""Particles: weighted joint states of exogenous variables, for every row of a batch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from causalflow.errors import EvidenceError
from causalflow.mechanisms.base import Values
from causalflow.mechanisms.exogenous import ExogenousVariable

__all__ = ["Particles"]


class Particles:
    """The joint states of every row.

    Args:
        values: the evidence.
        finite: exogenous variables to enumerate.
        offset: number of the first row, for messages.

    Attributes:
        world: name -> value in every (row, state), flattened to one axis.
        log_weight: shape (rows, states).
    """

    def __init__(
        self, values: Values, finite: Mapping[str, ExogenousVariable], offset: int = 0
    ) -> None:
        self.rows = max((len(value) for value in values.values()), default=1)
        self.offset = offset
        self.device = next((value.device for value in values.values()), torch.device("cpu"))
        grids = [torch.arange(len(variable.log_p)) for variable in finite.values()]
        states = torch.cartesian_prod(*grids).reshape(-1, len(grids)) if grids else None
        self.states = 1 if states is None else len(states)
        self.world: dict[str, Tensor] = {}
        self.log_weight = torch.zeros(
            (self.rows, self.states), dtype=torch.float64, device=self.device
        )
        for i, (name, variable) in enumerate(finite.items()):
            assert states is not None
            column = states[:, i].to(self.device)
            self.world[name] = column.repeat(self.rows)
            self.log_weight += variable.log_p.to(self.device)[column]

    def spread(self, value: Tensor) -> Tensor:
        """A row's value in each of its states."""
        value = value.expand(self.rows, *value.shape[1:])
        return value.repeat_interleave(self.states, 0)

    def split(self, branches: Tensor) -> Tensor:
        """One state for each solution of a state: (branches, particles) -> (all states,)."""
        count = len(branches)
        if count > 1:
            self.world = {k: v.repeat_interleave(count, 0) for k, v in self.world.items()}
            self.log_weight = self.log_weight.repeat_interleave(count, 1)
            self.states *= count
        return branches.T.reshape(-1)

    def weigh(self, log_weight: Tensor, node: str, reason: str) -> None:
        """Multiply weights, and refuse rows in which no state is left."""
        before = self.log_weight
        self.log_weight = before + log_weight.reshape(before.shape)
        dead = torch.isneginf(self.log_weight).all(1)
        if dead.any():
            row = self.offset + int(dead.nonzero()[0])
            raise EvidenceError(
                f"node '{node}': row {row}: no exogenous values give this evidence; {reason}"
            )
