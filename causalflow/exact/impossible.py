"""Impossible: the part of some evidence that has probability zero, as small as it can be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from causalflow.errors import EvidenceError
from causalflow.exact.inference import Inference, Key
from causalflow.exact.structure import Domain
from causalflow.query.query import Query, Term

__all__ = ["impossible_note", "impossible_part", "impossible_text", "require_possible"]

_SEARCHED = 64


def impossible_part(
    inference: Inference,
    conditions: Sequence[Term],
    free: Sequence[str],
    cells: Mapping[Key, int],
) -> tuple[Term, ...]:
    """A condition that is impossible by itself, else conditions none of which could be left out.

    Args:
        inference: the model's inference.
        conditions: together of probability zero; those not in ``cells`` are free.
        free: the variables that are set to any value.
        cells: the positions of conditions and set variables.
    """

    def impossible(terms: Sequence[Term]) -> bool:
        at = {key: place for key, place in cells.items() if key in terms or key in free}
        every: list[Key] = [*terms, *free]
        keep = [key for key in every if key not in at]
        return not inference.joint(terms, free, keep, at).values.any()

    given = [term for term in conditions if term in cells]
    for term in given:
        if impossible([term]):
            return (term,)
    for term in given[:_SEARCHED]:
        fewer = [each for each in given if each is not term]
        if fewer and impossible(fewer):
            given = fewer
    return tuple(given)


def impossible_text(
    inference: Inference,
    form: Query,
    free: Sequence[str],
    cells: Mapping[Key, int],
    domain: Callable[[Key], Domain],
) -> str:
    """The message that a part of a question's evidence is impossible.

    Args:
        inference: the model's inference.
        form: the question in counterfactual form; its conditions together have probability zero.
        free: the variables that are set to any value.
        cells: the positions of conditions and set variables; those without one are free.
        domain: gives the finite values of a key.
    """

    def shown(term: Term) -> str:
        if term not in cells:
            return str(term)
        place = cells[term]
        return f"{term}={domain(term).levels[place] if place >= 0 else _written(form, term)}"

    conditions = tuple(term.free for term in form.conditions)
    part = impossible_part(inference, conditions, free, cells)
    return f"the evidence has probability zero: P({', '.join(map(shown, part))}) = 0"


def _written(form: Query, term: Term) -> object:
    """The value that a question gives to a term and that it never takes."""
    values = [each.value for each in form.conditions if each.free == term]
    return values[0] if values and values[0] is not None else "a value it never takes"


def impossible_note(rows: Sequence[int], why: str) -> str:
    """What an answer says of the rows whose evidence is impossible, the first of them named."""
    so = f", and that of {len(rows) - 1:,} more" if len(rows) > 1 else ""
    return f"row {rows[0]} is impossible ({why}): its answer is NaN{so}"


def require_possible(
    inference: Inference, rows: Mapping[Term, np.ndarray[Any, np.dtype[np.int64]]]
) -> None:
    """Refuse evidence of the actual world with a row of probability zero.

    Args:
        inference: the model's inference.
        rows: term -> its position in each row.

    Raises:
        EvidenceError: naming the first such row and what is impossible in it.
    """
    if not rows:
        return
    terms = tuple(rows)
    count = len(rows[terms[0]])
    every: dict[Key, Any] = dict(rows.items())
    step = inference.rows_at_once(terms, (), (), every)
    for start in range(0, count, step):
        part: dict[Key, Any] = {term: p[start : start + step] for term, p in rows.items()}
        values = inference.joint(terms, (), (), part).values
        if not values.all():
            row = start + int(np.argmin(values != 0))
            cells: dict[Key, int] = {term: int(p[row]) for term, p in rows.items()}
            bad = impossible_part(inference, terms, (), cells)
            shown = ", ".join(f"{term}={_level(inference, term, cells[term])}" for term in bad)
            raise EvidenceError(
                f"{f'row {row}: ' if count > 1 else ''}the evidence has probability zero:"
                f" P({shown}) = 0"
            )


def _level(inference: Inference, term: Term, place: int) -> object:
    levels = inference.structure.domain(term.name).levels
    return levels[place] if place >= 0 else "a value it never takes"
