"""Dose response: the curve of mean outcomes under each value of a treatment that is a number.

Notation: treatment x with values a, outcome y, covariates z; mu(a, z) = E[y | x=a, z], p(a | z) the
density of the treatment, p(a) its mean over the rows' z, m(a) = mean of mu(a, z); theta(a) =
E[y[x=a]] the curve. All are cross-fitted. The *pseudo-outcome* of a row,

    xi = p(x) / p(x | z) (y - mu(x, z)) + m(x)

has the mean theta(a) given x = a, if mu or p is right. The curve is the best spline b(a)^T beta
through it; with Q = mean(b b^T), the influence value of beta at a row is

    Q^-1 ( b(x) (xi - b(x)^T beta) + mean over a of b(a) (mu(a, z) - m(a)) )

of which the first difference is taken with the row left out
(`causalflow.effects.nuisance.smooth_curve`).

The density is that of x = e(z) + s(z) r, with r of a law that does not depend on z.

Source: Kennedy, Ma, McHugh & Small (2017) for the pseudo-outcome; Semenova & Chernozhukov (2021)
for the band; Neugebauer & van der Laan (2007) for the influence values.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from causalflow.effects.complete_rows import Array
from causalflow.effects.estimator import Moments, Problem
from causalflow.effects.estimators.covariates import Adjusting
from causalflow.effects.events import group_of, numbers_given, target_key, target_of, world_of
from causalflow.effects.nuisance.learners import Learned, learned_mean
from causalflow.effects.nuisance.overlap import Overlap
from causalflow.effects.nuisance.smooth_curve import Projection, best_size, joint_basis
from causalflow.effects.nuisance.spline import spline_of
from causalflow.errors import DataError, QueryError
from causalflow.query.query import Query

__all__ = ["dose_moments"]

_NODES = 25
_PARTS = 4
_WEIGHT = 20.0
_AVERAGED = 2_000
_LEAST_ROWS = 30
_THIN = 0.05


def dose_moments(problem: Problem, adjusting: Adjusting) -> Moments:
    """The moments of a question about one treatment that is a number.

    Raises:
        QueryError: a condition that is not supported.
        DataError: a value outside of those in the rows, or too few rows.
    """
    if len(problem.rows) < _LEAST_ROWS:
        raise DataError(f"estimate: {len(problem.rows)} rows; a curve needs at least {_LEAST_ROWS}")
    name = adjusting.treatments[0]
    if np.ptp(problem.rows[name].numbers) == 0:
        raise DataError(f"estimate: every row has one value of '{name}'; a curve needs several")
    curves = _Curves(problem, adjusting)
    found = [curves.moment(each) for each in problem.question.moments]
    values, influence = (np.stack(each, axis=-1) for each in zip(*found, strict=True))
    given = ", ".join(adjusting.covariates) or "nothing"
    return Moments(
        values=values,
        influence=influence,
        method=f"back door, adjusted for {given}, curve of doubly robust pseudo-outcomes in"
        f" {problem.settings.folds} folds",
        learners=curves.learners(),
        overlap=curves.overlap,
        assumptions=(
            f"'{adjusting.treatments[0]}' given the covariates has a law of one form, shifted and"
            " scaled, or the learned outcome is right",
        ),
        warnings=curves.warnings(),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Density:
    """The law of a treatment given covariates: x = e(z) + s(z) r.

    Attributes:
        mean: e, shape (rows,).
        scale: s, shape (rows,).
        residual: r, shape (rows,).
    """

    mean: Array
    scale: Array
    residual: Array

    def weights(self, numbers: Array, seed: int) -> Array:
        """p(x) / p(x | z) of each row, of mean one, extreme ones cut."""
        law = gaussian_kde(self.residual)
        span = np.linspace(self.residual.min() - 6, self.residual.max() + 6, 2_001)
        heights = law(span)
        own = np.interp(self.residual, span, heights) / self.scale
        count = len(numbers)
        chosen = np.random.default_rng(seed).permutation(count)[:_AVERAGED]
        marginal = np.zeros(count)
        for mean, scale in zip(self.mean[chosen], self.scale[chosen], strict=True):
            marginal += np.interp((numbers - mean) / scale, span, heights, 0, 0) / scale
        ratio = np.minimum(marginal / len(chosen) / own.clip(1e-300), _WEIGHT)
        return np.asarray(ratio / ratio.mean())

    def within(self, low: float, high: float) -> Array:
        """How likely each row's treatment was to lie between two numbers, shape (rows,)."""
        ordered = np.sort(self.residual)
        ends = [
            np.searchsorted(ordered, (end - self.mean) / self.scale) / len(ordered)
            for end in (low, high)
        ]
        return np.asarray(ends[1] - ends[0], dtype=np.float64)


