"""Network: the tables whose sum-product answers a question about several worlds at once.

The worlds that a question's terms live in (`causalflow.graph.worlds`) share the exogenous variables
and everything that no intervention reaches. What remains after pruning everything but the terms'
ancestors becomes one table each:

    exogenous u                 P(u)
    node v in a world           1 where v = f_v(pa, u), else 0; a parent set to a constant is sliced
    node v with a table         P(v | pa); one joint law of its copies, if it has several
    term on a variable that     1 where both are equal: a variable may be asked about under
    has an axis already         several names, "y[x=1]" being "y" where x does not reach y

The product of all tables, summed over every axis but the terms', is the joint probability of the
terms. A variable set to any value (``do(x)``) is an axis without a law.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from causalflow.discrete.copies import Copies, Factor
from causalflow.discrete.domain import Domain
from causalflow.tables.contraction import Scaled

__all__ = ["Factor", "Network"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """The tables, and where the question's variables are in them.

    Attributes:
        entered: tables of exogenous variables, equations and ties between axes.
        copies: the nodes that have a table, each with all its copies.
        domains: axis -> its values.
        terms: the axis of each term, in the order they were given.
        free: variable set to any value -> its axis.
        defects: for each node whose equation may give no level: its name and the factors whose
            sum-product is the probability that it does.
    """

    entered: tuple[Factor, ...]
    copies: tuple[Copies, ...]
    domains: Mapping[str, Domain]
    terms: tuple[str, ...]
    free: Mapping[str, str]
    defects: Mapping[str, tuple[Factor, ...]]

    @cached_property
    def factors(self) -> tuple[Factor, ...]:
        """The tables whose product is summed.

        Raises:
            QueryError: a node's copies depend on a choice that the graph does not make.
        """
        return (*self.entered, *(each.factor() for each in self.copies))

    @cached_property
    def floats(self) -> tuple[Factor, ...]:
        """The same tables in floats.

        Raises:
            QueryError: a node's copies depend on a choice that the graph does not make.
        """
        copies = (each.floats() or _in_floats(each.factor()) for each in self.copies)
        return (*map(_in_floats, self.entered), *copies)

    @cached_property
    def scopes(self) -> tuple[tuple[str, ...], ...]:
        """The axes of each table."""
        return (*(f.axes for f in self.entered), *(each.axes for each in self.copies))

    @cached_property
    def bits(self) -> int:
        """The length of the denominator of the product of all tables."""
        scales = (factor.table.scale for factor in self.entered)
        entered = sum(scale.denominator.bit_length() for scale in scales if scale is not None)
        return entered + sum(each.bits for each in self.copies)

    @property
    def coupled(self) -> int:
        """How many probabilities of joint laws of copies the tables are made of."""
        return sum(each.coupled for each in self.copies)

    def narrowed(self, at: Mapping[str, int | np.ndarray[Any, Any]]) -> Network:
        """The same network where only some positions of some axes matter to the copies."""
        return replace(self, copies=tuple(each.narrowed(at) for each in self.copies))

    @cached_property
    def choices(self) -> Mapping[str, str]:
        """Node -> how its noise is said to enter, where the product depends on that."""
        found = {each.conditional.name: each.choice for each in self.copies}
        return {name: choice for name, choice in found.items() if choice is not None}


def _in_floats(factor: Factor) -> Factor:
    """The table in float64, each number rounded once."""
    return Factor(axes=factor.axes, table=Scaled(values=factor.table.to_floats()))
