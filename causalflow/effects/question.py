"""Question: what an estimate is asked for, as a list of answers made of single-world moments.

Notation: a *moment* is the mean of one variable, or the probability of an event, in one world,
under conditions that have values: E[y[x=1] | z=0], P(y[x=1]=2). An *answer* is a linear combination
of moments, or one such divided by another; there is one for each value of the query's free
variables. A free number takes values on a grid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

import numpy as np

from causalflow.effects.complete_rows import Array, Column, Rows
from causalflow.effects.effect import Cell
from causalflow.errors import DataError, QueryError
from causalflow.limits import EFFECT_CELLS
from causalflow.query.combination import AnyQuery, Combination
from causalflow.query.query import Intervention, Kind, Query, Term, Value, World
from causalflow.values.finite import finite

__all__ = ["Question", "question_of", "units_apart"]

Parts = tuple[tuple[float, Query], ...]

GRID = 41
"""Values along a free number: from its 5 % to its 95 % quantile."""
GRID_OF_SEVERAL = 7
"""Values along each of several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Answers, each a sum of moments over another.

    Attributes:
        axes: the names of the free variables.
        cells: for each answer, its place on each axis.
        moments: the moments that the answers are made of, each once.
        sums: for each answer its coefficients of the moments, shape (answers, moments).
        divisors: those of what it is divided by; None: nothing is divided.
    """

    axes: tuple[str, ...]
    cells: tuple[Cell, ...]
    moments: tuple[Query, ...]
    sums: Array
    divisors: Array | None = None

    def answers(self, values: Array, influence: Array) -> tuple[Array, Array]:
        """The answers and their influence values from those of the moments.

        Args:
            values: shape (moments,).
            influence: shape (rows, moments).
        """
        above, above_influence = self.sums @ values, influence @ self.sums.T
        if self.divisors is None:
            return above, above_influence
        below = self.divisors @ values
        ratio = above / below
        return ratio, (above_influence - ratio * (influence @ self.divisors.T)) / below


def question_of(query: AnyQuery, rows: Rows, at: Mapping[str, Sequence[float]]) -> Question:
    """The answers of a query.

    Args:
        query: any question.
        rows: tell the levels of free variables, and the grid of free numbers.
        at: variable -> the values at which a free number is wanted, in place of the grid.

    Raises:
        QueryError: the free distribution of a number.
        DataError: values of what is no free number, or more answers than memory has room for.
    """
    axes = query.free_variables
    free = [n for n in (_variable(axis, query) for axis in axes) if not rows[n].is_finite]
    if wrong := sorted(at.keys() - set(free)):
        raise DataError(f"estimate: at='{wrong[0]}' is no free number of {query}")
    grid = GRID if len(free) == 1 else GRID_OF_SEVERAL
    values = [_along(axis, query, rows, at, grid) for axis in axes]
    cells = tuple(product(*values))
    if len(cells) * len(rows) > EFFECT_CELLS:
        raise DataError(
            f"estimate: {len(cells):,} answers from {len(rows):,} rows are more than"
            f" {EFFECT_CELLS:,} numbers; name fewer values of {', '.join(axes)} (at=...)"
        )
    sums = [_parts(query, dict(zip(axes, cell, strict=True)), False) for cell in cells]
    divisors = [_parts(query, dict(zip(axes, cell, strict=True)), True) for cell in cells]
    moments = tuple(dict.fromkeys(each for part in (*sums, *divisors) for _, each in part))
    return Question(
        axes=axes,
        cells=cells,
        moments=moments,
        sums=_coefficients(sums, moments),
        divisors=_coefficients(divisors, moments) if any(divisors) else None,
    )


def _along(
    axis: str, query: AnyQuery, rows: Rows, at: Mapping[str, Sequence[float]], grid: int
) -> list[Value]:
    """The values on an axis."""
    name = _variable(axis, query)
    column = rows[name]
    if column.is_finite:
        return list(column.levels)
    if any(axis in _outcome_axes(part) for part in _queries(query)):
        raise QueryError(
            f"estimate: {query}: '{name}' is a number, of which no table has all values; ask for"
            f" its mean, E[{name} | ...]"
        )
    return [float(each) for each in at.get(name, _grid(column, grid))]


def _grid(column: Column, count: int) -> Array:
    low, high = np.quantile(column.numbers, [0.05, 0.95])
    return np.linspace(low, high, count)


def _queries(query: AnyQuery) -> tuple[Query, ...]:
    return query.parts if isinstance(query, Combination) else (query,)


def _outcome_axes(query: Query) -> set[str]:
    terms = query.outcomes if query.kind is Kind.PROBABILITY else ()
    return {axis for term, axis in _axes_of(query).items() if term in terms}


def _variable(axis: str, query: AnyQuery) -> str:
    """The variable whose values stand on an axis."""
    named = {text: term.name for q in _queries(query) for term, text in _axes_of(q).items()}
    return named.get(axis, axis)


def _axes_of(query: Query) -> dict[Term, str]:
    """The axis of each free term: its variable's name, or its text where that is not unique."""
    names = [*(term.name for term in query.free_terms), *query.free_interventions]
    count = Counter(names)
    return {t: t.name if count[t.name] == 1 else str(t) for t in query.free_terms}