class _Curves:
    """The curves of a problem, one for each outcome and group of rows."""

    def __init__(self, problem: Problem, adjusting: Adjusting) -> None:
        self._problem, self._name = problem, adjusting.treatments[0]
        self._rows, self._outcomes = problem.rows, adjusting.outcomes
        self._treatment = problem.rows[self._name].numbers
        self._features = problem.rows.features(adjusting.covariates)
        self._folds = problem.folds()
        self._nodes = np.quantile(self._treatment, (np.arange(_NODES) + 0.5) / _NODES)
        self._learned: dict[str, Learned] = {}
        self._density = self._density_of()
        self._weights = self._density.weights(self._treatment, problem.settings.seed)
        self._pseudo: dict[object, tuple[Array, Array]] = {}
        self._fits: dict[object, tuple[Array, Array, int]] = {}

    def _density_of(self) -> _Density:
        settings = self._problem.settings
        target = self._treatment
        if not self._features.shape[1]:
            centred = target - target.mean()
            ones = np.ones(len(target))
            return _Density(
                mean=target.mean() * ones,
                scale=target.std() * ones,
                residual=centred / target.std(),
            )
        mean = self._mean_of(f"E[{self._name} | covariates]", target)
        squares = (target - mean) ** 2
        calm = [each for each in settings.treatment_learners if each[0] != "boosting"]
        spread = learned_mean(
            calm or settings.treatment_learners, self._features, squares, self._folds
        )
        self._learned[f"variance of {self._name} | covariates"] = spread
        scale = np.sqrt(spread.predictions.clip(squares.mean() / 20))
        return _Density(mean=mean, scale=scale, residual=(target - mean) / scale)

    def _mean_of(self, what: str, target: Array) -> Array:
        found = learned_mean(
            self._problem.settings.treatment_learners, self._features, target, self._folds
        )
        self._learned[what] = found
        return found.predictions

    def moment(self, moment: Query) -> tuple[float, Array]:
        """The value of a moment and its influence values."""
        if numbers_given(self._rows, moment, ()):
            given = ", ".join(map(str, moment.conditions))
            raise QueryError(
                f"estimate: with the number '{self._name}' set, a condition on a number ({given})"
                " is not supported; fit a model and ask it"
            )
        group = group_of(self._rows, moment, ())
        own = world_of(moment.outcomes[0].subscript)
        if not own:
            target = target_of(self._rows, moment)
            value = float(target[group].mean())
            return value, group / group.mean() * (target - value)
        at = self._inside(own[self._name])
        influence, coefficients, size = self._fit(moment, group)
        basis = joint_basis([spline_of(self._treatment, size)], [np.array([at])])
        return float((basis @ coefficients)[0]), (influence @ basis.T)[:, 0]

    def _inside(self, value: object) -> float:
        """A value of the treatment, if there are such in the rows."""
        try:
            at = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise DataError(f"estimate: '{self._name}={value}': expected a number") from None
        low, high = self._treatment.min(), self._treatment.max()
        if not low <= at <= high:
            raise DataError(
                f"estimate: no row is like {self._name}={at:g}: its values lie from {low:.4g} to"
                f" {high:.4g}, and nothing is known beyond"
            )
        return at

    def _fit(self, moment: Query, group: NDArray[np.bool_]) -> tuple[Array, Array, int]:
        """The curve of an outcome in a group: beta and its influence values."""
        key = (target_key(moment), group.tobytes())
        if key not in self._fits:
            outcome, means = self._pseudo_outcome(moment)
            mean = means[:, group].mean(axis=1)
            xi = outcome + np.interp(self._treatment, self._nodes, mean)
            size = best_size(xi, [self._treatment], group)
            spline = spline_of(self._treatment, size)
            basis = joint_basis([spline], [self._treatment])
            projection = Projection(basis=basis, group=group)
            beta = projection.coefficients(xi)
            own = projection.weights(np.eye(basis.shape[1])) * projection.residuals(xi)[:, None]
            nodes = joint_basis([spline], [self._nodes])
            inverse = np.linalg.pinv(basis[group].T @ basis[group] / group.sum())
            shift = (means - mean[:, None]).T @ nodes / len(nodes) @ inverse
            influence = own + group[:, None] / group.mean() * shift
            self._fits[key] = (influence, beta, size)
        return self._fits[key]

    def _pseudo_outcome(self, moment: Query) -> tuple[Array, Array]:
        """The weighted residual of each row, and mu at the nodes, shape (nodes, rows)."""
        key = target_key(moment)
        if key not in self._pseudo:
            target = target_of(self._rows, moment)
            found = learned_mean(
                self._problem.settings.outcome_learners,
                self._beside(self._treatment),
                target,
                self._folds,
                at=[self._beside(np.full(len(target), node)) for node in self._nodes],
            )
            self._learned[f"E[{', '.join(self._outcomes)} | {self._name}, covariates]"] = found
            predictions = found.predictions.clip(target.min(), target.max())
            residual = self._weights * (target - predictions[0])
            self._pseudo[key] = residual, predictions[1:]
        return self._pseudo[key]

    def _beside(self, treatment: Array) -> Array:
        return np.hstack([treatment[:, None], self._features])

    @property
    def overlap(self) -> Overlap:
        """How likely each quarter of the treatment was for the rows."""
        ends = np.quantile(self._treatment, np.linspace(0, 1, _PARTS + 1))
        wide = [-np.inf, *ends[1:-1], np.inf]
        shares = [self._density.within(*pair) for pair in pairwise(wide)]
        return Overlap(
            levels=tuple(f"{self._name} {low:.3g} to {high:.3g}" for low, high in pairwise(ends)),
            propensities=np.stack(shares, axis=1).clip(1e-3),
            treated=np.searchsorted(ends[1:-1], self._treatment, side="right").astype(np.int64),
            least=self._problem.settings.least,
        )

    def warnings(self) -> tuple[str, ...]:
        """Where overlap is thin."""
        overlap = self.overlap
        return tuple(
            f"overlap is thin: {share:.0%} of the rows were hardly to have {name}; there the curve"
            " rests on the learned outcome"
            for name, share in zip(overlap.levels, overlap.violated, strict=True)
            if share > _THIN
        )

    def learners(self) -> dict[str, str]:
        """What was learned, by which learner."""
        return {what: str(how) for what, how in self._learned.items()}
