"""Region: a set of nodes of a graph with the set algebra of the graph induced on it.

Identification restricts the graph again and again; a region does so without copying edges. All
regions of one graph share its `Links`.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache

from causalflow.admg.admg import ADMG
from causalflow.symbolic.expression import Event, Index, natural, own_events, own_indices

__all__ = ["Links", "Region"]


@dataclass(frozen=True, eq=False)
class Links:
    """The edges of a graph by node, and each node's place in two orders.

    Attributes:
        parents: node -> its parents.
        siblings: node -> the other ends of its bidirected edges.
        rank: node -> its place in a topological order.
    """

    parents: Mapping[str, Set[str]]
    siblings: Mapping[str, Set[str]]
    rank: Mapping[str, int]

    @classmethod
    def of(cls, admg: ADMG) -> Links:
        """The links of a graph, kept for the next question about it.

        Raises:
            GraphError: the graph has a cycle.
        """
        return _links(admg)

    @cached_property
    def letter(self) -> Mapping[str, int]:
        """Node -> its place in the order of names, in which formulas list variables."""
        return {node: place for place, node in enumerate(sorted(self.rank, key=natural))}

    @cached_property
    def event(self) -> Mapping[str, Event]:
        """Node -> the event that it takes the value of its own index."""
        return dict(zip(self.rank, own_events(self.rank), strict=True))

    @cached_property
    def index(self) -> Mapping[str, Index]:
        """Node -> its own index."""
        return dict(zip(self.rank, own_indices(self.rank), strict=True))


@lru_cache(maxsize=32)
def _links(admg: ADMG) -> Links:
    order = admg.topological_order()
    parents: dict[str, set[str]] = {node: set() for node in order}
    siblings: dict[str, set[str]] = {node: set() for node in order}
    for source, target in admg.directed:
        parents[target].add(source)
    for a, b in admg.bidirected:
        siblings[a].add(b)
        siblings[b].add(a)
    return Links(parents, siblings, {node: place for place, node in enumerate(order)})


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """The induced graph on ``nodes``."""

    links: Links
    nodes: frozenset[str]

    @classmethod
    def of(cls, admg: ADMG) -> Region:
        """The whole graph."""
        return cls(Links.of(admg), frozenset(admg.nodes))

    def restrict(self, nodes: frozenset[str]) -> Region:
        """The region of ``nodes``, all of them in this one."""
        return Region(self.links, nodes)

    def ancestors(self, nodes: Iterable[str]) -> frozenset[str]:
        """``nodes`` and all with a directed path into them within the region."""
        return self._closure(self.links.parents, nodes)

    def district(self, nodes: Iterable[str]) -> frozenset[str]:
        """``nodes`` and all that bidirected edges within the region connect with them."""
        return self._closure(self.links.siblings, nodes)

    def districts(self) -> tuple[frozenset[str], ...]:
        """The partition into districts, by their first members in topological order."""
        left, found = set(self.nodes), []
        for node in self.order(self.nodes):
            if node in left:
                found.append(self.district((node,)))
                left -= found[-1]
        return tuple(found)

    def order(self, nodes: Iterable[str]) -> list[str]:
        """``nodes``, parents first."""
        return sorted(nodes, key=self.links.rank.__getitem__)

    def up_to(self, node: str) -> frozenset[str]:
        """The nodes of the region that do not come after ``node``."""
        rank = self.links.rank
        return frozenset(name for name in self.nodes if rank[name] <= rank[node])

    def blankets(self, district: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
        """The nodes of a district in order, each with the nodes before it on which it depends.

        These are its district as far as it has come, and the parents of all of that.

        Source: Tian & Pearl (2002), Lemma 1 and Corollary 1.
        """
        for node, events, _ in self.blanket_events(district):
            yield node, frozenset(event.name for event in events)

    def blanket_events(
        self, district: frozenset[str]
    ) -> Iterator[tuple[str, tuple[Event, ...], frozenset[Index]]]:
        """`blankets` as events, listed by letter, with their indices."""
        links = self.links
        parts: dict[str, _Part] = {}
        for node in self.order(district):
            part = parts[node] = _Part(links, {node}, [], set())
            for sibling in links.siblings[node]:
                other = parts.get(sibling, part)
                if other is not part:
                    if len(other.members) > len(part.members):
                        part, other = other, part
                    part.members.update(other.members)
                    part.take([event.name for event in other.events])
                    parts.update(dict.fromkeys(other.members, part))
            part.take(links.parents[node] & self.nodes)
            yield node, tuple(part.events), frozenset(part.indices)
            part.take((node,))

    def _closure(self, neighbours: Mapping[str, Set[str]], nodes: Iterable[str]) -> frozenset[str]:
        left = set(self.nodes).difference(nodes)
        frontier = [*nodes]
        reached = set(frontier)
        while frontier:
            for name in neighbours[frontier.pop()]:
                if name in left:
                    left.remove(name)
                    frontier.append(name)
        return (self.nodes - left) | reached


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Nodes that bidirected edges connect so far; of these and their parents, the events."""

    links: Links
    members: set[str]
    events: list[Event]
    indices: set[Index]

    def take(self, names: Iterable[str]) -> None:
        """More nodes, each to its place by letter."""
        letter, event, index = self.links.letter, self.links.event, self.links.index
        for name in names:
            if index[name] not in self.indices:
                self.indices.add(index[name])
                insort(self.events, event[name], key=lambda each: letter[each.name])
