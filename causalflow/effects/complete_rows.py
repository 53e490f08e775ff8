"""Complete rows: those without a gap in the columns that an estimate needs, as arrays.

A column is *finite* when its node is, or where no type is declared and it holds texts or at most
`LEVELS_AT_MOST` different numbers; else it is a number. As a *feature* of a learner a finite column
is one indicator a level, the first left out; a number is itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalflow.errors import DataError, one_of
from causalflow.estimate.counts import warn_of_gaps
from causalflow.graph.node import Level, Node
from causalflow.values.column import GAP, entries_of, located, occurring
from causalflow.values.finite import FiniteType, finite
from causalflow.values.real import RealType

__all__ = ["LEVELS_AT_MOST", "Array", "Column", "Rows", "read_column", "read_rows"]

Array = NDArray[np.float64]

LEVELS_AT_MOST = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """A column of complete rows.

    Attributes:
        numbers: what each entry counts as in a mean, shape (n,); NaN where there is none.
        places: the position of each entry's level, -1 where there is none; None: no levels.
        levels: the levels, in the order of their positions.
        unit: the unit of the numbers, if it is declared.
    """

    numbers: Array
    places: NDArray[np.int64] | None = None
    levels: tuple[Level, ...] = ()
    unit: str | None = None

    @property
    def is_finite(self) -> bool:
        """Whether it has levels."""
        return self.places is not None

    @property
    def features(self) -> Array:
        """What learners are given of it, shape (n, indicators) or (n, 1)."""
        if self.places is None:
            return self.numbers[:, None]
        return (self.places[:, None] == np.arange(1, len(self.levels))).astype(np.float64)

    def place(self, value: object, name: str) -> int:
        """The position of a level that a question names.

        Raises:
            DataError: the value is no level, or the column has none.
        """
        if self.places is None:
            raise DataError(f"estimate: '{name}' has no levels")
        where = f"estimate: '{name}={value}'"
        return int(finite(self.levels).read(value, where=where, error=DataError))

    def taken(self, chosen: NDArray[Any]) -> Column:
        """Some of the rows."""
        places = None if self.places is None else self.places[chosen]
        return replace(self, numbers=self.numbers[chosen], places=places)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Complete rows.

    Attributes:
        columns: each variable's column, all of one length.
        dropped: how many rows were left out, for a cell is missing.
        assumed: what leaving them out rests on, a sentence; "": nothing.
    """

    columns: Mapping[str, Column]
    dropped: int = 0
    assumed: str = ""

    def __len__(self) -> int:
        return next((len(each.numbers) for each in self.columns.values()), 0)

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def features(self, names: Iterable[str]) -> Array:
        """The features of some columns side by side, shape (n, features)."""
        parts = [self.columns[name].features for name in names]
        return np.hstack([np.empty((len(self), 0)), *parts])

    def features_at(self, values: Mapping[str, Any]) -> Array:
        """The features of one row with these values, its columns sorted, shape (1, features)."""
        parts: list[float] = []
        for name in sorted(values):
            column, value = self.columns[name], values[name]
            if column.is_finite:
                place = column.place(value, name)
                parts += [float(place == each) for each in range(1, len(column.levels))]
            else:
                parts.append(float(value))
        return np.array([parts])

    def feature_names(self, names: Iterable[str]) -> list[str]:
        """Each feature of some columns in words."""
        found: list[str] = []
        for name in names:
            levels = self.columns[name].levels[1:] if self.columns[name].is_finite else ()
            found += [f"{name}={level}" for level in levels] or [name]
        return found

    def taken(self, chosen: NDArray[Any]) -> Rows:
        """Some of the rows: a mask, or positions."""
        return replace(self, columns={n: c.taken(chosen) for n, c in self.columns.items()})

    def with_column(self, name: str, column: Column) -> Rows:
        """The rows with one column more, or another in place of one."""
        return replace(self, columns={**self.columns, name: column})


def read_rows(
    given: Mapping[str, Any],
    names: Sequence[str],
    nodes: Mapping[str, Node],
    levels: Mapping[str, Sequence[Level]] | None = None,
) -> Rows:
    """The rows that are complete in the columns ``names``.

    Args:
        given: the columns, by name.
        names: those that are needed.
        nodes: what the graph declares.
        levels: the levels of variables for which it declares none.

    Raises:
        DataError: a column is missing, holds a value that is none of the node's, or is of another
            length; or no row is complete.
    """
    for name in names:
        if name not in given:
            missing = f"estimate: the rows have no column '{name}'; {one_of(name, given)}"
            raise located(DataError(missing), next(iter(given.values()), None))
    found = {name: _located_column(name, given[name], nodes, levels or {}) for name in names}
    lengths = {name: len(each.numbers) for name, each in found.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"estimate: expected columns of one length; given {lengths}")
    present = {name: _present(each) for name, each in found.items()}
    whole = np.logical_and.reduce([*present.values()])
    if not whole.any():
        raise DataError(f"estimate: none of {whole.size:,} rows is complete in {list(names)}")
    gaps = [name for name, each in present.items() if not each.all()]
    dropped = int((~whole).sum())
    assumed = warn_of_gaps(dropped, whole.size, gaps, nodes)
    return replace(Rows(columns=found).taken(whole), dropped=dropped, assumed=assumed)


def _located_column(
    name: str, given: Any, nodes: Mapping[str, Node], levels: Mapping[str, Sequence[Level]]
) -> Column:
    try:
        return read_column(name, given, nodes.get(name), levels.get(name))
    except DataError as mistake:
        raise located(mistake, given) from None


def _present(column: Column) -> NDArray[np.bool_]:
    return np.isfinite(column.numbers) if column.places is None else column.places != GAP


def read_column(
    name: str, given: Any, node: Node | None = None, levels: Sequence[Level] | None = None
) -> Column:
    """A column as its node's type reads it; one without a type by what it holds.

    Raises:
        DataError: a value that is none of the node's.
    """
    if node is not None and not node.type.scalar:
        raise DataError(f"estimate: '{name}' is {node.type.predicate}; fit a model and ask it")
    declared = levels or (node.type.levels if node is not None else None)
    if declared:
        return _finite(name, given, finite(tuple(declared)))
    where = f"column '{name}'"
    if node is not None and node.type.numeric:
        numbers = node.type.read(given, where=where, error=DataError)
        return Column(numbers=np.asarray(numbers, dtype=np.float64), unit=node.type.unit)
    kind = _kind(name, given)
    if kind is not None:
        return _finite(name, given, kind)
    numbers = RealType().read(given, where=where, error=DataError)
    return Column(numbers=np.asarray(numbers, dtype=np.float64))


def _kind(name: str, given: Any) -> FiniteType | None:
    """The levels of a column without a type; None: its values are numbers."""
    array = entries_of(given).array
    if array.dtype.kind == "f" and len(np.unique(array[np.isfinite(array)])) > LEVELS_AT_MOST:
        return None
    try:
        found = occurring(given)
    except TypeError:
        raise DataError(f"estimate: column '{name}': expected a name or a number a row") from None
    if not found:
        raise DataError(f"estimate: every row of '{name}' is missing")
    kind = finite(tuple(found))
    return None if len(found) > LEVELS_AT_MOST and not kind.counts_by_position else kind


def _finite(name: str, given: Any, kind: FiniteType) -> Column:
    places = kind.read(given, where=f"column '{name}'", error=DataError)
    numbers = np.append(np.array(kind.numbers, dtype=np.float64), np.nan)[places]
    return Column(numbers=numbers, places=places.astype(np.int64), levels=tuple(kind.levels))
