"""District: what a distribution P(v) tells of the responses in a district of its graph.

Notation: D a district, v_1, v_2, ... its nodes in a topological order, D_i the first i of them.

    Q[D_i](d, pa) = P(r_v(pa(v)) = v for all v in D_i) = product over j <= i of P(v_j | mp(v_j))

with mp(v), the Markov pillow: the district of v among its predecessors in the graph, and that
district's parents. A model of the graph has the distribution P(v) exactly if its districts have
these factors wherever the conditionals are defined. Where P(v) > 0 the last of them, Q[D], says it
all; where probabilities are 0, what is left of Q[D] is said by the factors before it.

Source: Tian & Pearl (2002); Richardson (2003) for the pillow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from causalflow.discrete.response import Array, Event, Response, ResponseDistrict
from causalflow.errors import CausalflowError
from causalflow.graph.admg import ADMG
from causalflow.limits import DISTRICT_CELLS
from causalflow.tables.array import spread
from causalflow.tables.levels import Levels
from causalflow.tables.table import Table

__all__ = ["Known", "ResponseModel", "known_factors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The events of a district whose probability P(v) determines.

    Attributes:
        events: event -> probability.
        sufficient: those of them from which the others follow.
    """

    events: Mapping[Event, float]
    sufficient: tuple[Event, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class ResponseModel:
    """All models of a graph that have a distribution, district by district.

    Attributes:
        admg: the graph of the observed nodes.
        joint: P(v), in floats, an axis a node.
        unknown: roots on which the distribution is conditional: nothing is known of their law.
        is_blind: whether nothing is known of P(v); ``joint`` says the levels only.
    """

    admg: ADMG
    joint: Table
    unknown: frozenset[str] = frozenset()
    is_blind: bool = False

    @property
    def levels(self) -> Levels:
        """The levels of each node."""
        return self.joint.levels

    @cached_property
    def parents(self) -> Mapping[str, tuple[str, ...]]:
        """The parents of each node, in the order of the graph."""
        return {node: self.admg.ordered(self.admg.parents(node)) for node in self.admg.nodes}

    @cached_property
    def home(self) -> Mapping[str, int]:
        """The number of each node's district."""
        districts = enumerate(self.admg.districts())
        return {node: number for number, district in districts for node in district}

    def district(self, number: int) -> ResponseDistrict:
        """The response functions of a district."""
        nodes = self.admg.districts()[number]
        ordered = tuple(node for node in self.admg.topological_order() if node in nodes)
        sizes = {name: len(levels) for name, levels in self.levels.items()}
        return ResponseDistrict(
            nodes=ordered, parents={node: self.parents[node] for node in ordered}, sizes=sizes
        )

    def known(self, number: int) -> Known:
        """What is known of a district; computed once."""
        if self.is_blind:
            return Known(events={}, sufficient=())
        if number not in self._found:
            self._found[number] = known_factors(self.admg, self.district(number), self.joint)
        return self._found[number]

    @cached_property
    def _found(self) -> dict[int, Known]:
        return {}


def known_factors(admg: ADMG, district: ResponseDistrict, joint: Table) -> Known:
    """The factors Q[D_i] of a district as probabilities of events.

    Raises:
        CausalflowError: the factor has more than `DISTRICT_CELLS` cells; checked before it is made.
    """
    every = admg.ordered(frozenset(district.nodes) | admg.parents(district.nodes))
    _check_cells(district, every)
    axes: tuple[str, ...] = ()
    factor = np.ones(())
    blocks: list[tuple[tuple[str, ...], Array]] = []
    for place, node in enumerate(district.nodes, start=1):
        conditional, own = _conditional(admg, node, joint)
        done = frozenset(district.nodes[:place])
        wider = admg.ordered(done | admg.parents(done))
        factor = spread(factor, axes, wider) * spread(conditional, own, wider)
        axes = wider
        blocks.append((axes, factor))
    events: dict[Event, float] = {}
    sufficient: list[Event] = []
    for place, (axes, factor) in enumerate(blocks, start=1):
        found = _events(district, district.nodes[:place], axes, factor, ~np.isnan(factor))
        events |= found
        needed = ~np.isnan(factor)
        if place < len(blocks):
            needed &= ~_implied(axes, *blocks[place])
        sufficient += _events(district, district.nodes[:place], axes, factor, needed)
    return Known(events=events, sufficient=tuple(sufficient))


def _check_cells(district: ResponseDistrict, axes: tuple[str, ...]) -> None:
    cells = prod(district.sizes[axis] for axis in axes)
    if cells > DISTRICT_CELLS:
        raise CausalflowError(
            f"bounds: the factor of district {list(district.nodes)} over {list(axes)} has"
            f" {cells:,} cells; at most {DISTRICT_CELLS:,} are handled"
        )


def _conditional(admg: ADMG, node: str, joint: Table) -> tuple[Array, tuple[str, ...]]:
    """P(node | its pillow), nan where the pillow has probability zero, and its axes."""
    order = admg.topological_order()
    before = admg.subgraph(order[: order.index(node) + 1])
    own = before.district(node)
    axes = admg.ordered(own | before.parents(own))
    values = joint.marginal(axes).to_numpy()
    total = values.sum(axis=axes.index(node), keepdims=True)
    return np.where(total > 0, values / np.where(total > 0, total, 1.0), np.nan), axes


def _implied(axes: tuple[str, ...], wider: tuple[str, ...], factor: Array) -> Array:
    """Where a factor over ``axes`` follows from the next one by summing out its last node."""
    extra = tuple(place for place, axis in enumerate(wider) if axis not in axes)
    return np.asarray((~np.isnan(factor)).any(axis=extra))


def _events(
    district: ResponseDistrict,
    nodes: tuple[str, ...],
    axes: tuple[str, ...],
    factor: Array,
    where: Array,
) -> dict[Event, float]:
    found = {}
    for cell in np.argwhere(where).tolist():
        at = dict(zip(axes, cell, strict=True))
        responses = (
            Response(node=n, given=tuple(at[p] for p in district.parents[n]), value=at[n])
            for n in nodes
        )
        found[frozenset(responses)] = float(factor[tuple(cell)])
    return found
