"""Polytope: all models of P(v), and the smallest and largest value of a question over them.

Notation: x the laws q of the response functions of some districts, one after another; A x = b what
the data tell of them, x >= 0. A question is a ratio of two polynomials in the probabilities of
events (`causalflow.bounds.polynomial`), each of which is a row of 0 and 1 times x.

linear             extremes of c x                     linear program (HiGHS)
ratio of linear    extremes of c x / d x               a few of them: c x - t d x for falling t
several districts  linear in each district by itself   from random points, one district at a time

The first two are exact. The third finds values that models attain, so an interval that may be too
narrow. Linear programs are solved by scipy's HiGHS.

Source: Dinkelbach (1967) for the ratio; Huangfu & Hall (2018), Parallelizing the dual revised
simplex method.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from causalflow.bounds.polynomial import Polynomial, added
from causalflow.bounds.response import Array, Event, Response, ResponseDistrict, ResponseModel
from causalflow.errors import CausalflowError
from causalflow.limits import LINEAR_PROGRAM_SECONDS, PROGRAM_ENTRIES

__all__ = ["TOLERANCE", "InfeasibleError", "Polytope", "degree", "linear_program", "polytope_of"]

TOLERANCE = 1e-10
"""How far an equation or a reduced cost may be off, the least that HiGHS takes."""

ROUNDED = 1e-8
"""How far an equation may be off where none is solved exactly: numbers rounded in the last digits,
and coefficients below 1e-9, which HiGHS takes for 0."""


class InfeasibleError(CausalflowError):
    """No x satisfies the equations; for the module's users, who say what that means."""

    def __init__(self) -> None:
        super().__init__("bounds: no model of the graph has these data")


def linear_program(cost: Array, matrix: Any, vector: Array) -> tuple[float, Array]:
    """The smallest ``cost x`` with ``matrix x = vector``, x >= 0.

    Equations that no x satisfies are relaxed by `ROUNDED` each.

    Raises:
        InfeasibleError: there is no such x.
        CausalflowError: it was not found in `LINEAR_PROGRAM_SECONDS` seconds.
    """
    found = _solved(cost, matrix, vector, 0.0)
    if found.status in (2, 4):
        found = _solved(cost, matrix, vector, ROUNDED)
    if found.status == 2:
        raise InfeasibleError
    if found.status != 0:
        raise CausalflowError(
            f"bounds: no answer to a linear program of {matrix.shape[1]:,} unknowns"
            f" in {LINEAR_PROGRAM_SECONDS:g} seconds: {found.message}"
        )
    point = np.asarray(found.x)[: matrix.shape[1]]
    return float(cost @ point), point


def _solved(cost: Array, matrix: Any, vector: Array, slack: float) -> Any:
    """The result of HiGHS, each equation off by ``slack`` at most."""
    from scipy.optimize import linprog
    from scipy.sparse import eye_array, hstack

    options = {
        "time_limit": LINEAR_PROGRAM_SECONDS,
        "primal_feasibility_tolerance": TOLERANCE,
        "dual_feasibility_tolerance": TOLERANCE,
    }
    ends: Any = (0, None)
    if slack:
        rows, columns = matrix.shape
        matrix = hstack([matrix, eye_array(rows)], format="csr")
        cost = np.append(cost, np.zeros(rows))
        ends = [(0, None)] * columns + [(-slack, slack)] * rows
    return linprog(cost, A_eq=matrix, b_eq=vector, bounds=ends, method="highs", options=options)


_STARTS = 12
_VERTICES = 3
_ROUNDS = 50
_DETERMINED = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class _Affine:
    """``row x + constant``."""

    row: Array
    constant: float

    def at(self, point: Array) -> float:
        """The value at a point."""
        return float(self.row @ point) + self.constant


