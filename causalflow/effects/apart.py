"""Apart: by how many units of a treatment the worlds of an answer differ."""

from __future__ import annotations

import numpy as np

from causalflow.effects.complete_rows import Array, Column
from causalflow.effects.question import Question
from causalflow.values.finite import finite

__all__ = ["units_apart"]

_NONE = 1e-9


def units_apart(question: Question, column: Column, treatment: str) -> Array | None:
    """The treatment's value in worlds that are added less that in those subtracted.

    Args:
        question: a question about one treatment.
        column: the treatment's.
        treatment: its name.

    Returns:
        Shape (answers,); None where an answer is no difference between worlds that set it.
    """
    worlds = [moment.outcomes[0].subscript for moment in question.moments]
    if question.divisors is not None or not all(len(world) == 1 for world in worlds):
        return None
    if np.abs(question.sums.sum(axis=1)).max() > _NONE:
        return None
    values = [_number(column, world[0].value, treatment) for world in worlds]
    return np.asarray(question.sums @ np.array(values))


def _number(column: Column, value: object, name: str) -> float:
    """The number that a value of a column counts as."""
    if column.is_finite:
        return float(finite(column.levels).numbers[column.place(value, name)])
    return float(value)  # type: ignore[arg-type]
