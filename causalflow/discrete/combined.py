"""Combined: the answer to a sum or ratio of questions, from those to its parts.

The error of a sum is at most the sum of the parts' errors, each times its coefficient; that of a
ratio n / d, to first order, (error of n + |n / d| error of d) / |d|.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from causalflow.discrete.answer import Answer
from causalflow.errors import EvidenceError
from causalflow.query.combination import Combination, Part
from causalflow.query.known import bindable
from causalflow.query.query import Query
from causalflow.tables.table import Table

__all__ = ["combined_answer"]


def combined_answer(
    question: Combination,
    ask: Callable[[Query, Mapping[str, Any]], Answer],
    known: Mapping[str, Any],
) -> Answer:
    """The answer to a combination.

    What is known goes to the parts that leave it free; to all of them, as a condition, if none does
    (`causalflow.query.known`).

    Args:
        question: the combination.
        ask: answers a part, given what it leaves free.
        known: conditions and free interventions -> a value, or one a row.

    Raises:
        QueryError: a name that the graph does not have, or that a part cannot be conditioned on.
        EvidenceError: the divisor is 0.
    """
    free = {part: frozenset(bindable(part)) for part in question.parts}
    somewhere = frozenset().union(*free.values())
    answers = {
        part: ask(part, {n: v for n, v in known.items() if n in names or n not in somewhere})
        for part, names in free.items()
    }
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
        assumptions=tuple(dict.fromkeys(a for each in answers.values() for a in each.assumptions)),
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
