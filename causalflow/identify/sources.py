"""Sources: the data of an identification question, as the user names them.

``"observational"`` is P(v), ``"experimental"`` is every P(v | do(.)); else a list of distributions:
``["P(v)", "P(y, z | do(x))"]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TypeAlias

from causalflow.errors import QueryError, one_of
from causalflow.graph.admg import ADMG
from causalflow.identify.source import Source, source_of
from causalflow.identify.surrogate import check_count, enlarged, named_part
from causalflow.query.language import parse_distribution

__all__ = [
    "ANY_DOMAIN",
    "MORE_LEVELS",
    "POSITIVITY",
    "DataNames",
    "Known",
    "data_names",
    "readings",
    "sources_of",
]

DataNames: TypeAlias = str | Sequence[str]
Known: TypeAlias = Sequence[frozenset[str]] | None

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


def readings(
    admg: ADMG, asked: frozenset[str], sources: Sequence[Source] | None
) -> Iterator[tuple[ADMG, Known, Sequence[Source]]]:
    """The graphs on which a question may be answered, each with what is known on it.

    That is the experiments on all of the graph's variables (None: every one), or other sources.
    Where the sources are partial or conditional, first come sets of variables that some of them
    share, the largest first; then all that are named.

    Raises:
        QueryError: too many sources.
    """
    if sources is None:
        yield admg, None, ()
        return
    check_count(sources)
    part = named_part(admg, asked, sources)
    nodes = frozenset(part.nodes)
    if not all(source.covers(nodes) for source in sources):
        joint = [each for each in sources if not each.conditions]
        groups = (g for size in range(1, len(joint) + 1) for g in combinations(joint, size))
        shared = {frozenset.intersection(*(each.variables for each in group)) for group in groups}
        for names in sorted((s for s in shared if asked <= s), key=lambda s: (-len(s), sorted(s))):
            known = [s.treatments for s in joint if names <= s.variables and s.treatments <= names]
            if known:
                hidden = frozenset(admg.nodes) - names
                yield admg.latent_projection(hidden), [*dict.fromkeys(known)], ()
        yield part, (), sources
    else:
        yield part, enlarged(sources), ()
