"""Two models: models of a graph that agree on the data and differ on the question.

Notation: the data and the question are linear in every single factor of a model
(`causalflow.identify.finite_model`); M and q are their derivatives by one of them. A direction with
M d = 0 and q d != 0 leaves the data and moves the question: the factor f and f + t d make two
models, and with them the question is not identifiable. Conditional data P(a | c) = r are linear as
well: P(a, c) - r P(c) = 0. Where no single factor serves, one is moved a little at random, and
another makes up for it by the solution of linear equations.

A factor *moves* where one of its numbers gives to another, so that its sums stay; it has as many
moves as free numbers. Cells of data P(a | c) move by the derivative of P(a, c) / P(c), times the
square of its denominator.

Whether *any* direction of all factors together moves the question is told by the rank of the
Jacobian at a random point. Where none does, the data determine the question for almost all models
of two levels, say by the inverse of a matrix of data: no models are looked for then, and no verdict
is given. Two levels are enough for two models: with more, group the levels into two.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import permutations
from math import lcm
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalflow.admg.admg import ADMG, Nodes
from causalflow.identify.finite_model import (
    Axis,
    FiniteModel,
    Layout,
    Reduced,
    cells_of,
    random_layout,
    reduced,
    solution,
)
from causalflow.limits import TWO_MODELS_CELLS, TWO_MODELS_EQUATIONS, TWO_MODELS_TRIALS
from causalflow.query.distributions import Source

__all__ = ["TwoModels", "changed", "making_up", "moves_of", "slopes", "two_models"]


Numbers: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoModels:
    """Two models with the same data and different answers.

    Attributes:
        models: the two.
        data: the distributions on which they agree.
        asked: the question, as a distribution.
        at: a value of each variable of the question at which they differ.
        answers: what the two say there.
    """

    models: tuple[FiniteModel, FiniteModel]
    data: tuple[Source, ...]
    asked: Source
    at: tuple[tuple[str, int], ...]
    answers: tuple[Fraction, Fraction]

    @property
    def cell(self) -> Mapping[str, int]:
        """Where they differ, by variable."""
        return dict(self.at)

    def __str__(self) -> str:
        one, other = (float(answer) for answer in self.answers)
        outcomes, do, seen = (
            ", ".join(f"{name}={value}" for name, value in sorted(self.at) if name in side)
            for side in (self.asked.observed, self.asked.treatments, self.asked.conditions)
        )
        given = ", ".join(filter(None, [f"do({do})" if do else "", seen]))
        asked = f"P({outcomes}{' | ' if given else ''}{given})"
        return (
            f"two models with the same data, every variable 0 or 1: {asked} is {one:.4g} in one"
            f" and {other:.4g} in the other"
        )


def two_models(
    admg: ADMG, outcomes: Nodes, treatments: Nodes, conditions: Nodes, sources: Sequence[Source]
) -> TwoModels | str:
    """Two models that agree on the sources and differ on the question; else why there are none.

    The search is bounded, and the same each time.
    """
    asked = Source(observed=outcomes, treatments=treatments, conditions=conditions)
    problem = _Problem(data=tuple(sources), asked=asked)
    states = 3 if 2 ** len(admg.nodes) * 3 ** len(admg.bidirected) <= TWO_MODELS_CELLS else 2
    if 2 ** len(admg.nodes) * states ** len(admg.bidirected) > TWO_MODELS_CELLS:
        return TOO_LARGE
    chance = random.Random(0)
    if problem.is_determined(random_layout(admg, states, chance, grain=FINE)):
        return DETERMINED
    for trial in range(TWO_MODELS_TRIALS):
        layout = random_layout(admg, states, chance, grain=COARSE, ignored=0.3 * (trial % 4))
        small = layout.modular()
        for axis in layout.factors:
            if found := _pair(problem, layout, small, axis):
                return found
    layout = random_layout(admg, states, chance, grain=COARSE)
    for one, other in permutations(layout.factors, 2):
        if found := _pair_of_two(problem, layout, _nudged(layout, one, chance), other):
            return found
    return NOT_FOUND


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """The data, and the question as a source of the same form."""

    data: tuple[Source, ...]
    asked: Source

    def is_determined(self, layout: Layout) -> bool:
        """Whether no direction of all factors together leaves the data and moves the question."""
        small = layout.modular()
        known, asked = (
            np.concatenate([slopes(small, axis, sources) for axis in small.factors], axis=1)
            for sources in (self.data, (self.asked,))
        )
        span = reduced(known)
        return not any(span.rest(row).any() for row in asked)


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


COARSE, FINE = 8, 2**20
"""The sums of kernels: of models to be written down, and of those whose rank is to be generic."""


NUDGE, NUDGES = 8, 64
"""How far a number of a factor may be moved, and by how much the factor is made larger before."""


DETERMINED = (
    "for almost all models with two levels these data determine the answer, as by inverting a"
    " matrix of probabilities; no formula that holds without such an inverse was found"
)


TOO_LARGE = "no formula was found; too many variables to look for two models with the same data"


NOT_FOUND = "no formula was found, nor two models with the same data and different answers"


def _pair(problem: _Problem, layout: Layout, small: Layout, axis: Axis) -> TwoModels | None:
    """The two models that differ in one factor, if a direction of it serves."""
    span = reduced(slopes(small, axis, problem.data))
    for cell, row in enumerate(slopes(small, axis, (problem.asked,))):
        free = np.flatnonzero(span.rest(row))
        if len(free):
            known = slopes(layout, axis, problem.data)
            direction = _direction(known, span, int(free[0]))
            asked = slopes(layout, axis, (problem.asked,))[cell]
            if direction is not None and np.dot(direction, asked):
                return _made(problem, layout, axis, direction, cell)
    return None


def _direction(known: Numbers, span: Reduced, column: int) -> Numbers | None:
    """The direction along one free column that leaves the data, exactly, if there is one.

    It is in whole numbers; systems of more than `TWO_MODELS_EQUATIONS` are left alone.
    """
    if len(span.rows) > TWO_MODELS_EQUATIONS:
        return None
    matrix = known[np.ix_(span.rows, span.columns)]
    found = solution(matrix.tolist(), known[list(span.rows), column].tolist())
    if found is None:
        return None
    scale = lcm(*(value.denominator for value in found))
    direction = np.zeros(known.shape[1], dtype=object)
    direction[column] = scale
    direction[list(span.columns)] = [int(-value * scale) for value in found]
    return None if known.dot(direction).any() else direction


def _nudged(layout: Layout, axis: Axis, chance: random.Random) -> Layout:
    """The model with a factor moved a little."""
    axes, numbers = layout.factors[axis]
    amounts = [chance.randint(-NUDGE, NUDGE) for _ in moves_of(layout, axis)]
    fine = numbers * NUDGES + changed(layout, axis, amounts)
    return replace(layout, factors={**layout.factors, axis: (axes, fine)})


def _pair_of_two(problem: _Problem, layout: Layout, nudged: Layout, axis: Axis) -> TwoModels | None:
    """The model, and one that differs in what was moved and in a factor that makes up for it."""
    equations = [making_up(layout, nudged, axis, source) for source in problem.data]
    known = np.concatenate([left for left, _ in equations])
    right = np.concatenate([right for _, right in equations])
    span = reduced(np.concatenate([known, right[:, None]], axis=1))
    if known.shape[1] in span.columns or len(span.rows) > TWO_MODELS_EQUATIONS:
        return None
    rows = list(span.rows)
    found = solution(known[np.ix_(rows, span.columns)].tolist(), right[rows].tolist())
    if found is None:
        return None
    amounts = np.array([Fraction(0)] * known.shape[1], dtype=object)
    amounts[list(span.columns)] = found
    axes, numbers = nudged.factors[axis]
    made = numbers + changed(nudged, axis, amounts)
    if (known.dot(amounts) != right).any() or made.min() <= 0:
        return None
    other = replace(nudged, factors={**nudged.factors, axis: (axes, made)})
    asked = problem.asked
    sides = [layout.admg.ordered(s) for s in (asked.observed, asked.treatments, asked.conditions)]
    tables = [_model(each).table(*sides) for each in (layout, other)]
    order = layout.admg.ordered(asked.variables)
    one, two = (each.transpose(order).values.ravel() for each in tables)
    differ = np.flatnonzero(one != two)
    return _told(problem, layout, other, int(differ[0])) if len(differ) else None


def _made(
    problem: _Problem, layout: Layout, axis: Axis, direction: Numbers, cell: int
) -> TwoModels:
    """The model, and the one with a factor moved half as far as it can go."""
    axes, numbers = layout.factors[axis]
    change = changed(layout, axis, direction)
    room = zip(numbers.ravel(), change.ravel(), strict=True)
    step = min(Fraction(number) / abs(by) for number, by in room if by) / 2
    other = replace(layout, factors={**layout.factors, axis: (axes, numbers + step * change)})
    return _told(problem, layout, other, cell)


def _told(problem: _Problem, layout: Layout, other: Layout, cell: int) -> TwoModels:
    """The witness, at a cell of the question."""
    models = (_model(layout), _model(other))
    asked = problem.asked
    names = layout.admg.ordered(asked.variables)
    place = dict(zip(names, list(cells_of([2] * len(names)))[cell], strict=True))
    sides = [layout.admg.ordered(s) for s in (asked.observed, asked.treatments, asked.conditions)]
    tables = [each.table(*sides).at(place).values.item() for each in models]
    answers = (tables[0], tables[1])
    return TwoModels(
        models=models, data=problem.data, asked=asked, at=(*place.items(),), answers=answers
    )


def _model(layout: Layout) -> FiniteModel:
    """The model in probabilities instead of whole numbers."""
    laws = {e: law for e, (_, law) in layout.factors.items() if not isinstance(e, str)}
    kernels = {name: each for name, each in layout.factors.items() if isinstance(name, str)}
    return FiniteModel(
        admg=layout.admg,
        laws={edge: tuple(Fraction(w) / sum(law) for w in law) for edge, law in laws.items()},
        kernels={
            name: (axes, each * Fraction(1, int(np.asarray(each.sum(axis=-1)).flat[0])))
            for name, (axes, each) in kernels.items()
        },
    )
