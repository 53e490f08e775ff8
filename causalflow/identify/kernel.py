"""Kernel: the current distribution of the recursion that identifies an effect, and its origin.

Notation: Q[T] = P(t | do(v - t)), the distribution of T when all else is set. The recursion starts
from data, Q[V - Z] = P(v | do(z)) with Z an experiment's treatments (none: P(v)), and goes on

    to an ancestral set A     Q[A] = sum_{T - A} Q[T]                      (`marginal`)
    to a district S           Q[S] = prod_{i in S} Q[T](v_i | v_1..v_{i-1})  (`district`)

with v_1, v_2, ... the nodes of T in topological order. The conditionals are those of the *current*
distribution Q[T]; taking them from P(v) instead is a well-known mistake (the napkin graph). What is
no data any more keeps the kernel *above*, of which it was a district: `causalflow.identify.derive`
goes that way back.

Source: Tian & Pearl (2002), Lemmas 1-4; lines 2, 6 and 7 of Shpitser & Pearl (2006), Figure 3.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TypeAlias

from causalflow.admg.admg import ADMG, Links, Nodes
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

__all__ = ["Factored", "Kernel", "Observed", "observed"]


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Q[T] as data: P(t | do(z)), T an ancestral set of the graph without Z."""

    region: ADMG
    do: tuple[Event, ...] = ()

    def marginal(self, kept: Nodes) -> Observed:
        """Q[A] for an ancestral set A."""
        return Observed(self.region.subgraph(kept), self.do)

    def district(self, nodes: Nodes) -> Factored:
        """Q[S] for a district S."""
        return Factored(self.region.subgraph(nodes), tuple(self._terms(nodes)), self, nodes)

    def factor(self, nodes: Nodes) -> Expression:
        """Q[S] for a district S, as a formula."""
        return product_of(term for _, term in self._terms(nodes))

    def before(self, nodes: Nodes) -> dict[str, Nodes]:
        """What the term of each node of a district is conditioned on."""
        found = _blankets(self.region, nodes)
        return {node: Nodes(event.name for event in given) for node, given, _ in found}

    def term(self, outcomes: Iterable[str]) -> Probability:
        """A probability of these data."""
        place = _letters(self.region.links).place.__getitem__
        return Probability.of(own_events(sorted(outcomes, key=place)), (), self.do)

    def _terms(self, nodes: Nodes) -> Iterator[tuple[str, Probability]]:
        """Each node of a district given its blanket."""
        own = _letters(self.region.links)
        set_ = frozenset(own.index[event.name] for event in self.do)
        for node, given, indices in _blankets(self.region, nodes):
            free = indices | set_ | {own.index[node]}
            yield node, Probability.of((own.event[node],), given, self.do, free)


@dataclass(frozen=True, slots=True, eq=False)
class Factored:
    """Q[T] as the sum, over the nodes of ``factors`` that are not in T, of their product.

    Attributes:
        region: T.
        factors: node -> its distribution given nodes before it, in topological order.
        above: the kernel that this one comes from.
        whole: the district of ``above`` that T is an ancestral set of.
    """

    region: ADMG
    factors: tuple[tuple[str, Expression], ...]
    above: Kernel
    whole: Nodes

    def marginal(self, kept: Nodes) -> Factored:
        """Q[A] for an ancestral set A."""
        region = self.region.subgraph(kept)
        return Factored(region, self._needed(kept), self.above, self.whole)

    def district(self, nodes: Nodes) -> Factored:
        """Q[S] for a district S."""
        order = self.region.causal_order(nodes)
        factors = tuple((node, self._conditional(node)) for node in order)
        return Factored(self.region.subgraph(nodes), factors, self, nodes)

    def factor(self, nodes: Nodes) -> Expression:
        """Q[S] for a district S, as a formula: conditionals in a row make one ratio of masses."""
        parts = []
        before: Nodes = frozenset()
        for run in _runs(self.region.causal_order(self.region.members), nodes):
            upto = before | run
            if run <= nodes:
                parts.append(ratio_of(self._mass(upto), self._mass(before)))
            before = upto
        return product_of(parts)

    def before(self, nodes: Nodes) -> dict[str, Nodes]:
        """What the term of each node of a district is conditioned on."""
        return {node: self.region.up_to(node) - {node} for node in nodes}

    def _conditional(self, node: str) -> Expression:
        """The distribution of a node given those before it."""
        upto = self.region.up_to(node)
        needed = self._needed(upto)
        if all(name in upto for name, _ in needed):
            return dict(needed)[node]
        return ratio_of(self._mass(upto), self._mass(upto - {node}))

    def _mass(self, kept: Nodes) -> Expression:
        """The sum over all nodes but ``kept``, an initial piece of the order."""
        needed = self._needed(kept)
        over = [Index(node) for node, _ in needed if node not in kept]
        return sum_of(over, product_of(factor for _, factor in needed))

    def _needed(self, kept: Nodes) -> tuple[tuple[str, Expression], ...]:
        """The factors without those that sum to one when all but ``kept`` is summed out."""
        left: list[tuple[str, Expression]] = []
        met: set[Index] = set()
        for node, factor in reversed(self.factors):
            if node in kept or Index(node) in met:
                left.append((node, factor))
                met |= factor.free
        return tuple(reversed(left))


Kernel: TypeAlias = Observed | Factored


def observed(region: ADMG, experiment: Iterable[str] = ()) -> Observed:
    """The data P(v | do(z)) about a region that has no node of the experiment's treatments Z."""
    return Observed(region, own_events(sorted(experiment, key=natural)))


def _runs(order: Iterable[str], nodes: Nodes) -> Iterator[Nodes]:
    """The order cut where it enters or leaves ``nodes``."""
    for _, run in groupby(order, key=nodes.__contains__):
        yield frozenset(run)


@dataclass(frozen=True, slots=True, eq=False)
class _Letters:
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
def _letters(links: Links) -> _Letters:
    """The letters of a graph, kept for the next question about it."""
    names = sorted(links.position, key=natural)
    return _Letters(
        place={node: place for place, node in enumerate(names)},
        event=dict(zip(names, own_events(names), strict=True)),
        index=dict(zip(names, own_indices(names), strict=True)),
    )


def _blankets(
    region: ADMG, district: Nodes
) -> Iterator[tuple[str, tuple[Event, ...], frozenset[Index]]]:
    """The nodes of a district in order, each with the nodes before it on which it depends.

    These are its district as far as it has come, and the parents of all of that: as events, listed
    by letter, with their indices.

    Source: Tian & Pearl (2002), Lemma 1 and Corollary 1.
    """
    links, letters = region.links, _letters(region.links)
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

    letters: _Letters
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
