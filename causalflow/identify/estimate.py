"""Estimate: an identified answer from rows of data, with bootstrap intervals.

The rows' relative frequencies stand for P(v); the answer is the estimand of them. Its interval is
the range of the middle ``confidence`` of the answers of resampled rows (percentile bootstrap:
resampling rows is drawing the counts of the cells from their multinomial distribution).

Source: Efron & Tibshirani (1993), chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from causalflow.errors import DataError
from causalflow.tables.table import Table

__all__ = ["Estimate", "bootstrap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An answer with its uncertainty.

    Attributes:
        table: the answer.
        low: lower ends of the intervals.
        high: upper ends.
        confidence: the share of resampled answers within each interval.
        rows: how many rows the data have.
        warnings: cells that the estimand conditions on and that no row has.
    """

    table: Table
    low: Table
    high: Table
    confidence: float
    rows: int
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = f"{self.rows:,} rows, {self.confidence:.0%} bootstrap intervals"
        notes = [f"warning: positivity fails: {each}" for each in self.warnings]
        cells = self.table.to_dict().items()
        ends = zip(cells, self.low.values.flat, self.high.values.flat, strict=True)
        lines = [
            f"{_cell(cell)}{value:.6g} [{low:.6g}, {high:.6g}]" for (cell, value), low, high in ends
        ]
        axes = ["  ".join(self.table.axes)] if self.table.axes else []
        return "\n".join([head, *notes, *axes, *lines])


def _cell(cell: object) -> str:
    levels = cell if isinstance(cell, tuple) else (cell,)
    return "".join(f"{level}  " for level in levels)


def bootstrap(
    answer: Callable[[Table], Table],
    joint: Table,
    rows: int,
    *,
    resamples: int = 200,
    confidence: float = 0.95,
    generator: np.random.Generator,
    warnings: tuple[str, ...] = (),
) -> Estimate:
    """The answer of a joint table of relative frequencies, and its intervals.

    Raises:
        DataError: fewer than two resamples, or a confidence outside (0, 1).
    """
    if resamples < 2 or not 0 < confidence < 1:
        raise DataError(
            f"estimate: resamples={resamples}, confidence={confidence}; expected resamples of at"
            " least 2 and a confidence between 0 and 1"
        )
    table = answer(joint)
    shares = joint.to_numpy()
    counts = generator.multinomial(rows, shares.ravel() / shares.sum(), size=resamples)
    tables = [_resampled(joint, count.reshape(shares.shape) / rows) for count in counts]
    answers = np.stack([answer(each).to_numpy(table.axes) for each in tables])
    tail = (1 - confidence) / 2
    low, high = np.quantile(answers, [tail, 1 - tail], axis=0)
    return Estimate(
        table=table,
        low=Table(table.axes, low, table.levels),
        high=Table(table.axes, high, table.levels),
        confidence=confidence,
        rows=rows,
        warnings=warnings,
    )


def _resampled(joint: Table, shares: np.ndarray) -> Table:
    return Table(joint.axes, shares, joint.levels)
