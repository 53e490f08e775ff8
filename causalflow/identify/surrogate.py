"""Surrogate: effects from several distributions, observed and experimental.

Data are distributions P(o | do(z)), each with its own observed set O and treatments Z. Where every
distribution observes all that it does not set, this is gID. Others are used on the graph's latent
projection onto the variables that they have, so an answer found is right, but a "no" is final only
for complete distributions.

Source: Lee, Correa & Bareinboim (2019), gID; Verma & Pearl (1990) for the projection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from causalflow.errors import QueryError
from causalflow.graph.admg import ADMG
from causalflow.identify.id import Effect, identify_effect
from causalflow.limits import SOURCES
from causalflow.query.query import Query

__all__ = ["Source", "identify_from", "source_of"]


Names = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A distribution that is known: P(observed | do(treatments))."""

    observed: Names
    treatments: Names = frozenset()

    @property
    def variables(self) -> Names:
        """What it is about."""
        return self.observed | self.treatments


def source_of(query: Query, nodes: Iterable[str]) -> Source:
    """The source that a parsed distribution names; ``P(v | ...)`` is all of ``nodes``.

    Raises:
        QueryError: it is conditional, sets a value, or names what the graph does not have.
    """
    known = frozenset(nodes)
    do = frozenset(each.variable for each in query.do)
    if query.conditions or any(each.value is not None for each in query.do):
        raise QueryError(
            f"data: {query}; expected P(variables) or P(variables | do(variables)), without values"
        )
    observed = frozenset(term.name for term in query.outcomes)
    if observed == {"v"} and "v" not in known:
        observed = known - do
    if unknown := sorted((observed | do) - known):
        raise QueryError(f"data: {query} names {unknown}, which the graph does not have")
    return Source(observed=observed, treatments=do)


def identify_from(
    admg: ADMG, outcomes: Names, treatments: Names, conditions: Names, sources: Sequence[Source]
) -> Effect:
    """The effect from the sources; the failure on the largest set of variables if there is none.

    Raises:
        QueryError: no source is about the query's variables, or there are too many sources.
    """
    if len(sources) > SOURCES:
        raise QueryError(f"data: {len(sources)} distributions; at most {SOURCES} are read")
    asked = outcomes | treatments | conditions
    failure: Effect | None = None
    for variables in _vocabularies(asked, sources):
        usable = [s.treatments for s in sources if variables <= s.variables]
        usable = [each for each in dict.fromkeys(usable) if each <= variables]
        if usable:
            projected = admg.latent_projection(frozenset(admg.nodes) - variables)
            found = identify_effect(projected, outcomes, treatments, conditions, usable)
            if found.estimand is not None:
                return found
            failure = failure or found
    return failure or Effect(estimand=None)


def _vocabularies(asked: Names, sources: Sequence[Source]) -> Iterator[Names]:
    """Sets of variables that some sources share and that hold the query's, largest first."""
    found = {
        frozenset.intersection(*(source.variables for source in group))
        for count in range(1, len(sources) + 1)
        for group in combinations(sources, count)
    }
    usable = [variables for variables in found if asked <= variables]
    yield from sorted(usable, key=lambda names: (-len(names), sorted(names)))
