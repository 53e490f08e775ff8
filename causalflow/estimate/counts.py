"""Counts: the complete cases of some columns, counted.

A row with a gap in a column that is needed says nothing of the formula: it is left out, with a
warning, for what is left is another population unless cells are missing completely at random.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalflow.errors import CausalflowWarning, DataError
from causalflow.factors.table import Table
from causalflow.graph.indicator import indicators_of
from causalflow.graph.node import Level, Node
from causalflow.limits import COUNTED_CELLS, OCCURRING_LEVELS
from causalflow.values.column import GAP, entries_of, located, occurring
from causalflow.values.dataframe import Tabular, columns_of
from causalflow.values.finite import finite
from causalflow.values.regime import only_observed

__all__ = ["Counts", "UncountableError", "counted", "warn_of_gaps"]

CONTINUOUS = (
    "this estimator counts the rows of each level, so a continuous column has no place in it: bin"
    " it into a few levels and declare a class, or fit a model and ask it"
    " (cf.compile(graph), fit, ask)"
)


class UncountableError(DataError):
    """Columns that hold numbers, or too many levels to count the rows of each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counts:
    """The number of complete rows in each cell of some columns.

    Attributes:
        table: the number of rows in each cell.
        rows: how many rows are counted.
        dropped: how many had a gap.
        occurring: the columns of which no levels are known but those that occur.
        assumed: what leaving them out rests on, a sentence; "": nothing.
    """

    table: Table
    rows: int
    dropped: int
    assumed: str = ""
    occurring: tuple[str, ...] = ()


def counted(
    given: Tabular,
    names: Sequence[str],
    nodes: Mapping[str, Node],
    levels: Mapping[str, Sequence[Level]],
) -> Counts:
    """The complete rows of the columns ``names``; warns of those left out.

    Args:
        given: a data frame of any library, or a mapping of columns.
        names: the columns that are needed.
        nodes: what the graph declares.
        levels: the levels of variables for which it declares none; else the values that occur.

    Raises:
        DataError: a missing column, a continuous one, a value that is no level, columns of unequal
            length, no complete row, too many cells, or rows of an experiment.
    """
    columns = columns_of(given, "estimate")
    if not names:
        return _none_needed(columns)
    only_observed("estimate", {*names, *nodes}, columns)
    if unknown := [name for name in levels if name not in columns]:
        raise DataError(f"estimate: levels of {unknown}, which are no columns of the rows")
    if missing := [name for name in names if name not in columns]:
        lacking = DataError(f"estimate: the rows have no column {missing}")
        raise located(lacking, next(iter(columns.values()), None))
    found = {name: _levels(name, columns[name], nodes.get(name), levels) for name in names}
    _check_cells(found)
    places = {name: _places(name, columns[name], found[name]) for name in names}
    lengths = {name: place.size for name, place in places.items()}
    if len(set(lengths.values())) > 1 or any(place.ndim != 1 for place in places.values()):
        raise DataError(f"estimate: expected columns of one length; given {lengths}")
    complete = np.logical_and.reduce([place != GAP for place in places.values()])
    every, rows = len(complete), int(complete.sum())
    if not rows:
        raise DataError(f"estimate: none of {every:,} rows is complete in {list(names)}")
    gapped = [name for name in names if (places[name] == GAP).any()]
    assumed = warn_of_gaps(every - rows, every, gapped, nodes)
    shape = [len(found[name]) for name in names]
    codes = np.ravel_multi_index([place[complete] for place in places.values()], shape)
    counts = np.bincount(codes, minlength=math.prod(shape)).reshape(shape)
    table = Table(names, counts.astype(np.float64), found)
    undeclared = [n for n in names if n not in levels and not _declared(nodes.get(n))]
    return Counts(
        table=table,
        rows=rows,
        dropped=every - rows,
        assumed=assumed,
        occurring=tuple(undeclared),
    )


def _places(name: str, column: Any, levels: tuple[Level, ...]) -> NDArray[np.int64]:
    """The positions of a column's entries among the levels."""
    try:
        return finite(levels).read(column, where=f"column '{name}'", error=DataError)
    except DataError as mistake:
        raise located(mistake, column) from None


