"""Ask: what is asked of rows, and what is known of it before they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from causalflow.admg.admg import ADMG
from causalflow.graph.node import Node
from causalflow.query.combination import AnyQuery
from causalflow.symbolic.expression import Expression, Index

__all__ = ["Ask"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ask:
    """A question to rows.

    Attributes:
        query: the question.
        graph: the algebra of the graph that it is put to; None: unknown.
        estimand: the formula of the answer, if the question is identified.
        indices: the formula's index for each of the query's free variables.
        constant_in: variables that the formula mentions and does not depend on.
        nodes: what the graph declares.
        assumptions: what the identification rests on.
        refusal: why there is no formula.
    """

    query: AnyQuery
    graph: ADMG | None
    estimand: Expression | None = None
    indices: tuple[Index, ...] = ()
    constant_in: tuple[str, ...] = ()
    nodes: Mapping[str, Node] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    refusal: str = ""
