"""Answer: what a causal question comes to, with how it was found and how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from causalflow.factors.table import Number, Table
from causalflow.query.combination import AnyQuery

__all__ = ["ROW", "Answer"]

ROW = "row"
"""The axis of an answer that has one row for each row of the evidence."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """The answer to a query.

    Attributes:
        query: the question.
        table: probabilities or expectations over the query's free variables, in the order of
            ``query.free_variables``; a batch of evidence adds the axis `ROW` in front.
        rows: whether it is a batch.
        error: the simulation error: the largest standard error of the draws alone, 0 where the
            answer is exact. What a fitted mechanism gets wrong is not in it.
        route: "exact", "identified" or "simulated".
        assumptions: what the answer rests on beside the graph, one sentence each.
        learned: whether it rests on mechanisms that were fitted.
        verdict: of identification, where it was asked.
        impossible: the rows of a batch whose evidence has probability zero; their answer is NaN.
    """

    query: AnyQuery
    table: Table
    rows: bool = False
    error: float = 0.0
    route: str = "exact"
    assumptions: tuple[str, ...] = ()
    learned: bool = False
    verdict: object | None = None
    impossible: tuple[int, ...] = ()

    @property
    def value(self) -> Number | np.ndarray[Any, np.dtype[Any]] | None:
        """The number, where the query leaves no variable free; in a batch, one for each row."""
        if len(self.table.axes) > self.rows:
            return None
        values = self.table.values
        return values if self.rows else values.item()

    @property
    def error_text(self) -> str:
        """The error in words, and what is not in it; empty where the answer is exact."""
        if not self.error:
            return ""
        fit = "; error of fit not included" if self.learned else ""
        return f"simulation error at most {self.error:.2g} (standard error of the draws{fit})"

    def __str__(self) -> str:
        value = self.value
        if value is None or self.rows:
            shown = f"{self.query}\n{self.table}"
        else:
            shown = f"{self.query} = {value if self.table.is_exact else format(value, '.6g')}"
        if self.error:
            shown += f"\n{self.error_text}"
        return "\n".join([shown, *(f"note: {each}" for each in self.assumptions)])
