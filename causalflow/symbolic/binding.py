"""Binding: the indices of a formula renamed apart, or set to literal values.

A sum may bind an index that is free elsewhere, or bound around it: the formula means the same, but
reads badly. `without_shadows` renames bound indices until none does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from causalflow.query.query import Value
from causalflow.symbolic.expression import (
    Event,
    Expression,
    Index,
    Linear,
    One,
    Probability,
    Product,
    Ratio,
    Sum,
    Zero,
)

__all__ = ["bind", "without_shadows"]


def bind(expression: Expression, values: Mapping[str, Value]) -> Expression:
    """The formula with literals for the free unprimed indices of the variables named."""
    return _rewrite(expression, {Index(name): value for name, value in values.items()}, None)


def without_shadows(expression: Expression) -> Expression:
    """The same formula; no sum binds an index that is free in it or bound around it.

    Example:
        >>> from causalflow.symbolic.expression import probability
        >>> inner = Sum((Index("x"),), probability("x"))
        >>> without_shadows(Product((probability("x"), inner))).factors[1].over
        (Index(name='x', primes=1),)
    """
    return _rewrite(expression, {}, expression.free)


_Values: TypeAlias = Mapping[Index, Index | Value]


def _rewrite(node: Expression, values: _Values, taken: frozenset[Index] | None) -> Expression:
    """Indices replaced; if ``taken`` is given, bound indices are chosen outside of it."""
    match node:
        case Probability():
            if values.keys().isdisjoint(node.free):
                return node
            sides = (node.outcomes, node.given, node.do)
            return Probability.of(*(tuple([_replaced(e, values) for e in s]) for s in sides))
        case Sum():
            return _rewrite_sum(node, values, taken)
        case Product():
            return Product(tuple(_rewrite(f, values, taken) for f in node.factors))
        case Ratio():
            parts = (node.numerator, node.denominator)
            return Ratio(*(_rewrite(part, values, taken) for part in parts))
        case Linear():
            return Linear(tuple((c, _replaced(event, values)) for c, event in node.terms))
        case One() | Zero():
            return node


def _rewrite_sum(node: Sum, values: _Values, taken: frozenset[Index] | None) -> Sum:
    inner = {index: value for index, value in values.items() if index not in node.over}
    if taken is None:
        return Sum(node.over, _rewrite(node.body, inner, None))
    over = []
    for index in node.over:
        fresh = Index(index.name)
        while fresh in taken:
            fresh = Index(fresh.name, fresh.primes + 1)
        taken |= {fresh}
        over.append(fresh)
        if fresh != index:
            inner[index] = fresh
    return Sum(tuple(over), _rewrite(node.body, inner, taken))


def _replaced(event: Event, values: _Values) -> Event:
    value = event.value
    if not isinstance(value, Index) or value not in values:
        return event
    return Event(event.name, values[value])
