"""Judgement: the verdict on a question that a model answers.

It says whether data alone would tell the answer, or whether it rests on the model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from causalflow.errors import QueryError
from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify
from causalflow.identify.verdict import Verdict
from causalflow.query.combination import AnyQuery, Combination
from causalflow.query.query import Query

__all__ = ["Judgement", "attempt", "left_open"]


@lru_cache(maxsize=256)
def attempt(graph: Graph, query: str | AnyQuery) -> Verdict | None:
    """The verdict from P(v); None for questions about exogenous variables and the like."""
    try:
        return identify(graph, query.spread if isinstance(query, Query | Combination) else query)
    except QueryError:
        return None


def left_open(verdict: Verdict | None) -> str:
    """What an answer by fitted mechanisms rests on, where their data may not tell it; else ""."""
    identifiable = None if verdict is None else verdict.identifiable
    if identifiable:
        return ""
    if identifiable is None:
        return (
            "whether P(v), the data the model was fitted to, tell this is not known: the answer "
            "may rest on the model"
        )
    return (
        "not identifiable from P(v), the data the model was fitted to: another model that fits "
        "them as well may answer otherwise"
    )


@dataclass(frozen=True, eq=False)
class Judgement:
    """The verdict from P(v), made when it is first read.

    Attributes:
        graph: the declaration of the model.
        query: the question.
        fitted: whether the answer rests on mechanisms that were fitted.
    """

    graph: Graph
    query: AnyQuery
    fitted: bool = field(default=False, kw_only=True)

    @cached_property
    def verdict(self) -> Verdict | None:
        """None for questions about exogenous variables and the like."""
        return attempt(self.graph, self.query)

    @property
    def open(self) -> str:
        """What the answer rests on, if the data of the fit may not tell it; else ""."""
        return left_open(self.verdict) if self.fitted else ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Where positivity fails by the graph's own equations, and what is left open."""
        warned = self.verdict.warnings if self.verdict else ()
        return (*warned, self.open) if self.open else warned
