"""Events: what the terms of a moment are of each row, as numbers.

A moment's *target* is the number whose mean it is: the outcome itself, or 1 where the event of a
probability holds. Its *group* are the rows for which its conditions on finite variables hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalflow.effects.complete_rows import Array, Rows
from causalflow.errors import DataError, QueryError
from causalflow.query.query import Kind, Query, Term, Value, World

__all__ = ["Treatment", "group_of", "holds", "numbers_given", "target_key", "target_of", "world_of"]


def target_key(moment: Query) -> tuple[Kind, tuple[tuple[str, Value | None], ...]]:
    """What tells one target from another, whatever the world."""
    return moment.kind, tuple((term.name, term.level) for term in moment.outcomes)


def target_of(rows: Rows, moment: Query) -> Array:
    """The number of each row whose mean the moment is, shape (rows,).

    Raises:
        QueryError: the probability of a number.
    """
    if moment.kind is Kind.EXPECTATION:
        return rows[moment.outcomes[0].name].numbers
    return holds(rows, moment.outcomes).astype(np.float64)


def holds(rows: Rows, terms: Iterable[Term]) -> NDArray[np.bool_]:
    """Which rows have the values of all terms, shape (rows,)."""
    found = np.ones(len(rows), dtype=bool)
    for term in terms:
        column = rows[term.name]
        if not column.is_finite:
            raise QueryError(
                f"estimate: '{term.name}' is a number, and one value of it has no probability; ask"
                f" for its mean, E[{term.name} | ...]"
            )
        found &= column.places == column.place(term.value, term.name)
    return found


def group_of(rows: Rows, moment: Query, treatments: Iterable[str]) -> NDArray[np.bool_]:
    """The rows for which the conditions on finite variables, but for treatments, hold.

    Raises:
        DataError: there is none.
    """
    terms = [
        each
        for each in moment.conditions
        if each.name not in treatments and rows[each.name].is_finite
    ]
    found = holds(rows, terms)
    if not found.any():
        raise DataError(f"estimate: no row has {', '.join(map(str, terms))}")
    return found


def numbers_given(rows: Rows, moment: Query, treatments: Iterable[str]) -> dict[str, float]:
    """The conditions on numbers, but for treatments, with their values."""
    return {
        each.name: float(each.value)  # type: ignore[arg-type]
        for each in moment.conditions
        if each.name not in treatments and not rows[each.name].is_finite
    }


def world_of(world: World) -> dict[str, Value]:
    """The values that a world of values sets."""
    return {each.variable: each.value for each in world}  # type: ignore[misc]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Treatment:
    """Finite treatments as one, with a level for each combination that occurs.

    Attributes:
        names: the treatments.
        places: the position of each row's level, shape (rows,).
        levels: combination of the treatments' positions -> its own position.
        shown: each level in words.
    """

    names: tuple[str, ...]
    places: NDArray[np.int64]
    levels: Mapping[tuple[int, ...], int]
    shown: tuple[str, ...]

    @classmethod
    def of(cls, rows: Rows, names: tuple[str, ...]) -> Treatment:
        """The joint treatment of some finite columns."""
        codes = np.stack([rows[name].places for name in names], axis=1)  # type: ignore[misc]
        found, places = np.unique(codes, axis=0, return_inverse=True)
        levels = {tuple(map(int, code)): place for place, code in enumerate(found)}
        shown = tuple(
            ", ".join(f"{n}={rows[n].levels[c]}" for n, c in zip(names, code, strict=True))
            for code in levels
        )
        return cls(names=names, places=places.reshape(-1), levels=levels, shown=shown)

    def place(self, rows: Rows, values: Mapping[str, Value]) -> int:
        """The position of the level that a world or a condition sets.

        Raises:
            DataError: no row has it.
        """
        code = tuple(rows[name].place(values[name], name) for name in self.names)
        if code not in self.levels:
            shown = ", ".join(f"{name}={values[name]}" for name in self.names)
            raise DataError(f"estimate: no row has {shown}: its outcome is not known at any")
        return self.levels[code]
