"""Pieces: the points and intervals of a noise that explain one node, or several at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.errors import RowError
from causalflow.mechanisms.equation.equation_mechanism import EquationMechanism
from causalflow.mechanisms.equation.preimage import FLAT, Preimage, log_weight, preimage
from causalflow.mechanisms.exogenous.exogenous import ExogenousVariable

__all__ = ["Pieces", "found", "met", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """Points and intervals of one noise in many joint states of the other variables.

    All tensors have the shape (branches, states), with NaN where a state has fewer branches.

    Attributes:
        low, high: the ends; equal at a point.
        log_weight: the logarithm of the weight, -inf where there is no branch.
        order: the order of the weight (`causalflow.mechanisms.equation.preimage`).
        kind: which nodes the order comes from: each adds its order times a power of 3.
    """

    low: Tensor
    high: Tensor
    log_weight: Tensor
    order: Tensor
    kind: Tensor

    @property
    def is_flat(self) -> Tensor:
        """Which branches are intervals."""
        return self.high > self.low


def found(
    node: EquationMechanism,
    variable: ExogenousVariable,
    target: Tensor,
    world: Mapping[str, Tensor],
    place: int,
    alone: bool,
    drawn: bool,
) -> Pieces:
    """The values of a variable under which a node's equation gives its observed value.

    Args:
        node: an observed node whose equation has no other unknown.
        variable: the unknown.
        target: the node's value in each state, shape (states,).
        world: the known variables.
        place: the node's place among those with a `Pieces.kind`.
        alone: whether each state is the only one of its row, so that the weight of a single branch
            does not matter.
        drawn: whether the states are draws, by the thousand.

    Raises:
        UndecidedError: the values cannot be told by bounded work.
    """
    expression = node.equation.components[0]
    known = {name: world[name] for name in node.equation.names if name != variable.name}
    these = preimage(expression, variable, target, known, drawn)
    if alone and len(these.low) == 1:
        weight = torch.where(these.low.isnan(), -torch.inf, 0.0).double()
        order = torch.zeros_like(weight)
    else:
        weight, order = log_weight(these, expression, variable, known)
    return _pieces(these, weight, order, place)


def _pieces(these: Preimage, weight: Tensor, order: Tensor, place: int) -> Pieces:
    return Pieces(
        low=these.low,
        high=these.high,
        log_weight=weight,
        order=order,
        kind=order * 3.0**place,
    )


def met(
    pieces: Pieces,
    other: Pieces,
    node: EquationMechanism,
    variable: ExogenousVariable,
    target: Tensor,
    world: Mapping[str, Tensor],
) -> Pieces:
    """What explains two nodes at once: points that give the second node too, and intersections.

    Args:
        pieces: the weighed pieces of the first node.
        other: the weighed pieces of the second.
        node: the second node.
        variable: the unknown of both.
        target: the second node's value in each state.
        world: the known variables.
    """
    agreed = torch.stack(
        [
            node.matches(target, node.evaluate({**world, variable.name: point}))
            for point in pieces.low.nan_to_num(0.0)
        ]
    )
    points = _kept(pieces, agreed & ~pieces.is_flat)
    crossed = [_intersection(pieces, k, other, variable) for k in range(len(pieces.low))]
    every = [points, *crossed]
    some = torch.cat([~part.low.isnan() for part in every]).any(1)
    some[0] |= ~some.any()
    return Pieces(
        **{
            name: torch.cat([getattr(part, name) for part in every])[some]
            for name in ("low", "high", "log_weight", "order", "kind")
        }
    )


def _kept(pieces: Pieces, where: Tensor) -> Pieces:
    return Pieces(
        low=torch.where(where, pieces.low, torch.nan),
        high=torch.where(where, pieces.high, torch.nan),
        log_weight=torch.where(where, pieces.log_weight, -torch.inf),
        order=pieces.order,
        kind=pieces.kind,
    )


def _intersection(
    pieces: Pieces, branch: int, other: Pieces, variable: ExogenousVariable
) -> Pieces:
    """One interval of the first with all pieces of the second."""
    low = torch.maximum(pieces.low[branch], other.low)
    high = torch.minimum(pieces.high[branch], other.high)
    flat = other.is_flat
    weight = torch.where(flat, variable.log_mass(low, torch.maximum(low, high)), other.log_weight)
    there = pieces.is_flat[branch] & torch.where(flat, high > low, high >= low)
    return _kept(
        Pieces(
            low=low,
            high=high,
            log_weight=weight,
            order=torch.where(flat, FLAT, other.order),
            kind=torch.where(flat, 0.0, other.kind),
        ),
        there,
    )


def undecided(node: str, row: int, variable: str) -> RowError:
    """The refusal of a row whose pieces cannot be told."""
    return RowError(
        f"node '{node}'",
        row,
        f"the values of '{variable}' that give this evidence are too many, or lie too close "
        "together, to be told apart; a smoother or shorter equation would work",
    )
