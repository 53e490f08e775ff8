"""Distributions: the data of an identification question, as the user names them.

``"observational"`` is P(v), ``"experimental"`` is every P(v | do(.)); else a list of distributions:
``["P(v)", "P(y, z | do(x))"]``.

Each is a `Source`: P(observed | do(treatments), conditions).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from causalflow.admg.admg import ADMG, Nodes
from causalflow.errors import QueryError, one_of
from causalflow.query.parse import parse_distribution
from causalflow.query.query import Query

__all__ = [
    "ANY_DOMAIN",
    "MORE_LEVELS",
    "POSITIVITY",
    "DataNames",
    "Experiments",
    "Source",
    "data_names",
    "source_of",
    "sources_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A distribution that is known: P(observed | do(treatments), conditions)."""

    observed: Nodes
    treatments: Nodes = frozenset()
    conditions: Nodes = frozenset()

    @property
    def variables(self) -> Nodes:
        """The variables that the distribution is about."""
        return self.observed | self.treatments | self.conditions

    def covers(self, nodes: Nodes) -> bool:
        """Whether it is the joint distribution of all nodes that it does not set."""
        return self.variables == nodes and not self.conditions


def source_of(query: Query, nodes: Iterable[str]) -> Source:
    """The source that a parsed distribution names; ``P(v | ...)`` is all of ``nodes``.

    Raises:
        QueryError: it sets a value, or names what the graph does not have.
    """
    known = frozenset(nodes)
    do = frozenset(each.variable for each in query.do)
    values = [each.value for each in query.do] + [each.value for each in query.conditions]
    if any(value is not None for value in values):
        raise QueryError(
            f"data: {query}; expected P(variables) or P(variables | do(variables)), without values"
        )
    observed, seen = (
        frozenset(t.name for t in side) for side in (query.outcomes, query.conditions)
    )
    if observed == {"v"} and "v" not in known:
        observed = known - do - seen
    if unknown := sorted((observed | seen | do) - known):
        names = ", ".join(f"'{name}'" for name in unknown)
        raise QueryError(f"data: {query} names {names}, which the graph does not have")
    return Source(observed=observed, treatments=do, conditions=seen)


DataNames: TypeAlias = str | Sequence[str]
Experiments: TypeAlias = Sequence[frozenset[str]] | None
"""The treatments of each distribution P(v | do(.)) that is known; None: all."""

POSITIVITY = "P(v) is positive wherever the estimand conditions on it"
ANY_DOMAIN = "the verdict holds for variables with any number of levels"
MORE_LEVELS = (
    "the verdict is that for variables with any number of levels; with two, bounds may be a point"
)


def sources_of(admg: ADMG, data: DataNames) -> tuple[Source, ...] | None:
    """The distributions that are known; None: all experiments.

    Raises:
        QueryError: a distribution that cannot be read or does not fit the graph.
    """
    if data == "experimental":
        return None
    if data == "observational":
        return (Source(observed=frozenset(admg.nodes)),)
    if not isinstance(data, str | list | tuple) or not all(isinstance(t, str) for t in data):
        raise QueryError(f"data={data!r}; expected texts, such as ['P(v)', 'P(y | do(x))']")
    texts = (data,) if isinstance(data, str) else tuple(data)
    if not texts:
        raise QueryError("data: no distribution is named; expected such as ['P(v)']")
    if isinstance(data, str) and not data.lstrip().startswith("P"):
        allowed = one_of(data, ["observational", "experimental", "P(v)"])
        raise QueryError(f"data: unknown regime '{data}'; {allowed}")
    return tuple(source_of(parse_distribution(text), admg.nodes) for text in texts)


def data_names(data: DataNames) -> tuple[str, ...]:
    """The distributions as text."""
    match data:
        case "observational":
            return ("P(v)",)
        case "experimental":
            return ("every P(v | do(.))",)
        case str():
            return (data,)
        case _:
            return tuple(data)
