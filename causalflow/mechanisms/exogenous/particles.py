"""Particles: weighted joint states of exogenous variables, for every row of a batch.

Evidence counts as met within a distance e, and e goes to 0. The probability that a state explains
the evidence is then w e^k, with a weight w and an *order* k
(`causalflow.mechanisms.equation.preimage`). Explanations of several nodes multiply their weights
and add their orders; the states of a row's lowest order have all its probability.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from causalflow.errors import ImpossibleError, RowError
from causalflow.mechanisms.exogenous.exogenous import ExogenousVariable
from causalflow.mechanisms.exogenous.piece import Pieces
from causalflow.mechanisms.mechanism import Values, draw_uniform

__all__ = ["MOST_PARTICLES", "Particles", "TooManyStatesError"]

MOST_PARTICLES = 1 << 24
"""States of all rows together that are held at once."""


class TooManyStatesError(Exception):
    """The states of these rows are too many to hold at once: take fewer rows at a time."""


class Particles:
    """The joint states of the exogenous variables in every row, each with its weight and order.

    Args:
        values: the evidence.
        finite: exogenous variables to enumerate.
        offset: number of the first row, for messages.
        copies: how many draws each state is repeated for.

    Attributes:
        world: name -> value in every (row, state), flattened to one axis.
        log_weight: the logarithm of the weight, shape (rows, states).
        order: the order of the weight, shape (rows, states).
        kind: which nodes the order comes from, as a number, shape (rows, states).
        undetermined: the variables that are in an interval, or were drawn, in some state.
        intervals: name -> the ends of the interval in every state, equal where the value is known;
            without copies, where nothing else depends on the variable.
    """

    def __init__(
        self,
        values: Values,
        finite: Mapping[str, ExogenousVariable],
        offset: int = 0,
        copies: int = 1,
    ) -> None:
        self.rows = max((len(value) for value in values.values()), default=1)
        self.offset, self.copies = offset, copies
        self.device = next((value.device for value in values.values()), torch.device("cpu"))
        grids = [torch.arange(len(variable.log_p)) for variable in finite.values()]
        states = torch.cartesian_prod(*grids).reshape(-1, len(grids)) if grids else None
        self.states = copies * (1 if states is None else len(states))
        self._check_size(1)
        self.world: dict[str, Tensor] = {}
        self.undetermined: set[str] = set()
        self.intervals: dict[str, tuple[Tensor, Tensor]] = {}
        shape = (self.rows, self.states)
        self.log_weight = torch.zeros(shape, dtype=torch.float64, device=self.device)
        self.order, self.kind = torch.zeros_like(self.log_weight), torch.zeros_like(self.log_weight)
        for i, (name, variable) in enumerate(finite.items()):
            assert states is not None
            column = states[:, i].to(self.device).repeat(copies)
            self.world[name] = column.repeat(self.rows)
            self.log_weight += variable.log_p.to(self.device)[column]

    def _check_size(self, count: int) -> None:
        if self.rows > 1 and self.rows * self.states * count > MOST_PARTICLES:
            raise TooManyStatesError

    def spread(self, value: Tensor) -> Tensor:
        """A row's value in each of its states."""
        value = value.expand(self.rows, *value.shape[1:])
        return value.repeat_interleave(self.states, 0)

    def solve(
        self, variable: ExogenousVariable, pieces: Pieces, generator: torch.Generator
    ) -> Tensor:
        """A state for each branch of a state; with copies a variable in an interval is drawn.

        Returns:
            The logarithm of the weights that the branches have, shape (all states,).
        """
        count = len(pieces.low)
        if count > 1:
            self._split(count)
        low, high = pieces.low.T.reshape(-1).nan_to_num(0.0), pieces.high.T.reshape(-1)
        inside = high > low
        if bool(inside.any()):
            self.undetermined.add(variable.name)
            if self.copies == 1:
                self.intervals[variable.name] = low, torch.where(inside, high, low)
            else:
                low = variable.drawn_within(low, torch.where(inside, high, low), generator)
        self.world[variable.name] = low
        self.order = self.order + pieces.order.T.reshape(self.order.shape)
        self.kind = self.kind + pieces.kind.T.reshape(self.kind.shape)
        return pieces.log_weight.T.reshape(-1)

    def _split(self, count: int) -> None:
        """Put ``count`` equal states in place of each."""
        self._check_size(count)
        self.world = {k: v.repeat_interleave(count, 0) for k, v in self.world.items()}
        self.intervals = {
            k: (low.repeat_interleave(count, 0), high.repeat_interleave(count, 0))
            for k, (low, high) in self.intervals.items()
        }
        for name in ("log_weight", "order", "kind"):
            setattr(self, name, getattr(self, name).repeat_interleave(count, 1))
        self.states *= count

    def draw(self, variable: ExogenousVariable, generator: torch.Generator) -> None:
        """A value of the variable from its law in every state, evenly over its quantiles.

        The first variable's values rise with the state, those of others are shuffled, so that all
        together are a Latin hypercube.
        """
        shape = (self.rows, self.states)
        share = draw_uniform(shape, generator, self.device)
        cell = torch.arange(self.states, device=self.device)
        if self.undetermined:
            cell = draw_uniform((self.states,), generator, self.device).argsort()
        low, high = (torch.full(shape, end, dtype=torch.float64) for end in variable.support)
        share = (cell + share) / self.states
        value = variable.restricted(low.to(self.device), high.to(self.device), share)
        self.world[variable.name] = value.reshape(-1)
        self.undetermined.add(variable.name)

    def weigh(self, log_weight: Tensor, node: str, reason: str) -> None:
        """Multiply weights, and refuse rows in which no state is left."""
        before = self.log_weight
        self.log_weight = before + log_weight.reshape(before.shape)
        dead = torch.isneginf(self.log_weight).all(1)
        if dead.any():
            row = self.offset + int(dead.nonzero()[0])
            refusal = ImpossibleError if self.copies == 1 else RowError
            why = f"no exogenous values give this evidence; {reason}"
            raise refusal(f"node '{node}'", row, why)

    def decided(self, nodes: str) -> Tensor:
        """log-probabilities of the states of lowest order, shape (rows, states).

        Raises:
            RowError: two explanations cannot be compared.
        """
        alive = ~torch.isneginf(self.log_weight)
        least = torch.where(alive, self.order, torch.inf).amin(1, keepdim=True)
        kept = alive & (self.order == least)
        first = torch.where(kept, self.kind, torch.inf).amin(1, keepdim=True)
        unlike = (kept & (self.kind != first)).any(1)
        if unlike.any():
            row = self.offset + int(unlike.nonzero()[0])
            raise RowError(
                nodes,
                row,
                "one explanation of this evidence has a probability at one node and a density at "
                "another, a second the other way round, and these cannot be compared; give less "
                "evidence, or more",
            )
        return torch.log_softmax(torch.where(kept, self.log_weight, -torch.inf), dim=1)
