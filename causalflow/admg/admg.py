"""ADMG: an acyclic directed mixed graph, and the set algebra that identification is written in.

Notation: V the nodes; ``x -> y`` (directed) x is a parent of y; ``x <-> y`` (bidirected) x and y
share hidden exogenous variables, and are siblings. A *district* (c-component) is a maximal set of
nodes joined by bidirected edges. ``do(X)`` cuts every edge, of both kinds, that has an arrow head
at X (G with X overlined); ``without_outgoing(X)`` cuts every directed edge out of X (X underlined).

Everything is a pure function of the graph, linear in its size but for the sorting that makes every
order the declared one. A cyclic graph can be made, so that `ADMG.find_cycle` can show its cycle;
only the topological order refuses it.

Source: Richardson (2003); Pearl (2009), *Causality*, section 3.4 and 3.7.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from causalflow.errors import GraphError, one_of, shown
from causalflow.limits import EDGES
from causalflow.names import written

__all__ = ["ADMG", "Names"]

Names: TypeAlias = str | Iterable[str]
_Adjacency: TypeAlias = Mapping[str, tuple[str, ...]]


def _require_few(count: int, graph: ADMG) -> None:
    if count > EDGES + len(graph.nodes) + len(graph.directed) + 2 * len(graph.bidirected):
        raise GraphError(
            f"the latent nodes would leave {count:,} edges or more; at most {EDGES:,} are allowed: "
            "a latent node joins all that it reaches, two by two"
        )


@dataclass(frozen=True)
class ADMG:
    """Named nodes in declared order, directed edges (source, target), bidirected edges {a, b}.

    Methods that take ``nodes`` accept one name or several, and raise `GraphError` for a name that
    is not in the graph. Equality is equality of nodes (in order) and edges.

    Example:
        >>> front_door = ADMG(
        ...     ("x", "m", "y"),
        ...     frozenset({("x", "m"), ("m", "y")}),
        ...     frozenset({frozenset({"x", "y"})}),
        ... )
        >>> print(front_door.do("x"))
        x -> m, m -> y
        >>> [sorted(district) for district in front_door.districts()]
        [['x', 'y'], ['m']]
    """

    nodes: tuple[str, ...]
    directed: frozenset[tuple[str, str]] = frozenset()
    bidirected: frozenset[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        if len(self._position) != len(self.nodes):
            twice = next(name for i, name in enumerate(self.nodes) if name in self.nodes[:i])
            raise GraphError(f"node '{twice}' is declared twice; each name may be used once")
        for source, target in self.directed:
            self._require((source, target))
        for pair in self.bidirected:
            self._require(pair)
            if len(pair) != 2:
                shown = " <-> ".join(map(written, sorted(pair) * 2))
                raise GraphError(f"bidirected edge '{shown}' must join two different nodes")

    def __repr__(self) -> str:
        """As it is made, edges in order: a set's own order differs from run to run."""
        pairs = sorted(sorted(pair) for pair in self.bidirected)
        arcs = ", ".join(f"frozenset({pair!r})" for pair in pairs)
        return (
            f"ADMG(nodes={self.nodes!r}, directed={sorted(self.directed)!r}, bidirected=[{arcs}])"
        )

    def parents(self, nodes: Names) -> frozenset[str]:
        """The parents of any of ``nodes``."""
        return self._neighbours(self._parents, nodes)

    def children(self, nodes: Names) -> frozenset[str]:
        """The children of any of ``nodes``."""
        return self._neighbours(self._children, nodes)

    def siblings(self, nodes: Names) -> frozenset[str]:
        """The ends of bidirected edges that start at any of ``nodes``."""
        return self._neighbours(self._siblings, nodes)

    def ancestors(self, nodes: Names) -> frozenset[str]:
        """``nodes`` and everything with a directed path into them."""
        return self._closure(self._parents, nodes)

    def descendants(self, nodes: Names) -> frozenset[str]:
        """``nodes`` and everything a directed path leads to from them."""
        return self._closure(self._children, nodes)

    def district(self, nodes: Names) -> frozenset[str]:
        """The district of a node; of several nodes, the union of their districts."""
        return self._closure(self._siblings, nodes)

    def districts(self) -> tuple[frozenset[str], ...]:
        """The partition of the nodes into districts, ordered by their first declared members."""
        return self._districts

    def topological_order(self) -> tuple[str, ...]:
        """The nodes, parents first; the declared order wherever the edges leave a choice.

        Raises:
            GraphError: the graph has a cycle; the message shows it.
        """
        if cycle := self.find_cycle():
            shown = " -> ".join(map(written, (*cycle, cycle[0])))
            raise GraphError(f"the graph has a cycle: {shown}")
        return self._sorted

    def find_cycle(self) -> tuple[str, ...] | None:
        """The nodes of one directed cycle, each a parent of the next; None if there is none."""
        left = frozenset(self.nodes).difference(self._sorted)
        if not left:
            return None
        walk: dict[str, int] = {}
        node = self.ordered(left)[0]
        while node not in walk:
            walk[node] = len(walk)
            node = next(parent for parent in self._parents[node] if parent in left)
        cycle = tuple(walk)[walk[node] :][::-1]
        start = cycle.index(self.ordered(cycle)[0])
        return cycle[start:] + cycle[:start]

    def do(self, nodes: Names) -> ADMG:
        """The graph under an intervention: edges into ``nodes`` cut, directed and bidirected."""
        cut = self._require(nodes)
        return ADMG(
            self.nodes,
            frozenset(edge for edge in self.directed if edge[1] not in cut),
            frozenset(pair for pair in self.bidirected if not pair & cut),
        )

    def without_outgoing(self, nodes: Names) -> ADMG:
        """The graph with the directed edges out of ``nodes`` cut."""
        cut = self._require(nodes)
        kept = frozenset(edge for edge in self.directed if edge[0] not in cut)
        return ADMG(self.nodes, kept, self.bidirected)

    def subgraph(self, nodes: Names) -> ADMG:
        """The induced graph: ``nodes``, and the edges with both ends among them."""
        kept = self._require(nodes)
        return ADMG(
            self.ordered(kept),
            frozenset(edge for edge in self.directed if kept.issuperset(edge)),
            frozenset(pair for pair in self.bidirected if pair <= kept),
        )

    def latent_projection(self, latent: Names) -> ADMG:
        """The graph of the other nodes: the same separations and the same identifiable effects.

        ``a -> b`` where a directed path leads from a to b through latent nodes alone; ``a <-> b``
        where a and b are both reached so from one latent node, or from the two ends of a
        bidirected edge (an observed node reaches itself). Edges are counted before they are made.

        Raises:
            GraphError: a cycle, or more than `causalflow.limits.EDGES` edges to make.

        Source: Verma & Pearl (1990), Equivalence and synthesis of causal models; Tian & Pearl
        (2002), On the identification of causal effects (technical report), section 5.

        Example:
            >>> edges = frozenset({("p", "u"), ("u", "a"), ("u", "b")})
            >>> print(ADMG(("p", "u", "a", "b"), edges).latent_projection("u"))
            p -> a, p -> b, a <-> b
        """
        hidden = self._require(latent)
        reached = self._reached_through(hidden)
        tops = [reached[node] for node in hidden if not self.parents(node) & hidden]
        ends = [(reached[a], reached[b]) for a, b in map(tuple, self.bidirected)]
        kept = frozenset(self.nodes) - hidden
        reach = [(a, reached[b]) for a, b in self.directed if a in kept]
        count = sum(len(below) * (len(below) - 1) // 2 for below in tops)
        count += sum(len(x) * len(y) for x, y in ends) + sum(len(below) for _, below in reach)
        _require_few(count, self)
        ends += [(below, below) for below in tops]
        return ADMG(
            self.ordered(kept),
            frozenset((a, b) for a, below in reach for b in below),
            frozenset(frozenset((a, b)) for x, y in ends for a in x for b in y if a != b),
        )

    def _reached_through(self, hidden: frozenset[str]) -> Mapping[str, frozenset[str]]:
        """The observed nodes that each node reaches through ``hidden`` alone; observed: itself."""
        reached: dict[str, frozenset[str]] = {}
        held = 0
        for node in reversed(self.topological_order() if hidden else self.nodes):
            below = [reached[child] for child in self._children[node]] if node in hidden else ()
            reached[node] = frozenset().union(*below) if node in hidden else frozenset((node,))
            held += len(reached[node])
            _require_few(held, self)
        return reached

    def ordered(self, nodes: Names) -> tuple[str, ...]:
        """``nodes`` without repetition, in declared order."""
        return tuple(sorted(self._require(nodes), key=self._position.__getitem__))

    def edge_strings(self) -> tuple[str, ...]:
        """The edges as a graph file writes them, directed ones first, in declared order."""
        texts = {name: written(name) for name in self.nodes}
        arrows = [(node, child) for node in self.nodes for child in self._children[node]]
        return (
            *(f"{texts[source]} -> {texts[target]}" for source, target in arrows),
            *(f"{texts[a]} <-> {texts[b]}" for a, b in self.arcs()),
        )

    def arcs(self) -> tuple[tuple[str, ...], ...]:
        """The ends of the bidirected edges, in declared order."""
        return tuple(
            (node, sibling)
            for node in self.nodes
            for sibling in self._siblings[node]
            if self._position[node] < self._position[sibling]
        )

    def __str__(self) -> str:
        alone = [
            written(node)
            for node in self.nodes
            if not (self._parents[node] or self._children[node] or self._siblings[node])
        ]
        return ", ".join((*self.edge_strings(), *alone))

    @cached_property
    def _position(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.nodes)}

    @cached_property
    def _parents(self) -> _Adjacency:
        return self._adjacency((target, source) for source, target in self.directed)

    @cached_property
    def _children(self) -> _Adjacency:
        return self._adjacency(self.directed)

    @cached_property
    def _siblings(self) -> _Adjacency:
        pairs = [tuple(pair) for pair in self.bidirected]
        return self._adjacency([*pairs, *((b, a) for a, b in pairs)])

    @cached_property
    def _districts(self) -> tuple[frozenset[str], ...]:
        found: dict[str, frozenset[str]] = {}
        for node in self.nodes:
            if node not in found:
                district = self.district(node)
                found.update(dict.fromkeys(district, district))
        return tuple(dict.fromkeys(found[node] for node in self.nodes))

    @cached_property
    def _sorted(self) -> tuple[str, ...]:
        """Kahn's order, earliest declared first; nodes on or below a cycle are missing from it."""
        waiting = {node: len(parents) for node, parents in self._parents.items()}
        ready = [self._position[node] for node, count in waiting.items() if not count]
        heapify(ready)
        order = []
        while ready:
            node = self.nodes[heappop(ready)]
            order.append(node)
            for child in self._children[node]:
                waiting[child] -= 1
                if not waiting[child]:
                    heappush(ready, self._position[child])
        return tuple(order)

    def _adjacency(self, links: Iterable[tuple[str, ...]]) -> _Adjacency:
        """Neighbours by node, in declared order (sets of strings have no order of their own)."""
        lists: dict[str, list[str]] = {name: [] for name in self.nodes}
        for node, neighbour in links:
            lists[node].append(neighbour)
        return {
            node: tuple(sorted(found, key=self._position.__getitem__) if found[1:] else found)
            for node, found in lists.items()
        }

    def _neighbours(self, adjacency: _Adjacency, nodes: Names) -> frozenset[str]:
        return frozenset().union(*(adjacency[node] for node in self._require(nodes)))

    def _closure(self, adjacency: _Adjacency, nodes: Names) -> frozenset[str]:
        reached = set(self._require(nodes))
        frontier = list(reached)
        while frontier:
            fresh = [name for name in adjacency[frontier.pop()] if name not in reached]
            reached.update(fresh)
            frontier.extend(fresh)
        return frozenset(reached)

    def _require(self, nodes: Names) -> frozenset[str]:
        """``nodes`` as a set, all of them known."""
        try:
            names = frozenset((nodes,)) if isinstance(nodes, str) else frozenset(nodes)
        except TypeError:
            raise GraphError(f"nodes: {shown(nodes, 60)}; expected a name, or several") from None
        for name in sorted(names.difference(self._position), key=str):
            raise GraphError(f"unknown node {name!r}; {one_of(name, self.nodes)}")
        return names
