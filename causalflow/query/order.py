"""Order: levels that nobody has declared have no order, so a number is no index of them.

The values that occur in a column are known by name alone: of "drug" and "placebo", ``x=1`` may
mean either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from causalflow.errors import DataError, one_of
from causalflow.query.combination import AnyQuery, Combination
from causalflow.query.query import Query, Term, Value, World
from causalflow.values.finite import Kind, Level, finite

__all__ = ["check_named"]


def check_named(query: AnyQuery, occurring: Mapping[str, Sequence[Level]], where: str) -> None:
    """Refuse a query that names a level by index where levels are only those that occur.

    Args:
        query: the question.
        occurring: variable -> the levels that occur, of those without declared levels.
        where: the beginning of the error, such as "estimate".

    Raises:
        DataError: a value that is no level's name.
    """
    parts = query.parts if isinstance(query, Combination) else (query,)
    for name, value in (pair for part in parts for pair in _stated(part)):
        levels = occurring.get(name)
        if levels is None or finite(levels).kind is not Kind.NAMES:
            continue
        if str(value).strip() not in map(str, levels):
            raise DataError(
                f"{where}: '{name}={value}' names no level of '{name}', whose levels are only known"
                f" from its rows; {one_of(value, levels)}, or levels that are declared"
            )


def _stated(query: Query) -> Iterator[tuple[str, Value]]:
    """Every variable with a value that the query gives it."""
    yield from _set(query.do)
    for term in (term for top in query.terms for term in top.walk()):
        yield from _set(term.subscript)
        if term.value is not None:
            yield term.name, term.value


def _set(world: World) -> Iterator[tuple[str, Value]]:
    for each in world:
        if each.value is not None and not isinstance(each.value, Term):
            yield each.variable, each.value
