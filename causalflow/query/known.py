"""Known: what is known besides a query's text becomes part of the query.

    asked            known     the same as
    P(y)             x=1       P(y | x=1): a condition
    P(y | x)         x=1       P(y | x=1)
    P(y | x=1)       x=1       P(y | x=1); any other value is refused
    P(y | do(x))     x=1       P(y | do(x=1)): a free intervention first
    P(y[x=0])        x=1       P(y[x=0] | x=1)
    P(y | do(z=0))   x=1       P(y | do(z=0), x=1)

What the text could not say is refused alike: a condition on an outcome, or on what ``do`` sets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from causalflow.errors import EvidenceError, QueryError, one_of
from causalflow.graph.schema import Image, Symbol
from causalflow.query.language import single_query
from causalflow.query.query import Query, Term, Value
from causalflow.values.entries import rank

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph

__all__ = ["Key", "Known", "bindable", "with_known"]

Key: TypeAlias = Term | str
"""A condition of a query in counterfactual form, without value; or a free intervention's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A query that has a place for everything that is known.

    Attributes:
        graph: the declaration.
        query: what is known is free in it.
        keys: name -> what it is in the query's counterfactual form.
        stated: the names that the text gives a value too.
    """

    graph: Graph
    query: Query
    keys: Mapping[str, Key]
    stated: Mapping[str, Value]

    def bound(self, given: Mapping[str, Any]) -> dict[Key, Any]:
        """What each key is given.

        Raises:
            EvidenceError: a value differs from the one that the text states.
        """
        for name, value in self.stated.items():
            self._check(name, value, given[name])
        return {self.keys[name]: value for name, value in given.items()}

    def _check(self, name: str, stated: Value, given: Any) -> None:
        declared = {**self.graph.nodes, **self.graph.exogenous}[name]
        if isinstance(declared, Image | Symbol):
            same = rank(given) == 0 and given == stated
        else:
            read = declared.type.read(given, where=f"node '{name}'")
            same = bool((read == declared.type.read(stated)).all())
        if not same:
            shown = repr(given) if len(repr(given)) < 40 else "another value"
            raise EvidenceError(
                f"evidence: '{name}' is {stated!r} in the query and {shown} besides; give it once"
            )


def with_known(query: Query, names: Sequence[str], graph: Graph) -> Known:
    """The query with a place for every name.

    Raises:
        QueryError: a name that the graph does not have, or that the query cannot be conditioned on.

    Example:
        >>> from causalflow.graph.graph import Graph
        >>> graph = Graph(edges=["x -> y"])
        >>> print(with_known(single_query("P(y)", graph), ["x"], graph).query)
        P(y | x)
    """
    stated: dict[str, Value] = {}
    for name in names:
        if name in bindable(query):
            continue
        if name not in graph.nodes and name not in graph.exogenous:
            allowed = one_of(name, [*graph.nodes, *graph.exogenous])
            raise QueryError(f"query: '{name}' is known, but no variable of the graph; {allowed}")
        term = Term(name=name)
        values = [each.value for each in query.conditions if each.free == term]
        others = tuple(each for each in query.conditions if each.free != term)
        if values and values[0] is not None:
            stated[name] = values[0]
        query = single_query(str(replace(query, conditions=(*others, term))), graph)
    keys = bindable(query)
    return Known(graph=graph, query=query, keys={n: keys[n] for n in names}, stated=stated)


def bindable(query: Query) -> dict[str, Key]:
    """The name of each free condition and intervention -> what it is in counterfactual form."""
    form = query.counterfactual_form()
    count = len(query.free_variables)
    keys: list[Key] = [term for term in form.conditions if term.value is None]
    keys += query.free_interventions
    return dict(zip(query.free_variables[count - len(keys) :], keys, strict=True))
