"""Particles: weighted joint states of exogenous variables, for every row of a batch.

Evidence counts as met within a distance e, and e goes to 0. The probability that a state explains
the evidence is then w e^k, with a weight w and an *order* k
(`causalflow.mechanisms.equation.preimage`). Explanations of several nodes multiply their weights
and add their orders; the states of a row's lowest order have all its probability.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalflow.errors import ImpossibleError, RowError
from causalflow.mechanisms.exogenous.exogenous import ExogenousVariable
from causalflow.mechanisms.exogenous.piece import Pieces
from causalflow.mechanisms.mechanism import Values, draw_uniform

__all__ = [
    "MOST_PARTICLES",
    "Draws",
    "Particles",
    "TooManyStatesError",
    "of_lowest_order",
    "spread_scores",
]

MOST_PARTICLES = 1 << 24
"""States of all rows together that are held at once."""
SMALLEST = 1e-16
"""Probability beyond which no score is drawn."""


class TooManyStatesError(Exception):
    """The states of these rows are too many to hold at once: take fewer rows at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """What is drawn of each row, so many times: a *copy* of the row for each.

    Attributes:
        copies: how many draws each row has.
        given: what differs between the copies of a row, name -> values, shape (rows * copies,).
        scores: variable drawn from its law -> the standard normal score of its value, shape
            (rows, copies); one that is missing is drawn, and kept here.
        strict: whether a row in which no copy explains the evidence is refused.
    """

    copies: int
    given: Values = field(default_factory=dict)
    scores: MutableMapping[str, Tensor] = field(default_factory=dict)
    strict: bool = True


class Particles:
    """The joint states of the exogenous variables in every row, each with its weight and order.

    Args:
        values: the evidence.
        finite: exogenous variables to enumerate.
        offset: number of the first row, for messages.
        draws: what is drawn of each row; None: nothing may be.

    Attributes:
        world: name -> value in every (row, state), flattened to one axis.
        log_weight: the logarithm of the weight, shape (rows, states).
        order: the order of the weight, shape (rows, states).
        kind: which nodes the order comes from, as a number, shape (rows, states).
        undetermined: the variables that are in an interval, or were drawn, in some state.
        intervals: name -> the ends of the interval in every state, equal where the value is known;
            without draws, where nothing else depends on the variable.
    """

    def __init__(
        self,
        values: Values,
        finite: Mapping[str, ExogenousVariable],
        offset: int = 0,
        draws: Draws | None = None,
    ) -> None:
        self.rows = max((len(value) for value in values.values()), default=1)
        self.offset, self.draws = offset, draws
        copies = 1 if draws is None else draws.copies
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
        for name, value in ({} if draws is None else draws.given).items():
            self.world[name] = value.repeat_interleave(self.states // copies, 0)

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
        """A state for each branch of a state; with draws a variable in an interval is drawn.

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
            if self.draws is None:
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
        """A value of the variable from its law in every copy of a row, by its score."""
        assert self.draws is not None
        shape = (self.rows, self.draws.copies)
        if variable.name not in self.draws.scores:
            self.draws.scores[variable.name] = spread_scores(shape, generator, self.device)
        value = variable.at_score(self.draws.scores[variable.name])
        self.world[variable.name] = value.reshape(-1).repeat_interleave(
            self.states // self.draws.copies, 0
        )
        self.undetermined.add(variable.name)

    def weigh(self, log_weight: Tensor, node: str, reason: str) -> None:
        """Multiply weights, and refuse rows in which no state is left."""
        before = self.log_weight
        self.log_weight = before + log_weight.reshape(before.shape)
        dead = torch.isneginf(self.log_weight).all(1)
        if (self.draws is None or self.draws.strict) and dead.any():
            row = self.offset + int(dead.nonzero()[0])
            refusal = ImpossibleError if self.draws is None else RowError
            why = f"no exogenous values give this evidence; {reason}"
            raise refusal(f"node '{node}'", row, why)

    def decided(self) -> Tensor:
        """log-probabilities of the states of lowest order, shape (rows, states).

        Raises:
            RowError: two explanations cannot be compared.
        """
        kept = of_lowest_order(self.log_weight, self.order, self.kind, self.offset)
        return torch.log_softmax(torch.where(kept, self.log_weight, -torch.inf), dim=1)


def of_lowest_order(log_weight: Tensor, order: Tensor, kind: Tensor, offset: int = 0) -> Tensor:
    """Which states explain a row with the lowest order: bool, shape (rows, states).

    Args:
        log_weight: the logarithm of their weights, shape (rows, states).
        order: the orders of the weights.
        kind: which nodes the orders come from, as a number.
        offset: number of the first row, for messages.

    Raises:
        RowError: two explanations cannot be compared.
    """
    alive = ~torch.isneginf(log_weight)
    least = torch.where(alive, order, torch.inf).amin(1, keepdim=True)
    kept = alive & (order == least)
    first = torch.where(kept, kind, torch.inf).amin(1, keepdim=True)
    unlike = (kept & (kind != first)).any(1)
    if unlike.any():
        raise RowError(
            "",
            offset + int(unlike.nonzero()[0]),
            "one explanation of this evidence has a probability at one node and a density at "
            "another, a second the other way round, and these cannot be compared; give less "
            "evidence, or more",
        )
    return kept


def spread_scores(
    shape: tuple[int, int], generator: torch.Generator, device: torch.device
) -> Tensor:
    """Draws of N(0, 1), those of a row spread evenly over its quantiles, in random order.

    Several such draws together are a Latin hypercube.
    """
    cell, shift = (draw_uniform(shape, generator, device) for _ in range(2))
    share = (cell.argsort(1) + shift) / shape[1]
    return torch.special.ndtri(share.clamp(SMALLEST, 1 - SMALLEST))
