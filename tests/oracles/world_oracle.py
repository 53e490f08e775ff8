"""The truth over worlds by enumeration: every latent and every noise of every node is a unit.

A node is a random function of its parents, of a latent for each of its `<->` edges and of noise of
its own; for each parent value the noise reaches every level, so that P(v | do(.)) is positive. A
counterfactual term is computed for all units at once by recursion over the structural equations.
Nothing here is shared with identification, which is never imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from causalflow.factors.table import Table
from causalflow.query.query import Kind, Query, Term

Pair = tuple[str, str]
World = Mapping[str, Any]


@dataclass(frozen=True)
class UnitModel:
    """Structural equations over a finite population.

    Attributes:
        names: the nodes, parents first.
        levels: the number of levels of each node.
        parents: of each node.
        tables: node -> array of shape (parent levels..., units): its value for each unit.
        weights: the probability of each unit.
    """

    names: tuple[str, ...]
    levels: Mapping[str, int]
    parents: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, np.ndarray]
    weights: np.ndarray

    def solve(self, name: str, world: World) -> np.ndarray:
        """The value of a node for every unit where some nodes are set (to numbers or arrays)."""
        known = {node: np.broadcast_to(v, self.weights.shape) for node, v in world.items()}
        units = np.arange(len(self.weights))
        for node in self.names:
            if node not in known:
                table = self.tables[node]
                known[node] = table[(*(known[p] for p in self.parents[node]), units)]
            if node == name:
                break
        return known[name]

    def value(self, term: Term, free: Mapping[str, int]) -> np.ndarray:
        """The value of a counterfactual term for every unit."""
        world: dict[str, Any] = {}
        for each in term.subscript:
            if each.nested is not None:
                world[each.variable] = self.value(each.nested, free)
            else:
                world[each.variable] = free[each.variable] if each.value is None else each.value
        return self.solve(term.name, world)

    def truth(self, query: Query) -> np.ndarray:
        """The answer over the query's free variables in their order; NaN where it is undefined."""
        query = query.counterfactual_form()
        settings = query.free_interventions
        shape = [self.levels[term.name] for term in query.free_terms]
        answer = np.zeros([*shape, *(self.levels[name] for name in settings)])
        for cell in product(*(range(self.levels[name]) for name in settings)):
            answer[(..., *cell)] = self._at(query, dict(zip(settings, cell, strict=True)))
        return answer

    def _at(self, query: Query, free: Mapping[str, int]) -> np.ndarray:
        seen = self._mass(query.conditions, free)
        if query.kind is Kind.EXPECTATION:
            number = sum(
                float(c) * self.value(term, free)
                for c, term in zip(query.coefficients, query.outcomes, strict=True)
            )
            mass = self._mass(query.conditions, free, self.weights * number)
        else:
            mass = self._mass(query.terms, free)
            ahead = sum(term.value is None for term in query.outcomes)
            seen = seen.reshape((1,) * ahead + seen.shape)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(seen > 1e-300, mass / seen, np.nan)

    def _mass(
        self, terms: Iterable[Term], free: Mapping[str, int], weights: np.ndarray | None = None
    ) -> np.ndarray:
        """Total weight of the units for which the terms hold, an axis for each free one."""
        weights = self.weights if weights is None else weights
        held, axes, shape = np.ones(len(weights), dtype=bool), [], []
        for term in terms:
            value = self.value(term, free)
            if term.value is None:
                axes.append(value)
                shape.append(self.levels[term.name])
            else:
                held &= value == term.value
        cells = np.ravel_multi_index([*axes, np.zeros_like(held, dtype=int)], (*shape, 1))[held]
        size = int(np.prod(shape, dtype=int))
        return np.bincount(cells, weights=weights[held], minlength=size).reshape(shape)

    def ratios(self, query: Query) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Each cell of the answer as a ratio of linear forms of the units' weights."""
        settings, ahead = query.free_interventions, len(query.outcomes)
        averaged = query.kind is Kind.EXPECTATION
        for cell in product(*(range(self.levels[name]) for name in settings)):
            free = dict(zip(settings, cell, strict=True))
            values = [self.value(term, free) for term in query.terms]
            for levels in product(*(range(self.levels[t.name]) for t in query.free_terms)):
                wanted = dict(zip(query.free_terms, levels, strict=True))
                held = [
                    v == wanted.get(t, t.value) for t, v in zip(query.terms, values, strict=True)
                ]
                seen = np.all([*held[ahead:], np.ones(len(self.weights))], axis=0).astype(float)
                if averaged:
                    numbers = zip(query.coefficients, values, strict=False)
                    yield seen * sum(float(c) * v for c, v in numbers), seen
                else:
                    yield np.all([*held[:ahead], seen], axis=0).astype(float), seen

    def table(self, do: Sequence[str] = ()) -> Table:
        """P(v | do(z)) with an axis for every node."""
        shape = tuple(self.levels[name] for name in self.names)
        values = np.zeros(shape)
        for cell in product(*(range(self.levels[name]) for name in do)):
            world = dict(zip(do, cell, strict=True))
            columns = [self.solve(name, world) for name in self.names]
            cells = np.ravel_multi_index(columns, shape)
            values += np.bincount(cells, self.weights, minlength=values.size).reshape(shape)
        return Table(self.names, values)

    def experiments(self) -> dict[str, Table]:
        """Every P(v | do(z)), by its name."""
        subsets = (z for size in range(len(self.names)) for z in combinations(self.names, size))
        return {f"P(v | do({', '.join(z)}))" if z else "P(v)": self.table(z) for z in subsets}


def unit_model(
    generator: np.random.Generator,
    names: Sequence[str],
    directed: Iterable[Pair],
    bidirected: Iterable[Iterable[str]],
    levels: int | Mapping[str, int] = 2,
    latent_levels: int = 2,
) -> UnitModel:
    """A random model of the graph, whatever the order of ``names``."""
    size = dict.fromkeys(names, levels) if isinstance(levels, int) else dict(levels)
    directed = sorted(directed)
    arcs = sorted(tuple(sorted(pair)) for pair in bidirected)
    order = parents_first(names, directed)
    noise = {name: size[name] + 1 for name in order}
    counts = [latent_levels] * len(arcs) + [noise[name] for name in order]
    grid = np.indices(counts).reshape(len(counts), -1)
    laws = [0.8 * generator.dirichlet(np.ones(n)) + 0.2 / n for n in counts]
    weights = np.prod([law[g] for law, g in zip(laws, grid, strict=True)], axis=0)
    parents, tables = {}, {}
    for place, name in enumerate(order):
        parents[name] = tuple(source for source, target in directed if target == name)
        hidden = [i for i, arc in enumerate(arcs) if name in arc]
        outer = [size[p] for p in parents[name]]
        inner = [latent_levels] * len(hidden)
        table = np.zeros([*outer, *inner, noise[name]], dtype=int)
        for cell in np.ndindex(*outer, *inner):
            extra = generator.integers(0, size[name], noise[name] - size[name])
            table[cell] = generator.permutation([*range(size[name]), *extra])
        units = tuple(grid[i] for i in hidden), grid[len(arcs) + place]
        tables[name] = table[(*(slice(None) for _ in outer), *units[0], units[1])]
    return UnitModel(tuple(order), size, parents, tables, weights)


def parents_first(names: Sequence[str], directed: Iterable[Pair]) -> list[str]:
    left, order, edges = list(names), [], list(directed)
    while left:
        ready = next(n for n in left if not any(t == n and s in left for s, t in edges))
        order.append(ready)
        left.remove(ready)
    return order