@dataclass(frozen=True, kw_only=True, eq=False)
class Polytope:
    """A x = b, x >= 0: the laws of some districts that fit the data.

    Attributes:
        model: whose districts they are.
        places: the number of each district -> its part of x.
        matrix: A, sparse.
        vector: b.
    """

    model: ResponseModel
    places: dict[int, slice]
    matrix: Any
    vector: Array

    @cached_property
    def districts(self) -> dict[int, ResponseDistrict]:
        """The districts' response functions."""
        return {number: self.model.district(number) for number in self.places}

    def extremes(
        self, top: Polynomial, bottom: Polynomial, random: np.random.Generator
    ) -> tuple[float, float]:
        """The smallest and largest value of ``top / bottom`` where ``bottom`` is not 0.

        Raises:
            InfeasibleError: no model has the data.
            ZeroDivisionError: ``bottom`` is 0 in all models.
        """
        low, high = (
            sign * self._smallest({m: sign * c for m, c in top.items()}, bottom, random)
            for sign in (1.0, -1.0)
        )
        return low, high

    def check(self) -> None:
        """Whether some x satisfies the equations.

        Raises:
            InfeasibleError: none does.
        """
        if self.matrix.shape[1]:
            linear_program(np.zeros(self.matrix.shape[1]), self.matrix, self.vector)
        elif np.any(np.abs(self.vector) > ROUNDED):
            raise InfeasibleError

    def folded(self, polynomial: Polynomial) -> Polynomial:
        """The same polynomial, with numbers for factors that are multiplied and yet determined."""
        multiplied = {event for monomial in polynomial if len(monomial) > 1 for event in monomial}
        numbers = {event: number for event in multiplied if (number := self._number(event)) >= 0}
        total: Polynomial = {}
        for monomial, coefficient in polynomial.items():
            known = frozenset(event for event in monomial if event in numbers)
            scale = coefficient * prod(numbers[event] for event in known)
            added(total, {monomial - known: scale})
        return total

    def _number(self, event: Event) -> float:
        """The probability of an event if it is determined, else -1."""
        affine = self._affine({frozenset([event]): 1.0})
        low, _ = linear_program(affine.row, self.matrix, self.vector)
        high, _ = linear_program(-affine.row, self.matrix, self.vector)
        return max((low - high) / 2, 0.0) if -high - low < _DETERMINED else -1.0

    def _smallest(self, top: Polynomial, bottom: Polynomial, random: np.random.Generator) -> float:
        if degree(top, bottom) <= 1:
            return self._solve(self._affine(top), self._affine(bottom))[0]
        found = [self._descend(top, bottom, random) for _ in range(_STARTS)]
        if min(found) == np.inf:
            raise ZeroDivisionError
        return min(found)

    def _descend(self, top: Polynomial, bottom: Polynomial, random: np.random.Generator) -> float:
        """A local minimum from a random point; infinite where only 0/0 was met."""
        point = self._random_point(random)
        best = np.inf
        for _ in range(_ROUNDS):
            before = best
            for number, place in self.places.items():
                part = self._part(place, point)
                try:
                    rows = (self._affine(p, number, point) for p in (top, bottom))
                    best, point[place] = part._solve(*rows)
                except ZeroDivisionError:
                    continue
            if best > before - TOLERANCE:
                break
        return float(best)

    def _random_point(self, random: np.random.Generator) -> Array:
        """The middle of some random vertices, where no factor need be 0."""
        costs = random.normal(size=(_VERTICES, self.matrix.shape[1]))
        vertices = [linear_program(cost, self.matrix, self.vector)[1] for cost in costs]
        return np.asarray(np.mean(vertices, axis=0))

    def _part(self, place: slice, point: Array) -> Polytope:
        """The constraints on one district where the others are what they are at ``point``."""
        inside = self.matrix[:, place]
        rest = self.matrix @ point - inside @ point[place]
        return replace(self, places={}, matrix=inside, vector=self.vector - rest)

    def _affine(
        self, polynomial: Polynomial, only: int | None = None, point: Array | None = None
    ) -> _Affine:
        """A polynomial as a function of x; or of one district's part, the others as at a point."""
        row = np.zeros(self.matrix.shape[1])
        constant = 0.0
        for monomial, coefficient in polynomial.items():
            free = None
            for event in monomial:
                number = self._home(event)
                if only is None or number == only:
                    free = (self.places[number], self._indicator(event))
                else:
                    assert point is not None
                    coefficient *= float(self._indicator(event) @ point[self.places[number]])
            if free is None:
                constant += coefficient
            else:
                row[free[0]] += coefficient * free[1]
        return _Affine(row=row if only is None else row[self.places[only]], constant=constant)

    def _home(self, event: Event) -> int:
        return self.model.home[next(iter(event)).node]

    def _indicator(self, event: Event) -> Array:
        if event not in self._indicators:
            self._indicators[event] = self.districts[self._home(event)].indicator(event)
        return self._indicators[event]

    @cached_property
    def _indicators(self) -> dict[Event, Array]:
        return {}

    def _solve(self, top: _Affine, bottom: _Affine) -> tuple[float, Array]:
        """The smallest ratio and a point where it is."""
        if not bottom.row.any():
            if bottom.constant <= TOLERANCE:
                raise ZeroDivisionError
            if not self.matrix.shape[1]:
                return top.constant / bottom.constant, np.empty(0)
            value, point = linear_program(top.row, self.matrix, self.vector)
            return (value + top.constant) / bottom.constant, point
        return self._solve_ratio(top, bottom)

    def _solve_ratio(self, top: _Affine, bottom: _Affine) -> tuple[float, Array]:
        """Dinkelbach's method: ratios t that fall until top - t bottom is nowhere below 0."""
        least, point = linear_program(-bottom.row, self.matrix, self.vector)
        largest = bottom.constant - least
        if largest <= TOLERANCE:
            raise ZeroDivisionError
        best = top.at(point) / bottom.at(point)
        for _ in range(_ROUNDS):
            row = (top.row - best * bottom.row) / largest
            _, found = linear_program(row, self.matrix, self.vector)
            below = bottom.at(found)
            if below <= TOLERANCE * largest:
                break
            lower = top.at(found) / below
            if lower >= best - TOLERANCE:
                break
            best, point = lower, found
        return best, point

    def nearest(self) -> tuple[Polytope, Array]:
        """The polytope of the nearest data (L1) that some model has, and how each moves."""
        from scipy.sparse import eye_array, hstack

        rows, columns = self.matrix.shape
        if not columns:
            return replace(self, vector=np.zeros(rows)), -self.vector
        slack = eye_array(rows)
        matrix = hstack([self.matrix, slack, -slack], format="csr")
        cost = np.append(np.zeros(columns), np.ones(2 * rows))
        _, point = linear_program(cost, matrix, self.vector)
        vector = self.matrix @ point[:columns]
        return replace(self, vector=vector), vector - self.vector


