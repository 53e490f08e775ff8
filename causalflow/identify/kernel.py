"""Kernel: the current distribution of the recursion that identifies an effect.

Notation: Q[T] = P(t | do(v - t)), the distribution of T when all else is set. The recursion starts
from data, Q[V - Z] = P(v | do(z)) with Z an experiment's treatments (none: P(v)), and goes on

    to an ancestral set A     Q[A] = sum_{T - A} Q[T]                      (`marginal`)
    to a district S           Q[S] = prod_{i in S} Q[T](v_i | v_1..v_{i-1})  (`district`)

with v_1, v_2, ... the nodes of T in topological order. The conditionals are those of the *current*
distribution Q[T]; taking them from P(v) instead is a well-known mistake (the napkin graph).

Source: Tian & Pearl (2002), Lemmas 1-4; lines 2, 6 and 7 of Shpitser & Pearl (2006), Figure 3.

Level: how the factor Q[S] of a district comes from data, one set of nodes within another.

Notation: Q[T] = P(t | do(pa(T) - T)), pa(T) the parents of the nodes of T. A term of Q[T] is the
probability of one node given others of T. Data are Q[T] for T all nodes that they do not set.

Source: Tian & Pearl (2002), Lemmas 1-4; lines 2 and 7 of Shpitser & Pearl (2006), Figure 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

from causalflow.identify.region import Region
from causalflow.proof.check import Chance
from causalflow.symbolic.expression import Event, Expression, Index, Probability, own_events
from causalflow.symbolic.simplify import product_of, ratio_of, sum_of

__all__ = [
    "Factored",
    "Kernel",
    "Level",
    "Observed",
    "descend",
    "goal_of",
    "needed_of",
    "parents_of",
]


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Q[T] as data: P(t | do(z)), T an ancestral set of the graph without Z."""

    region: Region
    do: tuple[Event, ...] = ()

    def marginal(self, kept: frozenset[str]) -> Observed:
        """Q[A] for an ancestral set A."""
        return Observed(self.region.restrict(kept), self.do)

    def district(self, nodes: frozenset[str]) -> Factored:
        """Q[S] for a district S."""
        return Factored(self.region.restrict(nodes), tuple(self._terms(nodes)))

    def factor(self, nodes: frozenset[str]) -> Expression:
        """Q[S] for a district S, as a formula."""
        return product_of(term for _, term in self._terms(nodes))

    def term(self, outcomes: Iterable[str], given: Iterable[str] = ()) -> Probability:
        """A probability of these data."""
        letter = self.region.links.letter.__getitem__
        asked, known = (own_events(sorted(side, key=letter)) for side in (outcomes, given))
        return Probability.of(asked, known, self.do)

    def _terms(self, nodes: frozenset[str]) -> Iterator[tuple[str, Probability]]:
        """Each node of a district given its blanket."""
        links = self.region.links
        set_ = frozenset(links.index[event.name] for event in self.do)
        for node, given, indices in self.region.blanket_events(nodes):
            free = indices | set_ | {links.index[node]}
            yield node, Probability.of((links.event[node],), given, self.do, free)


