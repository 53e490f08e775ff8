"""PDAG: a partially directed graph, as discovery from data gives it, and its members.

Some edges ``a -> b`` are directed, others ``a -- b`` are not. A *member* is a DAG with the same
edges, the directed ones as they are, and no further collider: no x -> y <- z, x and z without an
edge, that the PDAG does not have itself. The members of a CPDAG are the DAGs of a Markov
equivalence class: data cannot tell them apart. Meek's rules direct what every member directs alike:

    1  a -> b -- c,  a and c without an edge                      b -> c
    2  a -> b -> c,  a -- c                                       a -> c
    3  a -- b, a -- c -> b, a -- d -> b, c and d without an edge  a -> b
    4  a -- b, a -- d -> c -> b, b and d without an edge,
       a and c with one                                           a -> b

Closed under them, either direction of an edge that is left has a member: so they are listed without
a search that fails.

Source: Meek (1995), Causal inference and causal explanation with background knowledge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import combinations
from typing import TypeAlias

from causalflow.errors import GraphError
from causalflow.names import written

__all__ = ["PDAG", "Pair"]

Pair: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PDAG:
    """A graph whose edges have a direction or none; at most one edge between two nodes.

    Attributes:
        nodes: in declared order.
        directed: a -> b as (a, b).
        undirected: a -- b as {a, b}.
    """

    nodes: tuple[str, ...]
    directed: frozenset[Pair]
    undirected: frozenset[frozenset[str]]

    def oriented(self, pairs: Iterable[Pair]) -> PDAG:
        """With these edges directed, and what follows from that by Meek's rules.

        Raises:
            GraphError: an edge that is not there, or is directed otherwise.
        """
        directed, undirected = self.directed, self.undirected
        for source, target in pairs:
            if frozenset((source, target)) in undirected:
                directed, undirected = _turned(directed, undirected, (source, target))
            elif (source, target) not in directed:
                shown = f"{written(source)} -> {written(target)}"
                there = (target, source) in directed
                reason = "the data direct it the other way" if there else "there is no such edge"
                raise GraphError(f"orient '{shown}': {reason}")
        return PDAG(nodes=self.nodes, directed=directed, undirected=undirected).closed()

    def closed(self) -> PDAG:
        """Every edge directed that all members direct alike."""
        directed, undirected = self.directed, self.undirected
        while found := next(self._forced(directed, undirected), None):
            directed, undirected = _turned(directed, undirected, found)
        return PDAG(nodes=self.nodes, directed=directed, undirected=undirected)

    def members(self) -> Iterator[frozenset[Pair]]:
        """The edges of each member, found one by one; none where there is a contradiction."""
        colliders = self._colliders(self.directed)
        open_graphs = [self.closed()]
        while open_graphs:
            graph = open_graphs.pop()
            if edge := graph.first_open:
                ways = (edge, edge[::-1])
                open_graphs += [graph.oriented([way]) for way in reversed(ways)]
            elif _is_acyclic(graph.directed) and self._colliders(graph.directed) == colliders:
                yield graph.directed

    @property
    def first_open(self) -> Pair | None:
        """The first edge without a direction, its ends in the order of the nodes."""
        ordered = [tuple(n for n in self.nodes if n in edge) for edge in self.undirected]
        places = {name: place for place, name in enumerate(self.nodes)}
        found = min(ordered, key=lambda edge: [places[name] for name in edge], default=None)
        return None if found is None else (found[0], found[1])

    def _forced(
        self, directed: frozenset[Pair], undirected: frozenset[frozenset[str]]
    ) -> Iterator[Pair]:
        """The edges that a rule directs."""
        joined = undirected | {frozenset(edge) for edge in directed}
        into: dict[str, set[str]] = {name: set() for name in self.nodes}
        for source, target in directed:
            into[target].add(source)
        for edge in sorted(map(sorted, undirected)):
            for a, b in (edge, edge[::-1]):
                if _is_forced(a, b, into, undirected, joined):
                    yield a, b

    def _colliders(self, directed: frozenset[Pair]) -> set[tuple[frozenset[str], str]]:
        """x -> y <- z with x and z not joined, as ({x, z}, y)."""
        joined = self.undirected | {frozenset(edge) for edge in self.directed}
        into: dict[str, list[str]] = {}
        for source, target in directed:
            into.setdefault(target, []).append(source)
        return {
            (frozenset(pair), target)
            for target, sources in into.items()
            for pair in combinations(sources, 2)
            if frozenset(pair) not in joined
        }


def _is_forced(
    a: str,
    b: str,
    into: dict[str, set[str]],
    undirected: frozenset[frozenset[str]],
    joined: frozenset[frozenset[str]],
) -> bool:
    """Whether a rule makes a -> b of a -- b."""
    first = any(frozenset((c, b)) not in joined for c in into[a])
    second = any(a in into[c] for c in into[b])
    beside = [c for c in into[b] if frozenset((a, c)) in undirected]
    third = any(frozenset(pair) not in joined for pair in combinations(beside, 2))
    fourth = any(
        frozenset((a, d)) in undirected and frozenset((b, d)) not in joined
        for c in into[b]
        if frozenset((a, c)) in joined
        for d in into[c]
    )
    return first or second or third or fourth


def _turned(
    directed: frozenset[Pair], undirected: frozenset[frozenset[str]], pair: Pair
) -> tuple[frozenset[Pair], frozenset[frozenset[str]]]:
    return directed | {pair}, undirected - {frozenset(pair)}


def _is_acyclic(directed: Iterable[Pair]) -> bool:
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for source, target in directed:
        sorter.add(target, source)
    try:
        sorter.prepare()
    except CycleError:
        return False
    return True
