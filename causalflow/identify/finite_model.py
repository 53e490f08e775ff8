"""Finite models of a graph, in exact numbers: a hidden cause for each bidirected edge.

Notation: a *factor* is a law w(u) of a hidden cause, or a kernel k(x | parents, u...) of a node,
which has two levels. With u the values of all hidden causes,

    P(v | do(b)) = sum_u prod_edges w(u) prod_{x not in b} k(x | parents, u)

which is linear in every single factor. Factors are whole numbers: parts of their sum over the last
axis, which is the same everywhere. `Layout` computes with these numbers, exactly or modulo a prime.

Ranks modulo a large prime are those of the whole numbers but for chances of one in millions, and
only lead the way: what is claimed is verified in exact numbers (`solution`).

Source: Bareiss (1968) for elimination without fractions.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalflow.admg.admg import ADMG, Nodes
from causalflow.factors.table import Table

__all__ = [
    "PRIME",
    "Axis",
    "FiniteModel",
    "Layout",
    "Reduced",
    "random_layout",
    "reduced",
    "solution",
]


PRIME = 2**31 - 1


Numbers: TypeAlias = NDArray[Any]


Axis: TypeAlias = str | Nodes
"""A node, or the bidirected edge whose hidden cause it is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiniteModel:
    """A model in which every variable is 0 or 1.

    Attributes:
        admg: the graph.
        laws: bidirected edge -> the probability of each state of its hidden cause.
        kernels: node -> (axes, probabilities); the axes are its parents, the bidirected edges that
            end at it, and the node.
    """

    admg: ADMG
    laws: Mapping[Nodes, tuple[Fraction, ...]]
    kernels: Mapping[str, tuple[tuple[Axis, ...], Numbers]]

    def table(
        self, outcomes: Sequence[str], do: Sequence[str] = (), given: Sequence[str] = ()
    ) -> Table:
        """P(outcomes | do, given), exact; its axes are those variables in this order."""
        factors: dict[Axis, tuple[tuple[Axis, ...], Numbers]] = {}
        factors.update({edge: ((edge,), np.array(law)) for edge, law in self.laws.items()})
        factors.update(self.kernels)
        layout = Layout(admg=self.admg, factors=factors)
        kept = (*outcomes, *given, *do)
        left = [name for name in self.admg.nodes if name in kept]
        joint = layout.summed(layout.whole(frozenset(do)), left)
        table = Table(left, joint.reshape([2] * len(left))).transpose(kept)
        return table.divide(table.marginal([*given, *do])) if given else table

    def _key(self) -> tuple[object, ...]:
        kernels = sorted(self.kernels.items())
        numbers = ((name, axes, *map(str, each.ravel())) for name, (axes, each) in kernels)
        return (self.admg, frozenset(self.laws.items()), *numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FiniteModel) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The factors of a model; tensors have an axis for every node, then for every hidden cause.

    Attributes:
        admg: the graph.
        factors: node or bidirected edge -> (axes, numbers).
        prime: the numbers are kept modulo this; 0: they are exact.
    """

    admg: ADMG
    factors: Mapping[Axis, tuple[tuple[Axis, ...], Numbers]]
    prime: int = 0

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All nodes, then the bidirected edges."""
        return (*self.admg.nodes, *(axis for axis in self.factors if not isinstance(axis, str)))

    def modular(self) -> Layout:
        """The same, modulo the prime."""
        factors = {
            axis: (axes, numbers.astype(np.int64)) for axis, (axes, numbers) in self.factors.items()
        }
        return replace(self, factors=factors, prime=PRIME)

    def whole(self, do: Nodes) -> Numbers:
        """The product of the factors, but for the kernels of what is set."""
        result = self._spread(())
        for axis in self.factors:
            if axis not in do:
                result = self.small(result * self._spread((axis,)))
        return result

    def without(self, whole: Numbers, axis: Axis) -> Numbers:
        """The product less one of its factors."""
        factor = self._spread((axis,))
        if not self.prime:
            return whole // factor
        inverse = np.vectorize(lambda number: pow(int(number), -1, self.prime), otypes=[np.int64])
        return self.small(whole * inverse(factor))

    def summed(self, tensor: Numbers, kept: Sequence[Axis]) -> Numbers:
        """The sum over all axes but some; they all stay, those summed with length one."""
        away = tuple(at for at, axis in enumerate(self.axes) if axis not in kept)
        return self.small(tensor.sum(axis=away, keepdims=True))

    def small(self, numbers: Numbers) -> Numbers:
        """The numbers modulo the prime, if there is one."""
        return numbers % self.prime if self.prime else numbers

    def _spread(self, chosen: Sequence[Axis]) -> Numbers:
        """A factor with all axes; of none, ones of the full shape."""
        if not chosen:
            kind = np.int64 if self.prime else object
            return np.ones([self.size(axis) for axis in self.axes], dtype=kind)
        own, numbers = self.factors[chosen[0]]
        order = sorted(range(len(own)), key=lambda at: self.axes.index(own[at]))
        shape = [self.size(axis) if axis in own else 1 for axis in self.axes]
        return numbers.transpose(order).reshape(shape)

    def size(self, axis: Axis) -> int:
        """How many values an axis has."""
        return 2 if isinstance(axis, str) else len(self.factors[axis][1])


