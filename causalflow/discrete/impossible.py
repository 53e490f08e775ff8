"""Impossible: the part of some evidence that has probability zero, as small as it can be made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from causalflow.discrete.inference import Inference, Key
from causalflow.query.query import Term

__all__ = ["impossible_part"]

_SEARCHED = 64


def impossible_part(
    inference: Inference,
    conditions: Sequence[Term],
    free: Sequence[str],
    cells: Mapping[Key, int],
) -> tuple[Term, ...]:
    """A condition that is impossible by itself, else conditions none of which could be left out.

    Args:
        inference: of the model.
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
