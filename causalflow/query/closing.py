"""Closing: a question with free variables as one question for each of their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from causalflow.graph.schema import Level
from causalflow.query.query import Intervention, Kind, Query, Term, World

__all__ = ["close", "free_names"]


def free_names(query: Query) -> tuple[str, ...]:
    """The variable of each of ``query.free_variables``."""
    return (*(term.name for term in query.free_terms), *query.free_interventions)


def close(query: Query, cell: tuple[Level | None, ...]) -> Query:
    """The question at one cell of its free variables; an expectation's outcomes stay free.

    So do the variables that the cell has None for.

    Example:
        >>> from causalflow.query.language import parse_query
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