@dataclass(frozen=True, slots=True, eq=False)
class Factored:
    """Q[T] as the sum, over the nodes of ``factors`` that are not in T, of their product.

    Attributes:
        region: T.
        factors: node -> its distribution given nodes before it, in topological order.
    """

    region: Region
    factors: tuple[tuple[str, Expression], ...]

    def marginal(self, kept: frozenset[str]) -> Factored:
        """Q[A] for an ancestral set A."""
        return Factored(self.region.restrict(kept), self._needed(kept))

    def conditional(self, node: str) -> Expression:
        """The distribution of a node given those before it."""
        upto = self.region.up_to(node)
        needed = self._needed(upto)
        if all(name in upto for name, _ in needed):
            return dict(needed)[node]
        return ratio_of(self._mass(upto), self._mass(upto - {node}))

    def district(self, nodes: frozenset[str]) -> Factored:
        """Q[S] for a district S."""
        order = self.region.order(nodes)
        factors = tuple((node, self.conditional(node)) for node in order)
        return Factored(self.region.restrict(nodes), factors)

    def factor(self, nodes: frozenset[str]) -> Expression:
        """Q[S] for a district S, as a formula: conditionals in a row make one ratio of masses."""
        parts = []
        before: frozenset[str] = frozenset()
        for run in _runs(self.region.order(self.region.nodes), nodes):
            upto = before | run
            if run <= nodes:
                parts.append(ratio_of(self._mass(upto), self._mass(before)))
            before = upto
        return product_of(parts)

    def _mass(self, kept: frozenset[str]) -> Expression:
        """The sum over all nodes but ``kept``, an initial piece of the order."""
        needed = self._needed(kept)
        over = [Index(node) for node, _ in needed if node not in kept]
        return sum_of(over, product_of(factor for _, factor in needed))

    def _needed(self, kept: frozenset[str]) -> tuple[tuple[str, Expression], ...]:
        """The factors without those that sum to one when all but ``kept`` is summed out."""
        left: list[tuple[str, Expression]] = []
        met: set[Index] = set()
        for node, factor in reversed(self.factors):
            if node in kept or Index(node) in met:
                left.append((node, factor))
                met |= factor.free
        return tuple(reversed(left))


Kernel: TypeAlias = Observed | Factored


def _runs(order: Iterable[str], nodes: frozenset[str]) -> Iterator[frozenset[str]]:
    """The order cut where it enters or leaves ``nodes``."""
    for _, run in groupby(order, key=nodes.__contains__):
        yield frozenset(run)


Names = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A set of nodes T whose Q[T] is data, or comes from those of the level above.

    Attributes:
        region: T.
        do: what is set in the data (of the level at the top).
        above: the level of which ``whole``, which T is part of, is a district; None: data.
        whole: the district.
    """

    region: Region
    do: Names = frozenset()
    above: Level | None = None
    whole: Names = frozenset()

    @property
    def upper(self) -> Level:
        """The level above one that is not data."""
        assert self.above is not None
        return self.above

    def set(self) -> Names:
        """What is set in Q[T]."""
        if self.above is None:
            return self.do
        return parents_of(self.region, self.region.nodes) - self.region.nodes

    def before(self, nodes: Names) -> Mapping[str, Names]:
        """For each node of a district of T, what its term is conditioned on."""
        if self.above is None:
            return dict(self.region.blankets(nodes))
        return {node: self.region.up_to(node) - {node} for node in nodes}

    def restrict(self, nodes: Names) -> Level:
        """The level of an ancestral subset."""
        region = self.region.restrict(nodes)
        return Level(region=region, do=self.do, above=self.above, whole=self.whole)


def parents_of(region: Region, nodes: Names) -> Names:
    """The parents of any of ``nodes``, in the whole graph."""
    return frozenset[str]().union(*(region.links.parents[node] for node in nodes))


def descend(level: Level, district: Names) -> Level | None:
    """The level of which S is a district: lines 2 and 7 of ID; None: a hedge, line 5."""
    while (around := level.region.district(district)) != district:
        ancestors = level.region.ancestors(district)
        if ancestors != level.region.nodes:
            level = level.restrict(ancestors)
        elif around == ancestors:
            return None
        else:
            inner = level.region.restrict(around)
            level = Level(region=inner, do=level.do, above=level, whole=around)
    return level


def goal_of(level: Level, node: str) -> Chance:
    """The term of a node at the level above."""
    above = level.upper
    return Chance(frozenset({node}), above.before(level.whole)[node], above.set())


def needed_of(level: Level, nodes: Names) -> Names:
    """``nodes`` of a level and those of its district that their terms above depend on."""
    before = level.upper.before(level.whole)
    reached, frontier = set(nodes), [*nodes]
    while frontier:
        fresh = (before[frontier.pop()] & level.whole) - reached
        reached |= fresh
        frontier.extend(fresh)
    return frozenset(reached)
