"""Lookup: one question with all the values of its evidence answered at once.

    P(y | do(x), e)   asked again and again with other x and e is one table over x, e and y

Where that table is small it is made the second time that a question is asked, and every further
answer is a slice of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from causalflow.errors import EvidenceError, QueryError
from causalflow.exact.domain import NEVER, Domain
from causalflow.exact.engine import Question, answer
from causalflow.exact.inference import Inference, Key
from causalflow.factors.array import Values
from causalflow.factors.rows import Levels
from causalflow.factors.table import Table
from causalflow.limits import PLAN_CELLS
from causalflow.query.answer import ROW, Answer
from causalflow.query.query import Query
from causalflow.values.column import rank

__all__ = ["Signature"]

_CELLS = 2**12
_OPERATIONS = 2**18
_BATCH_CELLS = 2**18
_BATCH_OPERATIONS = 2**24


class Signature:
    """A query and which of its free keys are given: what asking again with other values shares.

    Args:
        inference: of the model.
        query: its names and levels are known to be the model's.
        keys: the free conditions (terms of the query's counterfactual form) and free interventions
            that are given whenever it is asked.
    """

    def __init__(self, inference: Inference, query: Query, keys: tuple[Key, ...]) -> None:
        self._inference, self._query, self._keys = inference, query, keys
        self._asked = 0
        self._lookup: _Lookup | None = None
        self._refused: set[bool] = set()

    def answer(self, values: Sequence[Any]) -> Answer:
        """The answer with these values of the keys, each one value or a column."""
        if self._lookup is not None and (known := self._lookup.answer(values)) is not None:
            return known
        if self._lookup is None and self._keys and self._look_up(values):
            return self.answer(values)
        return answer(self._inference, self._query, dict(zip(self._keys, values, strict=True)))

    def _look_up(self, values: Sequence[Any]) -> bool:
        """Make the table, if it is small and will be used."""
        batch = any(rank(value) > 0 for value in values)
        self._asked += 1
        if batch in self._refused or (not batch and self._asked < 2):
            return False
        limits = (_BATCH_CELLS, _BATCH_OPERATIONS) if batch else (_CELLS, _OPERATIONS)
        self._lookup = _lookup(self._inference, self._query, self._keys, limits)
        if self._lookup is None:
            self._refused.add(batch)
        return self._lookup is not None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Lookup:
    """The table.

    Attributes:
        query: the question.
        domains: of the keys.
        values: the axes of the keys, then those of an answer.
        possible: over the keys: whether an answer has a cell whose condition is possible.
        empty: over the keys: whether it has one whose condition is not.
        axes: of an answer.
        levels: of its axes.
        notes: of an answer without and with empty cells.
    """

    query: Query
    domains: tuple[Domain, ...]
    values: Values
    possible: np.ndarray[Any, np.dtype[np.bool_]]
    empty: np.ndarray[Any, np.dtype[np.bool_]]
    axes: tuple[str, ...]
    levels: Levels
    notes: tuple[tuple[str, ...], tuple[str, ...]]

    def answer(self, values: Sequence[Any]) -> Answer | None:
        """The slice at these values; None where there is more to say: a batch, an impossible one.

        Raises:
            EvidenceError: a value is no level.
        """
        try:
            cell = tuple([d.scalar(v) for d, v in zip(self.domains, values, strict=True)])
        except TypeError:  # unhashable: an array
            return self._batch(values)
        if NEVER in cell or not self.possible[cell]:
            return None
        table = Table.of(self.axes, self.values[cell], self.levels)
        notes = self.notes[bool(self.empty[cell])]
        return Answer(query=self.query, table=table, assumptions=notes)

    def _batch(self, values: Sequence[Any]) -> Answer | None:
        """The answers of a batch, one a row."""
        pairs = list(zip(self.domains, values, strict=True))
        if not any(rank(value) for value in values):
            return None
        if not all(rank(v) == 0 or domain.is_batch(v) for domain, v in pairs):
            return None
        places = [d.positions(v) if rank(v) else np.array([d.position(v)]) for d, v in pairs]
        count = max(map(len, places))
        if any(len(p) not in (1, count) for p in places) or not count:
            return None
        if prod(self.values.shape[len(places) :]) * count > 4 * PLAN_CELLS:
            return None
        if any((p == NEVER).any() for p in places):
            return None
        code = np.ravel_multi_index(tuple(places), self.possible.shape)
        if not self.possible.reshape(-1)[code].all():
            return None
        rows = self.values.reshape(-1, *self.values.shape[len(places) :])[code]
        row = ROW if ROW not in self.axes else f"{ROW}'"
        levels = {**self.levels, row: tuple(range(count))}
        return Answer(
            query=self.query,
            table=Table.of((row, *self.axes), rows, levels),
            rows=True,
            assumptions=self.notes[bool(self.empty.reshape(-1)[code].any())],
        )


def _lookup(
    inference: Inference, query: Query, keys: tuple[Key, ...], limits: tuple[int, int]
) -> _Lookup | None:
    """The table of a question, None if it is not small."""
    question = Question.of(inference, query, {})
    kept = question.kept()
    every = [*question.asked(), *kept]
    domains = [question.domain(key) for key in every]
    if prod(len(domain.levels) for domain in domains) > limits[0]:
        return None
    outside = [d for key, d in zip(every, domains, strict=True) if key not in keys]
    if any(domain.declared.type.shape for domain in outside):
        return None  # an answer shows those of its codes that have some probability
    try:
        if question.operations() > limits[1]:
            return None
        values, empty = question.values()
        axes, levels = question.axes()
    except (EvidenceError, QueryError):
        return None
    empty = np.broadcast_to(empty, values.shape[len(every) - len(kept) :])
    values = np.moveaxis(values, [every.index(key) for key in keys], range(len(keys)))
    empty = np.moveaxis(empty, [kept.index(key) for key in keys], range(len(keys)))
    others = tuple(range(len(keys), len(kept)))
    rest = tuple(axis for axis, key in zip(axes, every, strict=True) if key not in keys)
    return _Lookup(
        query=query,
        domains=tuple(question.domain(key) for key in keys),
        values=values,
        possible=np.asarray(~empty.all(axis=others)),
        empty=np.asarray(empty.any(axis=others)),
        axes=rest,
        levels={axis: levels[axis] for axis in rest},
        notes=(question.notes(empty=False), question.notes(empty=True)),
    )
