"""Known: a question with a place for what is known besides its text, whatever the values.

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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from causalflow.errors import EvidenceError, QueryError, one_of
from causalflow.query.combination import AnyQuery, Combination
from causalflow.query.parse import parse_query, single_query
from causalflow.query.query import Query, Term, Value
from causalflow.values.column import rank
from causalflow.values.dataframe import Tabular, columns_of
from causalflow.values.likelihood import Levels, Span, has_likelihoods
from causalflow.values.variable import UNTYPED

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph

__all__ = [
    "Asked",
    "Evidence",
    "Key",
    "Known",
    "KnownParts",
    "asked",
    "bindable",
    "columns",
    "known_once",
    "known_question",
    "read_given",
    "remembered",
    "with_known",
]

Evidence: TypeAlias = Tabular
Asked: TypeAlias = tuple[str | AnyQuery, tuple[str, ...]]
"""A question, and the names of what is known: all that asking again with other values shares."""

_REMEMBERED = 256

Found = TypeVar("Found")


def columns(evidence: Evidence | None) -> dict[str, Any]:
    """What is known, by name."""
    table = {} if evidence is None else columns_of(evidence, "ask", EvidenceError)
    return {str(name): column for name, column in table.items()}


def asked(query: str | AnyQuery, given: Mapping[str, Any]) -> Asked:
    """The key under which a question is remembered."""
    known = isinstance(query, str | Query | Combination)
    return query if known else str(query), tuple(given)


def known_once(rows: Mapping[str, Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """What is known, of two places.

    Raises:
        EvidenceError: a variable is in both.
    """
    if twice := sorted(rows.keys() & keywords.keys()):
        raise EvidenceError(f"evidence: '{twice[0]}' is given twice, in rows and as a keyword")
    return {**rows, **keywords}


def remembered(kept: dict[Asked, Found], key: Asked, make: Callable[[Asked], Found]) -> Found:
    """What ``make`` gives for a question, made once; the latest 256 are kept."""
    found = kept.get(key)
    if found is None:
        found = make(key)
        if len(kept) >= _REMEMBERED:
            kept.pop(next(iter(kept)), None)
        kept[key] = found
    return found


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
    stated: Mapping[str, Value | Levels | Span]

    def own(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What is known of this question, among what is known of several."""
        return {name: given[name] for name in self.keys}

    def bound(self, given: Mapping[str, Any]) -> dict[Key, Any]:
        """What each key is given.

        Raises:
            EvidenceError: a value differs from the one that the text states.
        """
        for name, value in self.stated.items():
            self._check(name, value, given[name])
        return {key: given[name] for name, key in self.keys.items()}

    def _check(self, name: str, stated: Value | Levels | Span, given: Any) -> None:
        declared = {**self.graph.nodes, **self.graph.exogenous}[name]
        if isinstance(stated, Levels | Span) or has_likelihoods(given):
            same = isinstance(given, Levels | Span) and given == stated
        elif declared.type is UNTYPED or not declared.type.scalar:
            same = rank(given) == 0 and given == stated
        else:
            read = declared.type.read(given, where=f"node '{name}'")
            same = bool((read == declared.type.read(stated)).all())
        if not same:
            first = stated if isinstance(stated, Levels | Span) else repr(stated)
            second = given if isinstance(given, Levels | Span) else repr(given)
            second = second if len(str(second)) < 40 else "another value"
            raise EvidenceError(
                f"evidence: '{name}' is {first} in the query and {second} besides; give it once"
            )


def read_given(
    form: Query,
    bound: Mapping[Key, Any],
    read: Callable[[Key, Any], tuple[Found, int | None]],
) -> tuple[dict[Key, Found], int | None]:
    """What is known of every key, by the text or besides it, and the rows of the batch.

    Args:
        form: the query in counterfactual form.
        bound: what each key is given besides the text.
        read: what an engine computes with in place of a value; of a column its rows too.

    Raises:
        EvidenceError: a value that ``read`` refuses; columns of unequal length, or without rows.
    """
    found: dict[Key, Found] = {}
    lengths: dict[str, int] = {}
    given: dict[Key, Any] = {t.free: t.value for t in form.conditions if t.value is not None}
    for key, value in (given | dict(bound)).items():
        found[key], rows = read(key, value)
        if rows is not None:
            lengths[str(key)] = rows
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise EvidenceError(f"evidence: columns of unequal length, or without rows: {lengths}")
    return found, next(iter(lengths.values()), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownParts:
    """A sum or ratio of questions, each with a place for what is known of it.

    Attributes:
        query: the sum or ratio.
        parts: its parts, each by the question that it is without what is known.
    """

    query: Combination
    parts: Mapping[Query, Known]


def known_question(query: str | AnyQuery, names: Sequence[str], graph: Graph) -> Known | KnownParts:
    """The question with a place for every name.

    Of a sum or ratio, what is known goes to the parts that leave it free; to all of them, as a
    condition, if none does.

    Raises:
        QueryError: it cannot be read, names what the graph does not have, or cannot be conditioned
            on a name.
    """
    question = parse_query(str(query), graph)
    if not isinstance(question, Combination):
        return with_known(question, names, graph)
    free = {part: bindable(part) for part in question.parts}
    somewhere = frozenset().union(*free.values())
    parts = {}
    for part, own in free.items():
        known = [name for name in names if name in own or name not in somewhere]
        parts[part] = with_known(part, known, graph)
    return KnownParts(query=question, parts=parts)


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
    stated: dict[str, Value | Levels | Span] = {}
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
