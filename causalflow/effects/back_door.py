"""Back door: effects by adjusting for covariates, through doubly robust scores.

Notation: treatments X with levels a, outcome y, covariates Z; mu_a(z) = E[y | x=a, z], pi_a(z) =
P(x=a | z), both cross-fitted. With 1_a the rows of level a and 1_c those of a condition c on
covariates, the score of E[y[x=a] | c] and of E[y[x=a] | x=b, c] at a row is

    1_c (mu_a + 1_a / pi_a (y - mu_a)) / P(c)
    1_c (1_b mu_a + 1_a pi_b / pi_a (y - mu_a)) / P(x=b, c)

Its mean is the estimate; it is right when one of mu and pi is, and its error is the product of both
errors. Conditions that are numbers are answered by the best spline of the score along them.

Where at some rows a treatment was never to be had, mu_a is unknown there: it may be anything within
the range of the outcome, and the answer is an interval.

Source: Robins, Rotnitzky & Zhao (1994) for the score; Chernozhukov et al. (2018), section 5, for
cross-fitting; Semenova & Chernozhukov (2021) for regressing scores on covariates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from causalflow.effects.adjusting import Adjusting, adjusting
from causalflow.effects.ask import Ask
from causalflow.effects.effect import Effect
from causalflow.effects.events import (
    Treatment,
    group_of,
    numbers_given,
    target_key,
    target_of,
    world_of,
)
from causalflow.effects.learners import Learned, learned_levels, learned_mean
from causalflow.effects.overlap import Overlap
from causalflow.effects.problem import Moments, Plan, Problem, assembled
from causalflow.effects.rows import Array
from causalflow.errors import DataError, QueryError
from causalflow.query.query import Query

__all__ = ["BackDoor", "plan_back_door"]


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
        if not all(finite):
            raise DataError("estimate: a continuous treatment is not supported yet")
        return assembled(problem, _Scores(problem, self.adjusting).moments())


class _Scores:
    """The doubly robust scores of a problem with finite treatments."""

    def __init__(self, problem: Problem, adjusting: Adjusting) -> None:
        self._problem, self._adjusting = problem, adjusting
        self._rows = problem.rows
        self._treatment = Treatment.of(problem.rows, adjusting.treatments)
        self._features = problem.rows.features(adjusting.covariates)
        self._folds = problem.folds(self._treatment.places)
        self._means: dict[tuple[object, int], Learned] = {}

    def moments(self) -> Moments:
        """The moments of the question."""
        found = [self._moment(each) for each in self._problem.question.moments]
        values, influence, _ = zip(*found, strict=True)
        given = ", ".join(self._adjusting.covariates) or "nothing"
        return Moments(
            values=np.array(values),
            influence=np.stack(influence, axis=1),
            method=f"back door, adjusted for {given}, doubly robust in"
            f" {self._problem.settings.folds} folds",
            learners=self._learners(),
            overlap=self._overlap,
        )

    def _moment(self, moment: Query) -> tuple[float, Array, tuple[float, float]]:
        """The value of a moment, its influence values, and its slack."""
        group = group_of(self._rows, moment, self._treatment.names)
        if numbers_given(self._rows, moment, self._treatment.names):
            raise QueryError("estimate: a condition on a number is not supported yet")
        own = world_of(moment.outcomes[0].subscript)
        target = target_of(self._rows, moment)
        whom = self._whom(moment)
        if not own:
            part = group if whom is None else group & (self._treatment.places == whom)
            return (*_share(target, np.ones(len(target)), part), (0.0, 0.0))
        place = self._treatment.place(self._rows, own)
        mean = self._mean(moment, target, place)
        score, share = self._score(target, mean, place, whom)
        return (*_share(score, share, group), (0.0, 0.0))

    def _score(
        self, target: Array, mean: Array, place: int, whom: int | None
    ) -> tuple[Array, Array]:
        """The score of each row, and what its mean is divided by."""
        places, shares = self._treatment.places, self._propensities
        aimed = np.ones(len(target)) if whom is None else shares[:, whom]
        share = np.ones(len(target)) if whom is None else (places == whom).astype(np.float64)
        weight = (places == place) * aimed / shares[:, place]
        weight *= share.mean() / weight.mean()
        return share * mean + weight * (target - mean), share

    def _mean(self, moment: Query, target: Array, place: int) -> Array:
        """mu_a of every row."""
        key = (target_key(moment), place)
        if key not in self._means:
            self._means[key] = learned_mean(
                self._problem.settings.outcome_learners,
                self._features,
                target,
                self._folds,
                among=self._treatment.places == place,
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
        return {**means, f"P({', '.join(self._treatment.names)} | covariates)": str(self._law)}


def _share(score: Array, share: Array, group: NDArray[np.bool_]) -> tuple[float, Array]:
    """sum(score) / sum(share) over a group, and its influence values."""
    weight = group / (share * group).mean()
    value = float((weight * score).mean())
    return value, weight * (score - share * value)
