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

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TypeAlias

from causalflow.admg.admg import ADMG, Links
from causalflow.proof.check import Chance
from causalflow.symbolic.expression import (
    Event,
    Expression,
    Index,
    Probability,
    natural,
    own_events,
    own_indices,
)
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

    region: ADMG
    do: tuple[Event, ...] = ()

    def marginal(self, kept: frozenset[str]) -> Observed:
        """Q[A] for an ancestral set A."""
        return Observed(self.region.subgraph(kept), self.do)

    def district(self, nodes: frozenset[str]) -> Factored:
        """Q[S] for a district S."""
        return Factored(self.region.subgraph(nodes), tuple(self._terms(nodes)))

    def factor(self, nodes: frozenset[str]) -> Expression:
        """Q[S] for a district S, as a formula."""
        return product_of(term for _, term in self._terms(nodes))

    def term(self, outcomes: Iterable[str], given: Iterable[str] = ()) -> Probability:
        """A probability of these data."""
        place = letters_of(self.region.links).place.__getitem__
        asked, known = (own_events(sorted(side, key=place)) for side in (outcomes, given))
        return Probability.of(asked, known, self.do)

    def _terms(self, nodes: frozenset[str]) -> Iterator[tuple[str, Probability]]:
        """Each node of a district given its blanket."""
        own = letters_of(self.region.links)
        set_ = frozenset(own.index[event.name] for event in self.do)
        for node, given, indices in blankets(self.region, nodes):
            free = indices | set_ | {own.index[node]}
            yield node, Probability.of((own.event[node],), given, self.do, free)


@dataclass(frozen=True, slots=True, eq=False)
class Factored:
    """Q[T] as the sum, over the nodes of ``factors`` that are not in T, of their product.

    Attributes:
        region: T.
        factors: node -> its distribution given nodes before it, in topological order.
    """

    region: ADMG
    factors: tuple[tuple[str, Expression], ...]

    def marginal(self, kept: frozenset[str]) -> Factored:
        """Q[A] for an ancestral set A."""
        return Factored(self.region.subgraph(kept), self._needed(kept))

    def conditional(self, node: str) -> Expression:
        """The distribution of a node given those before it."""
        upto = self.region.up_to(node)
        needed = self._needed(upto)
        if all(name in upto for name, _ in needed):
            return dict(needed)[node]
        return ratio_of(self._mass(upto), self._mass(upto - {node}))

    def district(self, nodes: frozenset[str]) -> Factored:
        """Q[S] for a district S."""
        order = self.region.causal_order(nodes)
        factors = tuple((node, self.conditional(node)) for node in order)
        return Factored(self.region.subgraph(nodes), factors)

    def factor(self, nodes: frozenset[str]) -> Expression:
        """Q[S] for a district S, as a formula: conditionals in a row make one ratio of masses."""
        parts = []
        before: frozenset[str] = frozenset()
        for run in _runs(self.region.causal_order(self.region.members), nodes):
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


@dataclass(frozen=True, slots=True, eq=False)
class Letters:
    """How formulas name the nodes of a graph.

    Attributes:
        place: node -> its place in the order of names, in which formulas list variables.
        event: node -> the event that it takes the value of its own index.
        index: node -> its own index.
    """

    place: Mapping[str, int]
    event: Mapping[str, Event]
    index: Mapping[str, Index]


@lru_cache(maxsize=32)
def letters_of(links: Links) -> Letters:
    """The letters of a graph, kept for the next question about it."""
    names = sorted(links.position, key=natural)
    return Letters(
        place={node: place for place, node in enumerate(names)},
        event=dict(zip(names, own_events(names), strict=True)),
        index=dict(zip(names, own_indices(names), strict=True)),
    )


def blankets(
    region: ADMG, district: frozenset[str]
) -> Iterator[tuple[str, tuple[Event, ...], frozenset[Index]]]:
    """The nodes of a district in order, each with the nodes before it on which it depends.

    These are its district as far as it has come, and the parents of all of that: as events, listed
    by letter, with their indices.

    Source: Tian & Pearl (2002), Lemma 1 and Corollary 1.
    """
    links, letters = region.links, letters_of(region.links)
    parts: dict[str, _Part] = {}
    for node in region.causal_order(district):
        part = parts[node] = _Part(letters, {node}, [], set())
        for sibling in links.siblings[node]:
            other = parts.get(sibling, part)
            if other is not part:
                if len(other.members) > len(part.members):
                    part, other = other, part
                part.members.update(other.members)
                part.take([event.name for event in other.events])
                parts.update(dict.fromkeys(other.members, part))
        part.take(links.parents[node] & region.members)
        yield node, tuple(part.events), frozenset(part.indices)
        part.take((node,))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Nodes that bidirected edges connect so far; of these and their parents, the events."""

    letters: Letters
    members: set[str]
    events: list[Event]
    indices: set[Index]

    def take(self, names: Iterable[str]) -> None:
        """More nodes, each to its place by letter."""
        place, event, index = self.letters.place, self.letters.event, self.letters.index
        for name in names:
            if index[name] not in self.indices:
                self.indices.add(index[name])
                insort(self.events, event[name], key=lambda each: place[each.name])


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

    region: ADMG
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
        return parents_of(self.region, self.region.members) - self.region.members

    def before(self, nodes: Names) -> Mapping[str, Names]:
        """For each node of a district of T, what its term is conditioned on."""
        if self.above is None:
            found = blankets(self.region, nodes)
            return {node: Names(event.name for event in given) for node, given, _ in found}
        return {node: self.region.up_to(node) - {node} for node in nodes}

    def restrict(self, nodes: Names) -> Level:
        """The level of an ancestral subset."""
        region = self.region.subgraph(nodes)
        return Level(region=region, do=self.do, above=self.above, whole=self.whole)


def parents_of(region: ADMG, nodes: Names) -> Names:
    """The parents of any of ``nodes``, in the whole graph."""
    return frozenset[str]().union(*(region.links.parents[node] for node in nodes))


def descend(level: Level, district: Names) -> Level | None:
    """The level of which S is a district: lines 2 and 7 of ID; None: a hedge, line 5."""
    while (around := level.region.district(district)) != district:
        ancestors = level.region.ancestors(district)
        if ancestors != level.region.members:
            level = level.restrict(ancestors)
        elif around == ancestors:
            return None
        else:
            inner = level.region.subgraph(around)
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
