"""Formula: the number of an identified formula from rows, by regressions, one inside another.

Notation: a formula is a sum over indices of a product of probabilities and of ratios of such. An
index that is an outcome of one factor alone, P(o | g), is summed away with what depends on it:

    sum_o P(o | g) f(o, g) = E[f(o, g) | g], the mean of f over the rows, regressed on g

and so on until none is left; a ratio whose numerator alone mentions the index is (sum_o n f) / d.
Finite conditions split the rows, numbers are regressed on. Where f depends on more than o and g,
each level of a finite rest is taken by itself; a rest that is a number is averaged over some
rows, spread evenly over its distribution.

With finite columns this is the formula with the rows' relative frequencies put in.

Source: Robins (1986), the iterated expectations of the g-formula; Tian & Pearl (2002) for ratios.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np
from numpy.typing import NDArray

from causalflow.effects.complete_rows import Array, Rows
from causalflow.errors import DataError, QueryError
from causalflow.symbolic.expression import (
    Chosen,
    Event,
    Expression,
    Index,
    Linear,
    One,
    Probability,
    Product,
    Ratio,
    Sum,
    Weighted,
    Zero,
)
from causalflow.symbolic.parts import probabilities
from causalflow.values.finite import finite

__all__ = ["Formula", "Regress"]

Regress = Callable[[Array, Array], Callable[[Array], Array]]
"""(features, target) -> the mean of the target at features; features of shape (rows, numbers)."""

Places = Mapping[Index, Array]
"""The value of each index at some points, shape (points,); of finite variables the position."""

_DRAWN = 24
_COMBINATIONS = 256


class _NoNestedMeanError(QueryError):
    """A sum that no mean over rows gives."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Function:
    """A number at each point, which depends on some indices."""

    free: frozenset[Index]
    at: Callable[[Places, int], Array]


_ONE = _Function(free=frozenset(), at=lambda _, points: np.ones(points))