def _parts(query: AnyQuery, values: Mapping[str, Value], below: bool) -> Parts:
    """The moments of an answer, or of what it is divided by, with their coefficients."""
    if isinstance(query, Combination):
        wanted = query.divisor if below else query.sum
    else:
        wanted = () if below else ((Fraction(1), query),)
    return tuple(
        (float(scale * own), moment)
        for scale, part in wanted
        for own, moment in _moments(_fixed(part, values))
    )


def _moments(query: Query) -> Iterator[tuple[Fraction, Query]]:
    form = query.counterfactual_form()
    if form.kind is Kind.PROBABILITY:
        yield Fraction(1), form
        return
    for scale, term in zip(form.coefficients, form.outcomes, strict=True):
        yield scale, replace(form, outcomes=(term,), coefficients=(Fraction(1),))


def _fixed(query: Query, values: Mapping[str, Value]) -> Query:
    """The query with a value in every free place."""
    axes = _axes_of(query)
    averaged = query.kind is Kind.EXPECTATION

    def term_of(term: Term, keep: bool) -> Term:
        value = term.value if keep or term.value is not None else values[axes[term]]
        return replace(term, subscript=_settled(term.subscript, values), value=value)

    return replace(
        query,
        outcomes=tuple(term_of(each, averaged) for each in query.outcomes),
        conditions=tuple(term_of(each, False) for each in query.conditions),
        do=_settled(query.do, values),
    )


def _settled(world: World, values: Mapping[str, Value]) -> World:
    """A world in which every free intervention has its value."""

    def settled(each: Intervention) -> Intervention:
        if isinstance(each.value, Term):
            inner = replace(each.value, subscript=_settled(each.value.subscript, values))
            return replace(each, value=inner)
        return replace(each, value=values[each.variable]) if each.value is None else each

    return tuple(map(settled, world))


def _coefficients(parts: Sequence[Parts], moments: Sequence[Query]) -> Array:
    found = np.zeros((len(parts), len(moments)))
    for row, part in enumerate(parts):
        for scale, moment in part:
            found[row, moments.index(moment)] += scale
    return found


_NONE = 1e-9


def units_apart(question: Question, column: Column, treatment: str) -> Array | None:
    """The treatment's value in worlds that are added less that in those subtracted.

    Args:
        question: a question about one treatment.
        column: the treatment's.
        treatment: its name.

    Returns:
        Shape (answers,); None where an answer is no difference between worlds that set it.
    """
    worlds = [moment.outcomes[0].subscript for moment in question.moments]
    if question.divisors is not None or not all(len(world) == 1 for world in worlds):
        return None
    if np.abs(question.sums.sum(axis=1)).max() > _NONE:
        return None
    values = [_number(column, world[0].value, treatment) for world in worlds]
    return np.asarray(question.sums @ np.array(values))


def _number(column: Column, value: object, name: str) -> float:
    """The number that a value of a column counts as."""
    if column.is_finite:
        return float(finite(column.levels).numbers[column.place(value, name)])
    return float(value)  # type: ignore[arg-type]
