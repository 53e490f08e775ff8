"""Table: a function of finite variables as an array with named axes; a factor of a distribution.

Notation: phi(x, y) a table with axes x and y. Axes are matched by name, never by position:

    product   (phi psi)(x, y, z) = phi(x, y) psi(y, z)
    sum       (sum_y phi)(x)     = the total over y
    at        phi(x, y = 1)      = the slice; it is no longer a function of y
    normalise phi(x | y)         = phi(x, y) / sum_x phi(x, y), with 0 / 0 = 0

Values are float64, or `fractions.Fraction` throughout (*exact*); an operation on an exact and a
float table gives floats. Tables are immutable. A table is shown as aligned columns of text or as
rows of a data frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from itertools import product as cartesian
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from causalflow.display import html_of
from causalflow.errors import CausalflowError, one_of
from causalflow.factors.array import Values, numbers, spread
from causalflow.factors.rows import Levels, named_levels, relative_frequencies
from causalflow.frozen import Frozen
from causalflow.graph.node import Level
from causalflow.values.column import GAP
from causalflow.values.dataframe import Tabular, columns_of
from causalflow.values.finite import FiniteType, finite

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MAX_ROWS",
    "Cell",
    "Number",
    "Table",
    "Values",
    "aligned_text",
    "long_columns",
    "long_frame",
    "with_declared_levels",
]

MAX_ROWS = 64


Number: TypeAlias = float | Fraction
Cell: TypeAlias = Level | tuple[Level, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Table:
    """A function of finite variables with named axes, such as a distribution.

    Args:
        axes: the variables, one for each dimension of ``values``.
        values: floats, or an array of ``Fraction`` (integers among fractions are taken as such).
        levels: axis -> the names of its positions; 0..n-1 by default.

    Raises:
        CausalflowError: axes, values and levels do not fit together, or a value is no finite
            number.

    Example:
        >>> joint = Table(["x", "y"], [[0.1, 0.3], [0.2, 0.4]], {"y": ("no", "yes")})
        >>> print(joint.condition({"y": "yes"}))
        x  P
        0  0.428571
        1  0.571429
        >>> joint.marginal("y").to_dict()["yes"]
        0.7
    """

    axes: tuple[str, ...]
    values: Values
    levels: Levels = field(default_factory=dict)

    def __init__(
        self,
        axes: Sequence[str],
        values: Any,
        levels: Mapping[str, Sequence[Level]] | None = None,
    ) -> None:
        names = (axes,) if isinstance(axes, str) else tuple(axes)
        array = numbers(values)
        if len(set(names)) != len(names) or array.ndim != len(names):
            raise CausalflowError(
                f"table: axes {list(names)} for an array of shape {array.shape};"
                " expected one different name for each dimension"
            )
        self._set(names, array, named_levels(names, array.shape, levels))

    @classmethod
    def of(cls, axes: tuple[str, ...], values: Values, levels: Levels) -> Table:
        """A table of parts that are known to fit; ``levels`` may name more axes than there are."""
        table = cls.__new__(cls)
        table._set(axes, values, Frozen({axis: levels[axis] for axis in axes}))
        return table

    def _set(self, axes: tuple[str, ...], values: Values, levels: Levels) -> None:
        view = np.asarray(values).view()
        view.flags.writeable = False
        object.__setattr__(self, "axes", axes)
        object.__setattr__(self, "values", view)
        object.__setattr__(self, "levels", levels)

    @classmethod
    def constant(cls, value: Number) -> Table:
        """A table without axes."""
        return cls((), np.array(value, dtype=object if isinstance(value, Fraction) else float))

    @classmethod
    def from_dict(
        cls, axes: Sequence[str], cells: Mapping[Any, Number], levels: Mapping[str, Sequence[Level]]
    ) -> Table:
        """The inverse of `to_dict`: cells that are not named are 0.

        Example:
            >>> Table.from_dict(["x"], {1: Fraction(2, 3)}, {"x": (0, 1)}).to_dict()
            {0: Fraction(0, 1), 1: Fraction(2, 3)}
        """
        exact = all(isinstance(value, Fraction | int) for value in cells.values())
        shape = [len(levels[axis]) for axis in axes]
        values = np.full(shape, Fraction(0) if exact else 0.0, dtype=object if exact else float)
        types = [finite(levels[axis]) for axis in axes]
        for cell, value in cells.items():
            names = (cell,) if len(axes) == 1 and not isinstance(cell, tuple) else cell
            at = zip(axes, types, names, strict=True)
            values[tuple(_position(axis, kind, name) for axis, kind, name in at)] = value
        return cls(axes, values, {axis: levels[axis] for axis in axes})

    @classmethod
    def from_samples(
        cls,
        columns: Tabular,
        levels: Mapping[str, Sequence[Level]] | None = None,
        axes: Sequence[str] | None = None,
    ) -> Table:
        """The empirical distribution of rows.

        Args:
            columns: a data frame of any library, or a mapping: axis -> the level (or its index)
                in each row.
            levels: axis -> its levels; by default the sorted values that occur.
            axes: which columns, in which order; by default all.

        Raises:
            CausalflowError: no rows, columns of unequal length, or a value that is no level.
        """
        given = {
            str(n): column
            for n, column in columns_of(columns, "from_samples", CausalflowError).items()
        }
        names = tuple(given) if axes is None else tuple(axes)
        return cls(names, *relative_frequencies({n: given[n] for n in names}, levels or {}))

    def __reduce__(self) -> tuple[Callable[..., Table], tuple[Any, ...]]:
        """Made anew of its parts, read-only again."""
        return Table.of, (self.axes, np.asarray(self.values), self.levels)

    def __copy__(self) -> Table:
        """Itself, as nothing of it changes."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Table:
        """Itself, as nothing of it changes."""
        return self

    @property
    def is_exact(self) -> bool:
        """Whether the values are fractions."""
        return self.values.dtype == object

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of levels of each axis."""
        return tuple(map(int, self.values.shape))

    def sum(self, names: str | Iterable[str] | None = None) -> Table:
        """The total over the axes ``names`` (default: over all)."""
        out = frozenset(self.axes) if names is None else frozenset(self._known(names))
        places = tuple(place for place, axis in enumerate(self.axes) if axis in out)
        kept = tuple(axis for axis in self.axes if axis not in out)
        return Table.of(kept, self.values.sum(axis=places), self.levels) if out else self

    def marginal(self, names: str | Iterable[str]) -> Table:
        """The total over every axis but ``names``, which become the axes in that order."""
        kept = self._known(names)
        return self.sum(axis for axis in self.axes if axis not in kept).transpose(kept)

    def transpose(self, axes: Iterable[str]) -> Table:
        """The same function with its axes in another order.

        Raises:
            CausalflowError: ``axes`` are not the table's.
        """
        order = self._known(axes)
        if len(order) != len(self.axes):
            raise CausalflowError(f"table: axes {list(order)} are not all of {list(self.axes)}")
        places = [self.axes.index(axis) for axis in order]
        return Table.of(order, self.values.transpose(places), self.levels)

    def rename(self, names: Mapping[str, str]) -> Table:
        """The same function with other names for its axes.

        Raises:
            CausalflowError: an unknown axis, or two axes of one name.
        """
        self._known(names)
        renamed = tuple(names.get(axis, axis) for axis in self.axes)
        if len(set(renamed)) < len(renamed):
            raise CausalflowError(f"table: renamed axes {list(renamed)} are not different")
        levels = {new: self.levels[axis] for axis, new in zip(self.axes, renamed, strict=True)}
        return Table.of(renamed, self.values, levels)

    def reordered(self, axis: str, order: Sequence[int], levels: tuple[Level, ...]) -> Table:
        """The same function with the positions of an axis in another order, and their names."""
        values = self.values.take(order, axis=self.axes.index(axis))
        return Table.of(self.axes, values, {**self.levels, axis: levels})

    def at(self, cell: Mapping[str, Any]) -> Table:
        """The slice where some axes take a level, read as `causalflow.values.finite` says.

        Raises:
            CausalflowError: an unknown axis or level.
        """
        self._known(cell)
        places = tuple(
            _position(axis, finite(self.levels[axis]), cell[axis]) if axis in cell else slice(None)
            for axis in self.axes
        )
        kept = tuple(axis for axis in self.axes if axis not in cell)
        return Table.of(kept, self.values[places], self.levels)

    def condition(self, cell: Mapping[str, Any]) -> Table:
        """The distribution of the other axes given the levels of some.

        Raises:
            CausalflowError: an unknown axis or level, or a condition of probability zero.
        """
        sliced = self.at(cell)
        if not sliced.values.sum():
            shown = ", ".join(f"{axis}={level}" for axis, level in cell.items())
            raise CausalflowError(f"table: the condition has probability zero: P({shown}) = 0")
        return sliced.normalise()

    def product(self, other: Table) -> Table:
        """The product at every cell of both tables' axes: this table's first."""
        axes, mine, theirs = self._aligned(other)
        return Table.of(axes, mine * theirs, {**other.levels, **self.levels})

    def add(self, other: Table) -> Table:
        """The sum at every cell of both tables' axes: this table's first."""
        axes, mine, theirs = self._aligned(other)
        return Table.of(axes, mine + theirs, {**other.levels, **self.levels})

    def divide(self, other: Table) -> Table:
        """The quotient at every cell of both tables' axes, with 0 / 0 = 0.

        Raises:
            CausalflowError: a number other than zero is divided by zero.
        """
        axes, mine, theirs = self._aligned(other)
        if np.any((theirs == 0) & (mine != 0)):
            raise CausalflowError(f"table: division of a table over {list(axes)} by zero")
        return Table.of(axes, mine / (theirs + (theirs == 0)), {**other.levels, **self.levels})

    def normalise(self, given: str | Iterable[str] = ()) -> Table:
        """Divided by its total over every axis but ``given``: phi(other axes | given)."""
        return self.divide(self.marginal(given)).transpose(self.axes)

    def to_float(self) -> Table:
        """The same table in float64."""
        return Table.of(self.axes, self.values.astype(np.float64), self.levels)

    def cells(self) -> Iterator[tuple[Level, ...]]:
        """The levels of each cell, last axis fastest."""
        return cartesian(*(self.levels[axis] for axis in self.axes))

    def to_dict(self, *, zeros: bool = True) -> dict[Any, Number]:
        """Level (or tuple of levels, where the axes are not one) -> value.

        Args:
            zeros: whether cells that are exactly 0 are listed.
        """
        pairs = zip(self.cells(), self.values.ravel().tolist(), strict=True)
        named = ((cell[0] if len(cell) == 1 else cell, number) for cell, number in pairs)
        return {cell: number for cell, number in named if zeros or number}

    def to_numpy(self, axes: Sequence[str] | None = None) -> Values:
        """The values as a float64 array with its axes in that order."""
        ordered = self if axes is None else self.transpose(axes)
        return ordered.values.astype(np.float64)

    def to_dataframe(self) -> pd.DataFrame:
        """One row a cell: a column for each axis, and ``p`` (and ``exact``, where it is)."""
        return long_frame(self)

    def allclose(self, other: Table, atol: float = 1e-12, rtol: float = 0.0) -> bool:
        """Whether both are the same function of the same axes, within a tolerance."""
        if frozenset(self.axes) != frozenset(other.axes) or self.levels != other.levels:
            return False
        return bool(np.allclose(self.to_numpy(), other.to_numpy(self.axes), atol=atol, rtol=rtol))

    def _repr_html_(self) -> str:
        return html_of(self)

    def __str__(self) -> str:
        return aligned_text(self)

    def __repr__(self) -> str:
        shape = ", ".join(f"{axis}: {len(self.levels[axis])}" for axis in self.axes)
        return f"Table({shape}{'; exact' if self.is_exact else ''})"

    def _known(self, names: str | Iterable[str]) -> tuple[str, ...]:
        """``names`` without repetition, all of them axes."""
        given = (names,) if isinstance(names, str) else tuple(dict.fromkeys(names))
        for name in given:
            if name not in self.axes:
                raise CausalflowError(f"table: unknown axis {name!r}; {one_of(name, self.axes)}")
        return given

    def _aligned(self, other: Table) -> tuple[tuple[str, ...], Values, Values]:
        """The union of the axes, and both arrays broadcast along them."""
        for axis in self.axes:
            if axis in other.levels and other.levels[axis] != self.levels[axis]:
                both = f"{list(self.levels[axis])} and {list(other.levels[axis])}"
                raise CausalflowError(
                    f"table: two tables have different levels of '{axis}': {both}"
                )
        axes = (*self.axes, *(axis for axis in other.axes if axis not in self.axes))
        mine, theirs = (spread(table.values, table.axes, axes) for table in (self, other))
        if self.is_exact != other.is_exact:
            return axes, mine.astype(np.float64), theirs.astype(np.float64)
        return axes, mine, theirs


def aligned_text(table: Table, header: str = "P") -> str:
    """One line a cell, levels first; at most `MAX_ROWS` of them."""
    pairs = islice(zip(table.cells(), table.values.flat, strict=True), MAX_ROWS)
    lines = [[*table.axes, header]]
    lines += [[*map(str, cell), _number(value)] for cell, value in pairs]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    hidden = table.values.size - MAX_ROWS
    return "\n".join([*texts, f"... {hidden:,} more"] if hidden > 0 else texts)


def long_frame(table: Table) -> pd.DataFrame:
    """`long_columns` as a data frame: one row a cell."""
    import pandas as pd

    return pd.DataFrame(long_columns(table))


def long_columns(table: Table, numbers: str = "p") -> dict[str, list[Any]]:
    """A column for each axis and one of the numbers, an entry a cell.

    Args:
        table: the table; fractions get a column ``exact`` too.
        numbers: the name of their column: probabilities are ``p``.
    """
    cells = list(table.cells())
    columns: dict[str, list[Any]] = {
        axis: [cell[place] for cell in cells] for place, axis in enumerate(table.axes)
    }
    columns[_unused(numbers, table.axes)] = [float(value) for value in table.values.flat]
    if table.is_exact:
        columns[_unused("exact", table.axes)] = [_number(value) for value in table.values.flat]
    return columns


def _unused(name: str, taken: tuple[str, ...]) -> str:
    return name if name not in taken else _unused(f"{name}_", taken)


def _number(value: Fraction | float) -> str:
    """The number; NaN is the answer to evidence that is impossible."""
    if value != value:
        return "impossible"
    return str(value) if isinstance(value, Fraction) else f"{value:.6g}"


def _position(axis: str, levels: FiniteType, given: object) -> int:
    return levels.position(given, where=f"table: axis '{axis}'", error=CausalflowError)


def with_declared_levels(
    table: Table, declared: Mapping[str, Sequence[Level]], error: type[CausalflowError]
) -> Table:
    """The same function, the levels of its axes named and ordered as a graph declares them.

    Args:
        table: the function.
        declared: axis -> its levels.
        error: the class of what is raised.

    Raises:
        CausalflowError: a level of the table that is none of the graph, or two that are one.
    """
    for axis in (axis for axis in table.axes if axis in declared):
        own, levels = table.levels[axis], tuple(declared[axis])
        if own == levels:
            continue
        places = finite(levels).read(own, where=f"table: axis '{axis}'", error=error)
        if (places == GAP).any() or len(set(places.tolist())) < len(own):
            given = [str(level) for level in own]
            raise error(f"table: axis '{axis}' has levels {given}; {one_of('', levels)}, each once")
        order = np.argsort(places).tolist()
        table = table.reordered(axis, order, tuple(levels[place] for place in sorted(places)))
    return table
