"""Told: evidence short of a value, as weights along an axis of a finite joint table.

Notation: l_r(v) the weight of position v in row r of a batch. Every different likelihood of a
column is a row of one table, so that rows that are told the same are computed once.

    P(q, told) = sum_v l(v) P(q, v)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from causalflow.errors import EvidenceError
from causalflow.exact.inference import Positions
from causalflow.exact.structure import NEVER, Domain
from causalflow.factors.array import Scaled, Values, scaled
from causalflow.values.column import entries_of
from causalflow.values.image import image_of, pixels_of
from causalflow.values.likelihood import Levels, Likelihood, Seen, Span

__all__ = ["Told", "told", "weighed"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """What evidence says of one variable, short of its value.

    Attributes:
        table: the weights, fractions, shape (different likelihoods, levels).
        index: which of them holds, one for each row of a batch.
        words: how each is said.
    """

    table: Values
    index: Positions
    words: tuple[str, ...]

    def at(self, rows: slice) -> Told:
        """The same for some rows of the batch."""
        return self if isinstance(self.index, int) else replace(self, index=self.index[rows])

    @property
    def weights(self) -> Values:
        """The weights, shape (1 or rows, levels)."""
        return np.asarray(self.table[np.atleast_1d(self.index)])

    @property
    def is_virtual(self) -> bool:
        """Whether some likelihood weighs what is possible unequally."""
        return any(len({*row.tolist()} - {Fraction(0)}) > 1 for row in self.table)

    def said(self, row: int) -> str:
        """How the likelihood of a row is said."""
        return self.words[self.index if isinstance(self.index, int) else int(self.index[row])]


def told(domain: Domain, given: Any) -> tuple[Told, int | None]:
    """What is told of a variable, and the rows of a batch.

    Args:
        domain: its finite values.
        given: a likelihood; or one a row, values among them.

    Raises:
        EvidenceError: a level that it does not have, or an entry that says nothing.
    """
    if isinstance(given, Likelihood):
        table = _weights(domain, given)
        found = Told(table=table, index=0, words=(str(given),) * len(table))
        if len(table) == 1:
            return found, None
        return replace(found, index=np.arange(len(table))), len(table)
    seen: dict[Any, int] = {}
    rows: list[Values] = []
    words: list[str] = []
    index = np.empty(len(given), dtype=np.int64)
    for row, entry in enumerate(entries_of(given).array):
        key = entry if isinstance(entry, Levels | Span) else (type(entry), str(entry), row)
        if key not in seen:
            seen[key] = len(rows)
            rows.append(_entry(domain, entry, row))
            words.append(str(entry) if isinstance(entry, Likelihood) else f"= {entry}")
        index[row] = seen[key]
    return Told(table=np.concatenate(rows), index=index, words=tuple(words)), len(index)


def _entry(domain: Domain, entry: Any, row: int) -> Values:
    """The weights of one row of a column."""
    try:
        if isinstance(entry, Likelihood):
            found = _weights(domain, entry)
            if len(found) > 1:
                raise EvidenceError(f"'{domain.name}': several pictures; expected one a row")
            return found
        place = domain.position(entry)
    except EvidenceError as error:
        raise EvidenceError(f"row {row}: {error}") from None
    weights = np.full((1, len(domain.levels)), Fraction(0), dtype=object)
    if place != NEVER:
        weights[0, place] = Fraction(1)
    return weights


def _weights(domain: Domain, likelihood: Likelihood) -> Values:
    """The weights of one likelihood; of pictures a row each."""
    if isinstance(likelihood, Seen):
        return _agreeing(domain, likelihood)
    of = likelihood.of(domain.name, domain.declared.type, domain.levels)
    return np.array([of], dtype=object)


def _agreeing(domain: Domain, part: Seen) -> Values:
    """1 for the codes whose pictures have the pixels that are seen."""
    image = image_of(domain.declared.type)
    if image is None:
        raise EvidenceError(f"'{domain.name}' is no image: there are no pixels to be seen")
    pictures, mask = part.read(image, f"'{domain.name}'")
    codes = [int(level) for level in domain.levels]
    every = pixels_of(image, codes).reshape(1, len(codes), *image.shape)
    same = (every == pictures[:, None]) | ~mask[:, None]
    agree = same.reshape(len(pictures), len(codes), -1).all(axis=-1)
    return np.array([[Fraction(int(each)) for each in row] for row in agree], dtype=object)


def weighed(
    joint: Scaled,
    axes: Sequence[Any],
    weights: Mapping[Any, Values],
    summed: Sequence[Any],
    at: Mapping[Any, Positions],
    rows: bool,
) -> Scaled:
    """A joint table times weights, and summed over some of its axes.

    Args:
        joint: the table; the rows' axis first, if there is one.
        axes: its other axes.
        weights: axis, or what is taken at a position -> weights, shape (1 or rows, levels).
        summed: the axes that are summed out.
        at: what is taken at positions, one or one a row.
        rows: whether the result has the axis of the rows.
    """
    exact, first = joint.scale is not None, int(rows)
    values = joint.to_array() if exact else joint.values
    values = values[None] if rows and values.ndim == len(axes) else values
    for key, each in weights.items():
        own = each if exact else each.astype(np.float64)
        shape = [len(each)] * first + [1] * len(axes)
        if key in axes:
            shape[first + axes.index(key)] = each.shape[1]
        else:
            own = own[np.arange(len(own)), at[key]]
            shape[:first] = [len(own)] * first
        values = np.asarray(values * own.reshape(shape))
    values = values.sum(axis=tuple(first + axes.index(axis) for axis in summed))
    if exact:
        return scaled(np.asarray(values, dtype=object))
    return replace(joint, values=np.asarray(values))
