"""Dependence: the columns of a table as numbers and levels, and the test that suits a question.

A row with a gap in a column that a question names is left out of its test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

import numpy as np

from causalflow.dependence.finding import Finding
from causalflow.dependence.residuals import Regressions, compared, correlated, features, inputs
from causalflow.dependence.strata import stratified
from causalflow.errors import DataError, one_of
from causalflow.graph.node import Node
from causalflow.limits import DEPENDENCE_LEVELS, DEPENDENCE_ROWS
from causalflow.values.column import Array, numeral, occurring
from causalflow.values.finite import finite
from causalflow.values.real import RealType
from causalflow.values.regime import only_observed
from causalflow.values.variable import NodeType

__all__ = ["Columns", "Method", "check_method"]

Method = Literal["auto", "strata", "residuals", "correlation"]
"""How dependence is looked for; "auto" takes strata where all columns are levels and have rows."""

_FEWEST = 20
"""Rows below which nothing is said."""
_ROWS_A_CELL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """The values that are stored, and where there are none.

    Attributes:
        finite: whether they are positions of levels.
        numbers: the numbers that they count as.
    """

    values: Array
    numbers: Array
    gaps: Array
    finite: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns that questions can be asked of.

    Attributes:
        named: by name.
        rows: how many rows they have, those with gaps too.
    """

    named: Mapping[str, _Column]
    rows: int
    _kept: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(
        cls, table: Mapping[str, Any], names: Iterable[str], nodes: Mapping[str, Node]
    ) -> Self:
        """The columns of some names; of a node without a type, numbers or levels, as they look.

        Raises:
            DataError: a missing column, an entry that is no value, columns of unequal length, or
                rows of an experiment.
        """
        wanted = list(names)
        only_observed("test", wanted, table)
        for name in wanted:
            if name not in table:
                raise DataError(f"test: no column '{name}' in the data; {one_of(name, table)}")
        found = {name: _column(name, table[name], nodes.get(name)) for name in wanted}
        lengths = {name: len(column.values) for name, column in found.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"test: expected columns of one length; given {lengths}")
        return cls(named=found, rows=next(iter(lengths.values()), 0))

    def test(self, x: str, y: str, given: Iterable[str], method: Method) -> Finding | str:
        """Whether x and y are dependent given others; a text says why that cannot be told.

        Raises:
            DataError: ``method`` does not suit the columns.
        """
        others = sorted(given)
        rows = self._complete(frozenset({x, y, *others}))
        if len(rows) < _FEWEST:
            return f"{len(rows):,} complete rows, fewer than {_FEWEST}"
        for name in (x, y):
            if len(np.unique(self.named[name].values[rows])) < 2:
                return f"'{name}' takes one value"
        chosen = self._chosen(x, y, others, rows) if method == "auto" else method
        match chosen:
            case "strata":
                return self._strata(x, y, others, rows)
            case "correlation":
                return self._correlation(x, y, others, rows)
            case _:
                return self._residuals(x, y, tuple(others))

    def _complete(self, names: frozenset[str]) -> Array:
        """The rows without gaps in these columns."""
        if names not in self._kept:
            gaps = [self.named[name].gaps for name in names]
            self._kept[names] = np.flatnonzero(~np.logical_or.reduce(gaps))
        return np.asarray(self._kept[names])

    def _chosen(self, x: str, y: str, others: list[str], rows: Array) -> Method:
        if not all(self.named[name].finite for name in (x, y, *others)):
            return "residuals"
        levels = [len(np.unique(self.named[name].values[rows])) - 1 for name in (x, y)]
        cells = levels[0] * levels[1] * len(np.unique(self._stratum(others, rows)))
        return "strata" if len(rows) >= _ROWS_A_CELL * cells else "residuals"

    def _stratum(self, others: list[str], rows: Array) -> Array:
        """Which combination of the others' levels each row has."""
        found = np.zeros(len(rows), dtype=np.int64)
        for name in others:
            values = self.named[name].values[rows]
            found = found * (int(values.max()) + 1) + values
            found = np.unique(found, return_inverse=True)[1]
        return found

    def _strata(self, x: str, y: str, others: list[str], rows: Array) -> Finding:
        if numbers := [name for name in (x, y, *others) if not self.named[name].finite]:
            raise DataError(
                f"test: '{numbers[0]}' is no column of levels, which method='strata' counts;"
                " expected method='residuals', or 'auto'"
            )
        first, second = self.named[x].values[rows], self.named[y].values[rows]
        return stratified(first, second, self._stratum(others, rows))

    def _correlation(self, x: str, y: str, others: list[str], rows: Array) -> Finding:
        for name in (x, y, *others):
            if self.named[name].finite and len(np.unique(self.named[name].values[rows])) > 2:
                raise DataError(
                    f"test: '{name}' has more than two levels, which are no numbers to correlate;"
                    " expected method='residuals', or 'auto'"
                )
        numbers = {name: self.named[name].numbers[rows] for name in (x, y, *others)}
        z = np.array([numbers[name] for name in others]).reshape(len(others), len(rows)).T
        return correlated(numbers[x], numbers[y], z)

    def _residuals(self, x: str, y: str, others: tuple[str, ...]) -> Finding:
        names = frozenset({x, y, *others})
        rows = self._some(names)
        first, second = (self._left(name, others, rows, names) for name in (x, y))
        return compared(first, second)

    def _some(self, names: frozenset[str]) -> Array:
        """The complete rows, or as many as are looked at."""
        rows = self._complete(names)
        if len(rows) <= DEPENDENCE_ROWS:
            return rows
        return np.sort(np.random.default_rng(0).choice(rows, DEPENDENCE_ROWS, replace=False))

    def _left(
        self, name: str, others: tuple[str, ...], rows: Array, names: frozenset[str]
    ) -> Array:
        """The residuals of one column; kept for other questions of the same rows."""
        whole = len(rows) == self.rows
        key = (name, others, None if whole else names)
        if key not in self._kept:
            column = self.named[name]
            targets = features(column.values[rows], finite=column.finite)
            self._kept[key] = self._regressions(others, rows, key[2]).residuals(targets)
        return np.asarray(self._kept[key])

    def _regressions(self, others: tuple[str, ...], rows: Array, names: Any) -> Regressions:
        """The regressions on the others, the latest kept: they are large."""
        if self._kept.get("latest") != (others, names):
            parts = [(self.named[o].values[rows], self.named[o].finite) for o in others]
            z = inputs(parts) if parts else np.zeros((len(rows), 0))
            self._kept["latest"], self._kept["regressions"] = (others, names), Regressions(z)
        return self._kept["regressions"]  # type: ignore[no-any-return]


