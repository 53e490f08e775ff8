"""Symbols: the literal or the index that stands for the value of each term of a query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeAlias, cast

from causalflow.query.query import Query, Term, Value
from causalflow.symbolic.expression import Index

__all__ = ["Symbol", "axes_of", "indices_taken", "symbols_of"]

Symbol: TypeAlias = Index | Value


def symbols_of(query: Query) -> dict[Term, Symbol]:
    """The symbol of each term's value: a literal, or an index of its own."""
    used = Counter(query.free_interventions)
    symbols: dict[Term, Symbol] = {}
    for term in query.terms:
        if term.value is not None:
            symbols[term] = term.value
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
