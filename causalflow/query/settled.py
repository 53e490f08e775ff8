"""Settled: what a question's own conditions say of its outcomes.

    P(x=0, y | x=0)      = P(y | x=0): an outcome that is known is certain
    P(x=0 | x=0)         = 1
    P(x=1, y | x=0)      = 0: event and evidence contradict each other

Terms of one world are compared; what follows from others by consistency is for the engines.
"""

from __future__ import annotations

from dataclasses import replace

from causalflow.query.query import Kind, Query

__all__ = ["settled"]


def settled(query: Query) -> tuple[Query, bool | None]:
    """The question without the outcomes that are known, and whether it is certain, or impossible.

    Returns:
        The question that is left, and None; or the question as it was, and True where all its
        outcomes are known, False where one of them contradicts a condition.

    Example:
        >>> from causalflow.query.language import single_query
        >>> print(settled(single_query("P(x=0, y | x=0)"))[0])
        P(y | x=0)
        >>> settled(single_query("P(x=1, y | x=0)"))[1]
        False
    """
    if query.kind is not Kind.PROBABILITY:
        return query, None
    known = {term.free: term.value for term in query.conditions if term.value is not None}
    told = [term for term in query.outcomes if term.value is not None and term.free in known]
    if any(str(term.value) != str(known[term.free]) for term in told):
        return query, False
    left = tuple(term for term in query.outcomes if term not in told)
    return (replace(query, outcomes=left), None) if left else (query, True)
