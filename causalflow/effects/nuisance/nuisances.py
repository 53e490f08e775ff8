"""Nuisances: what scores need besides the answer: means and propensities, each learned once.

Notation: x the treatment of levels a, v other variables; pi_a(v) = P(x = a | v). By Bayes' rule the
ratio of two laws of a stage b whose pillow is g is

    P(b | g, x = a) / P(b | g, x = a') = [pi_a(b, g) / pi_a'(b, g)] / [pi_a(g) / pi_a'(g)]

so laws of any mediators need no density, only the treatment's propensities.

Source: Díaz & Hejazi (2020), section 4, for the ratio by Bayes' rule.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from causalflow.admg.admg import Nodes
from causalflow.design.stages import Stage
from causalflow.effects.complete_rows import Array
from causalflow.effects.estimator import Problem
from causalflow.effects.nuisance.learners import Learned, learned_levels, learned_mean
from causalflow.effects.nuisance.overlap import Overlap, Void, void_of

__all__ = ["Nuisances"]


class Nuisances:
    """The functions of one finite treatment that scores need, cross-fitted.

    Args:
        problem: with complete rows.
        treatment: x, a finite column of theirs.
    """

    def __init__(self, problem: Problem, treatment: str) -> None:
        column = problem.rows[treatment]
        assert column.places is not None
        self.rows, self.treatment, self.places = problem.rows, treatment, column.places
        self.levels = column.levels
        self.learned: dict[str, str] = {}
        self._settings, self._folds = problem.settings, problem.folds(column.places)
        self._propensities: dict[Nodes, Array] = {}
        self._voids: dict[tuple[int, Nodes], Void] = {}

    def has(self, level: int) -> NDArray[np.bool_]:
        """The rows that had a level of the treatment, shape (rows,)."""
        return np.asarray(self.places == level)

    def propensities(self, given: Nodes) -> Array:
        """pi_a(v) of every row and level, shape (rows, levels)."""
        if given not in self._propensities:
            names = sorted(given)
            learned = learned_levels(
                self._settings.treatment_learners,
                self.rows.features(names),
                self.places,
                len(self.levels),
                self._folds,
            )
            self._tell(f"P({self.treatment} | {', '.join(names)})", learned)
            self._propensities[given] = learned.predictions
        return self._propensities[given]

    def weight(self, level: int, given: Nodes) -> Array:
        """1 / pi_a(v) of the rows that had the level, 0 of others, shape (rows,)."""
        return self.has(level) / self.propensities(given)[:, level].clip(self._settings.least)

    def void(self, level: int, given: Nodes) -> Void:
        """The rows whose like hardly ever had a level."""
        key = level, given
        if key not in self._voids:
            names = sorted(given)
            self._voids[key] = void_of(
                self.rows.features(names),
                self.rows.feature_names(names),
                self.has(level),
                self.propensities(given)[:, level],
                self._settings.least,
            )
        return self._voids[key]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Where positivity fails for the levels that were asked for."""
        return tuple(
            f"positivity fails: hardly a row had {self.treatment}={self.levels[level]} where"
            f" {where}; the outcome there may be anything within its range in the rows"
            for (level, _), void in self._voids.items()
            for where in void.words
        )

    def overlap(self, given: Nodes) -> Overlap:
        """The propensities, to be told."""
        return Overlap(
            levels=tuple(f"{self.treatment}={level}" for level in self.levels),
            propensities=self.propensities(given),
            treated=self.places,
            least=self._settings.least,
        )

    def ratio(self, stage: Stage, above: int, below: int | None = None) -> Array:
        """P(b | g, x = a) / P(b | g, x = a') of every row, shape (rows,).

        Args:
            stage: b and its pillow g.
            above: a.
            below: a'; None: the row's own level.
        """
        if not stage.feels:
            return np.ones(len(self.rows))
        own = self.places if below is None else np.full(len(self.rows), below)
        each = np.arange(len(self.rows))
        least = self._settings.least
        behind = self.propensities(stage.pillow | frozenset(stage.names)).clip(least)
        before = self.propensities(stage.pillow).clip(least)
        return np.asarray(
            behind[:, above] / behind[each, own] * before[each, own] / before[:, above]
        )

    def mean(self, target: Array, given: Nodes, what: str, level: int | None = None) -> Array:
        """The mean of a target given variables, of every row, shape (rows,).

        Args:
            target: shape (rows,).
            given: the variables.
            what: the target in words.
            level: the treatment's, of the rows to learn from; None: all rows.
        """
        names = sorted(given)
        learned = learned_mean(
            self._settings.outcome_learners,
            self.rows.features(names),
            target,
            self._folds,
            among=None if level is None else self.has(level),
        )
        treated = [] if level is None else [self.treatment]
        self._tell(f"E[{what} | {', '.join([*treated, *names])}]", learned)
        return learned.predictions

    def _tell(self, what: str, learned: Learned) -> None:
        self.learned.setdefault(what.replace(" | )", ")").replace(" | ]", "]"), str(learned))
