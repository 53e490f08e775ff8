"""Asked: a formula for P(outcomes | ...) as the query asks for it: at its values, or averaged."""

from __future__ import annotations

from causalflow.errors import QueryError
from causalflow.query.query import Kind, Query, Term, Value
from causalflow.symbolic.binding import bind, without_shadows
from causalflow.symbolic.expression import Event, Expression, Index, Linear, Product, Sum
from causalflow.symbolic.simplify import factors_of, product_of, sum_of

__all__ = ["answered", "written"]


def answered(query: Query, formula: Expression) -> Expression:
    """The formula with the query's values, averaged if an expectation is asked, in normal form.

    Raises:
        QueryError: the expectation of an event.
    """
    if query.kind is Kind.EXPECTATION:
        formula = sum_of(_outcomes(query), product_of([_numbers(query), formula]))
    return without_shadows(bind(formula, _values(query)))


def written(query: Query, formula: Expression) -> Expression:
    """The same, left as it is but for the sum of the expectation."""
    if query.kind is Kind.EXPECTATION:
        formula = Sum(_outcomes(query), Product((_numbers(query), *factors_of(formula))))
    return without_shadows(bind(formula, _values(query)))


def _outcomes(query: Query) -> tuple[Index, ...]:
    return tuple(Index(term.name) for term in query.outcomes)


def _numbers(query: Query) -> Linear:
    if valued := [term for term in query.outcomes if term.value is not None]:
        raise QueryError(f"identify: '{valued[0]}' is an event; ask for its probability")
    terms = zip(query.coefficients, query.outcomes, strict=True)
    return Linear(tuple((c, Event(term.name, Index(term.name))) for c, term in terms))


def _values(query: Query) -> dict[str, Value]:
    """The literal values that the query gives to variables of its one world."""
    values = {t.name: t.value for t in query.terms if t.value is not None}
    for each in query.do:
        if each.value is not None and not isinstance(each.value, Term):
            values[each.variable] = each.value
    return values
