"""Means: which number each level stands for in a mean, and which levels a query may name.

A level that is a number stands for itself; a declared level that is a name stands for its position.
Values that merely occur in a column have names but no order: of "drug" and "placebo", ``x=1`` may
mean either, so a query may neither count them nor name one by its position.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from causalflow.errors import DataError, one_of
from causalflow.query.combination import AnyQuery, Combination
from causalflow.query.policy import Policy
from causalflow.query.query import Kind, Query, Term, Value, World
from causalflow.values.finite import Kind as LevelKind
from causalflow.values.finite import Level, finite
from causalflow.values.likelihood import Levels, Span

__all__ = ["check_named", "counting_notes"]


def check_named(query: AnyQuery, occurring: Mapping[str, Sequence[Level]], where: str) -> None:
    """Refuse a query that needs an order of levels which are only those that occur.

    Args:
        query: the question.
        occurring: variable -> the levels that occur, of those without declared levels.
        where: the beginning of the error, such as "estimate".

    Raises:
        DataError: a value that is no level's name, or a mean of names.
    """
    for name in _averaged(query):
        if name in occurring and finite(occurring[name]).counts_by_position:
            shown = ", ".join(map(str, occurring[name][:5]))
            raise DataError(
                f"{where}: a mean of '{name}' needs numbers, or an order of its levels, which are"
                f" only known from its rows ({shown}); declare them, or ask for a probability"
            )
    for name, value in (pair for part in _parts(query) for pair in _stated(part)):
        levels = occurring.get(name)
        if levels is None or finite(levels).kind is not LevelKind.NAMES:
            continue
        if str(value).strip() not in map(str, levels):
            raise DataError(
                f"{where}: '{name}={value}' names no level of '{name}', whose levels are only known"
                f" from its rows; {one_of(value, levels)}, or levels that are declared"
            )


def counting_notes(query: AnyQuery, levels: Mapping[str, Sequence[Level]]) -> list[str]:
    """What the levels count as in the means of a query, where they are names."""
    found = {name: finite(levels[name]) for name in _averaged(query) if name in levels}
    counting = {name: each.counting for name, each in found.items() if each.counting}
    return [f"the levels of '{name}' count as {words}" for name, words in counting.items()]


def _parts(query: AnyQuery) -> tuple[Query, ...]:
    return tuple(query.parts) if isinstance(query, Combination) else (query,)


def _averaged(query: AnyQuery) -> list[str]:
    """The variables of which a query asks for a mean."""
    means = [part for part in _parts(query) if part.kind is Kind.EXPECTATION]
    return [*dict.fromkeys(term.name for part in means for term in part.outcomes)]


def _stated(query: Query) -> Iterator[tuple[str, Value]]:
    """Every variable with a value that the query gives it."""
    yield from _set(query.do)
    for term in (term for top in query.terms for term in top.walk()):
        yield from _set(term.subscript)
        if term.value is not None and not isinstance(term.value, Levels | Span):
            yield term.name, term.value


def _set(world: World) -> Iterator[tuple[str, Value]]:
    for each in world:
        if each.value is not None and not isinstance(each.value, Term | Policy):
            yield each.variable, each.value
