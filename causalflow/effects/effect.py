"""Effect: answers from rows, each with a standard error, and what they rest on.

Notation: theta_j the j-th answer, psi_ij its *influence value* at row i, of mean zero, so that

    estimate of theta_j - theta_j  =  (1/n) sum_i psi_ij, but for terms that vanish faster
    covariance of the estimates    =  psi^T psi / n^2
    interval                       =  estimate -+ z * standard error, z a quantile of the normal
    uniform band                   =  estimate -+ c * standard error of every answer at once

c is the quantile of max_j |sum_i e_i psi_ij| / (n se_j) for e_i drawn from N(0, 1).

Source: Chernozhukov, Chetverikov & Kato (2013), Gaussian multipliers, for the uniform band.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from scipy.stats import norm

from causalflow.display import html_of
from causalflow.effects.complete_rows import Array
from causalflow.effects.nuisance.overlap import Overlap
from causalflow.errors import CausalflowError, DataError

__all__ = ["Cell", "Effect", "effect_of_influences"]

Cell = tuple[str | int | float, ...]
"""The levels or numbers that tell one answer from the others, one for each axis."""

_DRAWS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Effect:
    """Answers from rows, with intervals.

    Attributes:
        query: the question.
        axes: what the answers differ in; none: there is one answer.
        cells: for each answer, its place on each axis.
        values: the answers, shape (answers,); NaN where positivity fails and bounds are told.
        standard_errors: their standard errors, shape (answers,).
        low: lower ends of the intervals, shape (answers,).
        high: upper ends.
        confidence: the probability with which an interval holds the truth.
        method: how they were found.
        rows: how many rows were used.
        dropped: how many were left out, for a cell that is needed is missing.
        learners: for each function that was learned, the learner that predicted best, in words.
        overlap: how likely each treatment was for the rows, where that is divided by.
        assumptions: what the answers rest on beside the rows, one sentence each.
        warnings: what makes them doubtful.
        influence: influence values, shape (rows, answers); None where there are none.
        band: lower and upper ends of a band that holds all true answers at once.
        bounds: where positivity fails, the least and the largest answer that rows leave open.
        unit: the unit of the answers, if it is known.
        refuter: makes the report of `refute`.
    """

    query: str
    values: Array
    standard_errors: Array
    low: Array
    high: Array
    confidence: float
    method: str
    rows: int
    axes: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ((),)
    dropped: int = 0
    learners: Mapping[str, str] = field(default_factory=dict)
    overlap: Overlap | None = None
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    influence: Array | None = field(default=None, repr=False)
    band: tuple[Array, Array] | None = field(default=None, repr=False)
    bounds: tuple[Array, Array] | None = None
    unit: str | None = None
    refuter: Callable[..., Any] | None = field(default=None, repr=False)

    @property
    def kind(self) -> Literal["estimate", "interval"]:
        """Whether it is an estimate, or an interval as positivity fails."""
        return "estimate" if self.bounds is None else "interval"

    @property
    def value(self) -> float | None:
        """The answer, where there is one and the rows give it."""
        if self.axes or not np.isfinite(self.values[0]):
            return None
        return float(self.values[0])

    @property
    def standard_error(self) -> float | None:
        """The standard error of `value`."""
        return None if self.value is None else float(self.standard_errors[0])

    @property
    def interval(self) -> tuple[float, float] | tuple[Array, Array]:
        """The lower and the upper end: two numbers where there is one answer."""
        if self.axes:
            return self.low, self.high
        return float(self.low[0]), float(self.high[0])

    @property
    def covariance(self) -> Array:
        """The covariance of the answers, shape (answers, answers).

        Raises:
            CausalflowError: the method has no influence values.
        """
        if self.influence is None:
            raise CausalflowError(f"covariance: '{self.method}' gives no influence values")
        return self.influence.T @ self.influence / self.rows**2

    def to_dict(self) -> dict[Any, float]:
        """Each answer by its cell: a level, a tuple of levels, or () of a single answer."""
        keys = [cell[0] if len(cell) == 1 else cell for cell in self.cells]
        return dict(zip(keys, map(float, self.values), strict=True))

    def to_dataframe(self) -> Any:
        """A pandas frame with a row for each answer: its cell, estimate, error and interval."""
        import pandas as pd

        columns: dict[str, Any] = {
            name: [cell[i] for cell in self.cells] for i, name in enumerate(self.axes)
        }
        columns |= {"estimate": self.values, "standard_error": self.standard_errors}
        columns |= {"low": self.low, "high": self.high}
        if self.band is not None:
            columns |= {"band_low": self.band[0], "band_high": self.band[1]}
        return pd.DataFrame(columns)

    def refute(self, **options: Any) -> Any:
        """The same estimate under treatments and rows for which the answer is known.

        Raises:
            CausalflowError: the estimate was not made from rows that are still known.
        """
        if self.refuter is None:
            raise CausalflowError(f"refute: nothing is known that refutes '{self.method}'")
        return self.refuter(self, **options)

    def plot(self, axes: Any = None) -> Any:
        """The answers with their intervals: a curve with its band along a number, else points.

        Args:
            axes: matplotlib's axes to draw on; None: new ones.

        Returns:
            The axes.
        """
        from causalflow.effects.charts import plot_curve, plot_points

        label = f"{self.query}, {self.unit}" if self.unit else self.query
        ends = (self.values, self.low, self.high)
        if len(self.axes) == 1 and self._is_curve:
            along = np.array([cell[0] for cell in self.cells], dtype=np.float64)
            return plot_curve(along, *ends, self.band, self.axes[0], label, axes)
        names = [", ".join(map(str, cell)) for cell in self.cells]
        return plot_points(names, *ends, label, ", ".join(self.axes), axes)

    @property
    def _is_curve(self) -> bool:
        return self.band is not None and all(isinstance(cell[0], float) for cell in self.cells)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __str__(self) -> str:
        return "\n".join([*self._answers(), *self._notes()])

    def _answers(self) -> list[str]:
        if not self.axes:
            return [f"{self.query} = {self._shown(0)}"]
        shown = [*self.axes, "estimate", f"{self.confidence:.0%} interval"]
        return [self.query, "  ".join(shown), *map(self._line, self._places)]

    @property
    def _places(self) -> Sequence[int]:
        """The answers that are printed: at most some twenty along a curve."""
        step = max(1, (len(self.cells) - 1) // 20) if self._is_curve else 1
        return range(0, len(self.cells), step)

    def _line(self, place: int) -> str:
        cell = (
            f"{each:.4g}" if isinstance(each, float) else str(each) for each in self.cells[place]
        )
        return "  ".join([*cell, self._shown(place)])

    def _shown(self, place: int) -> str:
        unit = f" {self.unit}" if self.unit else ""
        ends = f"[{self.low[place]:.4g}, {self.high[place]:.4g}]"
        if self.bounds is not None:
            least, most = (each[place] for each in self.bounds)
            return f"{least:.4g} to {most:.4g}{unit} {ends}"
        error = f" (standard error {self.standard_errors[place]:.2g})"
        return f"{self.values[place]:.4g}{unit} {ends}{error if not self.axes else ''}"

    def _notes(self) -> list[str]:
        left_out = f" ({self.dropped:,} more are incomplete)" if self.dropped else ""
        lines = [f"{self.rows:,} rows{left_out}, {self.confidence:.0%} intervals; {self.method}"]
        lines += [f"learned: {what} by {how}" for what, how in self.learners.items()]
        lines += [] if self.overlap is None else [f"overlap: {line}" for line in self.overlap.lines]
        lines += [f"warning: {each}" for each in self.warnings]
        return [*lines, *(f"note: {each}" for each in self.assumptions)]


def effect_of_influences(
    values: Array,
    influence: Array,
    *,
    confidence: float,
    seed: int = 0,
    **told: Any,
) -> Effect:
    """Answers with intervals and a uniform band from their influence values.

    Args:
        values: shape (answers,).
        influence: shape (rows, answers).
        confidence: the share of samples whose intervals, or bands, hold the truth.
        seed: starts the band's draws.
        told: the other attributes of `Effect`.

    Raises:
        DataError: fewer than two rows, or an answer that is no number.
    """
    rows = len(influence)
    if rows < 2 or not (np.isfinite(values).all() and np.isfinite(influence).all()):
        raise DataError(f"estimate: {rows} rows give no finite answer; check for extreme values")
    errors = np.sqrt((influence**2).sum(axis=0)) / rows
    width = norm.ppf((1 + confidence) / 2) * errors
    effect = Effect(
        values=values,
        standard_errors=errors,
        low=values - width,
        high=values + width,
        confidence=confidence,
        rows=rows,
        influence=influence,
        **told,
    )
    if len(values) == 1:
        return effect
    wide = _critical(influence, errors, confidence, seed) * errors
    return replace(effect, band=(values - wide, values + wide))


def _critical(influence: Array, errors: Array, confidence: float, seed: int) -> float:
    """c of the module's notation; drawn from the covariance, of which the law is the same."""
    used = errors > 0
    if not used.any():
        return 0.0
    scaled = influence[:, used] / (len(influence) * errors[used])
    correlation = scaled.T @ scaled
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    draws = np.random.default_rng(seed).standard_normal((_DRAWS, len(root))) @ root.T
    return float(np.quantile(np.abs(draws).max(axis=1), confidence))
