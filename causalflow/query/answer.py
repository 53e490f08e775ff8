"""Answer: what a causal question comes to, with how it was found and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Protocol

import numpy as np

from causalflow.display import html_of
from causalflow.errors import EvidenceError
from causalflow.factors.table import Number, Table
from causalflow.query.combination import AnyQuery, Combination, Part
from causalflow.query.query import Kind, Query

__all__ = ["ROW", "Answer", "Interval", "Judgement", "combined_answer"]

ROW = "row"
"""The axis of an answer that has one row for each row of the evidence."""


class Judgement(Protocol):
    """What identification says of a question, made when it is first read."""

    @property
    def verdict(self) -> object | None:
        """The verdict from P(v); None where the question is not one that identification decides."""

    @property
    def open(self) -> str:
        """What an answer by fitted mechanisms rests on, if their data may not tell it; else ""."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What an answer rests on by that verdict, one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interval:
    """Between which ends an answer lies, with a probability.

    Attributes:
        low: the lower ends, a table like that of the answer.
        high: the upper ends.
        share: the probability.
    """

    low: Table
    high: Table
    share: float

    @property
    def ends(self) -> tuple[float, float] | None:
        """The two numbers, where the answer is one."""
        if self.low.axes:
            return None
        return float(self.low.values), float(self.high.values)

    def __str__(self) -> str:
        kind = f"{100 * self.share:g} % interval"
        if self.ends is not None:
            return "{}: {:.6g} to {:.6g}".format(kind, *self.ends)
        return f"{kind}, from\n{self.low}\nto\n{self.high}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """The answer to a query.

    Attributes:
        query: the question.
        table: probabilities or expectations over the query's free variables, in the order of
            ``query.free_variables``; a batch of evidence adds the axis `ROW` in front.
        rows: whether it is a batch.
        error: the simulation error: the largest standard error of the draws alone, 0 where the
            answer is exact. What a fitted mechanism gets wrong is not in it.
        route: "exact", "identified" or "simulated".
        notes: what the engine that found it says of it, one sentence each.
        learned: whether it rests on mechanisms that were fitted.
        impossible: the rows of a batch whose evidence has probability zero; their answer is NaN.
        judgement: what identification says, where it was asked.
        interval: how far the rows leave it open, where that was asked.
    """

    query: AnyQuery
    table: Table
    rows: bool = False
    error: float = 0.0
    route: str = "exact"
    notes: tuple[str, ...] = ()
    learned: bool = False
    impossible: tuple[int, ...] = ()
    judgement: Judgement | None = field(default=None, repr=False)
    interval: Interval | None = None

    @property
    def verdict(self) -> object | None:
        """The verdict of identification, where it was asked."""
        return None if self.judgement is None else self.judgement.verdict

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the answer rests on beside the graph, one sentence each."""
        return self.notes if self.judgement is None else (*self.notes, *self.judgement.notes)

    @property
    def of_probabilities(self) -> bool:
        """Whether its numbers are probabilities, and no means, differences or ratios."""
        return isinstance(self.query, Query) and self.query.kind is Kind.PROBABILITY

    @property
    def value(self) -> Number | np.ndarray[Any, np.dtype[Any]] | None:
        """The number, where the query leaves no variable free; in a batch, one for each row."""
        if len(self.table.axes) > self.rows:
            return None
        values = self.table.values
        return values if self.rows else values.item()

    @property
    def error_text(self) -> str:
        """The error in words, and what is not in it; empty where the answer is exact."""
        if not self.error:
            return ""
        fit = "; error of fit not included" if self.learned else ""
        return f"simulation error at most {self.error:.2g} (standard error of the draws{fit})"

    def _repr_html_(self) -> str:
        return html_of(self)

    def __str__(self) -> str:
        value = self.value
        if value is None or self.rows:
            shown = f"{self.query}\n{self.table}"
        else:
            shown = f"{self.query} = {value if self.table.is_exact else format(value, '.6g')}"
        if self.error:
            shown += f"\n{self.error_text}"
        if self.interval is not None:
            shown += f"\n{self.interval}"
        return "\n".join([shown, *(f"note: {each}" for each in self.assumptions)])


def combined_answer(question: Combination, answers: Mapping[Query, Answer]) -> Answer:
    """The answer to a sum or ratio of questions, from those to its parts.

    The error of a sum is at most the sum of the parts' errors, each times its coefficient; that of
    a ratio n / d, to first order, (error of n + |n / d| error of d) / |d|.

    Raises:
        EvidenceError: the divisor is 0.
    """
    table, error = _sum(question.sum, answers)
    if question.divisor:
        table, error = _ratio(question, (table, error), _sum(question.divisor, answers))
    first = answers[question.parts[0]]
    rows = [axis for each in answers.values() if each.rows for axis in each.table.axes[:1]]
    order = dict.fromkeys((*rows, *question.free_variables))
    return Answer(
        query=question,
        table=table.transpose(axis for axis in order if axis in table.axes),
        rows=bool(rows),
        error=error,
        route=first.route,
        learned=any(each.learned for each in answers.values()),
        impossible=tuple(sorted(set().union(*(each.impossible for each in answers.values())))),
        notes=tuple(dict.fromkeys(note for each in answers.values() for note in each.notes)),
    )


def _sum(parts: Sequence[Part], answers: Mapping[Query, Answer]) -> tuple[Table, float]:
    tables = (Table.constant(scale).product(answers[query].table) for scale, query in parts)
    error = sum(abs(float(scale)) * answers[query].error for scale, query in parts)
    return reduce(Table.add, tables), error


def _ratio(
    question: Combination, above: tuple[Table, float], below: tuple[Table, float]
) -> tuple[Table, float]:
    (top, top_error), (bottom, bottom_error) = above, below
    if not bottom.values.all():
        raise EvidenceError(f"the ratio {question} has no value: what it is divided by is 0")
    table = top.divide(bottom)
    sizes = np.nan_to_num(np.abs(table.to_numpy()))
    least = float(np.nanmin(np.abs(bottom.to_numpy())))
    return table, (top_error + float(sizes.max(initial=0.0)) * bottom_error) / least
