"""Bootstrap: any identified formula's answers from rows, their error by drawing rows anew.

The formula is computed by regressions (`causalflow.effects.estimators.formula`) on splines of
numbers; all of it again from rows drawn with replacement, and the quantiles of these answers are
the interval.

Source: Efron & Tibshirani (1993), chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from causalflow.effects.ask import Ask
from causalflow.effects.complete_rows import Array, Rows
from causalflow.effects.effect import Effect
from causalflow.effects.estimator import INDEPENDENT, Plan, Problem
from causalflow.effects.estimators.formula import Formula
from causalflow.effects.nuisance.learners import Smooth
from causalflow.errors import DataError
from causalflow.symbolic.expression import Expression
from causalflow.symbolic.parts import probabilities, variables
from causalflow.symbolic.substitute import renamed_apart

__all__ = ["Resampled", "plan_formula"]

_RESAMPLES = 200
_PENALTY = 1e-3
_FEW = 8
_RARE = 0.05


def plan_formula(ask: Ask, known: frozenset[str]) -> Plan | None:
    """The plan of putting rows into the formula, where it is one of P(v)."""
    if ask.estimand is None or any(each.do for each in probabilities(ask.estimand)):
        return None
    return Resampled(formula=ask.estimand) if variables(ask.estimand) <= known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """Putting rows into a formula."""

    formula: Expression

    @property
    def variables(self) -> frozenset[str]:
        """What the formula is made of."""
        return variables(self.formula)

    def estimate(self, problem: Problem) -> Effect:
        """The answers.

        Raises:
            QueryError: the formula is no nested mean.
            DataError: no row has what it conditions on.
        """
        settings = problem.settings
        values = self._answers(problem, problem.rows)
        found, lacking = self._redrawn(problem)
        drawn = np.stack(found)
        tail = (1 - settings.confidence) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
        return Effect(
            query=str(problem.ask.query),
            values=values,
            standard_errors=drawn.std(axis=0, ddof=1),
            low=low,
            high=high,
            confidence=settings.confidence,
            method=f"the formula by regressions, {len(drawn)} bootstrap samples",
            rows=len(problem.rows),
            axes=problem.question.axes,
            cells=problem.question.cells,
            dropped=problem.rows.dropped,
            learners={"every mean": "splines and products of numbers, strata of levels"},
            assumptions=(*problem.ask.assumptions, INDEPENDENT),
            warnings=_lacking(lacking, len(drawn)),
        )

    def _redrawn(self, problem: Problem) -> tuple[list[Array], int]:
        """The answers of rows drawn anew, and how many draws lacked a stratum and were not used."""
        random, found = np.random.default_rng(problem.settings.seed), []
        count = min(problem.settings.resamples, _RESAMPLES)
        for draws in range(1, 4 * count + 1):
            chosen = random.integers(len(problem.rows), size=len(problem.rows))
            try:
                found.append(self._answers(problem, problem.rows.taken(chosen)))
            except DataError:
                continue
            if len(found) == count:
                return found, draws - count
        raise DataError("estimate: too few rows of some combination of levels; merge levels")

    def _answers(self, problem: Problem, rows: Rows) -> Array:
        """The formula at each cell."""
        ask, expression = problem.ask, renamed_apart(self.formula)
        free = {
            index: _usual(problem.rows, index.name)
            for index in expression.free
            if str(index) in ask.constant_in
        }
        found = []
        for cell in problem.question.cells:
            fixed = {
                index: _value(rows, index.name, each)
                for index, each in zip(ask.indices, cell, strict=True)
                if index in expression.free
            }
            found.append(Formula(rows, _smooth, {**free, **fixed}).value(expression))
        return np.array(found)


def _lacking(lacking: int, count: int) -> tuple[str, ...]:
    """A warning where draws that were left out are too many to leave the interval what it is."""
    share = lacking / (lacking + count)
    if share <= _RARE:
        return ()
    return (
        f"{share:.0%} of the bootstrap samples lacked some combination of levels and were left out:"
        " the interval may be too narrow; merge levels",
    )


def _value(rows: Rows, name: str, value: object) -> float:
    """A value as a formula's index has it."""
    column = rows[name]
    return float(column.place(value, name)) if column.is_finite else float(value)  # type: ignore[arg-type]


def _usual(rows: Rows, name: str) -> float:
    """The likeliest level of a variable, or its middle."""
    column = rows[name]
    if column.places is None:
        return float(np.median(column.numbers))
    return float(np.bincount(column.places).argmax())


def _smooth(features: Array, target: Array) -> Callable[[Array], Array]:
    """The mean on splines of features and products of each two, hardly shrunk."""
    if not features.shape[1] or len(target) < _FEW:
        centre = float(target.mean())
        return lambda wanted: np.full(len(wanted), centre)
    basis = Smooth().fit(features)
    along = basis.transform(features)
    middle, scale = along.mean(axis=0), along.std(axis=0)
    scale = np.where(scale > 0, scale, 1)
    scaled = (along - middle) / scale
    penalty = _PENALTY * len(target) * np.eye(scaled.shape[1])
    slopes = np.linalg.solve(scaled.T @ scaled + penalty, scaled.T @ (target - target.mean()))
    level = target.mean()
    return lambda wanted: level + (basis.transform(wanted) - middle) / scale @ slopes
