"""Back door: effects by adjusting for covariates, through doubly robust scores.

Notation: treatments X with levels a, outcome y, covariates Z; mu_a(z) = E[y | x=a, z], pi_a(z) =
P(x=a | z), both cross-fitted. With 1_a the rows of level a and 1_c those of a condition c on
covariates, the score of E[y[x=a] | c] and of E[y[x=a] | x=b, c] at a row is

    1_c (mu_a + 1_a / pi_a (y - mu_a)) / P(c)
    1_c (1_b mu_a + 1_a pi_b / pi_a (y - mu_a)) / P(x=b, c)

Its mean is the estimate; it is right when one of mu and pi is, and its error is the product of both
errors. Conditions that are numbers are answered by the best curve through the scores along them
(`causalflow.effects.nuisance.smooth_curve`).

Where a row's like hardly ever had a treatment, mu_a is not known: it may be anything within the
range of the outcome, and the answer is an interval.

Source: Robins, Rotnitzky & Zhao (1994) for the score; Chernozhukov et al. (2018), section 5, for
cross-fitting; Manski (1990) for the interval.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from causalflow.effects.ask import Ask
from causalflow.effects.complete_rows import Array
from causalflow.effects.effect import Effect
from causalflow.effects.estimator import Moments, Plan, Problem, assembled, told
from causalflow.effects.estimators.conditional_effect import conditional_answers
from causalflow.effects.estimators.covariates import Adjusting, adjusting
from causalflow.effects.estimators.dose_response import dose_moments
from causalflow.effects.events import (
    Treatment,
    group_of,
    numbers_given,
    target_key,
    target_of,
    world_of,
)
from causalflow.effects.nuisance.learners import Candidates, Learned, learned_levels, learned_mean
from causalflow.effects.nuisance.overlap import Overlap, Void, void_of
from causalflow.effects.nuisance.smooth_curve import Projection, best_size, joint_basis
from causalflow.effects.nuisance.spline import spline_of
from causalflow.errors import DataError, QueryError
from causalflow.query.query import Query

__all__ = ["BackDoor", "plan_back_door"]

_LEAST_ROWS = 10


def plan_back_door(ask: Ask, known: frozenset[str]) -> Plan | None:
    """The plan of adjusting, where the graph has a set to adjust for among the columns."""
    found = None if ask.graph is None else adjusting(ask.graph, ask.query, known)
    return None if found is None else BackDoor(adjusting=found)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackDoor:
    """Adjusting for some covariates."""

    adjusting: Adjusting

    @property
    def variables(self) -> frozenset[str]:
        """The covariates."""
        return frozenset(self.adjusting.covariates)

    def estimate(self, problem: Problem) -> Effect:
        """The answers."""
        finite = [problem.rows[name].is_finite for name in self.adjusting.treatments]
        if all(finite):
            scores = _Scores(problem, self.adjusting)
            if problem.settings.effect_learners and self.adjusting.conditions:
                return scores.conditional(problem.settings.effect_learners)
            return assembled(problem, scores.moments())
        if len(finite) > 1:
            names = ", ".join(self.adjusting.treatments)
            raise QueryError(
                f"estimate: of {names} some are numbers; a number can be set alone only: bin it"
                " into levels, or fit a model and ask it"
            )
        return assembled(problem, dose_moments(problem, self.adjusting))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Score:
    """The scores of a moment before its conditions on covariates.

    Attributes:
        score: shape (rows,).
        share: what its mean is divided by, shape (rows,).
        open: the part of each row's share whose outcome is not known.
        width: how wide the range of the outcome is.
        place: the level of the treatment that is set; -1: none.
    """

    score: Array
    share: Array
    open: Array
    width: float = 0.0
    place: int = -1


class _Scores:
    """The doubly robust scores of a problem with finite treatments."""

    def __init__(self, problem: Problem, adjusting: Adjusting) -> None:
        self._problem, self._adjusting = problem, adjusting
        self._rows = problem.rows
        self._treatment = Treatment.of(problem.rows, adjusting.treatments)
        self._features = problem.rows.features(adjusting.covariates)
        self._folds = problem.folds(self._treatment.places)
        self._means: dict[tuple[object, int], Learned] = {}
        self._voids: dict[int, Void] = {}
        self._scores: dict[object, _Score] = {}
        self._opened: set[int] = set()

    def moments(self) -> Moments:
        """The moments of the question."""
        found = [self._moment(each) for each in self._problem.question.moments]
        values, influence, slack = (np.stack(each, axis=-1) for each in zip(*found, strict=True))
        given = ", ".join(self._adjusting.covariates) or "nothing"
        return Moments(
            values=values,
            influence=influence,
            method=f"back door, adjusted for {given}, doubly robust in"
            f" {self._problem.settings.folds} folds",
            learners=self._learners(),
            overlap=self._overlap if self._means else None,
            warnings=tuple(self._warnings()),
            slack=(np.zeros_like(slack), slack) if slack.any() else None,
        )

    def conditional(self, candidates: Candidates) -> Effect:
        """The answers by learners of the effect given the conditions.

        Raises:
            QueryError: a condition on the treatment.
        """
        if any(self._whom(each) is not None for each in self._problem.question.moments):
            raise QueryError("estimate: a learner of effects has no condition on the treatment")
        found = conditional_answers(self._problem, candidates, self._open_score)
        halves, given = found.deviations, ", ".join(self._adjusting.covariates)
        answers = Moments(
            values=found.values,
            influence=halves * np.sqrt(len(halves)),
            method=f"back door, adjusted for {given}, learner of doubly robust scores in"
            f" {self._problem.settings.folds} folds",
            learners={**self._learners(), "effect | conditions": found.learner},
            overlap=self._overlap,
            assumptions=("the bias of the learner of effects is small beside its spread",),
        )
        return replace(told(self._problem, answers), rows=len(self._rows), influence=None)

    def _open_score(self, moment: Query) -> Array:
        """The scores of a moment without conditions.

        Raises:
            DataError: positivity fails.
        """
        found = self._score(moment)
        if found.open.any():
            self._opened.add(found.place)
            raise DataError(f"estimate: {moment}: {self._warnings()[0]}")
        return found.score

    def _moment(self, moment: Query) -> tuple[Array, Array, Array]:
        """The value of a moment, its influence values, and how much it may be larger."""
        group = group_of(self._rows, moment, self._treatment.names)
        found = self._score(moment)
        numbers = numbers_given(self._rows, moment, self._treatment.names)
        if not numbers:
            weight = group / (found.share * group).mean()
            value = (weight * found.score).mean()
            influence = weight * (found.score - found.share * value)
            slack = (weight * found.open).mean() * found.width
            self._opened |= {found.place} if slack else set()
            return value, influence, slack
        if self._whom(moment) is not None:
            raise QueryError(
                f"estimate: {moment}: a condition on a treatment beside one on the number"
                f" '{next(iter(numbers))}' is not supported; leave one of them out"
            )
        score = self._open_score(moment)
        columns = [self._rows[name].numbers for name in numbers]
        splines = [spline_of(column, self._size(tuple(numbers))) for column in columns]
        projection = Projection(basis=joint_basis(splines, columns), group=group)
        at = joint_basis(splines, [np.array([number]) for number in numbers.values()])
        value, influence = projection(score, at)
        return value[0], influence[:, 0], np.array(0.0)

    def _size(self, numbers: tuple[str, ...]) -> int:
        """How many functions a curve through the scores of the first answer has."""
        question = self._problem.question
        group = group_of(self._rows, question.moments[0], self._treatment.names)
        parts = zip(question.sums[0], question.moments, strict=True)
        score = sum(scale * self._score(moment).score for scale, moment in parts if scale)
        return best_size(score, [self._rows[name].numbers for name in numbers], group)

    def _score(self, moment: Query) -> _Score:
        """The scores of a moment, made once for each target, world and treatment conditioned on."""
        own = world_of(moment.outcomes[0].subscript)
        place = self._treatment.place(self._rows, own) if own else None
        whom = self._whom(moment)
        key = (target_key(moment), place, whom)
        if key not in self._scores:
            target = target_of(self._rows, moment)
            share = np.ones(len(target))
            if whom is not None:
                share = (self._treatment.places == whom).astype(np.float64)
            if place is None:
                none = np.zeros(len(target))
                self._scores[key] = _Score(score=target * share, share=share, open=none)
            else:
                mean = self._mean((key[0], place), target, place)
                self._scores[key] = self._doubly_robust(target, mean, place, whom, share)
        return self._scores[key]

    def _doubly_robust(
        self, target: Array, mean: Array, place: int, whom: int | None, share: Array
    ) -> _Score:
        places, shares = self._treatment.places, self._propensities
        void = self._void(place).rows
        least, most = float(target.min()), float(target.max())
        weight = (places == place) * ~void / shares[:, place]
        weight *= 1.0 if whom is None else shares[:, whom]
        weight *= (share * ~void).mean() / max(weight.mean(), 1e-12)
        mean = np.where(void, least, mean)
        score = share * mean + weight * (target - mean)
        opened = share * void
        return _Score(score=score, share=share, open=opened, width=most - least, place=place)

    def _mean(self, key: tuple[object, int], target: Array, place: int) -> Array:
        """mu_a of every row, within the range of the outcome."""
        treated = self._treatment.places == place
        if (count := int(treated.sum())) < _LEAST_ROWS:
            raise DataError(
                f"estimate: {count} rows have {self._treatment.shown[place]}; at least"
                f" {_LEAST_ROWS} are needed to learn from: merge levels"
            )
        if key not in self._means:
            self._means[key] = learned_mean(
                self._problem.settings.outcome_learners,
                self._features,
                target,
                self._folds,
                among=treated,
            )
        return np.clip(self._means[key].predictions, target.min(), target.max())

    def _whom(self, moment: Query) -> int | None:
        """The level of treatment that a moment is conditioned on, if it is."""
        given = {e.name: e.value for e in moment.conditions if e.name in self._treatment.names}
        if not given:
            return None
        if given.keys() != set(self._treatment.names):
            raise QueryError("estimate: condition on every treatment that is set, or on none")
        return self._treatment.place(self._rows, given)  # type: ignore[arg-type]

    @cached_property
    def _law(self) -> Learned:
        return learned_levels(
            self._problem.settings.treatment_learners,
            self._features,
            self._treatment.places,
            len(self._treatment.shown),
            self._folds,
        )

    @property
    def _propensities(self) -> Array:
        return self._law.predictions.clip(self._problem.settings.least)

    def _void(self, place: int) -> Void:
        """The rows whose like hardly ever had a level of the treatment."""
        if place not in self._voids:
            self._voids[place] = void_of(
                self._features,
                self._rows.feature_names(self._adjusting.covariates),
                self._treatment.places == place,
                self._law.predictions[:, place],
                self._problem.settings.least,
            )
        return self._voids[place]

    def _warnings(self) -> list[str]:
        return [
            f"positivity fails: hardly a row had {self._treatment.shown[place]} where {where}; the"
            " outcome there may be anything within its range in the rows"
            for place in sorted(self._opened)
            for where in self._voids[place].words
        ]

    @cached_property
    def _overlap(self) -> Overlap:
        return Overlap(
            levels=self._treatment.shown,
            propensities=self._law.predictions,
            treated=self._treatment.places,
            least=self._problem.settings.least,
        )

    def _learners(self) -> dict[str, str]:
        """What was learned, by which learner."""
        outcomes, shown = ", ".join(self._adjusting.outcomes), self._treatment.shown
        means = {
            f"E[{outcomes} | {shown[at]}, covariates]": str(each)
            for (_, at), each in self._means.items()
        }
        law = {f"P({', '.join(self._treatment.names)} | covariates)": str(self._law)}
        return {**means, **law} if means else {}
