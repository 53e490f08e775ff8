"""Slopes: how data move with a single factor of a finite model.

Notation: as in `causalflow.identify.finite`. A *move* takes from one number of a factor and gives
to another, so that its sums stay; a factor has as many as it has free numbers. Cells of data
P(a | c) move by the derivative of P(a, c) / P(c), times the square of its denominator.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalflow.identify.finite import Axis, Layout, cells_of
from causalflow.identify.source import Source

__all__ = ["changed", "making_up", "moves_of", "slopes"]

Numbers: TypeAlias = NDArray[Any]


def slopes(layout: Layout, axis: Axis, sources: Sequence[Source]) -> Numbers:
    """The derivatives of every cell of some sources by the free numbers of a factor."""
    return np.concatenate([_derivative(layout, axis, source) for source in sources])


def _derivative(layout: Layout, axis: Axis, source: Source) -> Numbers:
    """Rows: cells of the source in the order of the nodes. Columns: `_moves` of the factor."""
    moved = _tensors(layout, axis, source)
    if source.conditions:
        moved = _conditional(layout, source, _cells(layout, source), moved)
    return layout.small(moved.reshape(len(moved), -1).T)


def _cells(layout: Layout, source: Source) -> Numbers:
    """A source before it is divided by anything."""
    return layout.summed(layout.whole(source.treatments), layout.admg.ordered(source.variables))


def _tensors(layout: Layout, axis: Axis, source: Source) -> Numbers:
    """How these cells move with each of the moves of a factor."""
    kept, moves = layout.admg.ordered(source.variables), moves_of(layout, axis)
    if axis in source.treatments:
        return np.array([_cells(layout, source) * 0 for _ in moves])
    rest = layout.without(layout.whole(source.treatments), axis)
    rest = layout.summed(rest, (*kept, *layout.factors[axis][0]))
    return np.stack([_moved(layout, axis, rest, kept, each) for each in moves])


def _conditional(layout: Layout, source: Source, base: Numbers, moved: Numbers) -> Numbers:
    """The derivative of a quotient, times the square of its denominator."""
    away = tuple(layout.axes.index(name) for name in source.observed)
    below = layout.small(base.sum(axis=away, keepdims=True))
    behind = layout.small(moved.sum(axis=tuple(at + 1 for at in away), keepdims=True))
    result: Numbers = moved * below - base * behind
    return result


def moves_of(layout: Layout, axis: Axis) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Pairs of places of a factor: its numbers move up at the one and down at the other."""
    shape = layout.factors[axis][1].shape
    return [((*cell[:-1], 0), cell) for cell in cells_of(shape) if cell[-1]]


def _moved(
    layout: Layout,
    axis: Axis,
    rest: Numbers,
    kept: Sequence[str],
    move: tuple[tuple[int, ...], tuple[int, ...]],
) -> Numbers:
    """How a source moves with a factor; axes as in tensors, those not kept of length one."""
    own = layout.factors[axis][0]
    total = np.zeros([2 if each in kept else 1 for each in layout.axes], dtype=rest.dtype)
    for place, sign in zip(move, (-1, 1), strict=True):
        at = dict(zip(own, place, strict=True))
        read = tuple(slice(at[a], at[a] + 1) if a in at else slice(None) for a in layout.axes)
        write = tuple(
            slice(at[a], at[a] + 1) if a in at and a in kept else slice(None) for a in layout.axes
        )
        total[write] += sign * rest[read]
    return total


def changed(layout: Layout, axis: Axis, amounts: Iterable[Any]) -> Numbers:
    """What moves by some amounts make of the numbers of a factor."""
    change = np.zeros(layout.factors[axis][1].shape, dtype=object)
    for (down, up), amount in zip(moves_of(layout, axis), amounts, strict=True):
        change[down] -= amount
        change[up] += amount
    return change


def making_up(
    layout: Layout, nudged: Layout, axis: Axis, source: Source
) -> tuple[Numbers, Numbers]:
    """The equations for the moves of a factor that give a source back: left and right sides."""
    before, after = _cells(layout, source), _cells(nudged, source)
    moved = _tensors(nudged, axis, source)
    if source.conditions:
        moved = _conditional(layout, source, before, moved)
        gap = -_conditional(layout, source, before, after[None])[0]
    else:
        gap = before * (after.sum() // before.sum()) - after
    return moved.reshape(len(moved), -1).T, gap.ravel()
