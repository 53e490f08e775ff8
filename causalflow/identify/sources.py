"""Sources: the data of an identification question, as the user names them.

``"observational"`` is P(v), ``"experimental"`` is every P(v | do(.)); else a list of distributions:
``["P(v)", "P(y, z | do(x))"]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from causalflow.errors import QueryError, one_of
from causalflow.graph.admg import ADMG
from causalflow.identify.source import Source, source_of
from causalflow.query.language import parse_distribution

__all__ = [
    "ANY_DOMAIN",
    "MORE_LEVELS",
    "POSITIVITY",
    "DataNames",
    "Known",
    "data_names",
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
