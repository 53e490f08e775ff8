"""Prepared: one question, asked again and again with other values of what is given.

    P(y | do(x), e)   with another x and e each time is one table over x, e and y

Where that table is small it is made the second time that the question is asked, and every further
answer is a slice of it. The latest answers are kept by the positions of what is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from causalflow.errors import EvidenceError, QueryError
from causalflow.exact.finite_question import FiniteQuestion, answer
from causalflow.exact.inference import Inference, Key
from causalflow.exact.policies import asked_as
from causalflow.exact.structure import NEVER, Domain
from causalflow.factors.array import Values
from causalflow.factors.rows import Levels
from causalflow.factors.table import Table
from causalflow.limits import PLAN_CELLS
from causalflow.query.answer import ROW, Answer, Judgement, combined_answer
from causalflow.query.known import Known, KnownParts
from causalflow.query.query import Query
from causalflow.values.column import rank
from causalflow.values.likelihood import has_likelihoods

__all__ = ["Prepared"]

_CELLS = 2**12
_OPERATIONS = 2**18
_BATCH_CELLS = 2**18
_BATCH_OPERATIONS = 2**24
_KEPT_CELLS = 2**10


class Prepared:
    """A question with a place for everything that is given, asked with any values of it.

    Args:
        inference: the model's inference.
        known: the question; its names and levels are known to be the model's.
        judgement: what every answer says of identification.
        notes: what every answer says besides.
        learned: whether the model's tables were fitted.
        stated: the question as it was asked, its policies no nodes yet; None: it has none.
    """

    def __init__(
        self,
        inference: Inference,
        known: Known | KnownParts,
        judgement: Judgement | None = None,
        notes: tuple[str, ...] = (),
        *,
        learned: bool = False,
        stated: Known | KnownParts | None = None,
    ) -> None:
        if isinstance(known, Known):
            self._asked: _Single | _Parts = _Single(inference, known)
        else:
            self._asked = _Parts(inference, known, stated is not None)
        self.known, self.judgement, self._stated = stated or known, judgement, stated
        self._notes, self._learned = notes, learned
        self._domains: tuple[Domain, ...] | None = None
        self._answers: dict[tuple[int, ...], Answer] = {}

    def answer(self, given: Mapping[str, Any]) -> Answer:
        """The answer with these values of what is given, each one value or a column.

        Args:
            given: the names in the order in which the question was prepared for them.
        """
        cell = self._cell(given)
        found = None if cell is None else self._answers.get(cell)
        if found is None:
            found = self._asked.answer(given)
            found = replace(
                found if self._stated is None else asked_as(self.known.query, found),
                judgement=self.judgement,
                notes=(*found.notes, *self._notes),
                learned=self._learned,
            )
            if cell is not None:
                self._keep(cell, found)
        return found

    def _cell(self, given: Mapping[str, Any]) -> tuple[int, ...] | None:
        """The position of every value; None of a batch, and where a value never occurs."""
        if self._domains is None:
            self._domains = tuple(map(self._asked.domain, given))
        try:
            cell = tuple([d.scalar(v) for d, v in zip(self._domains, given.values(), strict=True)])
        except TypeError:  # a column
            return None
        return None if NEVER in cell else cell

    def _keep(self, cell: tuple[int, ...], answer: Answer) -> None:
        if answer.table.values.size <= _KEPT_CELLS:
            if (len(self._answers) + 1) * answer.table.values.size > _KEPT_CELLS:
                self._answers.pop(next(iter(self._answers)), None)
            self._answers[cell] = answer


class _Parts:
    """A sum or ratio of questions."""

    def __init__(self, inference: Inference, known: KnownParts, has_policies: bool) -> None:
        self._query = known.query
        self._has_policies = has_policies
        self._parts = {part: _Single(inference, each) for part, each in known.parts.items()}

    def answer(self, given: Mapping[str, Any]) -> Answer:
        """The answer, by those to the parts."""
        answers = {part: each.answer(given) for part, each in self._parts.items()}
        if self._has_policies:
            answers = {part: asked_as(part, each) for part, each in answers.items()}
        return combined_answer(self._query, answers)

    def domain(self, name: str) -> Domain:
        """The values of what is given, in a part that it is given to."""
        return next(each.domain(name) for each in self._parts.values() if name in each.known.keys)


class _Single:
    """One question, and the table of all its answers once it is made."""

    def __init__(self, inference: Inference, known: Known) -> None:
        self._inference, self.known = inference, known
        self._keys = tuple(known.keys.values())
        self._asked = 0
        self._lookup: _Lookup | None = None
        self._refused: set[bool] = set()

    def domain(self, name: str) -> Domain:
        """The values of what is given."""
        return FiniteQuestion.of(self._inference, self.known.query, {}).domain(
            self.known.keys[name]
        )

    def answer(self, given: Mapping[str, Any]) -> Answer:
        """The answer, from the table if there is one."""
        bound = self.known.bound(given)
        values = tuple(bound.values())
        if any(map(has_likelihoods, values)):
            return answer(self._inference, self.known.query, bound)
        if self._lookup is None and self._keys:
            self._look_up(values)
        if self._lookup is not None and (found := self._lookup.answer(values)) is not None:
            return found
        return answer(self._inference, self.known.query, bound)

    def _look_up(self, values: Sequence[Any]) -> None:
        """Make the table, if it is small and will be used."""
        batch = any(rank(value) > 0 for value in values)
        self._asked += 1
        if batch in self._refused or (not batch and self._asked < 2):
            return
        limits = (_BATCH_CELLS, _BATCH_OPERATIONS) if batch else (_CELLS, _OPERATIONS)
        self._lookup = _lookup(self._inference, self.known.query, self._keys, limits)
        if self._lookup is None:
            self._refused.add(batch)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Lookup:
    """The table of all answers to a question, looked up by the values of what is known.

    Attributes:
        query: the question.
        domains: the finite values of each key.
        values: the axes of the keys, then those of an answer.
        possible: an array over the keys: whether an answer has a cell whose condition is possible.
        empty: an array over the keys: whether it has one whose condition is not.
        axes: the axes of an answer.
        levels: the levels of its axes.
        notes: the notes on an answer without and with empty cells.
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
        except TypeError:  # a column
            return self._batch(values)
        if NEVER in cell or not self.possible[cell]:
            return None
        table = Table.of(self.axes, self.values[cell], self.levels)
        notes = self.notes[bool(self.empty[cell])]
        return Answer(query=self.query, table=table, notes=notes)

    def _batch(self, values: Sequence[Any]) -> Answer | None:
        """The answers of a batch, one a row."""
        pairs = list(zip(self.domains, values, strict=True))
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
            notes=self.notes[bool(self.empty.reshape(-1)[code].any())],
        )


def _lookup(
    inference: Inference, query: Query, keys: tuple[Key, ...], limits: tuple[int, int]
) -> _Lookup | None:
    """The table of a question, None if it is not small."""
    question = FiniteQuestion.of(inference, query, {})
    kept = question.kept()
    every = [*question.asked(), *kept]
    domains = [question.domain(key) for key in every]
    if prod(len(domain.levels) for domain in domains) > limits[0]:
        return None
    outside = [d for key, d in zip(every, domains, strict=True) if key not in keys]
    if any(domain.declared.type.pictured for domain in outside):
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
