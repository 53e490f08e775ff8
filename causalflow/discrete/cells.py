"""Cells: the numbers of an answer as a table: named axes, images by code, a row for each given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from causalflow.discrete.answer import ROW
from causalflow.discrete.inference import Key, Positions
from causalflow.graph.schema import Level
from causalflow.query.query import Kind, Query
from causalflow.tables.array import Values
from causalflow.tables.table import Table

__all__ = ["key_names", "seen_only", "where_told", "with_rows"]

Levels = dict[str, tuple[Level, ...]]


def key_names(query: Query, form: Query) -> dict[Key, str]:
    """The axis of each free key of a query's counterfactual form."""
    asked = form.outcomes if query.kind is Kind.PROBABILITY else ()
    keys: list[Key] = [term for term in (*asked, *form.conditions) if term.value is None]
    return dict(zip([*keys, *query.free_interventions], query.free_variables, strict=True))


def where_told(values: Values, asked: Mapping[Key, int], known: Mapping[Key, Positions]) -> Values:
    """The values, 0 where what is asked is known to be something else; the rows' axis first."""
    agree: Any = True
    for key, place in asked.items():
        agree = agree & (known[key] == place)
    if agree is True:
        return values
    by_row = np.reshape(agree, [-1] + [1] * (values.ndim - 1)) if np.ndim(agree) else agree
    return np.asarray(values * np.asarray(by_row, dtype=np.int64), dtype=values.dtype)


def seen_only(values: Values, levels: Levels, coded: Sequence[bool]) -> tuple[Values, Levels]:
    """The values at those codes of images that have some probability.

    Args:
        values: the axes of ``levels`` last.
        levels: of each axis.
        coded: which axes are images'.
    """
    found, values = dict(levels), np.asarray(values)  # a sum of fractions may be a bare one
    first = values.ndim - len(levels)
    for place, (axis, is_image) in enumerate(zip(levels, coded, strict=True), start=first):
        if is_image:
            others = tuple(each for each in range(values.ndim) if each != place)
            seen = np.flatnonzero(((values != 0) & (values == values)).any(axis=others))
            values = values.take(seen, axis=place)
            found[axis] = tuple(levels[axis][k] for k in seen.tolist())
    return values, found


def with_rows(
    values: Values,
    levels: Mapping[str, tuple[Level, ...]],
    rows: np.ndarray[Any, np.dtype[np.int64]] | None,
) -> Table:
    """The table; of distinct rows, one for each row given, on the axis `ROW`."""
    axes = tuple(levels)
    if rows is None:
        return Table.of(axes, values, levels)
    row = ROW if ROW not in axes else f"{ROW}'"
    return Table.of((row, *axes), values[rows], {**levels, row: tuple(range(len(rows)))})
