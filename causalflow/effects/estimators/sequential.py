"""Sequential: the mean of an outcome under treatments set one after another.

Notation: treatments x_1 .. x_T set to a_1 .. a_T, H_t what x_t is adjusted for
(`causalflow.design.plan`); on the rows that had a_1 .. a_{t-1}, pi_t = P(x_t = a_t | H_t).

    Q_{T+1} = y,  Q_t = E[Q_{t+1} | H_t, x_1 .. x_t = a_1 .. a_t]
    score   = Q_1 + sum_t (prod_{s<=t} 1{x_s = a_s} / pi_s) (Q_{t+1} - Q_t)

of which the mean over rows is the answer, and stays so where at each t one of Q_t and pi_t is
wrong. With T = 1 that is the doubly robust score of the back door.

Source: Robins (1986), the g-formula; Bang & Robins (2005) for the score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalflow.design.plan import Step
from causalflow.effects.complete_rows import Array, Rows
from causalflow.effects.estimator import Settings
from causalflow.effects.nuisance.learners import learned_levels, learned_mean
from causalflow.errors import DataError

__all__ = ["Scored", "plan_scores"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """Scores of a plan.

    Attributes:
        scores: shape (rows,).
        shares: prod pi_t of each row as far as it followed the plan, shape (rows,).
        learned: each function -> the learner that predicted best, in words.
    """

    scores: Array
    shares: Array
    learned: Mapping[str, str]


def plan_scores(
    rows: Rows,
    outcome: Array,
    plan: Sequence[Step],
    levels: Sequence[int],
    settings: Settings,
    folds: NDArray[Any],
) -> Scored:
    """Scores of the mean of an outcome under a plan.

    Args:
        rows: complete rows.
        outcome: y, shape (rows,).
        plan: the treatments in causal order.
        levels: the level a_t of each, by its position.
        settings: the learners, and the least propensity.
        folds: the fold of each row.

    Raises:
        DataError: no row followed the plan.
    """
    followed = [np.ones(len(rows), dtype=bool)]
    for step, level in zip(plan, levels, strict=True):
        followed.append(followed[-1] & (rows[step.treatment].places == level))
    if not followed[-1].any():
        shown = ", ".join(
            f"{step.treatment}={rows[step.treatment].levels[level]}"
            for step, level in zip(plan, levels, strict=True)
        )
        raise DataError(f"estimate: no row has {shown}, so nothing is known of it")
    told: dict[str, str] = {}
    shares = [
        _share(rows, step, level, among, settings, folds, told)
        for step, level, among in zip(plan, levels, followed, strict=False)
    ]
    means = [outcome]
    for step, had in zip(reversed(plan), reversed(followed[1:]), strict=True):
        names = sorted(step.given)
        learned = learned_mean(
            settings.outcome_learners, rows.features(names), means[-1], folds, among=had
        )
        told[f"the mean at {step.treatment}, given {', '.join(names) or 'nothing'}"] = str(learned)
        means.append(learned.predictions)
    means.reverse()
    weights = np.cumprod([had / own for had, own in zip(followed[1:], shares, strict=True)], axis=0)
    steps = np.diff(means, axis=0)
    return Scored(
        scores=means[0] + (weights * steps).sum(axis=0),
        shares=np.prod(shares, axis=0),
        learned=told,
    )


def _share(
    rows: Rows,
    step: Step,
    level: int,
    among: NDArray[np.bool_],
    settings: Settings,
    folds: NDArray[Any],
    told: dict[str, str],
) -> Array:
    """pi_t of each row that followed the plan so far; 1 of the others, which weigh nothing."""
    names, column, shares = sorted(step.given), rows[step.treatment], np.ones(len(rows))
    assert column.places is not None
    learned = learned_levels(
        settings.treatment_learners,
        rows.features(names)[among],
        column.places[among],
        len(column.levels),
        folds[among],
    )
    told[f"P({step.treatment} | {', '.join(names)})" if names else f"P({step.treatment})"] = str(
        learned
    )
    shares[among] = learned.predictions[:, level].clip(settings.least)
    return shares
