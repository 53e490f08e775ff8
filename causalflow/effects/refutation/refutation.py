"""Refutation: an estimate tried where the answer is known, and against what nobody has seen.

A *check* makes the estimate again from rows or a graph that were changed so that the answer is
known: a treatment dealt out at random moves nothing; a random variable added as a common cause, or
rows left out at random, change nothing but for chance. Each repeat has a distance from what is
expected in standard errors; too many beyond 1.96 refute the estimate. What no rows can check, a
hidden common cause, is told by `causalflow.effects.refutation.sensitivity`.

Notation: theta the answers, se their standard errors, n the rows.

    placebo         the treatments' columns are shuffled together: the answers are those of a world
                    in which treatments do nothing, with the standard errors found there; of an
                    instrument's estimate the outcome is shuffled instead
    common cause    a column of random numbers, in the graph a cause of all columns that are used:
                    theta, within se
    subset          a random share s of the rows: theta, within se sqrt(1/s - 1)

Source: Sharma & Kiciman (2020) for the three checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from causalflow.admg.admg import ADMG
from causalflow.effects.complete_rows import Array, Column, Rows
from causalflow.effects.effect import Effect
from causalflow.effects.estimator import Plan, Planner, Problem
from causalflow.effects.estimators.back_door import BackDoor
from causalflow.effects.estimators.instrumental_variables import Instruments
from causalflow.effects.events import group_of, target_of
from causalflow.effects.question import question_of
from causalflow.effects.refutation.sensitivity import Sensitivity, doubt_of
from causalflow.errors import CausalflowError, DataError
from causalflow.query.combination import AnyQuery
from causalflow.query.query import Query

__all__ = ["FAR", "Check", "Refutation", "Trial", "refuted"]

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
        from causalflow.effects.charts import plot_distances

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


_CAUSE = "random common cause"
_UNTOLD = "what a hidden cause would do is told of one difference that is adjusted for covariates"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """An estimate, with what it takes to make it again.

    Attributes:
        problem: the question, its graph and the rows.
        plan: how it was made.
        planner: makes a plan where graph or columns are others.
    """

    problem: Problem
    plan: Plan
    planner: Planner

    @property
    def treatments(self) -> tuple[str, ...]:
        """What the worlds of the question set to values."""
        terms = (term for each in self._moments for top in each.terms for term in top.walk())
        return tuple(
            sorted({each.variable for term in terms for each in term.subscript if not each.nested})
        )

    @property
    def outcomes(self) -> tuple[str, ...]:
        """What the question is about."""
        return tuple(sorted({term.name for each in self._moments for term in each.outcomes}))

    @property
    def _moments(self) -> tuple[Query, ...]:
        return self.problem.question.moments

    def again(self, **changed: Any) -> Effect:
        """The estimate where parts of the problem are others."""
        problem = replace(self.problem, **changed)
        plan = self.planner(problem.ask, frozenset(problem.rows.columns))
        assert plan is not None
        return plan.estimate(problem)

    def asked(self, query: AnyQuery) -> Effect:
        """Another question to the same rows."""
        ask = replace(self.problem.ask, query=query)
        return self.again(ask=ask, question=question_of(query, self.problem.rows, {}))

    def doubt(self, effect: Effect) -> Sensitivity | None:
        """What a hidden cause would do to the estimate; None: that is not told."""
        if not isinstance(self.plan, BackDoor):
            return None
        return doubt_of(self.problem, self.plan.adjusting, effect, self.asked)


def refuted(
    trial: Trial, effect: Effect, *, repeats: int = 10, share: float = 0.8, seed: int = 0
) -> Refutation:
    """The report of an estimate tried by every check.

    Args:
        trial: how it is made again.
        effect: the estimate.
        repeats: how often each check is made, at least twice.
        share: how much of the rows a subset has, within (0, 1).
        seed: draws shuffles, numbers and subsets.

    Raises:
        DataError: an option out of its range.
        CausalflowError: the answers are intervals, as positivity fails.
    """
    if not (isinstance(repeats, int) and repeats >= 2 and 0 < share < 1):
        raise DataError(
            f"refute: repeats={repeats!r}, share={share!r}; expected at least 2 repeats and a share"
            " between 0 and 1"
        )
    if effect.bounds is not None:
        raise CausalflowError("refute: positivity fails, and an interval is not refuted by rows")
    random = np.random.default_rng(seed)
    checks = (
        _placebo(trial, effect, repeats, random),
        _common_cause(trial, effect, repeats, random),
        _subset(trial, effect, repeats, share, random),
    )
    sensitivity = trial.doubt(effect)
    notes = () if sensitivity else (_UNTOLD,)
    shown = str(effect).splitlines()[0].removeprefix(f"{effect.query} = ")
    return Refutation(
        query=effect.query,
        estimate=shown if not effect.axes else f"{len(effect.cells)} answers",
        checks=checks,
        sensitivity=sensitivity,
        notes=notes,
    )


def _placebo(trial: Trial, effect: Effect, repeats: int, random: np.random.Generator) -> Check:
    is_instrumented = isinstance(trial.plan, Instruments)
    shuffled = trial.outcomes if is_instrumented else trial.treatments
    rows = (_shuffled(trial.problem.rows, shuffled, random) for _ in range(repeats))
    found = [trial.again(rows=each) for each in rows]
    errors = np.stack([each.standard_errors for each in found])
    expected = _without_effect(trial)
    return _worst(f"shuffled {', '.join(shuffled)}", effect, expected, _values(found), errors)


def _common_cause(trial: Trial, effect: Effect, repeats: int, random: np.random.Generator) -> Check:
    ask, rows = trial.problem.ask, trial.problem.rows
    assert ask.graph is not None
    caused = replace(ask, graph=_with_cause(ask.graph, frozenset(rows.columns)))
    drawn = (Column(numbers=random.normal(size=len(rows))) for _ in range(repeats))
    found = [trial.again(ask=caused, rows=rows.with_column(_CAUSE, each)) for each in drawn]
    return _worst(_CAUSE, effect, effect.values, _values(found), effect.standard_errors)


def _subset(
    trial: Trial, effect: Effect, repeats: int, share: float, random: np.random.Generator
) -> Check:
    rows = trial.problem.rows
    count = max(2, round(share * len(rows)))
    chosen = (np.sort(random.permutation(len(rows))[:count]) for _ in range(repeats))
    found = [trial.again(rows=rows.taken(each)) for each in chosen]
    errors = effect.standard_errors * np.sqrt(1 / share - 1)
    return _worst(f"{share:.0%} of the rows", effect, effect.values, _values(found), errors)


def _values(found: Sequence[Effect]) -> Array:
    """The answers of repeats, shape (repeats, answers)."""
    return np.stack([each.values for each in found])


def _worst(name: str, effect: Effect, expected: Array, values: Array, errors: Array) -> Check:
    """The check of the answer that fared worst."""
    with np.errstate(divide="ignore", invalid="ignore"):
        distances = np.nan_to_num((values - expected) / errors)
    place = int(np.mean(distances**2, axis=0).argmax())
    return Check(
        name=name,
        answer=", ".join(map(str, effect.cells[place])),
        expected=float(expected[place]),
        values=values[:, place],
        distances=distances[:, place],
    )


def _without_effect(trial: Trial) -> Array:
    """The answers if no treatment moved anything: every world is the one that was seen."""
    rows, question = trial.problem.rows, trial.problem.question
    groups = (group_of(rows, each, trial.treatments) for each in question.moments)
    means = [
        float(target_of(rows, moment)[group].mean())
        for moment, group in zip(question.moments, groups, strict=True)
    ]
    return question.answers(np.array(means), np.zeros((1, len(means))))[0]


def _shuffled(rows: Rows, names: tuple[str, ...], random: np.random.Generator) -> Rows:
    """The rows with some columns dealt out anew, together."""
    order: NDArray[np.int64] = random.permutation(len(rows))
    for name in names:
        rows = rows.with_column(name, rows[name].taken(order))
    return rows


def _with_cause(graph: ADMG, used: frozenset[str]) -> ADMG:
    """The graph with one node more, a cause of all that is used."""
    edges = {(_CAUSE, name) for name in used}
    return ADMG((*graph.nodes, _CAUSE), graph.directed | edges, graph.bidirected)
