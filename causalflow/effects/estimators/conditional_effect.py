"""Conditional effect: the one on those with given covariates, by a learner of the user's own.

Notation: s_i the score of an answer at row i (`causalflow.effects.estimators.back_door`), whose
mean given covariates c is the conditional effect; f the learner fitted to s on c. The answer at c
is f(c). Its spread is that of learners fitted to random halves of the rows: of a stable learner a
half differs from the whole as the whole does from the truth, but for the learner's own bias.

Source: Kennedy (2023), the DR-learner; Politis & Romano (1994) for halves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from causalflow.effects.complete_rows import Array
from causalflow.effects.estimator import Problem
from causalflow.effects.nuisance.learners import Candidates, learned_mean, predicted_by
from causalflow.errors import QueryError
from causalflow.query.query import Query, Value

__all__ = ["Conditional", "conditional_answers"]

_HALVES = 40

Contrast = tuple[tuple[float, Query], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conditional:
    """Answers by a learner.

    Attributes:
        values: shape (answers,).
        deviations: the answers of each half of the rows less these, shape (halves, answers).
        learner: the candidate that was taken, in words.
    """

    values: Array
    deviations: Array
    learner: str


def conditional_answers(
    problem: Problem, candidates: Candidates, score_of: Callable[[Query], Array]
) -> Conditional:
    """The answers of a question whose conditions are on covariates.

    Args:
        problem: the question and its rows.
        candidates: learners of the effect.
        score_of: a moment without its conditions -> its scores, shape (rows,).

    Raises:
        QueryError: a ratio, or an answer whose parts have different conditions.
    """
    question = problem.question
    if question.divisors is not None:
        raise QueryError("estimate: a learner of effects has no ratios; ask for their parts")
    parts = [
        [(float(scale), question.moments[i]) for i, scale in enumerate(sums) if scale]
        for sums in question.sums
    ]
    whom = [_whom([moment for _, moment in each]) for each in parts]
    names = sorted(whom[0])
    features = problem.rows.features(names)
    at = np.vstack([problem.rows.features_at(each) for each in whom])
    contrasts = [tuple((s, replace(m, conditions=())) for s, m in each) for each in parts]
    values, deviations = np.empty(len(whom)), np.empty((_HALVES, len(whom)))
    learner = ""
    for contrast in dict.fromkeys(contrasts):
        score = np.sum([scale * score_of(moment) for scale, moment in contrast], axis=0)
        own = np.array([each == contrast for each in contrasts])
        best = learned_mean(candidates, features, score, problem.folds())
        learner = str(best)
        chosen = [each for each in candidates if each[0] == best.learner]
        values[own], deviations[:, own] = _halved(problem, chosen, features, score, at[own])
    return Conditional(values=values, deviations=deviations, learner=learner)


def _halved(
    problem: Problem, chosen: Candidates, features: Array, score: Array, at: Array
) -> tuple[Array, Array]:
    """What a learner says of all rows, and of each half less that."""
    random = np.random.default_rng(problem.settings.seed)
    whole = predicted_by(chosen[0], features, score, at)
    halves = []
    for _ in range(_HALVES):
        half = random.permutation(len(score))[: len(score) // 2]
        halves.append(predicted_by(chosen[0], features[half], score[half], at) - whole)
    return whole, np.stack(halves)


def _whom(moments: Sequence[Query]) -> dict[str, Value]:
    """The conditions that all parts of an answer share.

    Raises:
        QueryError: they differ.
    """
    found = [{each.name: each.value for each in moment.conditions} for moment in moments]
    if any(each != found[0] for each in found):
        raise QueryError("estimate: a learner of effects needs one condition for all parts")
    return found[0]  # type: ignore[return-value]
