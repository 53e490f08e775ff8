"""Linear form: numbers that depend linearly on laws of which nothing is known, cell by cell.

Notation: u a *group*, a probability vector of which nothing is known (the law of a stratum without
rows); a form is, for every cell of its axes,

    f = constant + sum over groups, sum over k of a_k u_k,      sum_k u_k = 1, u >= 0

so its smallest value is the constant plus the smallest a_k of each group, and that is attained.
A product of two forms that both depend on something unknown is no form: it becomes a number known
to lie between two ends (a group of its own), which may be wider than what the data leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from causalflow.errors import DataError
from causalflow.estimate.unknowns import Array, Part, Unknowns, by_group
from causalflow.factors.array import spread

__all__ = ["LinearForm", "added", "divided", "multiplied", "scaled", "summed"]

_HALVINGS = 60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearForm:
    """A linear form for each cell of some axes.

    Attributes:
        axes: their names.
        constant: what is known, an axis for each name.
        part: what depends on the unknown laws; None: nothing does.
    """

    axes: tuple[str, ...]
    constant: Array
    part: Part | None = None

    def over(self, axes: tuple[str, ...], shape: Sequence[int]) -> LinearForm:
        """The same function with more axes, or in another order."""
        if axes == self.axes:
            return self
        constant = np.broadcast_to(spread(self.constant, self.axes, axes), shape)
        if self.part is None:
            return LinearForm(axes=axes, constant=constant)
        cells = np.arange(self.constant.size).reshape(self.constant.shape)
        cells = np.broadcast_to(spread(cells, self.axes, axes), shape).reshape(-1)
        return LinearForm(
            axes=axes, constant=constant, part=self.part.at(cells, self.constant.size)
        )

    def taken(self, axis: str, place: int) -> LinearForm:
        """The slice at a position of one axis."""
        at = self.axes.index(axis)
        axes = self.axes[:at] + self.axes[at + 1 :]
        constant = self.constant.take(place, at)
        if self.part is None:
            return LinearForm(axes=axes, constant=constant)
        cells = np.arange(self.constant.size).reshape(self.constant.shape).take(place, at)
        return LinearForm(
            axes=axes, constant=constant, part=self.part.at(cells.reshape(-1), self.constant.size)
        )

    def renamed(self, old: str, new: str) -> LinearForm:
        """The same function with another name for an axis."""
        axes = tuple(new if axis == old else axis for axis in self.axes)
        return LinearForm(axes=axes, constant=self.constant, part=self.part)

    def extremes(self, unknowns: Unknowns) -> tuple[Array, Array]:
        """The smallest and the largest value of each cell."""
        if self.part is None or not len(self.part.cell):
            return self.constant, self.constant
        cell, least, most = by_group(self.part, unknowns)[:3]
        low, high = (
            self.constant + np.bincount(cell, each, self.constant.size).reshape(self.constant.shape)
            for each in (least, most)
        )
        return low, high


def _aligned(one: LinearForm, other: LinearForm) -> tuple[LinearForm, LinearForm]:
    axes = (*one.axes, *(axis for axis in other.axes if axis not in one.axes))
    sizes = dict(zip(one.axes, one.constant.shape, strict=True))
    sizes |= dict(zip(other.axes, other.constant.shape, strict=True))
    shape = [sizes[axis] for axis in axes]
    return one.over(axes, shape), other.over(axes, shape)


def added(one: LinearForm, other: LinearForm, unknowns: Unknowns) -> LinearForm:
    """one + other."""
    one, other = _aligned(one, other)
    return _form(one.axes, one.constant + other.constant, [one.part, other.part], unknowns)


def scaled(form: LinearForm, number: float) -> LinearForm:
    """A number times the form."""
    weights = np.full(form.constant.size, number)
    part = None if form.part is None else form.part.times(weights)
    return LinearForm(axes=form.axes, constant=form.constant * number, part=part)


def multiplied(one: LinearForm, other: LinearForm, unknowns: Unknowns) -> LinearForm:
    """one times other."""
    one, other = _aligned(one, other)
    parts = [
        None if a.part is None else a.part.times(b.constant.reshape(-1))
        for a, b in ((one, other), (other, one))
    ]
    product = _form(one.axes, one.constant * other.constant, parts, unknowns)
    if one.part is None or other.part is None:
        return product
    both = np.intersect1d(one.part.cell, other.part.cell)
    if not len(both):
        return product
    ends = [np.stack(each.extremes(unknowns)).reshape(2, -1)[:, both] for each in (one, other)]
    every = ends[0][:, None, :] * ends[1][None, :, :]
    low, high = every.min(axis=(0, 1)), every.max(axis=(0, 1))
    return _replaced(product, both, low, high, _origins(both, [one, other], unknowns), unknowns)


def divided(
    one: LinearForm, other: LinearForm, ends: tuple[float, float], unknowns: Unknowns, name: str
) -> LinearForm:
    """one / other; where other may be 0, what is known is that the ratio lies between ``ends``.

    Raises:
        DataError: other may be 0 where the ends are infinite.
    """
    one, other = _aligned(one, other)
    below = other.constant.reshape(-1)
    loose = np.zeros(below.shape, dtype=bool) if other.part is None else _touched(other.part, below)
    zero = ~loose & (below == 0)
    if not np.all(np.isfinite(ends)):
        _check_divisor(other, unknowns, name)
    inverse = np.where(zero | loose, 0.0, 1 / np.where(below != 0, below, 1.0))
    part = None if one.part is None else one.part.times(inverse)
    ratio = LinearForm(
        axes=one.axes, constant=one.constant * inverse.reshape(one.constant.shape), part=part
    )
    cells = np.flatnonzero(zero | loose)
    if not len(cells):
        return ratio
    if zero.any():
        unknowns.empty[name] = None
    low, high = _ratio_ends(one, other, cells, ends, unknowns)
    return _replaced(ratio, cells, low, high, _origins(cells, [one, other], unknowns), unknowns)


def _check_divisor(other: LinearForm, unknowns: Unknowns, name: str) -> None:
    low, high = other.extremes(unknowns)
    if np.any((low <= 0) & (high >= 0)):
        raise DataError(f"estimate: with these rows it may be that {name}: no bounds of the ratio")


def _touched(part: Part, like: Array) -> Array:
    found = np.zeros(like.shape, dtype=bool)
    found[part.cell] = True
    return found


def _ratio_ends(
    one: LinearForm, other: LinearForm, cells: Array, ends: tuple[float, float], unknowns: Unknowns
) -> tuple[Array, Array]:
    """The extremes of a ratio of forms: one - t other <= 0 everywhere if and only if t is above."""
    least, most = (end.reshape(-1)[cells] for end in other.extremes(unknowns))
    corners = np.array([np.full(len(cells), end) for end in ends])
    if not np.all(np.isfinite(ends)):
        above = np.stack([end.reshape(-1)[cells] for end in one.extremes(unknowns)])
        every = above[:, None] / np.stack([least, most])[None]
        corners = np.stack([every.min(axis=(0, 1)), every.max(axis=(0, 1))])
    sides = np.where(most <= 0, -1.0, 1.0) if not np.all(np.isfinite(ends)) else np.ones(len(cells))
    found = []
    for sign, worst, best in ((1.0, corners[0], corners[1]), (-1.0, -corners[1], -corners[0])):
        above, below = best, worst
        for _ in range(_HALVINGS):
            middle = (above + below) / 2
            top = _largest(one, other, cells, sign * sides, -middle * sides, unknowns)
            below, above = np.where(top > 0, middle, below), np.where(top > 0, above, middle)
        found.append(sign * np.where((most <= 0) & (least >= 0), best, above))
    return found[1], found[0]


def _largest(
    one: LinearForm, other: LinearForm, cells: Array, a: Array, b: Array, unknowns: Unknowns
) -> Array:
    """The largest a one + b other, at some cells."""
    first, second = (
        multiplied(form, _at(form, cells, weight), unknowns)
        for form, weight in ((one, a), (other, b))
    )
    return added(first, second, unknowns).extremes(unknowns)[1].reshape(-1)[cells]


def _at(form: LinearForm, cells: Array, weight: Array) -> LinearForm:
    """Weights at some cells of a form's axes, 0 at the others."""
    full = np.zeros(form.constant.size)
    full[cells] = weight
    return LinearForm(axes=form.axes, constant=full.reshape(form.constant.shape))