def degree(*polynomials: Polynomial) -> int:
    """The most events that are multiplied in one monomial."""
    return max((len(monomial) for each in polynomials for monomial in each), default=0)


def polytope_of(
    model: ResponseModel, used: Sequence[Polynomial], equations: Sequence[tuple[Polynomial, float]]
) -> Polytope:
    """The models, in the districts that polynomials use.

    Args:
        model: a model of the data P(v).
        used: the question's polynomials.
        equations: linear polynomials, and the values that experiments gave them.

    Raises:
        CausalflowError: too many response functions, or a matrix too large; checked before it is
            made.
    """
    from scipy.sparse import csr_array, vstack

    every = [*used, *(polynomial for polynomial, _ in equations)]
    events = {event for each in every for monomial in each for event in monomial}
    numbers = sorted({model.home[response.node] for event in events for response in event})
    places, start = {}, 0
    for number in numbers:
        end = start + model.district(number).count
        places[number] = slice(start, end)
        start = end
    entries = sum(
        model.district(number).count * len(model.known(number).sufficient) for number in numbers
    )
    if entries > PROGRAM_ENTRIES:
        raise CausalflowError(
            f"bounds: a linear program of {start:,} unknowns with {entries:,} entries;"
            f" at most {PROGRAM_ENTRIES:,} are handled"
        )
    empty = Polytope(model=model, places=places, matrix=csr_array((0, start)), vector=np.empty(0))
    rows, values = [], []
    for polynomial, value in [*_known_events(model, numbers), *equations]:
        affine = empty._affine(polynomial)
        rows.append(csr_array(affine.row[None, :]))
        values.append(value - affine.constant)
    matrix = vstack(rows, format="csr") if rows else empty.matrix
    return replace(empty, matrix=matrix, vector=np.array(values))


def _known_events(
    model: ResponseModel, numbers: Sequence[int]
) -> Iterator[tuple[Polynomial, float]]:
    for number in numbers:
        known = model.known(number)
        if not known.sufficient:
            yield _total(model, number), 1.0
        for event in known.sufficient:
            yield {frozenset([event]): 1.0}, known.events[event]


def _total(model: ResponseModel, number: int) -> Polynomial:
    """The probability that the first node of a district has some response to its first parents."""
    district = model.district(number)
    node = district.nodes[0]
    given = (0,) * len(district.parents[node])
    responses = (
        Response(node=node, given=given, value=value) for value in range(district.sizes[node])
    )
    return {frozenset([frozenset([each])]): 1.0 for each in responses}
