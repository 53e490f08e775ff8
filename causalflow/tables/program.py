"""Program: a plan bound to its tables, to be run for many values of what is *given*.

Some axes of some tables are given: a position when the program is run, or one position for each row
of a batch. What does not depend on them is contracted once, when the program is made. In a batch,
every other table is computed once for each combination of its own given axes that occurs
(`causalflow.tables.rows`), and only joined to the others row by row.

Floats: an entry of a product is at least the product of the smallest entries above zero, so that
tables know a *floor* below which none of their entries lies. Where a product's floor comes near the
smallest float, the table is looked at, and rows of small numbers are brought back to about 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, log2, prod
from typing import Any

import numpy as np

from causalflow.tables.array import Values
from causalflow.tables.backend import Backend
from causalflow.tables.plan import Plan
from causalflow.tables.rows import Index, Rows, joined, of_column
from causalflow.tables.scaled import INT64, Exponent, Scaled, reduced
from causalflow.tables.step import ReadyStep

__all__ = ["Given", "Operand", "Program"]

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
        plan: of the scopes without the given axes.
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
        arrays = plain if bound < INT64 else [each.astype(object) for each in plain]
        scales = [each.scale for each in numbers if each.scale is not None]
        scale = scales[0] * scales[1] if len(scales) > 1 else scales[0]
        return reduced(np.asarray(step.product(self._backend, arrays, batched)), scale)

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
