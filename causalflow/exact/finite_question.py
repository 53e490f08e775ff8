"""Finite question: a causal question, and what is known, become a table of probabilities.

    P(y | z)      = P(y, z) / P(z), both from one network of parallel worlds
    E[f(y) | z]   = sum_y f(y) P(y | z), for each term of the combination by itself

Conditions may be given as values in the query, left free (an axis of the answer), or bound to
evidence: a value, or a column with one value a row. Equal rows are computed once. What is told of a
variable short of a value (`causalflow.exact.told`) weighs its axis, which is then summed out:

    P(y | told) = sum_v l(v) P(y, v) / sum_v l(v) P(v)

Of an image the answer shows the codes that have some probability. In an expectation a level counts
as its own number, or as its position where levels have names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from causalflow.errors import CausalflowError, EvidenceError, QueryError
from causalflow.exact.impossible import impossible_note, impossible_text
from causalflow.exact.inference import Inference, Key, Positions
from causalflow.exact.structure import Domain
from causalflow.exact.told import Told, told, weighed
from causalflow.factors.array import (
    Scaled,
    Values,
    common,
    distinct_rows,
    quotients,
    same_kind,
    summable,
)
from causalflow.factors.table import Table
from causalflow.graph.node import Level
from causalflow.limits import PLAN_CELLS
from causalflow.query.answer import ROW, Answer
from causalflow.query.known import read_given
from causalflow.query.means import counting_notes
from causalflow.query.query import Kind, Query, Term
from causalflow.values.finite import finite_of
from causalflow.values.likelihood import has_likelihoods, told_to_be_set, virtual_notes

__all__ = ["FiniteQuestion", "answer"]

Levels = dict[str, tuple[Level, ...]]


def answer(inference: Inference, query: Query, bound: Mapping[Key, Any]) -> Answer:
    """The exact answer.

    Args:
        inference: the model's inference.
        query: its names and levels are known to be the model's.
        bound: values or columns for free conditions (terms of the query's counterfactual form) and
            free interventions (names).

    Raises:
        EvidenceError: the evidence has probability zero, or is no value of its variable; of a batch
            the rows whose evidence has are answered by NaN, and named.
        CausalflowError: the question is too wide.
    """
    question = FiniteQuestion.of(inference, query, bound)
    values, empty = question.values()
    notes = question.notes(empty=question.leaves_cells(empty))
    return Answer(
        query=query,
        table=question.table(values),
        rows=question.inverse is not None,
        notes=notes,
        impossible=question.impossible_rows(),
    )


@dataclass(kw_only=True, eq=False)
class FiniteQuestion:
    """A query with its evidence in positions.

    Attributes:
        conditions: terms without values.
        known: the position of every key that is given, but for the outcomes; arrays hold one
            position for each distinct row.
        inverse: the distinct row that each row of the batch is; of an inference from drawn tables
            its rows are the draws.
        choices: the nodes whose noise enters by a choice that the answer depends on.
        domains: those that were asked for.
        impossible: the distinct rows whose evidence has probability zero.
        told: conditions that are known short of a value.
        events: outcomes that are asked about so.
    """

    inference: Inference
    query: Query
    form: Query
    free: tuple[str, ...]
    conditions: tuple[Term, ...]
    known: dict[Key, Positions]
    inverse: np.ndarray[Any, np.dtype[np.int64]] | None = None
    choices: dict[str, str] = field(default_factory=dict)
    domains: dict[Key, Domain] = field(default_factory=dict)
    impossible: set[int] = field(default_factory=set)
    told: dict[Key, Told] = field(default_factory=dict)
    events: dict[Key, Told] = field(default_factory=dict)

    @classmethod
    def of(cls, inference: Inference, query: Query, bound: Mapping[Key, Any]) -> FiniteQuestion:
        """The question with some of its free keys bound to values or columns."""
        form, free = query.counterfactual_form(), query.free_interventions
        conditions = tuple(term.free for term in form.conditions)
        question = cls(
            inference=inference, query=query, form=form, free=free, conditions=conditions, known={}
        )
        found, rows = read_given(form, bound, question._read)
        question.told = {key: each for key, each in found.items() if isinstance(each, Told)}
        question.known = {k: each for k, each in found.items() if not isinstance(each, Told)}
        question.events = {
            t.free: told(question.domain(t.free), t.value)[0] for t in form.outcomes if t.is_told
        }
        if inference.draws is not None:
            question.inverse = np.arange(inference.draws)
        elif rows is not None:
            question._gather()
        return question

    def _gather(self) -> None:
        """Keep the distinct rows of the batch alone."""
        columns = {key: p for key, p in self.known.items() if isinstance(p, np.ndarray)}
        indices = {k: t.index for k, t in self.told.items() if isinstance(t.index, np.ndarray)}
        distinct, self.inverse = distinct_rows([*columns.values(), *indices.values()])
        self.known |= dict(zip(columns, distinct, strict=False))
        for key, index in zip(indices, distinct[len(columns) :], strict=True):
            self.told[key] = replace(self.told[key], index=index)

    @property
    def _distinct(self) -> int:
        """How many distinct rows there are."""
        assert self.inverse is not None
        return int(self.inverse.max()) + 1

    def _read(self, key: Key, value: Any) -> tuple[Positions | Told, int | None]:
        """Where a value stands, or what is told short of one; of a column the rows too.

        Raises:
            EvidenceError: what is set is no value.
        """
        domain = self.domain(key)
        if has_likelihoods(value):
            if isinstance(key, str):
                raise told_to_be_set(key, value)
            return told(domain, value)
        if not domain.is_batch(value):
            return domain.position(value), None
        column = domain.positions(value)
        return column, len(column)

    def domain(self, key: Key) -> Domain:
        """The values of a term or a free intervention."""
        if key not in self.domains:
            terms = (*(term.free for term in self.form.outcomes), *self.conditions)
            self.domains[key] = self.inference.domain(terms, self.free, key)
        return self.domains[key]

    def _parts(self) -> Sequence[int | None]:
        """None for a probability; the terms of an expectation."""
        if self.query.kind is Kind.PROBABILITY:
            return [None]
        return range(len(self.form.outcomes))

    def values(self) -> tuple[Values, np.ndarray[Any, np.dtype[np.bool_]]]:
        """The answer's cells by distinct row, and where over `kept` the condition is impossible."""
        found = [self._distribution(part) for part in self._parts()]
        first, *others = same_kind([values for values, _ in found])
        empty = np.logical_or.reduce([each for _, each in found])
        return sum(others, start=first), empty

    def operations(self) -> int:
        """The multiplications of an answer to one row.

        Raises:
            CausalflowError: too wide.
        """
        total = 0
        for terms, asked, at in map(self._terms, self._parts()):
            every, keep = self._every(terms), [*asked, *self.kept(), *self._summed(asked, at)]
            plan = self.inference.plan(every, self.free, keep, [*self.known, *at])
            total += plan.operations
            total += self.inference.couplings(every, self.free, {**self.known, **at})
        return total

    def _terms(self, part: int | None) -> tuple[list[Term], list[Term], dict[Key, int]]:
        """The outcomes of a part: all, those that are free, and the positions of the others.

        Outcomes that are known are left to `_where_told`.
        """
        outcomes = self.form.outcomes if part is None else (self.form.outcomes[part],)
        outcomes = tuple(term for term in outcomes if term.free not in self.known)
        terms = [term.free for term in outcomes]
        at: dict[Key, int] = {
            term.free: self.domain(term.free).position(term.value)
            for term in outcomes
            if term.value is not None and not term.is_told
        }
        return terms, [t for t in terms if t not in at and t not in self.events], at

    def _every(self, terms: Sequence[Term]) -> tuple[Term, ...]:
        """The terms and the conditions, each once."""
        return tuple(dict.fromkeys((*terms, *self.conditions)))

    def _summed(self, asked: Sequence[Key], at: Mapping[Key, int]) -> list[Key]:
        """The axes of what is told that no answer has."""
        every = dict.fromkeys((*self.told, *self.events))
        return [k for k in every if k not in asked and k not in at and k not in self.known]

    def _distribution(self, part: int | None) -> tuple[Values, np.ndarray[Any, np.dtype[np.bool_]]]:
        """P(outcomes | conditions), or a part of an expectation; and where it has none."""
        values, empty = self._conditional(*self._terms(part))
        if part is None:
            return _where_known(values, self._agrees()), empty
        weights = _level_numbers(self.domain(self.form.outcomes[part].free))
        axis = int(self.inverse is not None)
        scale = self.query.coefficients[part]
        exact = values.dtype == object
        numbers = [w * scale if exact else float(w * scale) for w in weights]
        column = np.array(numbers, dtype=object if exact else np.float64)
        return np.asarray((np.moveaxis(values, axis, -1) * column).sum(axis=-1)), empty

    def _agrees(self) -> list[Any]:
        """Of each outcome that is known, whether it is what is asked about, one or one a row."""
        found: list[Any] = []
        for term in self.form.outcomes:
            place = self.known.get(term.free)
            if place is None:
                continue
            if term.free in self.events:
                found.append(self.events[term.free].table[0].astype(bool)[place])
            else:
                found.append(place == self.domain(term.free).position(term.value))
        return found

    def asked(self) -> list[Key]:
        """The outcomes that are axes of the answer."""
        asked = self.form.outcomes if self.query.kind is Kind.PROBABILITY else ()
        return [term for term in asked if term.value is None]

    def kept(self) -> list[Key]:
        """The conditions and interventions that are."""
        keys: list[Key] = [*self.conditions, *self.free]
        return [key for key in keys if key not in self.known and key not in self.told]

    def _conditional(
        self, terms: Sequence[Term], asked: Sequence[Term], at: Mapping[Key, int]
    ) -> tuple[Values, np.ndarray[Any, np.dtype[np.bool_]]]:
        """P(terms | conditions) over the asked and the free keys, some rows at a time."""
        self.choices |= self.inference.choices((*terms, *self.conditions), self.free)
        if self.inverse is None or self.inference.draws is not None:
            return self._divided(*self._ratio_parts(terms, asked, at, slice(None)), len(asked), 0)
        count = self._distinct
        every, keep = self._every(terms), [*asked, *self.kept(), *self._summed(asked, at)]
        cells = prod(len(self.domain(key).levels) for key in keep)
        if len(self.inverse) * cells > 4 * PLAN_CELLS:
            raise CausalflowError(
                f"too wide: {len(self.inverse):,} rows with {cells:,} cells each; at most"
                f" {4 * PLAN_CELLS:,} cells are made: ask about fewer rows or variables at once"
            )
        step = self.inference.rows_at_once(every, self.free, keep, {**self.known, **at})
        parts = [
            self._divided(
                *self._ratio_parts(terms, asked, at, slice(start, start + step)), len(asked), start
            )
            for start in range(0, count, step)
        ]
        values = np.concatenate(same_kind([each for each, _ in parts]))
        return values, np.concatenate([empty for _, empty in parts])

    def _ratio_parts(
        self, terms: Sequence[Term], asked: Sequence[Term], at: Mapping[Key, int], rows: slice
    ) -> tuple[Values, Values]:
        known = {k: p[rows] if isinstance(p, np.ndarray) else p for k, p in self.known.items()}
        kept, cells = self.kept(), {**known, **at}
        joint = self._weighed(self._every(terms), [*asked, *kept], cells, rows, self.events)
        axes = tuple(range(len(asked)) if self.inverse is None else range(1, len(asked) + 1))
        if not self.conditions:
            numbers = joint.to_array()
            return numbers, np.ones([1] * (numbers.ndim - len(asked)), dtype=numbers.dtype)
        if not at and not self.events:
            values = summable(joint)
            return values, np.asarray(values.sum(axis=axes))
        whole = self._weighed(self.conditions, kept, known, rows, {})
        return common(joint, whole)

    def _weighed(
        self,
        terms: Sequence[Term],
        keep: Sequence[Key],
        cells: Mapping[Key, Positions],
        rows: slice,
        events: Mapping[Key, Told],
    ) -> Scaled:
        """P(terms, what is told and these events) over ``keep``, in some of the distinct rows."""
        if not self.told and not events:
            return self.inference.joint(terms, self.free, keep, cells)
        said = {key: each.at(rows).weights for key, each in self.told.items()}
        for key, each in events.items():
            said[key] = said[key] * each.weights if key in said else each.weights
        said = {key: weights for key, weights in said.items() if key in terms}
        summed = [k for k in said if k not in keep and k not in cells]
        joint = self.inference.joint(terms, self.free, (*keep, *summed), cells)
        return weighed(joint, (*keep, *summed), said, summed, cells, self.inverse is not None)

    def _divided(
        self, joint: Values, whole: Values, asked: int, start: int
    ) -> tuple[Values, np.ndarray[Any, np.dtype[np.bool_]]]:
        """joint / whole with 0 / 0 = 0, and where whole is 0; ``start`` is the first distinct row.

        In a batch, a row whose evidence has probability zero is NaN.

        Raises:
            EvidenceError: the evidence has probability zero, and is no batch.
        """
        first = int(self.inverse is not None)
        empty = np.asarray(whole == 0, dtype=np.bool_)
        possible = ~empty.reshape(len(whole) if first else 1, -1).all(axis=1)
        if not first and not possible.all():
            raise EvidenceError(self._impossible(0))
        places = [slice(None)] * first + [None] * asked + [slice(None)] * (whole.ndim - first)
        below = np.asarray(whole[tuple(places)])
        below = np.asarray(below + (below == 0))
        if joint.dtype == np.float64 and below.dtype == np.float64:
            values = np.asarray(joint / below)
        else:
            values = quotients(*np.broadcast_arrays(joint, below))
        if not possible.all():
            values[~possible] = np.nan
            self.impossible.update((start + np.flatnonzero(~possible)).tolist())
        return values, empty

    def leaves_cells(self, empty: np.ndarray[Any, np.dtype[np.bool_]]) -> bool:
        """Whether a cell of a possible row has a condition that is impossible."""
        left = np.delete(empty, sorted(self.impossible), axis=0) if self.impossible else empty
        return bool(left.any())

    def impossible_rows(self) -> tuple[int, ...]:
        """The rows of the batch whose evidence has probability zero."""
        if self.inverse is None or not self.impossible:
            return ()
        return tuple(np.flatnonzero(np.isin(self.inverse, [*self.impossible])).tolist())

    def _impossible(self, distinct: int) -> str:
        """Which part of the evidence is impossible."""
        if self.told and (text := self._told_impossible(distinct)):
            return text
        cells: dict[Key, int] = {
            key: int(p[distinct]) if isinstance(p, np.ndarray) else p
            for key, p in self.known.items()
        }
        return impossible_text(self.inference, self.form, self.free, cells, self.domain)

    def _told_impossible(self, distinct: int) -> str:
        """The message, where what is told is a part of what is impossible; else ""."""
        rows = slice(distinct, distinct + 1)
        known = {k: p[rows] if isinstance(p, np.ndarray) else p for k, p in self.known.items()}
        rest = tuple(term for term in self.conditions if term not in self.told)
        keep = [key for key in self.kept() if key in rest or key in self.free]
        if rest and not self.inference.joint(rest, self.free, keep, known).values.any():
            return ""
        said = []
        for term in self.conditions:
            if term in self.told:
                said.append(f"{term} {self.told[term].said(distinct)}")
            elif term in known:
                place = int(np.atleast_1d(known[term])[0])
                said.append(f"{term}={self.domain(term).levels[place]}")
            else:
                said.append(str(term))
        return f"the evidence has probability zero: P({', '.join(said)}) = 0"

    def notes(self, *, empty: bool) -> tuple[str, ...]:
        """What the answer rests on: choices of noise, levels as numbers, impossible cells."""
        found = [self._chosen(name, choice) for name, choice in self.choices.items()]
        found += virtual_notes(str(key) for key, each in self.told.items() if each.is_virtual)
        if self.query.kind is not Kind.PROBABILITY:
            levels = {t.name: self.domain(t.free).levels for t in self.form.outcomes}
            found += counting_notes(self.query, levels)
        if self.inverse is not None and (rows := self.impossible_rows()):
            found.append(impossible_note(rows, self._impossible(int(self.inverse[rows[0]]))))
        if empty:
            found.append("cells whose condition has probability zero are shown as 0")
        return tuple(found)

    def _chosen(self, name: str, choice: str) -> str:
        """That the answer depends on how a node's noise enters."""
        assumed = self.inference.structure.assumed.get(name)
        if assumed is not None:
            return f"the counterfactual of '{name}' assumes {assumed}, which no data can test"
        return (
            f"a counterfactual of '{name}' depends on the choice 'noise: {choice}' in the graph,"
            " which no data determine"
        )

    def axes(self) -> tuple[tuple[str, ...], dict[str, tuple[Level, ...]]]:
        """The axes of an answer, and their levels."""
        names = _key_names(self.query, self.form)
        keys = [*self.asked(), *self.kept()]
        levels = {names[key]: self.domain(key).levels for key in keys}
        return tuple(levels), levels

    def table(self, values: Values) -> Table:
        """The answer's table; of an image's codes only those that have some probability."""
        _, levels = self.axes()
        keys = [*self.asked(), *self.kept()]
        coded = [self.domain(key).declared.type.pictured for key in keys]
        values, levels = _seen_only(values, levels, coded)
        return _with_rows(values, levels, self.inverse)


def _key_names(query: Query, form: Query) -> dict[Key, str]:
    """The axis of each free key of a query's counterfactual form."""
    asked = form.outcomes if query.kind is Kind.PROBABILITY else ()
    keys: list[Key] = [term for term in (*asked, *form.conditions) if term.value is None]
    return dict(zip([*keys, *query.free_interventions], query.free_variables, strict=True))


def _where_known(values: Values, agrees: Sequence[Any]) -> Values:
    """The values, 0 where what is asked is known to be something else; the rows' axis first."""
    if not agrees:
        return values
    agree = np.logical_and.reduce(np.broadcast_arrays(*agrees))
    by_row = np.reshape(agree, [-1] + [1] * (values.ndim - 1)) if np.ndim(agree) else agree
    return np.asarray(values * np.asarray(by_row, dtype=np.int64), dtype=values.dtype)


def _seen_only(values: Values, levels: Levels, coded: Sequence[bool]) -> tuple[Values, Levels]:
    """The values at those codes of images that have some probability.

    Args:
        values: the axes of ``levels`` last.
        levels: the levels of each axis.
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


def _with_rows(
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


def _level_numbers(domain: Domain) -> list[Fraction]:
    """The number that each level counts as: its own, or its position where levels have names.

    Raises:
        QueryError: the variable is an image.
    """
    levels = finite_of(domain.declared.type)
    if levels is None:
        raise QueryError(f"query: the expectation of the image '{domain.name}'; ask P(...)")
    numbers = dict(zip(levels.levels, levels.numbers, strict=True))
    return [numbers[level] for level in domain.levels]
