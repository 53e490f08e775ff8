"""Paths: the ways between two nodes, each open or blocked given others, and why.

Notation: a *path* repeats no node; at a *collider* both of its edges have an arrow head. It is
*blocked* by each node of it that is given and no collider, and at each collider that is not given
and from which no directed path leads to a given node; else it is *open*. It is *causal* where all
arrows lead from the first node to the last, a *back door* where it has an arrow head at the first.

Two nodes are separated if and only if no path between them is open; how many there are can double
with each node, so they are found one by one, the shortest first.

Source: Pearl (2009), *Causality*, Definition 1.2.3; Richardson (2003) for bidirected edges.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from causalflow.admg.admg import ADMG, Names, Nodes
from causalflow.admg.separation import (
    colliders,
    edges_at,
    follow,
    opening_text,
    steps_towards,
)
from causalflow.errors import GraphError
from causalflow.graph.graph import Graph, admg_of
from causalflow.limits import PATH_STEPS
from causalflow.names import written

__all__ = ["GraphPath", "paths"]

Ordered: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphPath:
    """A path between two nodes, and what given nodes do to it.

    Attributes:
        nodes: from the one end to the other.
        marks: its edges, "->", "<-" or "<->", one fewer than its nodes.
        blocked_at: the nodes that block it, in its order; none: it is open.
        openings: a directed path from each collider that is open to a given node.
    """

    nodes: Ordered
    marks: Ordered
    blocked_at: Ordered = ()
    openings: tuple[Ordered, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether nothing blocks it."""
        return not self.blocked_at

    @property
    def is_causal(self) -> bool:
        """Whether all its arrows lead from the first node to the last."""
        return set(self.marks) == {"->"}

    @property
    def is_back_door(self) -> bool:
        """Whether it has an arrow head at the first node."""
        return self.marks[0] != "->"

    @property
    def reasons(self) -> Ordered:
        """What blocks it; else what opens its colliders."""
        if self.is_open:
            return tuple(map(opening_text, self.openings))
        met = frozenset(colliders(self.nodes, self.marks))
        seen = (f"blocked by {written(node)}, which is given" for node in self.blocked_at)
        return tuple(
            f"blocked at collider {written(node)}" if node in met else said
            for node, said in zip(self.blocked_at, seen, strict=True)
        )

    def __str__(self) -> str:
        line = written(self.nodes[0])
        for mark, node in zip(self.marks, self.nodes[1:], strict=True):
            line += f" {mark} {written(node)}"
        return ", ".join([line, *self.reasons])


def paths(graph: Graph | ADMG, x: str, y: str, given: Names = ()) -> Iterator[GraphPath]:
    """The paths between two nodes, the shortest first, each with what blocks or opens it.

    Args:
        graph: the causal graph.
        x: the node that they start from.
        y: the node that they lead to.
        given: one name, several, or none.

    Returns:
        The paths one by one, each found when it is asked for.

    Raises:
        GraphError: an unknown node, or one that is given twice; while the paths are read, that
            there are too many to look through (`causalflow.limits.PATH_STEPS`).

    Source: Pearl (2009), Definition 1.2.3.

    Example:
        >>> graph = Graph(edges=["z -> x -> y", "z -> y", "x -> c", "y -> c"])
        >>> print(*paths(graph, "x", "y", given="z"), sep="; ")
        x -> y; x -> c <- y, blocked at collider c; x <- z -> y, blocked by z, which is given
    """
    admg = admg_of(graph, "paths")
    (start, end), known = (admg.ordered(one)[0] for one in (x, y)), frozenset(admg.ordered(given))
    if start == end or known & {start, end}:
        twice = start if start == end or start in known else end
        raise GraphError(f"paths: node '{twice}' is given twice; x, y and given must be disjoint")
    return _judged(admg, start, end, known)


def _judged(admg: ADMG, start: str, end: str, given: Nodes) -> Iterator[GraphPath]:
    downward = steps_towards(admg, tuple(given))
    for nodes, marks in _simple(admg, start, end):
        yield _path(nodes, marks, given, downward)


def _path(nodes: Ordered, marks: Ordered, given: Nodes, downward: Mapping[str, str]) -> GraphPath:
    met = frozenset(colliders(nodes, marks))
    blocked = tuple(
        node for node in nodes[1:-1] if (node not in downward if node in met else node in given)
    )
    openings = tuple(follow(node, downward) for node in nodes if node in met & downward.keys())
    return GraphPath(nodes=nodes, marks=marks, blocked_at=blocked, openings=openings)


def _simple(admg: ADMG, start: str, end: str) -> Iterator[tuple[Ordered, Ordered]]:
    """The nodes and marks of every path, by length; only what still reaches the end goes on."""
    queue: deque[tuple[Ordered, Ordered]] = deque([((start,), ())])
    steps = 0
    while queue:
        nodes, marks = queue.popleft()
        leading = _leading(admg, end, frozenset(nodes))
        for _, mark, state in edges_at(admg, nodes[-1]):
            longer = (*nodes, state.node), (*marks, mark)
            if state.node == end:
                yield longer
            elif state.node in leading:
                queue.append(longer)
        steps += 1
        if steps > PATH_STEPS:
            raise GraphError(
                f"paths: there may be more from '{start}' to '{end}', but {PATH_STEPS:,} steps of"
                " the search are over; Graph.separated finds an open one if there is any"
            )


def _leading(admg: ADMG, end: str, passed: Nodes) -> frozenset[str]:
    """The nodes from which some way leads to the end without a node that was passed."""
    reached, frontier = {end}, [end]
    while frontier:
        node = frontier.pop()
        beside = admg.parents(node) | admg.children(node) | admg.siblings(node)
        fresh = beside - passed - reached
        reached |= fresh
        frontier += fresh
    return frozenset(reached)
