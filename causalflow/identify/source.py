"""Source: one distribution that is known, P(observed | do(treatments), conditions)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from causalflow.errors import QueryError
from causalflow.query.query import Query

__all__ = ["Source", "source_of"]

Names = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A distribution that is known: P(observed | do(treatments), conditions)."""

    observed: Names
    treatments: Names = frozenset()
    conditions: Names = frozenset()

    @property
    def variables(self) -> Names:
        """What it is about."""
        return self.observed | self.treatments | self.conditions

    def covers(self, nodes: Names) -> bool:
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
        raise QueryError(f"data: {query} names {unknown}, which the graph does not have")
    return Source(observed=observed, treatments=do, conditions=seen)