def random_layout(
    admg: ADMG, states: int, chance: random.Random, *, grain: int, ignored: float = 0
) -> Layout:
    """Random factors, none of their numbers zero.

    Args:
        admg: the graph.
        states: how many each hidden cause has.
        chance: draws them.
        grain: the sum of a kernel's numbers; the larger, the less likely is a coincidence.
        ignored: how likely a node does not listen to a parent, or to a hidden cause.
    """
    edges = sorted(admg.bidirected, key=sorted)
    factors: dict[Axis, tuple[tuple[Axis, ...], Numbers]] = {}
    for edge in edges:
        law = [chance.randint(1, grain) for _ in range(states)]
        factors[edge] = ((edge,), np.array(law, dtype=object))
    for name in admg.nodes:
        behind: list[Axis] = [*admg.ordered(admg.parents(name)), *(e for e in edges if name in e)]
        sizes = [2 if isinstance(axis, str) else states for axis in behind]
        deaf = [chance.random() < ignored for _ in behind]
        factors[name] = ((*behind, name), _kernel(sizes, deaf, chance, grain))
    return Layout(admg=admg, factors=factors)


def _kernel(
    sizes: Sequence[int], deaf: Sequence[bool], chance: random.Random, grain: int
) -> Numbers:
    """A kernel of a node, the same for all values of what it is deaf to."""
    heard = [1 if each else size for each, size in zip(deaf, sizes, strict=True)]
    drawn = [chance.randint(1, grain - 1) for _ in range(prod(heard))]
    ones = np.broadcast_to(np.array(drawn, dtype=object).reshape(heard), sizes)
    return np.stack([grain - ones, ones], axis=-1)


def cells_of(sizes: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every place in an array of this shape."""
    return product(*map(range, sizes))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reduced:
    """A basis of the span of some rows, in reduced form.

    Attributes:
        basis: its rows.
        columns: the pivot column of each.
        rows: which of the given rows are independent, as many.
    """

    basis: NDArray[np.int64]
    columns: tuple[int, ...]
    rows: tuple[int, ...]

    def rest(self, row: NDArray[Any]) -> NDArray[np.int64]:
        """The row less its part within the span; zero where it lies in it."""
        left = _small(row)
        for basis, column in zip(self.basis, self.columns, strict=True):
            if left[column]:
                left = (left - left[column] * basis) % PRIME
        return left


def reduced(rows: NDArray[Any]) -> Reduced:
    """The reduced form of a matrix of whole numbers, modulo the prime."""
    work = _small(rows)
    order = np.arange(len(work))
    columns: list[int] = []
    for column in range(work.shape[1]):
        at = len(columns)
        found = np.flatnonzero(work[at:, column])
        if not len(found):
            continue
        swap = [at, at + int(found[0])]
        work[swap], order[swap] = work[swap[::-1]], order[swap[::-1]]
        work[at] = work[at] * pow(int(work[at, column]), -1, PRIME) % PRIME
        others = work[:, column].copy()
        others[at] = 0
        work = (work - others[:, None] * work[at]) % PRIME
        columns.append(column)
        if len(columns) == len(work):
            break
    count = len(columns)
    return Reduced(basis=work[:count], columns=tuple(columns), rows=tuple(order[:count].tolist()))


def _small(rows: NDArray[Any]) -> NDArray[np.int64]:
    return (rows % PRIME).astype(np.int64)


def solution(matrix: Sequence[Sequence[int]], right: Sequence[int]) -> list[Fraction] | None:
    """x with matrix x = right, for a square matrix of whole numbers; None: it is singular."""
    work = [[*map(int, row), int(value)] for row, value in zip(matrix, right, strict=True)]
    size, before = len(work), 1
    for at in range(size):
        pivot = next((row for row in range(at, size) if work[row][at]), None)
        if pivot is None:
            return None
        work[at], work[pivot] = work[pivot], work[at]
        top = work[at]
        for row in range(at + 1, size):
            low = work[row]
            first = low[at]
            work[row] = [0] * (at + 1) + [
                (low[c] * top[at] - first * top[c]) // before for c in range(at + 1, size + 1)
            ]
        before = top[at]
    found: list[Fraction] = [Fraction(0)] * size
    for at in reversed(range(size)):
        rest = work[at][size] - sum(work[at][c] * found[c] for c in range(at + 1, size))
        found[at] = Fraction(rest) / work[at][at]
    return found