class Formula:
    """A formula's number from rows.

    Args:
        rows: complete in all of its variables.
        regress: learns a mean.
        fixed: the value of each free index; of finite variables the position.
    """

    def __init__(self, rows: Rows, regress: Regress, fixed: Mapping[Index, float]) -> None:
        self._rows, self._regress, self._fixed = rows, regress, fixed

    def value(self, expression: Expression) -> float:
        """The formula's number.

        Args:
            expression: no index of it is bound twice
                (`causalflow.symbolic.substitute.renamed_apart`).

        Raises:
            QueryError: it has no such form.
            DataError: no row has what it conditions on.
        """
        return float(self._function(expression).at({}, 1)[0])

    def _function(self, expression: Expression) -> _Function:
        """The formula as a function of what is not fixed."""
        match expression:
            case One():
                return _ONE
            case Zero():
                return _scaled(_ONE, 0.0)
            case Chosen():
                raise _NoNestedMeanError(f"estimate: {expression} is counted, and not regressed on")
            case Linear():
                parts = [
                    _scaled(self._number(event), float(scale)) for scale, event in expression.terms
                ]
                return reduce(_plus, parts)
            case Weighted():
                parts = [
                    _scaled(self._function(each), float(scale)) for scale, each in expression.terms
                ]
                return reduce(_plus, parts)
            case Ratio():
                above, below = map(self._function, (expression.numerator, expression.denominator))
                return _over(above, below)
            case Sum() | Product() | Probability():
                return self._integral([expression], frozenset(), _ONE)

    def _integral(
        self, given: Iterable[Expression], over: frozenset[Index], payload: _Function
    ) -> _Function:
        """The sum over indices of a product of factors, times a function."""
        factors, over = _opened(given, over)
        linear = next((each for each in factors if isinstance(each, Linear)), None)
        if linear is not None:
            rest = [each for each in factors if each is not linear]
            return reduce(
                _plus,
                (
                    _scaled(
                        self._integral(rest, over, _times(payload, self._number(event))),
                        float(scale),
                    )
                    for scale, event in linear.terms
                ),
            )
        while True:
            known = [each for each in factors if not _outcomes(each) & over]
            payload = reduce(_times, map(self._function_of_factor, known), payload)
            factors = [each for each in factors if _outcomes(each) & over]
            if not over:
                return payload
            chosen, own, payload = self._summed(factors, over, payload)
            factors.remove(chosen)
            over -= own

    def _function_of_factor(self, factor: Expression) -> _Function:
        if isinstance(factor, Probability):
            return self._mean(factor, frozenset(), _ONE)
        return self._function(factor)

    def _summed(
        self, factors: Sequence[Expression], over: frozenset[Index], payload: _Function
    ) -> tuple[Expression, frozenset[Index], _Function]:
        """A factor, the indices of it that are summed away, and what comes of the function."""
        apart = sorted(factors, key=lambda each: len(payload.free - each.free))
        for is_drawn in (False, True):
            for factor in apart:
                others = frozenset().union(*(e.free for e in factors if e is not factor))
                own = _outcomes(factor) & over
                found = self._without(factor, own, others, payload, is_drawn)
                if found is not None:
                    return factor, own, found
        raise _NoNestedMeanError(
            "estimate: the formula is no nested mean; bin its numbers into levels, or fit a model"
            " and ask it"
        )

    def _without(
        self,
        factor: Expression,
        own: frozenset[Index],
        others: frozenset[Index],
        payload: _Function,
        is_drawn: bool,
    ) -> _Function | None:
        """The sum over a factor's own indices of it times a function; None: not this way."""
        if not own or own & others:
            return None
        match factor:
            case Ratio() if not own & factor.denominator.free:
                with suppress(_NoNestedMeanError):
                    above = self._integral([factor.numerator], own, payload)
                    return _over(above, self._function(factor.denominator))
            case Probability():
                if self._combinations(self._rest(factor, own, payload)) is not None:
                    return self._mean(factor, own, payload)
                if is_drawn and self._is_stratum(factor.given):
                    return self._drawn(factor, own, payload)
        return None

    def _rest(self, term: Probability, own: frozenset[Index], payload: _Function) -> list[Index]:
        """What a mean depends on beside its conditions, and is not fixed."""
        known = own | _indices(term.given) | self._fixed.keys()
        return sorted((payload.free | _indices(term.outcomes)) - known, key=str)

    def _combinations(self, rest: Sequence[Index]) -> list[tuple[float, ...]] | None:
        """All values of some indices; None: one is a number, or there are too many."""
        columns = [self._rows[index.name] for index in rest]
        if not all(each.is_finite for each in columns):
            return None
        counts = [range(len(each.levels)) for each in columns]
        found = [tuple(map(float, each)) for each in product(*counts)]
        return found if len(found) <= _COMBINATIONS else None

    def _mean(self, term: Probability, own: frozenset[Index], payload: _Function) -> _Function:
        """E[f | g] as a function of g, and of what else f depends on."""
        rest = self._rest(term, own, payload)
        _check_events(term)
        means: dict[tuple[float, ...], _Conditional] = {}

        def mean(combination: tuple[float, ...]) -> _Conditional:
            if combination not in means:
                target = self._target(term, payload, dict(zip(rest, combination, strict=True)))
                means[combination] = _Conditional(self, term.given, target)
            return means[combination]

        def at(places: Places, points: int) -> Array:
            found = np.zeros(points)
            behind = np.stack([places[index] for index in rest] or [np.zeros(points)], axis=1)
            for combination in np.unique(behind, axis=0):
                chosen = (behind == combination).all(axis=1)
                inside = {index: each[chosen] for index, each in places.items()}
                key = tuple(map(float, combination[: len(rest)]))
                found[chosen] = mean(key).at(inside, int(chosen.sum()))
            return found

        free = (_indices(term.given) - self._fixed.keys()) | frozenset(rest)
        return _Function(free=free, at=at)

    def _drawn(self, term: Probability, own: frozenset[Index], payload: _Function) -> _Function:
        """The mean of f over rows that have what is given, as a function of the rest."""
        rows = np.flatnonzero(self._having(term.given))
        if not rows.size:
            raise DataError(f"estimate: no row has what {term} conditions on")
        rows = rows[np.argsort(self.column(min(own).name)[rows], kind="stable")]
        count = min(_DRAWN, rows.size)
        rows = rows[((np.arange(count) + 0.5) * rows.size / count).astype(int)]
        values = {i: self.column(i.name)[rows] for i in own}

        def at(places: Places, points: int) -> Array:
            spread = {index: np.repeat(each, len(rows)) for index, each in places.items()}
            spread |= {index: np.tile(each, points) for index, each in values.items()}
            return payload.at(spread, points * len(rows)).reshape(points, -1).mean(axis=1)

        return _Function(free=payload.free - own, at=at)

    def _is_stratum(self, given: Sequence[Event]) -> bool:
        """Whether events fix levels of finite variables alone."""
        known = _indices(given) <= self._fixed.keys()
        return known and all(self.is_finite(event.name) for event in given)

    def _having(self, given: Sequence[Event]) -> NDArray[np.bool_]:
        """The rows that have finite conditions of fixed values."""
        found = np.ones(len(self._rows), dtype=bool)
        for event in given:
            found &= self.column(event.name) == self.fixed(event)
        return found

    def _target(self, term: Probability, payload: _Function, rest: Mapping[Index, float]) -> Array:
        """f at each row's own values, times whether it has the outcomes that are fixed."""
        count = len(self._rows)
        places = {i: np.full(count, value) for i, value in {**self._fixed, **rest}.items()}
        for event in (*term.given, *term.outcomes):
            if isinstance(event.value, Index) and event.value not in places:
                places[event.value] = self.column(event.name)
        target = payload.at(places, count)
        for event in term.outcomes:
            value = event.value
            if not isinstance(value, Index) or value in self._fixed or value in rest:
                wanted = places[value] if isinstance(value, Index) else self.fixed(event)
                target = target * (self.column(event.name) == wanted)
        return target

    def _number(self, event: Event) -> _Function:
        """What the value of an event counts as."""
        column, value = self._rows[event.name], event.value
        numbers = np.array(finite(column.levels).numbers, float) if column.is_finite else None

        def shown(places: Array) -> Array:
            return places if numbers is None else numbers[places.astype(int)]

        if isinstance(value, Index) and value not in self._fixed:
            return _Function(free=frozenset({value}), at=lambda places, _: shown(places[value]))
        number = float(shown(np.array([self.fixed(event)]))[0])
        return _scaled(_ONE, number)

    def column(self, name: str) -> Array:
        """The numbers of a variable, or the positions of its levels, shape (rows,)."""
        column = self._rows[name]
        return column.numbers if column.places is None else column.places.astype(np.float64)

    def fixed(self, event: Event) -> float:
        """The value that an event is fixed to."""
        if isinstance(event.value, Index):
            return self._fixed[event.value]
        column = self._rows[event.name]
        if column.is_finite:
            return float(column.place(event.value, event.name))
        return float(event.value)

    def at_points(self, event: Event, places: Places, points: int) -> Array:
        """The value of a condition at some points."""
        value = event.value
        if isinstance(value, Index) and value not in self._fixed:
            return places[value]
        return np.full(points, self.fixed(event))

    def is_finite(self, name: str) -> bool:
        """Whether a variable has levels."""
        return self._rows[name].is_finite

    def regress(self, features: Array, target: Array) -> Callable[[Array], Array]:
        """The mean of a target at features."""
        return self._regress(features, target)


