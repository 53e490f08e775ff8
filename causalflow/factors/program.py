"""Program: a plan bound to its tables, to be run for many values of what is *given*.

Some axes of some tables are given: a position when the program is run, or one position for each row
of a batch. What does not depend on them is contracted once, when the program is made. In a batch,
every other table is computed once for each combination of its own given axes that occurs
(`causalflow.factors.rows`), and only joined to the others row by row.

In floats, an entry of a product is at least the product of the smallest entries above zero, so that
tables know a *floor* below which none of their entries lies. Where a product's floor comes near the
smallest float, the table is looked at, and rows of small numbers are brought back to about 1.

A `ReadyStep` is one contraction of the plan, to be run on arrays again and again. Axes of one level
are left out. With a batch, an array may have the batch's axis in front; the result has it if an
operand has it. Large products of floats in numpy are matrix products (BLAS).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf, log2, prod
from string import ascii_letters
from typing import Any

import numpy as np

from causalflow.factors.array import (
    INT64,
    Backend,
    Exponent,
    Numpy,
    Scaled,
    Values,
    reduced,
    scaled,
)
from causalflow.factors.plan import Plan, Step
from causalflow.factors.rows import Index, Rows, joined, of_column

__all__ = ["Given", "Operand", "Program", "ReadyStep", "run_plan"]

_ROW = -1
_LARGE = 2**14
_MATRIX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How a step is computed; ``groups`` are the axes of a matrix product, if it can be one.

    Attributes:
        subscripts: the subscripts of einsum.
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


Given = int | Index
_NEAR = -480.0
_SMALL = 2.0**-300
_KEPT = 2**22


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A table: its given axes first, then those of the plan's scope, in order."""

    given: tuple[str, ...]
    table: Scaled


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Live:
    """A table on the way: the array of the backend, and of what it is made."""

    number: Scaled
    floor: float
    rows: Rows | None = None