def _origins(cells: Array, forms: Sequence[LinearForm], unknowns: Unknowns) -> list[frozenset[int]]:
    """The columns of laws that each cell depends on."""
    found: list[set[int]] = [set() for _ in cells]
    place = {cell: at for at, cell in enumerate(cells.tolist())}
    for form in forms:
        if form.part is None:
            continue
        for cell, column in zip(form.part.cell.tolist(), form.part.column.tolist(), strict=True):
            if cell in place:
                found[place[cell]] |= unknowns.origins.get(column, frozenset({column}))
    return [frozenset(each) for each in found]


def _replaced(
    form: LinearForm,
    cells: Array,
    low: Array,
    high: Array,
    origins: Sequence[frozenset[int]],
    unknowns: Unknowns,
) -> LinearForm:
    """The form with some cells anything between two ends."""
    constant = form.constant.reshape(-1).copy()
    constant[cells] = low
    columns = unknowns.between(len(cells), origins)
    cell, column, number = cells, columns, high - low
    if form.part is not None:
        kept = ~np.isin(form.part.cell, cells)
        cell = np.concatenate([form.part.cell[kept], cell])
        column = np.concatenate([form.part.column[kept], column])
        number = np.concatenate([form.part.number[kept], number])
    part = Part.of(cell, column, number, unknowns.width)
    return LinearForm(axes=form.axes, constant=constant.reshape(form.constant.shape), part=part)