def check_method(method: object) -> None:
    """Refuse what is no `Method`.

    Raises:
        DataError: another word.
    """
    if method not in get_args(Method):
        raise DataError(f"test: method={method!r}; {one_of(method, get_args(Method))}")


def _column(name: str, given: Any, node: Node | None) -> _Column:
    """A column as its node's type reads it, or as it looks where that has none."""
    kind = node.type if node is not None and node.type.word else _kind(name, given)
    values = kind.read(given, where=f"column '{name}'", error=DataError)
    if values.ndim != 1:
        raise DataError(f"column '{name}': {values.ndim} axes; expected one value a row")
    is_finite = kind.levels is not None
    gaps = values == kind.missing if is_finite else np.isnan(values)
    return _Column(values=values, numbers=kind.counted(values), gaps=gaps, finite=is_finite)


def _kind(name: str, given: Any) -> NodeType:
    """Numbers, unless an entry is a text that is none, or whole numbers are few."""
    try:
        found = occurring(given)
    except TypeError:
        raise DataError(f"column '{name}': expected a name or a number a row") from None
    names = [each for each in found if isinstance(each, str) and numeral(each) is None]
    whole = all(isinstance(each, int) or _is_whole(each) for each in found)
    if names or (whole and len(found) <= DEPENDENCE_LEVELS):
        return finite(found)
    return RealType()


def _is_whole(value: str | float) -> bool:
    shown = numeral(value) if isinstance(value, str) else None
    return shown is not None and shown.denominator == 1
