"""Plan: a sum-product of many tables as a sequence of pairwise contractions.

A plan depends on which variables each table has and on their sizes, not on the numbers, so it is
made once and run on many. Two paths are weighed, min-fill elimination and opt_einsum's, and the one
that multiplies less is taken. No table is allocated before the plan's width is known to fit.

Notation: the interaction graph joins two variables that share a table. Summing v out multiplies the
tables that hold v into one over its neighbours, which become a clique; the edges this adds are its
*fill*. Min-fill takes the variable with the least fill, and among those the smallest clique; on
chordal graphs it adds none, so the order is optimal there.

Source: Koller & Friedman (2009), section 9.4.3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import combinations
from math import log2, prod

from causalflow.errors import CausalflowError
from causalflow.limits import PLAN_CELLS, PLAN_OPERATIONS

__all__ = ["Plan", "Step", "make_plan", "min_fill_order"]


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


_SEARCH = 256
"""Up to so many tables opt_einsum looks for a better path than min-fill's."""
_WORTH = 2**18
"""The multiplications from which on the search costs less than it may save."""
_SMALL = 2**12
"""Up to so many multiplications a better path saves less than looking for it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One contraction: ``result[axes] = sum over the other axes of the operands' product``.

    Attributes:
        operands: the places of one or two tables; the result takes the next free place.
        scopes: their variables.
        axes: the result's variables.
        operations: the number of multiplications.
    """

    operands: tuple[int, ...]
    scopes: tuple[tuple[int, ...], ...]
    axes: tuple[int, ...]
    operations: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """The steps, the last of which makes the result.

    Attributes:
        names: the variables' names; steps know them by their place here.
        sizes: the number of levels of each variable.
        steps: the contractions, in order.
        keep: the result's variables.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    steps: tuple[Step, ...]
    keep: tuple[int, ...]

    @cached_property
    def operations(self) -> int:
        """The number of multiplications in all."""
        return sum(step.operations for step in self.steps)

    @cached_property
    def largest(self) -> tuple[int, ...]:
        """The variables of the largest table that is made."""
        return max((step.axes for step in self.steps), key=self.cells, default=())

    def cells(self, axes: Iterable[int]) -> int:
        """The number of cells of a table over ``axes``."""
        return prod(self.sizes[axis] for axis in axes)

    def without(self, name: str) -> Plan:
        """The same steps for tables that do not have this variable."""
        if name not in self.names:
            return self
        place = self.names.index(name)
        sizes = tuple(1 if v == place else size for v, size in enumerate(self.sizes))
        steps = tuple(
            replace(step, operations=prod(sizes[v] for v in {v for s in step.scopes for v in s}))
            for step in self.steps
        )
        keep = tuple(v for v in self.keep if v != place)
        return Plan(names=self.names, sizes=sizes, steps=steps, keep=keep)

    def check(self, cells: int = PLAN_CELLS, operations: int = PLAN_OPERATIONS) -> None:
        """Refuse to start what would not fit or not end.

        Raises:
            CausalflowError: names the width and the variables.
        """
        wide = self.largest
        made = f"a table of {self.cells(wide):,} cells over {len(wide)} variables"
        shown = ", ".join(self.names[axis] for axis in wide[:8])
        named = f"({shown}{', ...' if len(wide) > 8 else ''})"
        if self.cells(wide) > cells:
            raise CausalflowError(
                f"too wide: the query needs {made} {named}; at most {cells:,} cells are made:"
                " ask about fewer variables at once"
            )
        if self.operations > operations:
            raise CausalflowError(
                f"too wide: the query needs {self.operations:,} multiplications, {made} {named};"
                f" at most {operations:,} are done: ask about fewer variables at once"
            )


def make_plan(
    scopes: Sequence[Sequence[str]], sizes: Mapping[str, int], keep: Sequence[str]
) -> Plan:
    """The cheapest plan found for the sum, over all variables but ``keep``, of the product.

    Args:
        scopes: the variables of each table.
        sizes: variable -> number of levels, above 0.
        keep: the result's variables; each must be in some table.
    """
    names = tuple(dict.fromkeys(name for scope in scopes for name in scope))
    number = {name: place for place, name in enumerate(names)}
    counts = tuple(sizes[name] for name in names)
    numbered = [tuple(number[name] for name in scope) for scope in scopes]
    kept = tuple(number[name] for name in keep)
    order = min_fill_order(numbered, dict(enumerate(counts)), kept)
    best = _Steps(numbered, counts, kept).by_elimination(order)
    operations = sum(step.operations for step in best)
    if 2 < len(scopes) <= _SEARCH and operations > _SMALL:
        path = _opt_einsum_path(numbered, counts, kept)
        other = _Steps(numbered, counts, kept).by_path(path)
        if sum(step.operations for step in other) < operations:
            best = other
    return Plan(names=names, sizes=counts, steps=tuple(best), keep=kept)


def _opt_einsum_path(
    scopes: Sequence[tuple[int, ...]], sizes: Sequence[int], keep: tuple[int, ...]
) -> Sequence[tuple[int, ...]]:
    from opt_einsum import get_symbol
    from opt_einsum.paths import auto

    symbols = [get_symbol(place) for place in range(len(sizes))]
    inputs = [frozenset(symbols[v] for v in scope) for scope in scopes]
    output = frozenset(symbols[v] for v in keep)
    path: Sequence[tuple[int, ...]] = auto(
        inputs, output, dict(zip(symbols, sizes, strict=True)), None
    )
    return path


class _Steps:
    """Writes the steps; knows where each variable is still needed."""

    def __init__(
        self, scopes: Sequence[tuple[int, ...]], sizes: Sequence[int], keep: tuple[int, ...]
    ) -> None:
        self._sizes, self._keep = sizes, keep
        self._live = dict(enumerate(scopes))
        self._next = len(scopes)
        self._uses = Counter(v for scope in scopes for v in scope)
        self._uses.update(keep)
        self._holders: dict[int, set[int]] = {}
        for place, scope in self._live.items():
            for v in scope:
                self._holders.setdefault(v, set()).add(place)
        self._steps: list[Step] = []

    def by_elimination(self, order: Iterable[int]) -> list[Step]:
        """Multiply the tables that hold a variable, smallest first, one variable at a time."""
        for v in order:
            if self._holders[v]:
                self._merge(self._holders[v])
        return self._finish()

    def by_path(self, path: Sequence[tuple[int, ...]]) -> list[Step]:
        """Follow places in a list whose used entries are removed and whose results are appended."""
        places = list(self._live)
        for chosen in path:
            taken = [places.pop(place) for place in sorted(chosen, reverse=True)]
            places.append(self._merge(taken))
        return self._finish()

    def _finish(self) -> list[Step]:
        if self._live:
            self._merge(self._live)
            (last,) = self._live
            if self._live[last] != self._keep:
                self._contract((last,), self._keep)
        return self._steps

    def _cells(self, axes: Iterable[int]) -> int:
        return prod(self._sizes[v] for v in axes)

    def _merge(self, places: Iterable[int]) -> int:
        """Contract these tables into one, summing out what no other table needs."""
        waiting = sorted(places, key=lambda place: self._cells(self._live[place]))
        merged = waiting[0]
        for place in waiting[1:]:
            merged = self._contract((merged, place))
        if any(self._uses[v] == 1 and v not in self._keep for v in self._live[merged]):
            merged = self._contract((merged,))
        return merged

    def _contract(self, operands: tuple[int, ...], axes: tuple[int, ...] | None = None) -> int:
        scopes = tuple(self._live.pop(place) for place in operands)
        union = tuple(dict.fromkeys(v for scope in scopes for v in scope))
        for place, scope in zip(operands, scopes, strict=True):
            self._uses.subtract(scope)
            for v in scope:
                self._holders[v].discard(place)
        result = tuple(v for v in union if self._uses[v] > 0) if axes is None else axes
        step = Step(operands=operands, scopes=scopes, axes=result, operations=self._cells(union))
        self._steps.append(step)
        place, self._next = self._next, self._next + 1
        self._live[place] = result
        self._uses.update(result)
        for v in result:
            self._holders[v].add(place)
        return place
