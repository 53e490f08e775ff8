"""Left out: whether an estimate may leave out the rows with gaps, as the graph says.

Without indicators (`causalflow.graph.indicator`) nobody has said why cells are empty, and who
leaves rows out warns. With them it is right for a formula, or it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from causalflow.admg.admg import ADMG
from causalflow.design.missingness import bias_of_complete_rows, missingness_of
from causalflow.errors import QueryError
from causalflow.graph.indicator import gaps_in, indicators_of
from causalflow.graph.node import Node
from causalflow.symbolic.expression import Expression, probability

__all__ = ["notes_of_gaps"]


def notes_of_gaps(
    what: str,
    admg: ADMG | None,
    nodes: Mapping[str, Node],
    estimand: Expression | None,
    names: Iterable[str],
    table: Mapping[str, Any],
) -> tuple[str, ...]:
    """What an estimate from the complete rows rests on, where the graph says why cells are empty.

    Args:
        what: the question, for messages.
        admg: the algebra of the graph; None: it is unknown.
        nodes: its nodes.
        estimand: the formula; None: any property of the law of the columns.
        names: the columns that have to be shown.
        table: the rows.

    Raises:
        QueryError: what is estimated from the complete rows is not the answer.
        DataError: an entry that is no value of its node.
    """
    wanted = [name for name in names if name in table]
    open_ = {n: r for n, r in indicators_of(nodes).items() if n in wanted and r not in table}
    open_ = {n: r for n, r in open_.items() if gaps_in(n, table[n], nodes).any()}
    if not open_ or admg is None:
        return ()
    values = [name for name in wanted if name in nodes]
    formula = probability(values) if estimand is None else estimand
    why = bias_of_complete_rows(admg, formula, open_.values())
    if why is None:
        shown = ", ".join(f"'{name}'" for name in open_)
        return (f"rows without {shown} are left out, which by the graph does not bias the answer",)
    found = missingness_of(admg, indicators_of(nodes), values, open_)
    remedy = (
        "fit a model, which takes the gaps into account, and ask it (cf.compile(graph), fit, ask)"
        if found.recoverable
        else f"and {found.said}"
    )
    raise QueryError(f"estimate: rows with gaps left out, {what} is biased: {why}; {remedy}")
