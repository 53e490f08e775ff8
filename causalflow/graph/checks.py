"""Checks: the questions that a graph file answers itself, under ``queries:``.

An answer over several free variables is nested, in the order of ``Query.free_variables``; what is
left out is 0:

    queries:
      - {ask: "P(y=1 | do(x=1))", answer: 3/4}
      - {ask: "P(y | do(x=1))", answer: {0: 1/4, 1: 3/4}}
      - {ask: "P(x, y)", answer: {0: {0: 1/2}, 1: {0: 1/8, 1: 3/8}}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeAlias

from causalflow.graph.node import Level
from causalflow.graph.tree import (
    Fields,
    Place,
    Read,
    Scalar,
    Value,
    declared_fields,
    described,
    field_names,
    integer,
    items,
    number,
    record,
    text,
    truth,
)
from causalflow.limits import FILE_QUERIES, QUERY_LETTERS

__all__ = ["Answer", "QueryCheck", "nested_answer", "read_queries"]

Cells: TypeAlias = tuple[tuple[Level | tuple[Level, ...], Fraction], ...]
Answer: TypeAlias = Fraction | str | Cells


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryCheck:
    """A question that the file answers itself, so that it can be checked.

    Attributes:
        ask: the query's text.
        identifiable: whether it is identifiable from P(v).
        answer: its value: a number, a text, or (level, number) pairs; of a joint distribution
            (levels, number) pairs.
        note: a remark for people.
        line: where the file asks it; no part of equality.
    """

    ask: str
    identifiable: bool | None = None
    answer: Answer | None = None
    note: str | None = None
    line: int | None = field(default=None, compare=False)


def read_queries(value: Value | None) -> tuple[QueryCheck, ...]:
    """The entries of ``queries:``: mappings with ``ask``, or the query's text alone.

    Raises:
        DeclarationError: the first mistake, with its line.
    """
    place = Place("queries")
    entries = () if value is None else items(value, place, "{ask: ...} mappings")
    if len(entries) > FILE_QUERIES:
        place.fail(f"{len(entries):,} queries; at most {FILE_QUERIES:,}", value)
    return tuple(_query(entry, Place(f"query {i}")) for i, entry in enumerate(entries, 1))


def _query(entry: Value, place: Place) -> QueryCheck:
    if isinstance(entry, Scalar):
        return QueryCheck(ask=_ask(entry, place), line=entry.line)
    fields = record(entry, place, field_names(QueryCheck))
    readers: Mapping[str, Read] = {
        "ask": _ask,
        "identifiable": truth,
        "answer": _answer,
        "note": text,
    }
    return replace(
        QueryCheck(**declared_fields(QueryCheck, fields, place, readers)), line=entry.line
    )


def _ask(value: Value, place: Place) -> str:
    asked = text(value, place)
    if len(asked) > QUERY_LETTERS:
        place.fail(f"{len(asked):,} characters; at most {QUERY_LETTERS:,}", value)
    return asked


def nested_answer(cells: Cells) -> dict[Level, Any]:
    """The raw form of an answer by level.

    Example:
        >>> nested_answer((((0, 0), Fraction(1, 2)), ((0, 1), Fraction(1, 2))))
        {0: {0: Fraction(1, 2), 1: Fraction(1, 2)}}
    """
    top: dict[Level, Any] = {}
    for cell, content in cells:
        *above, last = cell if isinstance(cell, tuple) else (cell,)
        inner = top
        for level in above:
            inner = inner.setdefault(level, {})
        inner[last] = content
    return top


def _answer(value: Value, place: Place) -> Answer:
    """A number, a text, or a mapping from levels to numbers; JSON and Python quote fractions."""
    if isinstance(value, Fields):
        cells = tuple(_cells(value, place))
        if len({len(cell) for cell, _ in cells}) > 1:
            place.fail("the answer's mappings are not all nested alike", value)
        return tuple((cell if len(cell) > 1 else cell[0], content) for cell, content in cells)
    exact = number(value)
    return text(value, place) if exact is None else exact


def _cells(value: Fields, place: Place) -> Iterator[tuple[tuple[Level, ...], Fraction]]:
    for key, content in value.pairs:
        level = _answer_key(key)
        if isinstance(content, Fields) and content.pairs:
            yield from (((level, *cell), exact) for cell, exact in _cells(content, place))
        else:
            yield (level,), _exact(content, place)


def _answer_key(key: Scalar) -> Level:
    whole = integer(key)
    return key.text if whole is None or str(whole) != key.text else whole


def _exact(value: Value, place: Place) -> Fraction:
    exact = number(value)
    return (
        place.fail(f"expected a number, not {described(value)}", value) if exact is None else exact
    )
