"""Binding: the indices of a formula renamed apart, or set to literal values.

A sum may bind an index that is free elsewhere, or bound around it: the formula means the same, but
reads badly. `without_shadows` renames bound indices until none does.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import is_
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
    Weighted,
    Zero,
)

__all__ = ["bind", "without_shadows"]


def bind(expression: Expression, values: Mapping[str, Value]) -> Expression:
    """The formula with literals for the free unprimed indices of the variables named."""
    if not values:
        return expression
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
    """Indices replaced; if ``taken`` is given, bound indices are chosen outside of it.

    What stays as it is, is the same object.
    """
    match node:
        case Probability():
            changed = frozenset(values) & node.free
            return _rewrite_probability(node, values, changed) if changed else node
        case Sum():
            return _rewrite_sum(node, values, taken)
        case Product():
            factors = [_rewrite(factor, values, taken) for factor in node.factors]
            return node if all(map(is_, factors, node.factors)) else Product(tuple(factors))
        case Ratio():
            above, below = (_rewrite(n, values, taken) for n in (node.numerator, node.denominator))
            same = above is node.numerator and below is node.denominator
            return node if same else Ratio(above, below)
        case Linear():
            return Linear(tuple((c, _replaced(event, values)) for c, event in node.terms))
        case Weighted():
            return Weighted(tuple((c, _rewrite(term, values, taken)) for c, term in node.terms))
        case One() | Zero():
            return node


def _rewrite_sum(node: Sum, values: _Values, taken: frozenset[Index] | None) -> Sum:
    inner = {index: value for index, value in values.items() if index not in node.over}
    over = node.over if taken is None else _apart(node.over, taken)
    inner |= {index: fresh for index, fresh in zip(node.over, over, strict=True) if fresh != index}
    body = _rewrite(node.body, inner, None if taken is None else taken.union(over))
    return node if body is node.body and over == node.over else Sum(over, body)


def _apart(over: tuple[Index, ...], taken: frozenset[Index]) -> tuple[Index, ...]:
    """The indices with the fewest primes that make them differ from those taken."""
    chosen: dict[Index, None] = {}
    for index in over:
        fresh = index if not index.primes else Index(index.name)
        while fresh in taken or fresh in chosen:
            fresh = Index(fresh.name, fresh.primes + 1)
        chosen[fresh] = None
    return tuple(chosen)


def _rewrite_probability(
    node: Probability, values: _Values, changed: frozenset[Index]
) -> Probability:
    old: Mapping[object, Index | Value] = {index: values[index] for index in changed}
    outcomes, given, do = (
        tuple([e if e[1] not in old else Event(e[0], old[e[1]]) for e in side])
        for side in (node.outcomes, node.given, node.do)
    )
    new = [value for value in old.values() if isinstance(value, Index)]
    return Probability.of(outcomes, given, do, (node.free - changed).union(new))


def _replaced(event: Event, values: Mapping[Index, Index | Value]) -> Event:
    value = event.value
    if isinstance(value, Index) and value in values:
        return Event(event.name, values[value])
    return event