def summed(form: LinearForm, axis: str, unknowns: Unknowns) -> LinearForm:
    """The sum over one axis."""
    at = form.axes.index(axis)
    axes = form.axes[:at] + form.axes[at + 1 :]
    constant = form.constant.sum(axis=at)
    if form.part is None:
        return LinearForm(axes=axes, constant=constant)
    shape = form.constant.shape
    after = int(np.prod(shape[at + 1 :], dtype=np.int64))
    cell = form.part.cell // (shape[at] * after) * after + form.part.cell % after
    moved = Part(cell=cell, column=form.part.column, number=form.part.number)
    return _form(axes, constant, [moved], unknowns)


def _form(
    axes: tuple[str, ...], constant: Array, parts: Sequence[Part | None], unknowns: Unknowns
) -> LinearForm:
    """A form whose groups with equal coefficients are what they sum to: a constant."""
    found = [part for part in parts if part is not None]
    if not found:
        return LinearForm(axes=axes, constant=constant)
    part = Part.of(
        np.concatenate([each.cell for each in found]),
        np.concatenate([each.column for each in found]),
        np.concatenate([each.number for each in found]),
        unknowns.width,
    )
    if not len(part.cell):
        return LinearForm(axes=axes, constant=constant)
    cell, least, most, first = by_group(part, unknowns)
    equal = most - least <= 1e-12 * np.abs(most)
    if not equal.any():
        return LinearForm(axes=axes, constant=constant, part=part)
    settled = np.bincount(cell[equal], most[equal], constant.size).reshape(constant.shape)
    kept = ~np.repeat(equal, np.diff(np.append(first, len(part.cell))))
    left = Part(cell=part.cell[kept], column=part.column[kept], number=part.number[kept])
    return LinearForm(axes=axes, constant=constant + settled, part=left if kept.any() else None)
