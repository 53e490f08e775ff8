"""Parts: the formulas that a formula is made of, listed, and replaced by others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from causalflow.symbolic.expression import (
    Chosen,
    Expression,
    Linear,
    One,
    Probability,
    Product,
    Ratio,
    Sum,
    Weighted,
    Zero,
)

__all__ = ["probabilities", "rebuilt", "variables", "walk"]


def walk(expression: Expression) -> Iterator[Expression]:
    """Every formula within, from left to right, parts before what they make up; then itself.

    Example:
        >>> from causalflow.symbolic.expression import Index, probability
        >>> print(*walk(Sum((Index("x"),), probability("y", "x"))), sep="; ")
        P(y | x); sum_x P(y | x)
    """
    for part in _parts(expression):
        yield from walk(part)
    yield expression


def probabilities(expression: Expression) -> Iterator[Probability]:
    """The probabilities in a formula."""
    return (each for each in walk(expression) if isinstance(each, Probability))


def variables(expression: Expression) -> frozenset[str]:
    """The variables whose probabilities the formula is made of, or whose values.

    Example:
        >>> from causalflow.symbolic.expression import Index, probability
        >>> sorted(variables(Sum((Index("x"),), probability("y", "x"))))
        ['x', 'y']
    """
    found: set[str] = set()
    for each in walk(expression):
        if isinstance(each, Probability):
            found.update(event.name for event in each.events)
        elif isinstance(each, Chosen):
            found.update(event.name for event in (each.outcome, *each.given))
        elif isinstance(each, Linear):
            found.update(event.name for _, event in each.terms)
    return frozenset(found)


def rebuilt(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """The formula with each of its parts changed, nothing simplified; itself if it has none."""
    match expression:
        case Sum():
            return Sum(expression.over, change(expression.body))
        case Product():
            return Product(tuple(map(change, expression.factors)))
        case Ratio():
            return Ratio(change(expression.numerator), change(expression.denominator))
        case Weighted():
            return Weighted(tuple((c, change(term)) for c, term in expression.terms))
        case Probability() | Chosen() | Linear() | One() | Zero():
            return expression


def _parts(expression: Expression) -> tuple[Expression, ...]:
    match expression:
        case Sum():
            return (expression.body,)
        case Product():
            return expression.factors
        case Ratio():
            return (expression.numerator, expression.denominator)
        case Weighted():
            return tuple(term for _, term in expression.terms)
        case Probability() | Chosen() | Linear() | One() | Zero():
            return ()
