"""Cell: a question with free variables is one question for each cell of their values.

    close        P(y | do(x), z=1) at y=0, x=1 is P(y[x=1]=0 | z[x=1]=1), in counterfactual form
    free_names   which variables the free ones are
    settled      what the conditions say of the outcomes, before any engine is asked:

        P(x=0, y | x=0)      = P(y | x=0): an outcome that is known is certain
        P(x=0 | x=0)         = 1
        P(x=1, y | x=0)      = 0: event and evidence contradict each other

Terms of one world are compared; what follows from others by consistency is for the engines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from causalflow.graph.node import Level
from causalflow.query.query import Intervention, Kind, Query, Term, World

__all__ = ["close", "free_names", "settled"]


def free_names(query: Query) -> tuple[str, ...]:
    """The variable of each of ``query.free_variables``."""
    return (*(term.name for term in query.free_terms), *query.free_interventions)


def close(query: Query, cell: tuple[Level | None, ...]) -> Query:
    """The question at one cell of its free variables; an expectation's outcomes stay free.

    So do the variables that the cell has None for.

    Example:
        >>> from causalflow.query.parse import parse_query
        >>> print(close(parse_query("P(y | do(x), z=1)"), (0, 1)))
        P(y[x=1]=0 | z[x=1]=1)
    """
    form = query.counterfactual_form()
    terms = len(form.free_terms)
    settings = dict(zip(form.free_interventions, cell[terms:], strict=True))
    levels = iter(cell[:terms])
    none: Iterator[Level | None] = iter(())
    averaged = form.kind is Kind.EXPECTATION
    outcomes = [_closed(t, settings, none if averaged else levels) for t in form.outcomes]
    conditions = [_closed(term, settings, levels) for term in form.conditions]
    return replace(form, outcomes=tuple(outcomes), conditions=tuple(conditions))


def _closed(
    term: Term, settings: Mapping[str, Level | None], levels: Iterator[Level | None]
) -> Term:
    value = next(levels, None) if term.value is None else term.value
    return replace(term, subscript=_set(term.subscript, settings), value=value)


def _set(world: World, settings: Mapping[str, Level | None]) -> World:
    """The world with every free intervention set."""
    return tuple(_set_one(each, settings) for each in world)


def _set_one(each: Intervention, settings: Mapping[str, Level | None]) -> Intervention:
    if each.nested is not None:
        inner = replace(each.nested, subscript=_set(each.nested.subscript, settings))
        return replace(each, value=inner)
    return replace(each, value=settings[each.variable]) if each.value is None else each


def settled(query: Query) -> tuple[Query, bool | None]:
    """The question without the outcomes that are known, and whether it is certain, or impossible.

    Returns:
        The question that is left, and None; or the question as it was, and True where all its
        outcomes are known, False where one of them contradicts a condition.

    Example:
        >>> from causalflow.query.parse import single_query
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
