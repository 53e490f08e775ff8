"""Level: how the factor Q[S] of a district comes from data, one set of nodes within another.

Notation: Q[T] = P(t | do(pa(T) - T)), pa(T) the parents of the nodes of T. A term of Q[T] is the
probability of one node given others of T. Data are Q[T] for T all nodes that they do not set.

Source: Tian & Pearl (2002), Lemmas 1-4; lines 2 and 7 of Shpitser & Pearl (2006), Figure 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from causalflow.identify.calculus import Chance
from causalflow.identify.region import Region

__all__ = ["Level", "descend", "goal_of", "needed_of", "parents_of"]

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
