"""Doubt: what a hidden cause would do to an adjusted estimate, told from its rows.

`causalflow.effects.refutation.sensitivity` has the formulas. The residuals of treatment and outcome
are those of learners that have not seen a row; of the outcome's, a straight line in the treatment
is taken out. What each covariate explains beside the others is told by lines.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from causalflow.effects.apart import units_apart
from causalflow.effects.complete_rows import Array
from causalflow.effects.effect import Effect
from causalflow.effects.estimator import Problem
from causalflow.effects.estimators.covariates import Adjusting
from causalflow.effects.nuisance.learners import learned_mean
from causalflow.effects.refutation.sensitivity import (
    Sensitivity,
    explained,
    risk_ratio_of_difference,
)
from causalflow.query.combination import AnyQuery, combined

__all__ = ["doubt_of"]


def doubt_of(
    problem: Problem, adjusting: Adjusting, effect: Effect, asked: Callable[[AnyQuery], Effect]
) -> Sensitivity | None:
    """The sensitivity of one difference; None for other answers.

    Args:
        problem: the question with its rows.
        adjusting: what the estimate is adjusted for.
        effect: the estimate.
        asked: another question -> its answer from the same rows.
    """
    if len(adjusting.treatments) != 1 or len(adjusting.outcomes) != 1 or effect.axes:
        return None
    (treatment,), (outcome,) = adjusting.treatments, adjusting.outcomes
    units = units_apart(problem.question, problem.rows[treatment], treatment)
    if units is None or adjusting.conditions or any(m.conditions for m in problem.question.moments):
        return None
    target = problem.rows[outcome].numbers
    of_treatment = _left(problem, problem.rows[treatment].numbers, adjusting)
    of_outcome = _left(problem, target, adjusting)
    slope = (of_outcome @ of_treatment) / (of_treatment @ of_treatment)
    nearest = _nearest(effect, 0.0)
    ratios = _ratios(problem, effect, nearest, asked, float(target.std()))
    return Sensitivity(
        estimate=float(effect.values[0]),
        nearest=nearest,
        units=float(units[0]),
        scale=float(np.std(of_outcome - slope * of_treatment) / np.std(of_treatment)),
        risk_ratio=ratios[0],
        nearest_ratio=ratios[1],
        covariates=_strengths(problem, adjusting, treatment, target),
    )


def _left(problem: Problem, target: Array, adjusting: Adjusting) -> Array:
    """What the covariates leave of a column."""
    learned = learned_mean(
        problem.settings.outcome_learners,
        problem.rows.features(adjusting.covariates),
        target,
        problem.folds(),
    )
    return np.asarray(target - learned.predictions)


def _strengths(
    problem: Problem, adjusting: Adjusting, treatment: str, target: Array
) -> dict[str, tuple[float, float]]:
    """What each covariate explains of treatment and of outcome beside the others."""
    rows, found = problem.rows, {}
    treated = rows[treatment].numbers
    for name in adjusting.covariates:
        others = rows.features(each for each in adjusting.covariates if each != name)
        own = rows[name].features
        found[name] = (
            explained(treated, others, own),
            explained(target, np.hstack([others, treated[:, None]]), own),
        )
    return found


def _ratios(
    problem: Problem,
    effect: Effect,
    nearest: float,
    asked: Callable[[AnyQuery], Effect],
    spread: float,
) -> tuple[float, float]:
    """The answer and its nearest end as risk ratios."""
    moments, sums = problem.question.moments, problem.question.sums[0]
    binary = all(_counts_zero_one(problem, each.outcomes[0].name) for each in moments)
    if not binary or len(moments) != 2:
        return (
            risk_ratio_of_difference(float(effect.values[0]), spread),
            risk_ratio_of_difference(nearest, spread),
        )
    one, other = moments if sums[0] > 0 else moments[::-1]
    ratio = asked(combined([(Fraction(1), one)], [(Fraction(1), other)]))
    return float(ratio.values[0]), _nearest(ratio, 1.0)


def _counts_zero_one(problem: Problem, name: str) -> bool:
    return set(np.unique(problem.rows[name].numbers)) <= {0.0, 1.0}


def _nearest(effect: Effect, null: float) -> float:
    """The end of an interval that is nearest to a value; the value where it lies within."""
    low, high = float(effect.low[0]), float(effect.high[0])
    return null if low <= null <= high else min(low, high, key=lambda end: abs(end - null))
