"""Combined: the verdict on a sum or ratio of questions, from those on its parts.

All parts identifiable: so is the whole, by the formula of their formulas. One that is not, among
others that are: two models with the same data differ in it alone, so in the whole. Several that are
not may add up to what is: unknown, but for a sum that is an expectation where events are variables
0 and 1, whose verdict holds then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from causalflow.errors import QueryError
from causalflow.identify.proof import Proof
from causalflow.identify.verdict import Verdict
from causalflow.query.combination import Combination, Part
from causalflow.query.query import Query
from causalflow.symbolic.expression import Expression, Index, Ratio, Weighted

__all__ = ["combined_verdict"]

_APART = "several questions are combined: prove each by itself"

Found = TypeVar("Found")


def combined_verdict(question: Combination, identify: Callable[[Query], Verdict]) -> Verdict:
    """The verdict on a combination.

    Args:
        question: the combination.
        identify: gives the verdict on a part, from the data that are known.

    Raises:
        QueryError: a variable is free in several worlds of one part.
    """
    verdicts = {part: identify(part) for part in question.parts}
    found = [*verdicts.values()]
    failed = [verdict for verdict in found if not verdict]
    if len(failed) > 1 and (mean := question.as_mean) is not None:
        failed = [each for each in [identify(mean)] if each.identifiable is False] or failed
    single = failed[0].identifiable if len(failed) == 1 else None
    hedges = (verdict.hedge for verdict in failed)
    return replace(
        found[0],
        query=question,
        identifiable=single if failed else True,
        estimand=None if failed else _formula(question, verdicts),
        hedge=next((hedge for hedge in hedges if hedge is not None), None),
        witness=_all(verdict.witness for verdict in failed),
        note=_note(failed),
        derivation=_all(verdict.derivation for verdict in found),
        assumptions=_all(verdict.assumptions for verdict in found),
        warnings=_all(verdict.warnings for verdict in found),
        indices=_indices(question, found),
        prove=partial(Proof, question=str(question), missing=_APART),
    )


def _note(failed: Sequence[Verdict]) -> str:
    """Why the verdict is unknown, if it is."""
    if len(failed) < 2:
        return "".join(verdict.note for verdict in failed)
    names = " and ".join(str(verdict.query) for verdict in failed[:3])
    return f"{names} are not identified each by itself; together they might be"


def _formula(question: Combination, verdicts: Mapping[Query, Verdict]) -> Expression:
    above = _weighted(question.sum, verdicts)
    if not question.divisor:
        return above
    return Ratio(above, _weighted(question.divisor, verdicts))


def _weighted(parts: Sequence[Part], verdicts: Mapping[Query, Verdict]) -> Weighted:
    terms = ((scale, verdicts[query].estimand) for scale, query in parts)
    return Weighted(tuple((scale, formula) for scale, formula in terms if formula is not None))


def _indices(question: Combination, verdicts: Sequence[Verdict]) -> tuple[Index, ...]:
    """The index of each axis, the same in every part."""
    found: dict[str, Index] = {}
    for verdict in verdicts:
        free = verdict.query.free_variables
        for axis, index in zip(free, verdict.indices or map(Index, free), strict=True):
            if found.setdefault(axis, index) != index:
                raise QueryError(f"identify: '{axis}' is free in several worlds of {question}")
    if len(set(found.values())) < len(found):
        raise QueryError(f"identify: a variable is free in several worlds of {question}")
    return tuple(found[axis] for axis in question.free_variables)


def _all(parts: Iterable[Iterable[Found]]) -> tuple[Found, ...]:
    """What the parts have, each once."""
    return tuple(dict.fromkeys(each for part in parts for each in part))
