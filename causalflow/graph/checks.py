"""Checks: the questions that a graph file answers itself, under ``queries:``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeAlias

from causalflow.graph.document import Fields, Scalar, Value, described, integer, number
from causalflow.graph.fields import (
    Place,
    Read,
    declared_fields,
    field_names,
    items,
    record,
    text,
    truth,
)
from causalflow.graph.schema import Level

__all__ = ["Answer", "QueryCheck", "read_queries"]

Answer: TypeAlias = Fraction | str | tuple[tuple[Level, Fraction], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryCheck:
    """A question that the file answers itself, so that it can be checked.

    Attributes:
        ask: the query's text.
        identifiable: whether it is identifiable from P(v).
        answer: its value: a number, a text, or (level, number) pairs.
        note: for people.
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
    entries = () if value is None else items(value, Place("queries"), "{ask: ...} mappings")
    return tuple(_query(entry, Place(f"query {i}")) for i, entry in enumerate(entries, 1))


def _query(entry: Value, place: Place) -> QueryCheck:
    if isinstance(entry, Scalar):
        return QueryCheck(ask=text(entry, place), line=entry.line)
    fields = record(entry, place, [name for name in field_names(QueryCheck) if name != "line"])
    readers: Mapping[str, Read] = {
        "ask": text,
        "identifiable": truth,
        "answer": _answer,
        "note": text,
    }
    return replace(
        QueryCheck(**declared_fields(QueryCheck, fields, place, readers)), line=entry.line
    )


def _answer(value: Value, place: Place) -> Answer:
    """A number, a text, or a mapping from levels to numbers; JSON and Python quote fractions."""
    if isinstance(value, Fields):
        return tuple((_answer_key(key), _exact(content, place)) for key, content in value.pairs)
    exact = number(value)
    return text(value, place) if exact is None else exact


def _answer_key(key: Scalar) -> Level:
    whole = integer(key)
    return key.text if whole is None or str(whole) != key.text else whole


def _exact(value: Value, place: Place) -> Fraction:
    exact = number(value)
    return (
        place.fail(f"expected a number, not {described(value)}", value) if exact is None else exact
    )
