"""Nested means: those of outcomes behind stages that feel different levels of one treatment.

Notation: stages b_1 .. b_K behind the treatment x (`causalflow.design.stages`), c what lies before;
b_k feels the level a_k. With r_j(a) = P(b_j | ., a_j) / P(b_j | ., a), and 1_a, pi_a the indicator
and the propensity of a level,

    Q_{K+1} = y,  Q_k = E[Q_{k+1} | what b_1 .. b_{k-1} and c tell, x = a_k]
    score   = Q_1 + sum_k (1_{a_k} / pi_{a_k}(c)) prod_{j<k} r_j(a_k) (Q_{k+1} - Q_k)

of which the mean over rows is the answer, and stays so where either the means or the propensities
are wrong. Under do(x = a) where stages of x's own district feel x as it was, a_k is a in the others
and every level a' in these, weighted by pi_a'(c):

    score   = Q_1 at a' = x
            + sum over set stages (1_a / pi_a(c)) sum_a' pi_a'(c) prod_{j<k} r_j(a) (Q_{k+1} - Q_k)
            + sum over the others prod_{j<k} r_j(x) (Q_{k+1} - Q_k) at a' = x

Source: Tchetgen Tchetgen & Shpitser (2012) for mediation; Fulcher et al. (2020) for the front door;
Bhattacharya, Nabi & Shpitser (2022), Theorem 11, for stages in general.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from causalflow.admg.admg import Nodes
from causalflow.design.stages import Stage, Stages
from causalflow.effects.complete_rows import Array
from causalflow.effects.nuisance.nuisances import Nuisances

__all__ = ["felt_scores", "set_scores"]


def felt_scores(
    nuisances: Nuisances,
    outcome: Array,
    stages: Sequence[Stage],
    before: Nodes,
    felt: Sequence[int],
    whom: int | None = None,
) -> Array:
    """Scores of the mean of an outcome where each stage feels a level of its own.

    Args:
        nuisances: the treatment's.
        outcome: y, or any function of the stages and of what lies before, shape (rows,).
        stages: in causal order.
        before: c.
        felt: the level a_k of each stage, by its position.
        whom: the level that the rows had of which the mean is asked; the score is then 0 at others,
            and is to be divided by the level's share. None: all rows.

    Returns:
        Shape (rows,).
    """
    means = _Means(nuisances, outcome, stages)
    aimed, had = (
        (1.0, 1.0)
        if whom is None
        else (
            nuisances.propensities(before)[:, whom],
            nuisances.has(whom),
        )
    )
    total = had * means(0, tuple(felt))
    for k, own in enumerate(felt):
        weight = aimed * nuisances.weight(own, before)
        for j in range(k):
            weight = weight * nuisances.ratio(stages[j], felt[j], own)
        total += weight * means.step(k, tuple(felt))
    return total


def set_scores(
    nuisances: Nuisances, outcome: Array, stages: Stages, level: int, whom: int | None = None
) -> Array:
    """Scores of the mean of an outcome under do(x = a), shape (rows,).

    Args:
        nuisances: the treatment's.
        outcome: y, or any function of the stages and of what lies before, shape (rows,).
        stages: from the treatment to the outcome.
        level: a, by its position.
        whom: the level that the rows had of which the mean is asked, as in `felt_scores`.
    """
    found = stages.stages
    means = _Means(nuisances, outcome, found)
    shares = nuisances.propensities(stages.pillow)
    total = np.zeros(len(outcome))
    for own in range(len(nuisances.levels)) if whom is None else [whom]:
        levels = tuple(level if stage.is_set else own for stage in found)
        had = nuisances.has(own)
        total[had] += means(0, levels)[had]
        for k, stage in enumerate(found):
            weight = (
                nuisances.weight(level, stages.pillow) * shares[:, own]
                if stage.is_set
                else 1.0 * had
            )
            for j in range(k):
                if found[j].is_set != stage.is_set:
                    weight = weight * nuisances.ratio(found[j], levels[j], levels[k])
            total += weight * means.step(k, levels)
    return total


class _Means:
    """Q_k for any levels, each found once."""

    def __init__(self, nuisances: Nuisances, outcome: Array, stages: Sequence[Stage]) -> None:
        self._nuisances, self._stages = nuisances, stages
        self._found: dict[tuple[int, tuple[int, ...]], Array] = {(len(stages), ()): outcome}

    def __call__(self, k: int, felt: tuple[int, ...]) -> Array:
        """Q of the k-th stage, counted from 0, shape (rows,)."""
        key = k, felt[k:]
        if key not in self._found:
            stage = self._stages[k]
            self._found[key] = self._nuisances.mean(
                self(k + 1, felt),
                stage.given,
                self._said(k),
                felt[k] if stage.feels else None,
            )
        return self._found[key]

    def _said(self, k: int) -> str:
        """What the target of the k-th mean is."""
        last = k + 1 == len(self._stages)
        names = ", ".join(self._stages[k].names)
        return names if last else f"its mean over {names}"

    def step(self, k: int, felt: tuple[int, ...]) -> Array:
        """Q_{k+1} - Q_k, shape (rows,)."""
        return self(k + 1, felt) - self(k, felt)
