"""Response: the canonical exogenous variable of a district, and what P(v) tells of it.

Notation: D a district; v in D a node with K levels and parents pa(v). Exogenous variables act on
the district only by selecting, for every v, a *response function* r_v: levels of pa(v) -> levels of
v, one of K^|pa(v)|. A model of the district is therefore a law q(r) of r = (r_v : v in D). An
*event* is a set of responses r_v(pa) = v; its probability is linear in q:

    P(event) = sum of q(r) over the r in which all its responses hold

Within a district q is unrestricted if the hidden causes may be common to all of its nodes.
Positions stand for levels throughout.

What P(v) tells: with v_1, v_2, ... the nodes of D in a topological order, D_i the first i of them,

    Q[D_i](d, pa) = P(r_v(pa(v)) = v for all v in D_i) = product over j <= i of P(v_j | mp(v_j))

with mp(v), the Markov pillow: the district of v among its predecessors in the graph, and that
district's parents. A model of the graph has the distribution P(v) exactly if its districts have
these factors wherever the conditionals are defined. Where P(v) > 0 the last of them, Q[D], says it
all; where probabilities are 0, what is left of Q[D] is said by the factors before it.

Source: Balke & Pearl (1994), (1997); Pearl (2009), *Causality*, section 8.2; Tian & Pearl (2002);
Richardson (2003) for the pillow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from math import log10, prod
from typing import Any, TypeAlias

import numpy as np

from causalflow.admg.admg import ADMG
from causalflow.errors import CausalflowError
from causalflow.factors.array import spread
from causalflow.factors.rows import Levels
from causalflow.factors.table import Table
from causalflow.limits import DISTRICT_CELLS, RESPONSE_FUNCTIONS

__all__ = ["Event", "KnownEvents", "Response", "ResponseDistrict", "ResponseModel", "known_factors"]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The value of a node where its parents have given values.

    Attributes:
        node: the node.
        given: its parents' positions, in the order of the graph.
        value: its own position.
    """

    node: str
    given: tuple[int, ...]
    value: int


Event: TypeAlias = frozenset[Response]


@dataclass(frozen=True, kw_only=True, eq=False)
class ResponseDistrict:
    """The joint response functions of a district's nodes.

    Attributes:
        nodes: parents before children.
        parents: the parents of each node, in the order of the graph.
        sizes: the number of levels of each node and parent.

    Example:
        >>> bow = ResponseDistrict(
        ...     nodes=("x", "y"), parents={"x": (), "y": ("x",)}, sizes={"x": 2, "y": 2}
        ... )
        >>> bow.count
        8
        >>> bow.indicator([Response(node="y", given=(1,), value=0)]).astype(int).tolist()
        [1, 0, 1, 0, 1, 0, 1, 0]
    """

    nodes: tuple[str, ...]
    parents: Mapping[str, tuple[str, ...]]
    sizes: Mapping[str, int]

    @property
    def count(self) -> int:
        """The number of joint response functions.

        Raises:
            CausalflowError: more than `RESPONSE_FUNCTIONS`; found without computing the number.
        """
        digits = sum(self._rows(node) * log10(self.sizes[node]) for node in self.nodes)
        if digits > log10(RESPONSE_FUNCTIONS) + 1e-9:
            each = ", ".join(f"{n}: {self.sizes[n]}^{self._rows(n)}" for n in self.nodes)
            raise CausalflowError(
                f"bounds: district {list(self.nodes)} has about 10^{digits:.0f} joint response"
                f" functions ({each}); at most {RESPONSE_FUNCTIONS:,} fit a linear program"
            )
        return prod(map(self._functions, self.nodes))

    def indicator(self, event: Iterable[Response]) -> Array:
        """Which joint response functions an event holds in: bool, shape (count,)."""
        masks = {node: np.ones(self._functions(node), dtype=bool) for node in self.nodes}
        for response in event:
            masks[response.node] &= self._holds(response)
        return reduce(np.logical_and.outer, masks.values()).ravel()

    def _holds(self, response: Response) -> Array:
        """The functions of one node, numbered by their values as digits, that give a response."""
        size = self.sizes[response.node]
        row = 0
        for parent, place in zip(self.parents[response.node], response.given, strict=True):
            row = row * self.sizes[parent] + place
        unit = size ** (self._rows(response.node) - 1 - row)
        digits: Array = np.arange(self._functions(response.node)) // unit % size
        return np.equal(digits, response.value)

    def _rows(self, node: str) -> int:
        return prod(self.sizes[parent] for parent in self.parents[node])

    def _functions(self, node: str) -> int:
        return int(self.sizes[node] ** self._rows(node))


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEvents:
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

    def known(self, number: int) -> KnownEvents:
        """What is known of a district; computed once."""
        if self.is_blind:
            return KnownEvents(events={}, sufficient=())
        if number not in self._found:
            self._found[number] = known_factors(self.admg, self.district(number), self.joint)
        return self._found[number]

    @cached_property
    def _found(self) -> dict[int, KnownEvents]:
        return {}


def known_factors(admg: ADMG, district: ResponseDistrict, joint: Table) -> KnownEvents:
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
    return KnownEvents(events=events, sufficient=tuple(sufficient))


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
