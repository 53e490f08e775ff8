"""Attempt: the verdict on a question, where it is one that identification decides."""

from __future__ import annotations

from functools import lru_cache

from causalflow.errors import QueryError
from causalflow.graph.graph import Graph
from causalflow.identify.identify import identify
from causalflow.identify.verdict import Verdict
from causalflow.query.combination import AnyQuery

__all__ = ["attempt"]


@lru_cache(maxsize=256)
def attempt(graph: Graph, query: str | AnyQuery) -> Verdict | None:
    """The verdict from P(v); None for questions about exogenous variables and the like."""
    try:
        return identify(graph, query)
    except QueryError:
        return None
