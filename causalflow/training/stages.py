"""Stages: parts of a fit, one after another, in each of which other weights learn.

A model that is `Staged` names the *milestones* between its stages, as shares of the steps. The loop
tells it before every step which milestone was reached last. A stage is like a fit of its own: the
learning rate follows its schedule from the beginning, and the average of the weights
(`causalflow.training.state`) forgets those from before it as it forgets initial ones. At a
milestone the weights are set to their average, so that what a stage holds still is as good as what
the fitted model would hold.

    stage from a to b of N steps:   steps [round(a N), round(b N))

Weights that a stage leaves out get no gradient, so AdamW does not move them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

__all__ = ["Stage", "Staged", "stage_at"]


@runtime_checkable
class Staged(Protocol):
    """A model that is fitted in stages.

    Attributes:
        milestones: the shares of the steps, rising, inside (0, 1), between two stages; none: there
            is one stage.
    """

    @property
    def milestones(self) -> tuple[float, ...]:
        """The shares between two stages."""

    def reach(self, share: float) -> None:
        """Take note of the milestone that was reached last, 0 in the first stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage.

    Attributes:
        share: the milestone it begins at; 0 of the first.
        first: its first step.
        steps: how many it has.
    """

    share: float
    first: int
    steps: int


def stage_at(step: int, steps: int, milestones: tuple[float, ...] = ()) -> Stage:
    """The stage of a step.

    Args:
        step: the number of the step, from 0.
        steps: those of the whole fit.
        milestones: those of the model.

    Example:
        >>> stage_at(20, 100, (0.2,))
        Stage(share=0.2, first=20, steps=80)
    """
    ends = [(share, round(share * steps)) for share in (0.0, *milestones, 1.0)]
    stages = [Stage(share=a, first=i, steps=j - i) for (a, i), (_, j) in pairwise(ends)]
    return next(stage for stage in reversed(stages) if stage.first <= step or not stage.first)
