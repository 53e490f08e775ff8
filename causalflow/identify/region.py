"""Region: a set of nodes of a graph with the set algebra of the graph induced on it.

Identification restricts the graph again and again; a region does so without copying edges. All
regions of one graph share its `Links`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from causalflow.graph.admg import ADMG
from causalflow.symbolic.expression import natural

__all__ = ["Links", "Region"]


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """The edges of a graph by node, and each node's place in two orders.

    Attributes:
        parents: node -> its parents.
        siblings: node -> the other ends of its bidirected edges.
        rank: node -> its place in a topological order.
        letter: node -> its place in the order of names, in which formulas list variables.
    """

    parents: Mapping[str, frozenset[str]]
    siblings: Mapping[str, frozenset[str]]
    rank: Mapping[str, int]
    letter: Mapping[str, int]

    @classmethod
    def of(cls, admg: ADMG) -> Links:
        """The links of a graph.

        Raises:
            GraphError: the graph has a cycle.
        """
        order = admg.topological_order()
        parents: dict[str, set[str]] = {node: set() for node in order}
        siblings: dict[str, set[str]] = {node: set() for node in order}
        for source, target in admg.directed:
            parents[target].add(source)
        for a, b in admg.bidirected:
            siblings[a].add(b)
            siblings[b].add(a)
        return cls(
            {node: frozenset(found) for node, found in parents.items()},
            {node: frozenset(found) for node, found in siblings.items()},
            {node: place for place, node in enumerate(order)},
            {node: place for place, node in enumerate(sorted(order, key=natural))},
        )


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
        siblings, parents = self.links.siblings, self.links.parents
        parts: dict[str, _Part] = {}
        for node in self.order(district):
            part = _Part({node}, parents[node] | {node})
            for sibling in siblings[node]:
                other = parts.get(sibling)
                if other is not None and node not in other.members:
                    part = part.joined(other)
                    parts.update(dict.fromkeys(part.members, part))
            parts[node] = part
            yield node, (self.nodes & part.reach) - {node}

    def _closure(
        self, neighbours: Mapping[str, frozenset[str]], nodes: Iterable[str]
    ) -> frozenset[str]:
        reached = set(nodes)
        frontier = list(reached)
        while frontier:
            fresh = (neighbours[frontier.pop()] & self.nodes) - reached
            reached |= fresh
            frontier.extend(fresh)
        return frozenset(reached)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Nodes that bidirected edges connect so far, and these with their parents."""

    members: set[str]
    reach: frozenset[str]

    def joined(self, other: _Part) -> _Part:
        return _Part(self.members | other.members, self.reach | other.reach)
