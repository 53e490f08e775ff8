"""Separators: the smallest sets of variables that separate two others, fewest first.

Notation: A, B sets of nodes of an ADMG. Separating sets are vertex cuts of an undirected graph: the
ancestors of A and B, with each bidirected edge as a latent parent, parents of a common child
joined, and all arrow heads dropped. Minimal separating sets hold ancestors of A and B only.

Source: van der Zander, Liskiewicz & Textor (2019), section 4; Lawler (1972) for the order;
Ford & Fulkerson (1956) for the cuts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import chain, combinations
from typing import TypeAlias

from causalflow.admg.admg import ADMG, Nodes
from causalflow.limits import CUTS

__all__ = ["nearest_set", "separating_sets", "subsets"]


Node: TypeAlias = str | frozenset[str]
Side: TypeAlias = tuple[Node, bool]


def separating_sets(admg: ADMG, a: Nodes, b: Nodes, allowed: Nodes) -> Generator[Nodes, None, bool]:
    """Minimal subsets of ``allowed`` that m-separate ``a`` and ``b``, fewest variables first.

    Lazy; the search ends after `CUTS` cuts, which ten variables cannot reach. Returns whether it
    ended before, so that these are all.
    """
    moral = _moral(admg.subgraph(admg.ancestors(a | b)))
    usable = (allowed & moral.keys()) - a - b
    counter = 0
    heap: list[tuple[int, tuple[str, ...], Nodes, Nodes]] = []
    _push(heap, _Flow(moral, a, b, usable), frozenset(), frozenset())
    while heap and counter < CUTS:
        _, found, include, exclude = heappop(heap)
        cut = frozenset(found)
        if all(_connected(moral, a, b, cut - {node}) for node in cut):
            yield cut
        for place, node in enumerate(sorted(cut - include)):
            kept = include | frozenset(sorted(cut - include)[:place])
            _push(heap, _Flow(moral, a, b, usable), kept, exclude | {node})
            counter += 1
    return not heap


def subsets(names: Iterable[str]) -> Iterator[Nodes]:
    """All subsets, fewest names first, those of one size in the order of names.

    Example:
        >>> [sorted(each) for each in subsets("ab")]
        [[], ['a'], ['b'], ['a', 'b']]
    """
    ordered = sorted(names)
    sizes = range(len(ordered) + 1)
    return map(frozenset, chain.from_iterable(combinations(ordered, size) for size in sizes))


def nearest_set(admg: ADMG, a: Nodes, b: Nodes, allowed: Nodes) -> Nodes | None:
    """The allowed ancestors of ``a`` and ``b`` next to ``b`` that m-separate them, if they do.

    Of all separating sets of ancestors it blocks the fewest paths at ``a``.
    """
    moral = _moral(admg.subgraph(admg.ancestors(a | b)))
    usable = allowed & moral.keys()
    seen = _reached(moral, b, usable)
    if seen & a:
        return None
    return frozenset(node for node in seen if node in usable and isinstance(node, str))


def _push(
    heap: list[tuple[int, tuple[str, ...], Nodes, Nodes]],
    flow: _Flow,
    include: Nodes,
    exclude: Nodes,
) -> None:
    found = flow.cut(include, exclude)
    if found is not None:
        whole = tuple(sorted(found | include))
        heappush(heap, (len(whole), whole, include, exclude))


def _moral(admg: ADMG) -> Mapping[Node, set[Node]]:
    """The undirected graph of nodes and latents: edges, and parents of a common child."""
    moral: dict[Node, set[Node]] = {node: set() for node in admg.nodes}
    for node in admg.nodes:
        latents = [frozenset((node, sibling)) for sibling in admg.siblings(node)]
        family: list[Node] = [node, *admg.parents(node), *latents]
        for one, other in combinations(family, 2):
            moral.setdefault(one, set()).add(other)
            moral.setdefault(other, set()).add(one)
    return moral


def _connected(moral: Mapping[Node, set[Node]], a: Nodes, b: Nodes, without: Nodes) -> bool:
    return not b.isdisjoint(_reached(moral, a, without))


def _reached(moral: Mapping[Node, set[Node]], start: Nodes, walls: Set[Node]) -> set[Node]:
    """The nodes that paths from ``start`` come to; no path goes on from a wall."""
    seen: set[Node] = set(start)
    frontier: list[Node] = list(start)
    while frontier:
        for node in moral[frontier.pop()] - seen:
            seen.add(node)
            if node not in walls:
                frontier.append(node)
    return seen


@dataclass(frozen=True, slots=True)
class _Flow:
    """Flow from ``a`` to ``b``: every node is an arc from its entry to its exit, edges are free."""

    moral: Mapping[Node, set[Node]]
    a: Nodes
    b: Nodes
    usable: Nodes

    def cut(self, include: Nodes, exclude: Nodes) -> Nodes | None:
        """The fewest nodes that cut ``a`` from ``b`` beside ``include``, none of ``exclude``."""
        finite = self.usable - exclude - include
        if _connected(self.moral, self.a, self.b, include | finite):
            return None
        flow: dict[tuple[Side, Side], int] = {}
        while True:
            reached = self._search(flow, include, finite)
            target = next((side for side in reached if side[0] in self.b), None)
            if target is None:
                entered = {node for node, is_exit in reached if not is_exit}
                return frozenset(n for n in finite & entered if (n, True) not in reached)
            _augment(flow, reached, target)

    def _search(
        self, flow: Mapping[tuple[Side, Side], int], include: Nodes, finite: Nodes
    ) -> dict[Side, Side | None]:
        """Breadth first over the residual graph: where each side was reached from."""
        reached: dict[Side, Side | None] = {(node, True): None for node in self.a}
        queue = deque(reached)
        while queue:
            side = queue.popleft()
            for following in self._residual(side, flow, finite):
                if following not in reached and following[0] not in include:
                    reached[following] = side
                    if following[0] in self.b:
                        return reached
                    queue.append(following)
        return reached

    def _residual(
        self, side: Side, flow: Mapping[tuple[Side, Side], int], finite: Nodes
    ) -> Iterator[Side]:
        node, is_exit = side
        if is_exit:
            yield from ((other, False) for other in self.moral[node])
            if flow.get(((node, False), side), 0):
                yield (node, False)
        else:
            if node not in finite or not flow.get((side, (node, True)), 0):
                yield (node, True)
            yield from ((o, True) for o in self.moral[node] if flow.get(((o, True), side), 0))


def _augment(
    flow: dict[tuple[Side, Side], int], reached: Mapping[Side, Side | None], target: Side
) -> None:
    """One more unit along the path that the search found."""
    while (before := reached[target]) is not None:
        if flow.get((target, before), 0):
            flow[target, before] -= 1
        else:
            flow[before, target] = flow.get((before, target), 0) + 1
        target = before
