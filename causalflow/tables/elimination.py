"""Elimination: the order in which the variables of a sum-product are summed out.

Notation: the interaction graph joins two variables that share a table. Summing v out multiplies the
tables that hold v into one over its neighbours, which become a clique; the edges this adds are its
*fill*. Min-fill takes the variable with the least fill, and among those the smallest clique; on
chordal graphs it adds none, so the order is optimal there.

Source: Koller & Friedman (2009), section 9.4.3.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import combinations
from math import log2

__all__ = ["min_fill_order"]


def min_fill_order(
    scopes: Sequence[Sequence[int]], sizes: Mapping[int, int], keep: Collection[int]
) -> list[int]:
    """The variables but ``keep``, each to be summed out after those before it.

    Args:
        scopes: the variables of each table.
        sizes: variable -> number of its levels.
        keep: variables that stay; they weigh in the size of a clique, not in the fill.

    Example:
        >>> chain = [(0, 1), (1, 2), (2, 3)]
        >>> min_fill_order(chain, dict.fromkeys(range(4), 2), {3})
        [0, 1, 2]
    """
    graph = _Interaction(scopes, sizes, frozenset(keep))
    heap = [(*graph.cost(v), v) for v in graph.inner]
    heapify(heap)
    order = []
    while heap:
        fill, weight, v = heappop(heap)
        if v not in graph.inner or (fill, weight) != graph.costs[v]:
            continue
        order.append(v)
        for changed in graph.eliminate(v):
            heappush(heap, (*graph.cost(changed), changed))
    return order


class _Interaction:
    """The graph that elimination shrinks: inner variables are those still to be summed out."""

    def __init__(
        self, scopes: Sequence[Sequence[int]], sizes: Mapping[int, int], keep: frozenset[int]
    ) -> None:
        self.inner: dict[int, set[int]] = {}
        self.outer: dict[int, set[int]] = {}
        self.costs: dict[int, tuple[int, float]] = {}
        self._weights = {v: log2(size) for v, size in sizes.items()}
        for scope in scopes:
            own, kept = set(scope) - keep, keep.intersection(scope)
            for v in own:
                self.inner.setdefault(v, set()).update(own)
                self.outer.setdefault(v, set()).update(kept)
        for v, neighbours in self.inner.items():
            neighbours.discard(v)

    def cost(self, v: int) -> tuple[int, float]:
        """Fill, then the logarithm of the clique's size; remembered, to know stale entries."""
        near = self.inner[v]
        links = sum(len(near & self.inner[w]) for w in near)
        fill = (len(near) * (len(near) - 1) - links) // 2
        weight = sum(self._weights[w] for w in near | self.outer[v])
        self.costs[v] = (fill, weight)
        return self.costs[v]

    def eliminate(self, v: int) -> set[int]:
        """Join the neighbours of ``v`` and drop it; the variables whose cost may have changed."""
        near, kept = self.inner.pop(v), self.outer.pop(v)
        changed = set(near)
        for w in near:
            self.inner[w].discard(v)
            self.outer[w] |= kept
        for a, b in combinations(near, 2):
            if b not in self.inner[a]:
                changed |= self.inner[a] & self.inner[b]
                self.inner[a].add(b)
                self.inner[b].add(a)
        return changed
