"""Step: one contraction of a plan, made ready to run on arrays again and again.

Axes of one level are left out. With a batch, an array may have the batch's axis in front; the
result has it if an operand has it. Large products of floats in numpy are matrix products (BLAS).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from string import ascii_letters
from typing import Any

import numpy as np

from causalflow.tables.backend import Backend, Numpy
from causalflow.tables.plan import Plan, Step

__all__ = ["ReadyStep"]

_ROW = -1
_LARGE = 2**14
_MATRIX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How a step is computed; ``groups`` are the axes of a matrix product, if it can be one.

    Attributes:
        subscripts: of einsum.
        scopes: the variables of each operand.
        axes: the variables of the result.
        groups: batch, rows, summed, columns; and what only one operand has, which is summed first.
    """

    subscripts: str
    scopes: tuple[tuple[int, ...], ...]
    axes: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...] | None
    alone: tuple[tuple[int, ...], ...] = ()


class ReadyStep:
    """A step with its subscripts written.

    Attributes:
        operands: the places of the operands.
        operations: multiplications, for one row.
        terms: how many products are summed for a cell of the result.
    """

    def __init__(self, plan: Plan, step: Step) -> None:
        self.operands, self.operations = step.operands, step.operations
        self.terms = step.operations // max(plan.cells(step.axes), 1)
        self._scopes = tuple(tuple(v for v in s if plan.sizes[v] > 1) for s in step.scopes)
        self._axes = tuple(v for v in step.axes if plan.sizes[v] > 1)
        self._ways: dict[tuple[bool, ...], _Way] = {}

    def product(self, backend: Backend, arrays: Sequence[Any], batched: tuple[bool, ...]) -> Any:
        """The contraction; ``batched`` says which operands have the batch's axis."""
        way = self._ways.get(batched)
        if way is None:
            way = self._ways[batched] = self._way(batched)
        if way.groups is not None and isinstance(backend, Numpy):
            rows = max((len(a) for a, b in zip(arrays, batched, strict=True) if b), default=1)
            if self.operations * rows >= _LARGE and arrays[0].dtype == arrays[1].dtype == float:
                return _matrix_product(way, arrays[0], arrays[1])
        return backend.einsum(way.subscripts, arrays)

    def _way(self, batched: tuple[bool, ...]) -> _Way:
        scopes = tuple(
            (_ROW, *scope) if has_rows else scope
            for scope, has_rows in zip(self._scopes, batched, strict=True)
        )
        axes = (_ROW, *self._axes) if any(batched) else self._axes
        every = dict.fromkeys(v for scope in scopes for v in scope)
        letters = dict(zip(every, ascii_letters, strict=False))
        written = ["".join(letters[v] for v in scope) for scope in (*scopes, axes)]
        subscripts = f"{','.join(written[:-1])}->{written[-1]}"
        if len(scopes) != 2:
            return _Way(subscripts=subscripts, scopes=scopes, axes=axes, groups=None)
        (left, right), kept = scopes, set(axes)
        groups = (
            tuple(v for v in left if v in right and v in kept),
            tuple(v for v in left if v not in right and v in kept),
            tuple(v for v in left if v in right and v not in kept),
            tuple(v for v in right if v not in left and v in kept),
        )
        alone = tuple(
            tuple(v for v in own if v not in other and v not in kept)
            for own, other in ((left, right), (right, left))
        )
        return _Way(subscripts=subscripts, scopes=scopes, axes=axes, groups=groups, alone=alone)


def _matrix_product(way: _Way, a: Any, b: Any) -> Any:
    """A batch of matrix products, if the matrices are large enough to be worth it; else einsum."""
    assert way.groups is not None
    sizes = dict(zip(way.scopes[0], a.shape, strict=True))
    sizes |= dict(zip(way.scopes[1], b.shape, strict=True))
    batch, rows, summed, columns = way.groups
    shape = [prod(sizes[v] for v in group) for group in way.groups]
    if shape[1] * shape[2] * shape[3] < _MATRIX:
        return np.einsum(way.subscripts, a, b)
    first = _ordered(a, way.scopes[0], way.alone[0], (*batch, *rows, *summed))
    second = _ordered(b, way.scopes[1], way.alone[1], (*batch, *summed, *columns))
    product = np.matmul(
        first.reshape(shape[0], shape[1], shape[2]), second.reshape(shape[0], shape[2], shape[3])
    )
    found = (*batch, *rows, *columns)
    product = product.reshape([sizes[v] for v in found])
    return product.transpose([found.index(v) for v in way.axes])


def _ordered(array: Any, scope: tuple[int, ...], alone: tuple[int, ...], order: Any) -> Any:
    """The array summed over what no other has, its axes in an order."""
    if alone:
        array = array.sum(axis=tuple(scope.index(v) for v in alone))
        scope = tuple(v for v in scope if v not in alone)
    return array.transpose([scope.index(v) for v in order])
