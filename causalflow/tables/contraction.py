"""Contraction: the sum over some variables of a product of tables.

    contract([phi_1, ..., phi_n], keep) = sum over all axes but keep of phi_1 phi_2 ... phi_n

A plan (`causalflow.tables.plan`) says in which order. Floats keep an exponent beside the array, so
that a product of a thousand small numbers does not vanish. Fractions are computed on integers over
one common denominator: in 64 bits while the result provably fits, else in Python's own integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from causalflow.errors import CausalFlowError, one_of
from causalflow.graph.schema import Level
from causalflow.tables.array import Values
from causalflow.tables.plan import MAX_CELLS, Plan, Step, make_plan
from causalflow.tables.table import Table

__all__ = ["Scaled", "contract", "run_plan", "scaled"]

_SMALL = 2.0**-300
_INT64 = 2**63
_LARGE = 2**14
_MATRIX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """An array of numbers without what they have in common.

    Attributes:
        values: float64, or integers (of 64 bits or Python's) in exact mode.
        scale: exact mode: the numbers are ``values * scale``.
        exponent: float mode: the numbers are ``values * 2^exponent``.
        bound: exact mode: no value is larger.
    """

    values: Values
    scale: Fraction | None = None
    exponent: int = 0
    bound: int = 0

    def to_array(self) -> Values:
        """The numbers themselves."""
        if self.scale is None:
            return np.ldexp(self.values, self.exponent)
        numbers = np.empty(self.values.shape, dtype=object)
        known: dict[int, Fraction] = {}
        flat = numbers.reshape(-1)
        for place, value in enumerate(self.values.ravel().tolist()):
            if value not in known:
                known[value] = value * self.scale
            flat[place] = known[value]
        return numbers


def scaled(values: Values) -> Scaled:
    """The values of a table, ready for `run_plan`: exact if they are fractions."""
    if values.dtype != object:
        return Scaled(values=values)
    flat: list[Fraction] = values.ravel().tolist()
    denominator = lcm(*(value.denominator for value in flat))
    integers = [value.numerator * (denominator // value.denominator) for value in flat]
    bound = max(map(abs, integers), default=0)
    dtype = np.int64 if bound < _INT64 else object
    array = np.empty(len(integers), dtype=dtype)
    array[:] = integers
    return Scaled(values=array.reshape(values.shape), scale=Fraction(1, denominator), bound=bound)


def contract(tables: Iterable[Table], keep: Sequence[str] = (), *, limit: int = MAX_CELLS) -> Table:
    """The sum, over every axis but ``keep``, of the product of the tables.

    Args:
        tables: exact if all are; with a float table among them, all are taken as floats.
        keep: the axes of the result, in order.
        limit: the most cells that a table may have on the way.

    Raises:
        CausalFlowError: an unknown axis, an axis with different levels in two tables, or a
            contraction that is too wide (checked before anything is allocated).

    Example:
        >>> p_x = Table(["x"], [Fraction(1, 3), Fraction(2, 3)])
        >>> p_y = Table(["x", "y"], [[Fraction(1, 2), Fraction(1, 2)], [0, Fraction(1)]])
        >>> contract([p_x, p_y], keep=["y"]).to_dict()
        {0: Fraction(1, 6), 1: Fraction(5, 6)}
    """
    operands, kept = list(tables), (keep,) if isinstance(keep, str) else tuple(keep)
    levels = _common_levels(operands)
    for name in kept:
        if name not in levels:
            raise CausalFlowError(f"contract: unknown axis '{name}'; {one_of(name, levels)}")
    sizes = {name: len(found) for name, found in levels.items()}
    plan = make_plan([table.axes for table in operands], sizes, kept)
    plan.check(limit)
    exact = all(table.is_exact for table in operands)
    arrays = [table.values if exact else table.to_numpy() for table in operands]
    result = run_plan(plan, [scaled(array) for array in arrays])
    return Table.of(kept, result.to_array(), levels)


def _common_levels(tables: Iterable[Table]) -> dict[str, tuple[Level, ...]]:
    levels: dict[str, tuple[Level, ...]] = {}
    for table in tables:
        for axis, own in table.levels.items():
            if levels.setdefault(axis, own) != own:
                both = f"{list(levels[axis])} and {list(own)}"
                raise CausalFlowError(
                    f"contract: two tables have different levels of '{axis}': {both}"
                )
    return levels


def run_plan(plan: Plan, operands: Sequence[Scaled]) -> Scaled:
    """Follow the plan; the result's axes are those of ``plan.keep``."""
    if not plan.steps:
        return operands[0] if operands else scaled(np.array(Fraction(1), dtype=object))
    live = dict(enumerate(operands))
    for place, step in enumerate(plan.steps, start=len(operands)):
        used = [live.pop(operand) for operand in step.operands]
        live[place] = _run_step(plan, step, used)
    (result,) = live.values()
    return result


def _run_step(plan: Plan, step: Step, operands: Sequence[Scaled]) -> Scaled:
    scales = [each.scale for each in operands if each.scale is not None]
    if not scales:
        values = _einsum(plan, step, [each.values for each in operands])
        return _rescaled(values, sum(each.exponent for each in operands))
    bound = step.operations // max(plan.cells(step.axes), 1)
    for each in operands:
        bound *= each.bound
    fits = bound < _INT64
    arrays = [each.values if fits else each.values.astype(object) for each in operands]
    scale = scales[0] * scales[1] if len(scales) > 1 else scales[0]
    return _reduced(_einsum(plan, step, arrays), scale)


def _rescaled(values: Values, exponent: int) -> Scaled:
    """Bring small numbers back to about 1."""
    largest = float(values.max(initial=0.0))
    if not 0.0 < largest < _SMALL:
        return Scaled(values=values, exponent=exponent)
    shift = int(np.frexp(largest)[1])
    return Scaled(values=np.ldexp(values, -shift), exponent=exponent + shift)


def _reduced(values: Values, scale: Fraction) -> Scaled:
    """Take out the common divisor, and go back to 64 bits where they suffice."""
    divisor = int(np.gcd.reduce(values, axis=None)) if values.size else 0
    if divisor > 1:
        values = np.asarray(values // divisor, dtype=values.dtype)
    bound = int(max(values.max(initial=0), -values.min(initial=0)))
    if values.dtype == object and bound < _INT64:
        values = values.astype(np.int64)
    return Scaled(values=values, scale=scale * max(divisor, 1), bound=bound)


def _einsum(plan: Plan, step: Step, arrays: Sequence[Values]) -> Values:
    """The step on plain arrays; axes of one level are left out, as einsum has few symbols."""
    if len(arrays) == 2 and arrays[0].dtype == np.float64 and step.operations >= _LARGE:
        product = _matrix_product(plan, step, arrays[0], arrays[1])
        if product is not None:
            return product
    symbols: dict[int, int] = {}
    arguments: list[Any] = []
    for array, scope in zip(arrays, step.scopes, strict=True):
        long = [v for v in scope if plan.sizes[v] > 1]
        arguments += [array.reshape([plan.sizes[v] for v in long])]
        arguments += [[symbols.setdefault(v, len(symbols)) for v in long]]
    kept = [symbols[v] for v in step.axes if plan.sizes[v] > 1]
    result = np.asarray(np.einsum(*arguments, kept))
    return result.reshape([plan.sizes[v] for v in step.axes])


def _matrix_product(plan: Plan, step: Step, a: Values, b: Values) -> Values | None:
    """A batch of matrix products (BLAS), where the matrices are large enough to be worth it."""
    left, right = step.scopes
    kept = set(step.axes)
    batch = [v for v in left if v in right and v in kept]
    summed = [v for v in left if v in right and v not in kept]
    rows = [v for v in left if v not in right]
    columns = [v for v in right if v not in left]
    shape = [plan.cells(axes) for axes in (batch, rows, summed, columns)]
    if not kept.issuperset([*rows, *columns]) or shape[1] * shape[2] * shape[3] < _MATRIX:
        return None
    first = a.transpose([left.index(v) for v in [*batch, *rows, *summed]])
    second = b.transpose([right.index(v) for v in [*batch, *summed, *columns]])
    product: np.ndarray[Any, np.dtype[Any]] = np.matmul(
        first.reshape(shape[0], shape[1], shape[2]), second.reshape(shape[0], shape[2], shape[3])
    )
    found = [*batch, *rows, *columns]
    product = product.reshape([plan.sizes[v] for v in found])
    return product.transpose([found.index(v) for v in step.axes])
