"""Sensitivity: what a hidden common cause would have to do to change an adjusted estimate.

Notation: treatment d, outcome y, covariates z; a hidden cause u that explains R_d^2 of what is left
of d given z, and R_y^2 of what is left of y given d and z. With e_y, e_d the residuals of y given
(d, z) and of d given z, the estimate theta per unit of d is off by at most

    bias = S R_y sqrt(R_d^2 / (1 - R_d^2)),  S = sd(e_y) / sd(e_d)

The *robustness value* is the R^2 at which bias = |theta| when R_y^2 = R_d^2 = R^2: with f = |theta|
/ S, R^2 = (sqrt(f^4 + 4 f^2) - f^2) / 2. For a risk ratio r >= 1 (or its inverse), the *E-value*
r + sqrt(r (r - 1)) is how many times likelier u must make both treatment and outcome. A difference
of numbers is taken for r = exp(.91 theta / sd(y)).

A covariate that explains r_d of d beside the others, and r_y of y beside d and the others, is no
measure of u as it stands: given the covariate too, a cause of the same strength explains

    R_d^2 = r_d / (1 - r_d)
    R_y^2 = ((1 + g) / sqrt(1 - g^2))^2 r_y / (1 - r_y),  g^2 = r_d^2 / (1 - r_d)^2

The residuals are those of learners that have not seen a row; of the outcome's, a straight line in
the treatment is taken out. What each covariate explains beside the others is told by lines.

Source: Cinelli & Hazlett (2020), equations 5, 9 and 18, section 4.4 and appendix B; Chernozhukov
et al. (2022) for learned residuals; VanderWeele & Ding (2017) for the E-value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from causalflow.effects.complete_rows import Array
from causalflow.effects.effect import Effect
from causalflow.effects.estimator import Problem
from causalflow.effects.estimators.covariates import Adjusting
from causalflow.effects.nuisance.learners import learned_mean
from causalflow.effects.question import units_apart
from causalflow.query.combination import AnyQuery, combined

__all__ = [
    "Sensitivity",
    "as_strong",
    "doubt_of",
    "e_value",
    "explained",
    "risk_ratio_of_difference",
    "robustness_value",
]

_MOST = 0.99


def robustness_value(size: float, scale: float) -> float:
    """The R^2 of treatment and of outcome at which a hidden cause explains an effect.

    Args:
        size: theta, or as much of it as shall be explained.
        scale: S.

    Example:
        >>> round(robustness_value(0.5, 2.0), 4)
        0.2207
    """
    ratio = (size / scale) ** 2
    return float((np.sqrt(ratio**2 + 4 * ratio) - ratio) / 2)


def e_value(risk_ratio: float) -> float:
    """How many times likelier a hidden cause must make both to explain a risk ratio.

    Example:
        >>> round(e_value(3.9), 2), e_value(1.0)
        (7.26, 1.0)
    """
    ratio = max(risk_ratio, 1 / risk_ratio)
    return float(ratio + np.sqrt(ratio * (ratio - 1)))


def risk_ratio_of_difference(difference: float, spread: float) -> float:
    """About the risk ratio that a difference of means amounts to.

    Args:
        difference: one mean less the other.
        spread: the outcome's standard deviation.

    Source: VanderWeele & Ding (2017), Table 2.
    """
    return float(np.exp(0.91 * difference / spread))


def explained(target: Array, features: Array, column: Array) -> float:
    """The share of what features leave of a target that another column explains, linearly.

    Args:
        target: shape (rows,).
        features: shape (rows, features); a constant is added.
        column: shape (rows, columns).
    """
    base = np.hstack([np.ones((len(target), 1)), features])
    wide = np.hstack([base, column])
    short, long = (
        float(((target - each @ np.linalg.lstsq(each, target)[0]) ** 2).sum())
        for each in (base, wide)
    )
    return max(0.0, 1 - long / short) if short > 0 else 0.0


def as_strong(of_treatment: float, of_outcome: float) -> tuple[float, float]:
    """What a hidden cause explains that is as strong as a covariate: R_d^2 and R_y^2, below 1.

    Args:
        of_treatment: r_d, what the covariate explains of the treatment beside the others.
        of_outcome: r_y, what it explains of the outcome beside the treatment and the others.

    Example:
        >>> [round(each, 4) for each in as_strong(0.009081, 0.1090)]
        [0.0092, 0.1246]
    """
    both = min(of_treatment / (1 - of_treatment), _MOST) if of_treatment < 1 else _MOST
    factor = (1 + both) / (1 - both)
    outcome = factor * of_outcome / (1 - of_outcome) if of_outcome < 1 else _MOST
    return both, min(outcome, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """How an estimate depends on a hidden common cause of treatment and outcome.

    Attributes:
        estimate: the answer.
        nearest: the end of its interval that is nearest to 0; 0 where the interval holds it.
        units: by how many units of the treatment the answer's worlds differ.
        scale: S, per unit of the treatment.
        risk_ratio: the answer as a risk ratio.
        nearest_ratio: the nearest end as one.
        covariates: each covariate -> the (R_d^2, R_y^2) that it has beside the others.
    """

    estimate: float
    nearest: float
    units: float
    scale: float
    risk_ratio: float
    nearest_ratio: float
    covariates: Mapping[str, tuple[float, float]]

    @property
    def robustness(self) -> float:
        """The R^2 of a hidden cause that explains the whole estimate."""
        return robustness_value(self.estimate, self.scale * abs(self.units))

    @property
    def robustness_of_sign(self) -> float:
        """The R^2 of a hidden cause that moves the interval's nearest end to 0."""
        return robustness_value(self.nearest, self.scale * abs(self.units))

    @property
    def e_values(self) -> tuple[float, float]:
        """The E-values of the estimate and of the interval's nearest end."""
        return e_value(self.risk_ratio), e_value(self.nearest_ratio)

    def adjusted(self, of_treatment: Array, of_outcome: Array) -> Array:
        """The estimate nearest to 0, or beyond, that a hidden cause leaves possible.

        Args:
            of_treatment: R_d^2, within [0, 1).
            of_outcome: R_y^2, within [0, 1].
        """
        bias = np.sqrt(of_outcome * of_treatment / (1 - of_treatment))
        return np.asarray(
            self.estimate - np.sign(self.estimate) * bias * self.scale * abs(self.units)
        )

    @property
    def likes(self) -> dict[str, tuple[float, float]]:
        """Each covariate -> the (R_d^2, R_y^2) of a hidden cause that is as strong."""
        return {name: as_strong(*shares) for name, shares in self.covariates.items()}

    @property
    def lines(self) -> list[str]:
        """A line for each of its findings."""
        both, sign = self.robustness, self.robustness_of_sign
        found = [
            f"a hidden cause that explains {both:.1%} of what is left of treatment and of outcome"
            " would explain the whole estimate"
            + (f", {sign:.1%} that its interval excludes 0" if self.nearest else ""),
            f"E-value {self.e_values[0]:.3g} (of the interval {self.e_values[1]:.3g}): how many"
            " times likelier it would have to make both",
        ]
        strongest = sorted(self.likes.items(), key=lambda each: -min(each[1]))[:3]
        return found + [
            f"one as strong as '{name}' ({of_treatment:.1%} of treatment, {of_outcome:.1%} of"
            f" outcome) leaves {self.adjusted(np.array(of_treatment), np.array(of_outcome)):.4g}"
            for name, (of_treatment, of_outcome) in strongest
        ]

    def plot(self, axes: object = None) -> object:
        """The estimates that hidden causes leave possible, as contours, with the covariates.

        Args:
            axes: matplotlib's axes to draw on; None: new ones.

        Returns:
            The axes.
        """
        from causalflow.effects.charts import plot_contours

        most = min(0.9, max(0.1, 2 * self.robustness, *map(_reach, self.likes.values()), 0.1))
        grid = np.linspace(0, most, 80)
        along, up = np.meshgrid(grid, grid)
        return plot_contours(
            (along, up, self.adjusted(along, up)), self.robustness, self.likes, axes
        )


def _reach(shares: tuple[float, float]) -> float:
    return 1.15 * max(shares)


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
