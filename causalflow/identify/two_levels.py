"""Two levels: whether data determine a question about variables that have two levels each.

Notation: the *type* of a node is a function from its parents' levels to its own; a *unit* has a
type for every node. Types of one district have any joint law (where each two of its nodes are
siblings, this is every model of the graph), those of different districts are independent. Data and
questions are sums over units, linear in the law of each district; so the rank of their derivatives
tells, for almost all models, whether the data determine a question about any number of worlds.

Source: Balke & Pearl (1994), Chickering & Pearl (1996) for response functions.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalflow.admg.admg import ADMG, Nodes
from causalflow.identify.finite_model import PRIME, reduced
from causalflow.identify.problem import Pairs
from causalflow.limits import UNIT_CELLS
from causalflow.query.cell import close, free_names
from causalflow.query.query import Kind, Query, Term

__all__ = ["is_determined"]

Numbers: TypeAlias = NDArray[Any]
Setting: TypeAlias = Mapping[str, Any]


def is_determined(
    admg: ADMG, query: Query, known: Sequence[Nodes] | None, pairs: Pairs
) -> bool | None:
    """Whether almost all models with two levels of each node give the data one answer.

    Args:
        admg: the graph.
        query: the question, in counterfactual form.
        known: what each distribution P(v | do(.)) that is known sets; None: all of them are.
        pairs: the levels of each node.

    Returns:
        None: there are too many units to count, or districts whose nodes are not all siblings.
    """
    sizes = {name: 2 ** len(admg.parents(name)) for name in admg.nodes}
    siblings = (pair for each in admg.districts() for pair in combinations(sorted(each), 2))
    whole = all(frozenset(pair) in admg.bidirected for pair in siblings)
    every = known if known is not None else [*map(frozenset, _subsets(admg.nodes))]
    cells = len(every) * 2 ** len(admg.nodes)
    if not whole or sum(sizes.values()) > 20 or cells * 2 ** sum(sizes.values()) > UNIT_CELLS:
        return None
    if not admg.nodes or not pairs.keys() >= set(admg.nodes):
        return None
    if not all(_is_level(pairs, name, value) for name, value in _values(query)):
        return None
    units = _Units.of(admg, pairs)
    span = reduced(units.derivatives(units.data(every)))
    free = [pairs[name] for name in free_names(query)]
    closed = (close(query, cell) for cell in product(*free))
    return all(not span.rest(row).any() for each in closed for row in units.question(each))


def _values(query: Query) -> Iterator[tuple[str, object]]:
    """What the question gives its variables."""
    for term in (each for top in query.terms for each in top.walk()):
        yield term.name, term.value
        yield from ((each.variable, each.value) for each in term.subscript if not each.nested)


def _is_level(pairs: Pairs, name: str, value: object) -> bool:
    """Whether a value is free, or one of the two; one that differs from row to row is neither."""
    return value is None or str(value) in map(str, pairs[name])


def _subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return (each for size in range(len(names)) for each in combinations(names, size))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Units:
    """All units of a graph, one for each way that its nodes can respond, with a random law.

    Attributes:
        types: node -> the number of its type in each unit.
        places: district -> the number of its joint type in each unit.
        laws: district -> a number for each joint type, modulo the prime.
    """

    admg: ADMG
    pairs: Pairs
    types: Mapping[str, Numbers]
    places: Mapping[Nodes, Numbers]
    laws: Mapping[Nodes, Numbers]

    @classmethod
    def of(cls, admg: ADMG, pairs: Pairs) -> _Units:
        counts = {name: 2 ** (2 ** len(admg.parents(name))) for name in admg.nodes}
        grid = np.indices([*counts.values()]).reshape(len(counts), -1)
        types = dict(zip(counts, grid, strict=True))
        chance = random.Random(0)
        places, laws = {}, {}
        for district in admg.districts():
            own = admg.ordered(district)
            shape = [counts[name] for name in own]
            places[district] = np.ravel_multi_index([types[name] for name in own], shape)
            laws[district] = np.array([chance.randrange(1, PRIME) for _ in range(prod(shape))])
        return cls(admg=admg, pairs=pairs, types=types, places=places, laws=laws)

    def solve(self, do: Setting) -> dict[str, Numbers]:
        """The level of every node in each unit, 0 or 1, where some are set."""
        count = len(next(iter(self.types.values())))

        def level(name: str, values: Mapping[str, Numbers]) -> Numbers:
            at = np.zeros(count, dtype=np.int64)
            for parent in self.admg.ordered(self.admg.parents(name)):
                at = 2 * at + values[parent]
            return self.types[name] >> at & 1

        return self.admg.solve(level, {n: np.broadcast_to(x, count) for n, x in do.items()})

    def data(self, known: Iterable[Nodes]) -> Numbers:
        """Which units are in each cell of the data."""
        rows = []
        for treatments in known:
            names = sorted(treatments)
            for setting in product((0, 1), repeat=len(names)):
                values = self.solve(dict(zip(names, setting, strict=True)))
                code = sum(values[name] << at for at, name in enumerate(self.admg.nodes))
                rows += [code == cell for cell in np.unique(code)]
        return np.array(rows)

    def derivatives(self, rows: Numbers) -> Numbers:
        """Of sums over units, by the law of each district; and of the sums of these laws."""
        parts = [self._by_law(rows, district) for district in self.laws]
        blocks = np.zeros((len(parts), sum(part.shape[1] for part in parts)), dtype=np.int64)
        start = 0
        for at, part in enumerate(parts):
            blocks[at, start : (start := start + part.shape[1])] = 1
        return np.concatenate([np.concatenate(parts, axis=1), blocks])

    def _by_law(self, rows: Numbers, district: Nodes) -> Numbers:
        weight = np.ones(rows.shape[1], dtype=np.int64)
        for other, law in self.laws.items():
            if other != district:
                weight = weight * law[self.places[other]] % PRIME
        result = np.zeros((len(rows), len(self.laws[district])), dtype=np.int64)
        for at, row in enumerate(rows):
            np.add.at(result[at], self.places[district], row * weight)
        small: Numbers = result % PRIME
        return small

    def question(self, query: Query) -> Numbers:
        """The derivative of a question without free variables, times its denominator squared."""
        seen = self._event(query.conditions)
        above = seen * self._asked(query)
        parts = np.stack([above, seen])
        moved = np.concatenate([self._by_law(parts, each) for each in self.laws], axis=1)
        first = next(iter(self.laws))
        total = self._by_law(parts, first) * self.laws[first] % PRIME
        one, other = total.sum(axis=1) % PRIME
        slope: Numbers = (moved[0] * other - moved[1] * one) % PRIME
        return slope.reshape(1, -1)

    def _asked(self, query: Query) -> Numbers:
        if query.kind is Kind.PROBABILITY:
            return self._event(query.outcomes)
        terms = zip(query.coefficients, query.outcomes, strict=True)
        scale = prod(c.denominator for c in query.coefficients)
        total = sum(int(c * scale) * self._value(term) for c, term in terms)
        return np.asarray(total) % PRIME

    def _event(self, terms: Iterable[Term]) -> Numbers:
        """1 for the units of which all terms are true."""
        result = np.ones(len(next(iter(self.types.values()))), dtype=np.int64)
        for term in terms:
            result = result * (self._value(term) == self._place(term.name, term.value))
        return result

    def _value(self, term: Term) -> Numbers:
        do: dict[str, Any] = {}
        for each in term.subscript:
            inner = each.nested
            do[each.variable] = (
                self._place(each.variable, each.value) if inner is None else self._value(inner)
            )
        return self.solve(do)[term.name]

    def _place(self, name: str, value: object) -> int:
        return [str(level) for level in self.pairs[name]].index(str(value))