class Program:
    """The steps that depend on what is given, and the tables that they start from.

    Args:
        plan: the plan of the scopes without the given axes.
        operands: one for each of the plan's.
        backend: that computes; exact tables need numpy.
    """

    def __init__(self, plan: Plan, operands: Sequence[Operand], backend: Backend) -> None:
        self._backend = backend
        self._shape = tuple(plan.sizes[v] for v in plan.keep)
        self._stacks = {p: self._stack(each) for p, each in enumerate(operands) if each.given}
        self._kept = {p: self._ready(o.table) for p, o in enumerate(operands) if not o.given}
        self._steps: list[tuple[int, ReadyStep]] = []
        moving = set(self._stacks)
        for place, step in enumerate(plan.steps, start=len(operands)):
            ready = ReadyStep(plan, step)
            large = plan.cells(step.axes) > _KEPT
            if large or not moving.isdisjoint(step.operands):
                moving.add(place)
                self._steps.append((place, ready))
            else:
                self._kept[place] = self._run(ready, [self._kept.pop(p) for p in step.operands])
        self._last = len(operands) + len(plan.steps) - 1

    def run(self, given: Mapping[str, Given]) -> Scaled:
        """The sum of the product; in a batch, its first axis is that of the rows."""
        batch = [len(p) for p in given.values() if isinstance(p, np.ndarray)]
        live = dict(self._kept)
        columns: dict[tuple[str, ...], Rows] = {}
        for place, stack in self._stacks.items():
            live[place] = self._sliced(stack, given, columns)
        for place, step in self._steps:
            live[place] = self._run(step, [live.pop(operand) for operand in step.operands])
        return self._result(live[self._last], batch[0] if batch else None)

    def _result(self, live: _Live, rows: int | None) -> Scaled:
        values = self._backend.get(live.number.values)
        exponent = live.number.exponent
        if rows is None:
            values = values.reshape(self._shape)
        elif live.rows is None:
            values = np.broadcast_to(values.reshape(self._shape), (rows, *self._shape))
        else:
            values = values.reshape(len(live.rows.first), *self._shape)
            if not live.rows.is_full:
                values = values[live.rows.codes]
                if isinstance(exponent, np.ndarray):
                    exponent = exponent[live.rows.codes]
        number = live.number
        return Scaled(values=values, scale=number.scale, exponent=exponent, bound=number.bound)

    def _ready(self, table: Scaled) -> _Live:
        squeezed = table.values.reshape([n for n in table.values.shape if n > 1])
        return _Live(number=_with(table, self._put(squeezed)), floor=_floor(table))

    def _put(self, values: Values) -> Any:
        return self._backend.put(values)

    def _stack(self, operand: Operand) -> tuple[Operand, Any, float]:
        """The table with one place for each combination of what is given, and zeros behind."""
        values, count = operand.table.values, len(operand.given)
        rest = [n for n in values.shape[count:] if n > 1]
        flat = values.reshape(prod(values.shape[:count]), *rest)
        padded = np.concatenate([flat, np.zeros_like(flat[:1])])
        return operand, self._put(padded), _floor(operand.table)

    def _sliced(
        self,
        stack: tuple[Operand, Any, float],
        given: Mapping[str, Given],
        columns: dict[tuple[str, ...], Rows],
    ) -> _Live:
        operand, values, floor = stack
        batched = tuple(n for n in operand.given if isinstance(given[n], np.ndarray))
        rows = _rows(batched, given, columns) if batched else None
        place: Any = 0
        never: Any = False
        for name, size in zip(operand.given, operand.table.values.shape, strict=False):
            position: Any = given[name]
            if rows is not None and isinstance(position, np.ndarray):
                position = position[rows.first]
            place = place * size + position
            never = never | (position < 0)
        place = np.where(never, len(values) - 1, place) if np.any(never) else place
        index = place if rows is not None else int(place)
        taken = self._backend.take(values, index)
        return _Live(number=_with(operand.table, taken), floor=floor, rows=rows)

    def _run(self, step: ReadyStep, operands: Sequence[_Live]) -> _Live:
        rows, numbers = self._aligned(operands)
        arrays = [each.values for each in numbers]
        batched = tuple(each.rows is not None for each in operands)
        if numbers[0].scale is not None:
            return _Live(number=self._exact(step, numbers, batched), floor=0.0, rows=rows)
        values = step.product(self._backend, arrays, batched)
        exponent: Any = sum(each.exponent for each in numbers)
        floor = sum(each.floor for each in operands)
        if floor < _NEAR:
            values, exponent, floor = self._rescaled(values, exponent, rows is not None)
        return _Live(number=Scaled(values=values, exponent=exponent), floor=floor, rows=rows)

    def _aligned(self, operands: Sequence[_Live]) -> tuple[Rows | None, list[Scaled]]:
        """The operands on the combinations of rows of all of them."""
        rows: Rows | None = None
        for each in operands:
            if each.rows is not None:
                rows = each.rows if rows is None else joined(rows, each.rows)
        return rows, [self._spread(each, rows) for each in operands]

    def _spread(self, live: _Live, rows: Rows | None) -> Scaled:
        if rows is None or live.rows is None or live.rows is rows:
            return live.number
        if live.rows.is_full and rows.is_full:
            return live.number
        index, exponent = live.rows.codes[rows.first], live.number.exponent
        return _with(
            live.number,
            self._backend.take(live.number.values, index),
            exponent[index] if isinstance(exponent, np.ndarray) else exponent,
        )

    def _exact(self, step: ReadyStep, numbers: Sequence[Scaled], batched: Any) -> Scaled:
        bound = step.terms * prod(each.bound for each in numbers)
        plain = [np.asarray(each.values) for each in numbers]  # a cell of objects is no array
        dtype = np.int64 if bound < INT64 else object  # numpy would make a cell of objects unsigned
        arrays = [each.astype(dtype, copy=False) for each in plain]
        scales = [each.scale for each in numbers if each.scale is not None]
        scale = scales[0] * scales[1] if len(scales) > 1 else scales[0]
        return reduced(np.asarray(step.product(self._backend, arrays, batched), dtype=dtype), scale)

    def _rescaled(
        self, values: Any, exponent: Exponent, by_row: bool
    ) -> tuple[Any, Exponent, float]:
        """Bring small numbers back to about 1; the floor is then known anew."""
        peaks, least = self._backend.extremes(values, by_row)
        small = (peaks > 0) & (peaks < _SMALL)
        if not small.any():
            return values, exponent, log2(least) if least < inf else 0.0
        shifts = np.where(small, np.frexp(np.where(small, peaks, 1.0))[1], 0).astype(np.int64)
        values = self._backend.shift(values, -shifts)
        least = self._backend.extremes(values, by_row)[1]
        moved: Exponent = exponent + (shifts if by_row else int(shifts))
        return values, moved, log2(least) if least < inf else 0.0


def _rows(
    names: tuple[str, ...], given: Mapping[str, Given], known: dict[tuple[str, ...], Rows]
) -> Rows:
    """The combinations of some columns."""
    if names not in known:
        last = given[names[-1]]
        assert isinstance(last, np.ndarray)
        own = of_column(last) if len(names) == 1 else _rows(names[-1:], given, known)
        known[names] = own if len(names) == 1 else joined(_rows(names[:-1], given, known), own)
    return known[names]


def _with(number: Scaled, values: Any, exponent: Exponent | None = None) -> Scaled:
    """The number with other values."""
    kept = number.exponent if exponent is None else exponent
    return Scaled(values=values, scale=number.scale, exponent=kept, bound=number.bound)


def _floor(table: Scaled) -> float:
    """The logarithm of a number that no entry above zero is smaller than."""
    if table.scale is not None or table.values.size == 0:
        return 0.0
    least = float(np.min(table.values, where=table.values > 0, initial=inf))
    return min(log2(least), 0.0) if least < inf else 0.0


def run_plan(plan: Plan, operands: Sequence[Scaled]) -> Scaled:
    """Follow the plan; the result's axes are those of ``plan.keep``."""
    if not operands:
        return scaled(np.array(Fraction(1), dtype=object))
    ready = [Operand(given=(), table=table) for table in operands]
    return Program(plan, ready, Numpy()).run({})