def _none_needed(columns: Mapping[str, Any]) -> Counts:
    """All rows, of a formula that is a number."""
    every = [entries_of(column).array.size for _, column in columns.items()]
    rows = max(every, default=0)
    return Counts(table=Table([], np.array(float(rows))), rows=rows, dropped=0)


def _declared(node: Node | None) -> tuple[Level, ...]:
    return () if node is None else node.type.levels or ()


def _levels(
    name: str, column: Any, node: Node | None, given: Mapping[str, Sequence[Level]]
) -> tuple[Level, ...]:
    """The levels of a column: as given, as declared, or those that occur."""
    if name in given:
        return _given(name, given[name])
    if node is not None and node.type.numeric:
        raise UncountableError(f"estimate: '{name}' is {node.type.predicate}; {CONTINUOUS}")
    if node is not None and not node.type.scalar:
        raise DataError(f"estimate: '{name}' is {node.type.predicate}; fit a model and ask it")
    return _declared(node) or _occurring(name, column)


def _given(name: str, levels: object) -> tuple[Level, ...]:
    """The levels that a call gives, if they can be levels.

    Raises:
        DataError: no list of different texts or numbers.
    """
    listed = [] if isinstance(levels, str) or not isinstance(levels, Iterable) else [*levels]
    plain = [each.item() if isinstance(each, np.generic) else each for each in listed]
    kinds = all(isinstance(each, str | int | float) for each in plain)
    if not (plain and kinds and len({*map(str, plain)}) == len(plain)):
        raise DataError(
            f"estimate: levels of '{name}': expected a list of different names or numbers, given"
            f" {str(levels)[:60]!r}"
        )
    return tuple(plain)


def _occurring(name: str, column: Any) -> tuple[Level, ...]:
    """The values of a column without declared levels, if they can be levels.

    Raises:
        DataError: numbers with decimals, or more different values than levels can be.
    """
    array = entries_of(column).array
    if array.dtype.kind == "f":
        _refuse_decimals(name, array[np.isfinite(array) & (array != np.round(array))])
    try:
        found = occurring(column)
    except TypeError:
        raise DataError(f"estimate: column '{name}': expected a name or a number a row") from None
    _refuse_decimals(name, [value for value in found if isinstance(value, float)])
    if len(found) > OCCURRING_LEVELS:
        raise UncountableError(
            f"estimate: '{name}' has {len(found):,} different values, more than the"
            f" {OCCURRING_LEVELS} that are taken for levels unless they are declared; {CONTINUOUS}"
        )
    if not found:
        raise DataError(f"estimate: every row of '{name}' is missing")
    if found[:2] == (GAP, 0):
        warnings.warn(
            f"estimate: '{name}' has {GAP} beside 0, which is taken for a level, as none are"
            " declared; give a gap as None or NaN, or declare the levels",
            CausalflowWarning,
            stacklevel=6,
        )
    return found


def _refuse_decimals(name: str, values: Sequence[float] | np.ndarray[Any, Any]) -> None:
    if len(values):
        raise UncountableError(
            f"estimate: '{name}' has numbers such as {values[0]:g}; {CONTINUOUS}"
        )


def _check_cells(levels: Mapping[str, Sequence[Level]]) -> None:
    cells = math.prod(map(len, levels.values()))
    if cells > COUNTED_CELLS:
        sizes = ", ".join(f"{name}: {len(each)}" for name, each in levels.items())
        raise UncountableError(
            f"estimate: the formula's columns have {cells:.3g} cells together ({sizes}); at most"
            f" {COUNTED_CELLS:,} are counted: merge levels, or fit a model and ask it"
        )


def warn_of_gaps(dropped: int, every: int, names: Sequence[str], nodes: Mapping[str, Node]) -> str:
    """Say that rows are left out for gaps of which no node says why they are there.

    Returns:
        What that assumes; "" where nothing is left out so.
    """
    marked = indicators_of(nodes)
    shown = " or ".join(f"'{name}'" for name in names if name not in marked)
    if not shown or not dropped:
        return ""
    warnings.warn(
        f"estimate: {dropped:,} of {every:,} rows are left out, for {shown} is missing there; the"
        " answer may be biased unless cells are missing completely at random",
        CausalflowWarning,
        stacklevel=4,
    )
    return f"cells of {shown} are missing completely at random"