class _Conditional:
    """The mean of a target given events: rows split by finite ones, regressed on others."""

    def __init__(self, formula: Formula, given: Sequence[Event], target: Array) -> None:
        self._formula, self._target = formula, target
        self._split = [each for each in given if formula.is_finite(each.name)]
        self._along = [each for each in given if not formula.is_finite(each.name)]
        self._found: dict[tuple[float, ...], Callable[[Array], Array]] = {}

    def at(self, places: Places, points: int) -> Array:
        """The mean at some points."""
        found = np.zeros(points)
        keys = self._points(self._split, places, points)
        numbers = self._points(self._along, places, points)
        for key in np.unique(keys, axis=0):
            chosen = (keys == key).all(axis=1)
            found[chosen] = self._mean(tuple(map(float, key)))(numbers[chosen])
        return found

    def _points(self, events: Sequence[Event], places: Places, points: int) -> Array:
        columns = [self._formula.at_points(each, places, points) for each in events]
        return np.stack(columns, axis=1) if columns else np.zeros((points, 0))

    def _mean(self, key: tuple[float, ...]) -> Callable[[Array], Array]:
        """The regression on the rows of one stratum."""
        if key not in self._found:
            rows = np.ones(len(self._target), dtype=bool)
            for event, place in zip(self._split, key, strict=True):
                rows &= self._formula.column(event.name) == place
            if not rows.any():
                names = ", ".join(event.name for event in self._split)
                raise DataError(
                    f"estimate: positivity fails: a combination of {names} that the formula"
                    " conditions on has no row; merge levels, or ask for bounds"
                )
            columns = [self._formula.column(event.name)[rows] for event in self._along]
            features = np.stack(columns, axis=1) if columns else np.zeros((int(rows.sum()), 0))
            self._found[key] = self._formula.regress(features, self._target[rows])
        return self._found[key]


def _opened(
    given: Iterable[Expression], over: frozenset[Index]
) -> tuple[list[Expression], frozenset[Index]]:
    """The factors of a product, those of sums within it too, and all that is summed over."""
    factors: list[Expression] = []
    left = [*given]
    while left:
        match left.pop():
            case Sum() as inner:
                over |= frozenset(inner.over)
                left.append(inner.body)
            case Product() as inner:
                left.extend(inner.factors)
            case One():
                pass
            case factor:
                factors.append(factor)
    return factors, over


def _outcomes(factor: Expression) -> frozenset[Index]:
    """The free indices that a probability, or a ratio's numerator, is a distribution of."""
    within = factor.numerator if isinstance(factor, Ratio) else factor
    found = (_indices(each.outcomes) for each in probabilities(within))
    return frozenset().union(*found) & factor.free


def _indices(events: Sequence[Event]) -> frozenset[Index]:
    return frozenset(event.value for event in events if isinstance(event.value, Index))


def _check_events(term: Probability) -> None:
    names = [event.name for event in term.events]
    if term.do or len(set(names)) < len(names):
        raise QueryError(f"estimate: {term} is no mean over rows; fit a model and ask it")


def _plus(one: _Function, other: _Function) -> _Function:
    return _Function(free=one.free | other.free, at=lambda p, n: one.at(p, n) + other.at(p, n))


def _times(one: _Function, other: _Function) -> _Function:
    return _Function(free=one.free | other.free, at=lambda p, n: one.at(p, n) * other.at(p, n))


def _over(above: _Function, below: _Function) -> _Function:
    return _Function(free=above.free | below.free, at=lambda p, n: above.at(p, n) / below.at(p, n))


def _scaled(one: _Function, scale: float) -> _Function:
    return _Function(free=one.free, at=lambda p, n: scale * one.at(p, n))
