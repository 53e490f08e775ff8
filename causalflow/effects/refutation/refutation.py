"""Refutation: an estimate tried where the answer is known, and against what nobody has seen.

A *check* makes the estimate again from rows or a graph that were changed so that the answer is
known: a treatment dealt out at random moves nothing; a random variable added as a common cause, or
rows left out at random, change nothing but for chance. Each repeat has a distance from what is
expected in standard errors; too many beyond 1.96 refute the estimate. What no rows can check, a
hidden common cause, is told by `causalflow.effects.refutation.sensitivity`.

Source: Sharma & Kiciman (2020) for the three checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom

from causalflow.effects.complete_rows import Array
from causalflow.effects.refutation.sensitivity import Sensitivity

__all__ = ["FAR", "Check", "Refutation"]

FAR = 1.96
_CHANCE = 0.001


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Check:
    """An estimate made again and again where the answer is known.

    Attributes:
        name: what was changed.
        answer: the cell of the answer that fared worst, in words.
        expected: what the answer should be.
        values: what the repeats gave, shape (repeats,).
        distances: how far each lies from what is expected, in standard errors, shape (repeats,).
    """

    name: str
    answer: str
    expected: float
    values: Array
    distances: Array

    @property
    def held(self) -> int:
        """How many repeats are near what is expected."""
        return int((np.abs(self.distances) <= FAR).sum())

    @property
    def passes(self) -> bool:
        """Whether as many are near as chance would have it in all but one of a thousand cases."""
        return bool(self.held >= binom.ppf(_CHANCE, len(self.values), 0.95))

    def __str__(self) -> str:
        verdict = "passes" if self.passes else "FAILS"
        at = f" at {self.answer}" if self.answer else ""
        return (
            f"{self.name}{at}: {verdict}; expected {self.expected:.4g}, found"
            f" {self.values.mean():.4g} on average ({self.values.min():.4g} to"
            f" {self.values.max():.4g}), {self.held} of {len(self.values)} within {FAR} standard"
            " errors"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refutation:
    """What became of an estimate that was tried; true when it passed every check.

    Attributes:
        query: the question.
        estimate: the answer, in words.
        checks: the checks that were made.
        sensitivity: what a hidden common cause would do, where that can be told.
        notes: what was not tried, and why.
    """

    query: str
    estimate: str
    checks: tuple[Check, ...]
    sensitivity: Sensitivity | None = None
    notes: tuple[str, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether no check refutes the estimate."""
        return all(check.passes for check in self.checks)

    def __bool__(self) -> bool:
        return self.passes

    def plot(self, axes: Any = None) -> Any:
        """The repeats of each check, and the contours of the sensitivity where they are known.

        Args:
            axes: matplotlib's axes to draw on, one for the checks and one for the contours; None:
                new ones.

        Returns:
            The axes.
        """
        from causalflow.effects.refutation.contours import plot_distances

        return plot_distances(
            [check.name for check in self.checks],
            [check.distances for check in self.checks],
            [check.passes for check in self.checks],
            None if self.sensitivity is None else self.sensitivity.plot,
            axes,
        )

    def __str__(self) -> str:
        lines = [f"{self.query} = {self.estimate}", *map(str, self.checks)]
        if self.sensitivity is not None:
            lines += [f"sensitivity: {each}" for each in self.sensitivity.lines]
        return "\n".join([*lines, *(f"note: {each}" for each in self.notes)])
