"""ADMG: an acyclic directed mixed graph, and the set algebra that identification is written in.

Notation: V the nodes; ``x -> y`` (directed) x is a parent of y; ``x <-> y`` (bidirected) x and y
share hidden exogenous variables, and are siblings. A *district* (c-component) is a maximal set of
nodes joined by bidirected edges. ``do(X)`` cuts every edge, of both kinds, that has an arrow head
at X (G with X overlined); ``without_outgoing(X)`` cuts every directed edge out of X (X underlined).

Everything is a pure function of the graph, linear in its size but for the sorting that makes every
order the declared one. A subgraph copies no edges: it is a set of nodes and the `Links` of the
whole. A cyclic graph can be made, so that `ADMG.find_cycle` can show its cycle; only topological
orders refuse it.

Source: Richardson (2003); Pearl (2009), *Causality*, section 3.4 and 3.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from heapq import heapify, heappop, heappush
from typing import TypeAlias, TypeVar

from causalflow.errors import GraphError, one_of, shown
from causalflow.names import written

__all__ = ["ADMG", "Links", "Names", "Nodes"]

Names: TypeAlias = str | Iterable[str]
"""Nodes as a caller gives them: one name, or several."""
Nodes: TypeAlias = frozenset[str]
Adjacency: TypeAlias = Mapping[str, Set[str]]
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False, kw_only=True)
class Links:
    """The edges of a graph by node, which all its subgraphs share.

    Attributes:
        position: node -> its place in declared order.
        parents: node -> its parents.
        children: node -> its children.
        siblings: node -> the other ends of its bidirected edges.
    """

    position: Mapping[str, int]
    parents: Adjacency
    children: Adjacency
    siblings: Adjacency

    @cached_property
    def rank(self) -> Mapping[str, int]:
        """Node -> its place in the topological order of the whole graph.

        Raises:
            GraphError: the graph has a cycle.
        """
        whole = _subgraph(self, frozenset(self.position))
        return {node: place for place, node in enumerate(whole.topological_order())}


@dataclass(frozen=True, init=False, eq=False, repr=False)
class ADMG:
    """Named nodes in declared order, directed edges (source, target), bidirected edges {a, b}.

    Methods that take ``nodes`` accept one name or several, and raise `GraphError` for a name that
    is not in the graph. Equality is equality of nodes (in order) and edges.

    Attributes:
        links: the edges by node: of this graph, or of the one that it is a subgraph of.
        members: the nodes as a set.

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

    links: Links
    members: frozenset[str]

    def __init__(
        self,
        nodes: Iterable[str],
        directed: Iterable[tuple[str, str]] = (),
        bidirected: Iterable[frozenset[str]] = (),
    ) -> None:
        """The graph of all of ``nodes`` and edges.

        Raises:
            GraphError: a node that is declared twice, an unknown end of an edge, or a bidirected
                edge that does not join two nodes.
        """
        nodes, directed, bidirected = tuple(nodes), frozenset(directed), frozenset(bidirected)
        position = {name: index for index, name in enumerate(nodes)}
        if len(position) != len(nodes):
            twice = next(name for i, name in enumerate(nodes) if name in nodes[:i])
            raise GraphError(f"node '{twice}' is declared twice; each name may be used once")
        parents, children, siblings = ({name: set[str]() for name in nodes} for _ in range(3))
        links = Links(position=position, parents=parents, children=children, siblings=siblings)
        parts = {"links": links, "members": frozenset(nodes), "nodes": nodes}
        self.__dict__.update(parts, directed=directed, bidirected=bidirected)
        for source, target in directed:
            if source not in position or target not in position:
                self._require((source, target))
            parents[target].add(source)
            children[source].add(target)
        for pair in bidirected:
            a, b = self._ends(pair)
            siblings[a].add(b)
            siblings[b].add(a)

    def _ends(self, pair: frozenset[str]) -> tuple[str, str]:
        self._require(pair)
        if len(pair) != 2:
            shown = " <-> ".join(map(written, sorted(pair) * 2))
            raise GraphError(f"bidirected edge '{shown}' must join two different nodes")
        a, b = pair
        return a, b

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The nodes in declared order."""
        return tuple(sorted(self.members, key=self.links.position.__getitem__))

    @cached_property
    def directed(self) -> frozenset[tuple[str, str]]:
        """The directed edges, (source, target)."""
        return frozenset((a, b) for b in self.members for a in self._at(self.links.parents, b))

    @cached_property
    def bidirected(self) -> frozenset[frozenset[str]]:
        """The bidirected edges, {a, b}."""
        siblings = self.links.siblings
        return frozenset(frozenset((a, b)) for a in self.members for b in self._at(siblings, a))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ADMG) and self._parts == other._parts

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Callable[[Links, frozenset[str]], ADMG], tuple[object, ...]]:
        """Subgraphs that are stored together go on sharing their links."""
        return _subgraph, (self.links, self.members)

    def __repr__(self) -> str:
        """As it is made, edges in order: a set's own order differs from run to run."""
        pairs = sorted(sorted(pair) for pair in self.bidirected)
        arcs = ", ".join(f"frozenset({pair!r})" for pair in pairs)
        return (
            f"ADMG(nodes={self.nodes!r}, directed={sorted(self.directed)!r}, bidirected=[{arcs}])"
        )

    def parents(self, nodes: Names) -> frozenset[str]:
        """The parents of any of ``nodes``."""
        return self._neighbours(self.links.parents, nodes)

    def children(self, nodes: Names) -> frozenset[str]:
        """The children of any of ``nodes``."""
        return self._neighbours(self.links.children, nodes)

    def siblings(self, nodes: Names) -> frozenset[str]:
        """The ends of bidirected edges that start at any of ``nodes``."""
        return self._neighbours(self.links.siblings, nodes)

    def ancestors(self, nodes: Names) -> frozenset[str]:
        """``nodes`` and everything with a directed path into them."""
        return self._closure(self.links.parents, nodes)

    def descendants(self, nodes: Names) -> frozenset[str]:
        """``nodes`` and everything a directed path leads to from them."""
        return self._closure(self.links.children, nodes)

    def district(self, nodes: Names) -> frozenset[str]:
        """The district of a node; of several nodes, the union of their districts."""
        return self._closure(self.links.siblings, nodes)

    def districts(self) -> tuple[frozenset[str], ...]:
        """The partition of the nodes into districts, ordered by their first declared members."""
        return self._districts_along(self.nodes)

    def causal_districts(self) -> tuple[frozenset[str], ...]:
        """The same, ordered by their first members in `causal_order`."""
        return self._districts_along(self.causal_order(self.members))

    def topological_order(self) -> tuple[str, ...]:
        """The nodes, parents first; the declared order wherever the edges leave a choice.

        Raises:
            GraphError: the graph has a cycle; the message shows it.
        """
        if cycle := self.find_cycle():
            shown = " -> ".join(map(written, (*cycle, cycle[0])))
            raise GraphError(f"the graph has a cycle: {shown}")
        return self._sorted

    def solve(
        self,
        compute: Callable[[str, Mapping[str, Value]], Value],
        do: Mapping[str, Value] | None = None,
        given: Mapping[str, Value] | None = None,
    ) -> dict[str, Value]:
        """A world: a value for every node, each computed from those before it.

        Args:
            compute: ``compute(node, values)``, called in topological order.
            do: the nodes that are set, and to what.
            given: values that stand beside the nodes, such as exogenous ones; kept in the result.

        Example:
            >>> chain = ADMG(("x", "y", "z"), [("x", "y"), ("y", "z")])
            >>> chain.solve(lambda node, values: len(values), do={"y": 7})
            {'x': 0, 'y': 7, 'z': 2}
        """
        values, fixed = dict(given or {}), do or {}
        for name in self.topological_order():
            values[name] = fixed[name] if name in fixed else compute(name, values)
        return values

    def causal_order(self, nodes: Iterable[str]) -> list[str]:
        """``nodes``, parents first, as the graph sorts them that this may be a subgraph of.

        Raises:
            GraphError: that graph has a cycle.
        """
        return sorted(nodes, key=self.links.rank.__getitem__)

    def up_to(self, node: str) -> frozenset[str]:
        """The nodes that do not come after ``node`` in `causal_order`."""
        rank = self.links.rank
        return frozenset(name for name in self.members if rank[name] <= rank[node])

    def find_cycle(self) -> tuple[str, ...] | None:
        """The nodes of one directed cycle, each a parent of the next; None if there is none."""
        left = self.members.difference(self._sorted)
        if not left:
            return None
        walk: dict[str, int] = {}
        node = self.ordered(left)[0]
        while node not in walk:
            walk[node] = len(walk)
            node = self.ordered(self.links.parents[node] & left)[0]
        cycle = tuple(walk)[walk[node] :][::-1]
        start = cycle.index(self.ordered(cycle)[0])
        return cycle[start:] + cycle[:start]

    def do(self, nodes: Names) -> ADMG:
        """The graph under an intervention: edges into ``nodes`` cut, directed and bidirected."""
        cut = self._require(nodes)
        return ADMG(
            self.nodes,
            (edge for edge in self.directed if edge[1] not in cut),
            (pair for pair in self.bidirected if not pair & cut),
        )

    def without_outgoing(self, nodes: Names) -> ADMG:
        """The graph with the directed edges out of ``nodes`` cut."""
        cut = self._require(nodes)
        kept = (edge for edge in self.directed if edge[0] not in cut)
        return ADMG(self.nodes, kept, self.bidirected)

    def subgraph(self, nodes: Names) -> ADMG:
        """The induced graph: ``nodes``, and the edges with both ends among them."""
        return _subgraph(self.links, self._require(nodes))

    def ordered(self, nodes: Names) -> tuple[str, ...]:
        """``nodes`` without repetition, in declared order."""
        return tuple(sorted(self._require(nodes), key=self.links.position.__getitem__))

    def edge_strings(self) -> tuple[str, ...]:
        """The edges as a graph file writes them, directed ones first, in declared order."""
        texts = {name: written(name) for name in self.nodes}
        arrows = [
            (node, child) for node in self.nodes for child in self.ordered(self.children(node))
        ]
        return (
            *(f"{texts[source]} -> {texts[target]}" for source, target in arrows),
            *(f"{texts[a]} <-> {texts[b]}" for a, b in self.arcs()),
        )

    def arcs(self) -> tuple[tuple[str, ...], ...]:
        """The ends of the bidirected edges, in declared order."""
        position = self.links.position
        return tuple(
            (node, sibling)
            for node in self.nodes
            for sibling in self.ordered(self.siblings(node))
            if position[node] < position[sibling]
        )

    def __str__(self) -> str:
        met = {name for edge in (*self.directed, *self.bidirected) for name in edge}
        alone = [written(node) for node in self.nodes if node not in met]
        return ", ".join((*self.edge_strings(), *alone))

    @property
    def _parts(self) -> tuple[tuple[str, ...], frozenset[object], frozenset[object]]:
        return self.nodes, self.directed, self.bidirected

    @cached_property
    def _hash(self) -> int:
        return hash(self._parts)

    @cached_property
    def _sorted(self) -> tuple[str, ...]:
        """Kahn's order, earliest declared first; nodes on or below a cycle are missing from it."""
        position, children = self.links.position, self.links.children
        waiting = {node: len(self._at(self.links.parents, node)) for node in self.members}
        ready = [(position[node], node) for node, count in waiting.items() if not count]
        heapify(ready)
        order = []
        while ready:
            _, node = heappop(ready)
            order.append(node)
            for child in self._at(children, node):
                waiting[child] -= 1
                if not waiting[child]:
                    heappush(ready, (position[child], child))
        return tuple(order)

    def _districts_along(self, order: Iterable[str]) -> tuple[frozenset[str], ...]:
        left, found = set(self.members), []
        for node in order:
            if node in left:
                found.append(self.district(node))
                left -= found[-1]
        return tuple(found)

    def _at(self, adjacency: Adjacency, node: str) -> Set[str]:
        return adjacency[node] & self.members

    def _neighbours(self, adjacency: Adjacency, nodes: Names) -> frozenset[str]:
        return self.members.intersection(
            frozenset().union(*(adjacency[node] for node in self._require(nodes)))
        )

    def _closure(self, adjacency: Adjacency, nodes: Names) -> frozenset[str]:
        members, reached = self.members, set(self._require(nodes))
        frontier = [*reached]
        while frontier:
            for name in adjacency[frontier.pop()]:
                if name not in reached and name in members:
                    reached.add(name)
                    frontier.append(name)
        return frozenset(reached)

    def _require(self, nodes: Names) -> frozenset[str]:
        """``nodes`` as a set, all of them known."""
        try:
            names = frozenset((nodes,)) if isinstance(nodes, str) else frozenset(nodes)
        except TypeError:
            raise GraphError(f"nodes: {shown(nodes, 60)}; expected a name, or several") from None
        if not names <= self.members:
            name = min(names - self.members, key=str)
            raise GraphError(f"unknown node {name!r}; {one_of(name, self.nodes)}")
        return names


def _subgraph(links: Links, members: frozenset[str]) -> ADMG:
    """The graph of some nodes of another, without a copy of its edges."""
    graph = object.__new__(ADMG)
    graph.__dict__.update(links=links, members=members)
    return graph
