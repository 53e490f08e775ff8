"""Substitute: the indices of a formula renamed apart, or set to the values that a query names.

A sum may bind an index that is free elsewhere, or bound around it: the formula means the same, but
reads badly. `without_shadows` renames bound indices until none does; `bind` puts literals for free
ones. A query's term stands for its *symbol*, the literal or the index of its value (`symbols_of`);
`answered` gives a formula for P(outcomes | ...) as the query asks for it: at its values, or
averaged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from operator import is_
from typing import TypeAlias, cast

from causalflow.errors import QueryError
from causalflow.query.policy import Policy
from causalflow.query.query import Kind, Query, Term, Value
from causalflow.symbolic.expression import (
    Chosen,
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
from causalflow.symbolic.parts import rebuilt, walk
from causalflow.symbolic.simplify import factors_of, product_of, sum_of

__all__ = [
    "Symbol",
    "answered",
    "axes_of",
    "bind",
    "indices_taken",
    "renamed_apart",
    "symbols_of",
    "without_shadows",
    "written",
]


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


def renamed_apart(expression: Expression) -> Expression:
    """The same formula; every index is bound by one sum at most, and by none where it is free.

    Example:
        >>> from causalflow.symbolic.expression import probability
        >>> one = Sum((Index("x"),), Product((probability("y", "x"), probability("x"))))
        >>> [str(each.over[0]) for each in renamed_apart(Product((one, one))).factors]
        ['x', "x'"]
    """
    met = set(expression.free)
    known = {index for each in walk(expression) for index in _all_indices(each)}

    def visited(node: Expression) -> Expression:
        if not isinstance(node, Sum):
            return rebuilt(node, visited)
        fresh = {index: _fresh(index, met | known) for index in node.over if index in met}
        over = tuple(fresh.get(index, index) for index in node.over)
        met.update(over)
        return Sum(over, visited(_rewrite(node.body, fresh, None)))

    return visited(expression)


def _all_indices(node: Expression) -> frozenset[Index]:
    return node.free | frozenset(node.over) if isinstance(node, Sum) else node.free


def _fresh(index: Index, taken: Set[Index]) -> Index:
    """The index with the fewest primes more that make it differ from those taken."""
    while index in taken:
        index = Index(index.name, index.primes + 1)
    return index


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
        case Chosen():
            given = tuple(_replaced(event, values) for event in node.given)
            return Chosen(node.policy, _replaced(node.outcome, values), given)
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


Symbol: TypeAlias = Index | Value


def symbols_of(query: Query) -> dict[Term, Symbol]:
    """The symbol of each term's value: a literal, or an index of its own."""
    used = Counter(query.free_interventions)
    symbols: dict[Term, Symbol] = {}
    for term in query.terms:
        if (level := term.level) is not None:
            symbols[term] = level
        else:
            symbols[term] = Index(term.name, used[term.name])
            used[term.name] += 1
    return symbols


def axes_of(query: Query) -> tuple[Index, ...]:
    """The index of each axis of the answer."""
    symbols = symbols_of(query)
    own = (symbols[term] for term in query.free_terms)
    return (*cast("Iterator[Index]", own), *map(Index, query.free_interventions))


def indices_taken(symbols: Mapping[Term, Symbol]) -> Counter[str]:
    """How many indices of each variable are in use, the interventions' own among them."""
    used = Counter({name: 1 for term in symbols for each in term.walk() for name in _free_in(each)})
    for symbol in symbols.values():
        if isinstance(symbol, Index):
            used[symbol.name] = max(used[symbol.name], symbol.primes + 1)
    return used


def _free_in(term: Term) -> Iterator[str]:
    return (each.variable for each in term.subscript if each.value is None)


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
    values = {t.name: level for t in query.terms if (level := t.level) is not None}
    for each in query.do:
        if each.value is not None and not isinstance(each.value, Term | Policy):
            values[each.variable] = each.value
    return values
