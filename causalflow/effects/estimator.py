"""Estimator: a method that answers a question from rows, what it is given and what it makes of it.

A *method* (`Planner`) looks at the graph and the question alone and says whether it answers, and
from which columns (`Plan`). Then the rows are read, and the plan turns the problem into an
`Effect`. A method that finds moments (`causalflow.effects.question`) gives `Moments`, of which
`assembled` makes the answers.

Each row is predicted by learners that have not seen its fold: so an error of theirs is independent
of the row on which it acts.

Source: Chernozhukov et al. (2018), double machine learning, Definition 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from causalflow.effects.ask import Ask
from causalflow.effects.complete_rows import Array, Rows
from causalflow.effects.effect import Effect, effect_of_influences
from causalflow.effects.nuisance.learners import Candidates
from causalflow.effects.nuisance.overlap import Overlap
from causalflow.effects.question import Question
from causalflow.errors import DataError

__all__ = [
    "Moments",
    "Plan",
    "Planner",
    "Problem",
    "Settings",
    "assembled",
    "averaged",
    "folds_of",
    "told",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Settings:
    """How an estimate is made.

    Attributes:
        outcome_learners: candidates for the mean of an outcome.
        treatment_learners: candidates for the law of a treatment, or of any other variable.
        effect_learners: candidates for the effect given covariates; None: a curve along them.
        folds: how many parts the rows are cut into.
        confidence: the share of samples whose intervals hold the truth.
        seed: shuffles the rows, and draws for bands.
        least: the propensity below which a row has no equal under a treatment.
        resamples: how often a bootstrap draws, where a method needs one.
    """

    outcome_learners: Candidates
    treatment_learners: Candidates
    effect_learners: Candidates | None = None
    folds: int = 5
    confidence: float = 0.95
    seed: int = 0
    least: float = 0.01
    resamples: int = 400


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """A question with complete rows.

    Attributes:
        ask: the question and its graph.
        question: the answers that are wanted, as sums of moments.
        rows: complete in every column of the question and of the plan.
        settings: how the estimate is made.
        cut: which of the many cuts of the rows into folds.
    """

    ask: Ask
    question: Question
    rows: Rows
    settings: Settings
    cut: int = 0

    def folds(self, groups: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """The fold of each row, even in each group."""
        seed = self.settings.seed
        seeds = seed if not self.cut else (seed, self.cut)
        return folds_of(len(self.rows), self.settings.folds, seeds, groups)


class Plan(Protocol):
    """A method that answers a question."""

    @property
    def variables(self) -> frozenset[str]:
        """The columns that it needs beside those of the question."""
        ...

    def estimate(self, problem: Problem) -> Effect:
        """The answers."""
        ...


Planner: TypeAlias = Callable[[Ask, frozenset[str]], Plan | None]
"""(question, the columns that the rows have) -> the plan of a method; None: it does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """The moments of a question, estimated.

    Attributes:
        values: shape (moments,).
        influence: their influence values, shape (rows, moments).
        method: how they were found.
        learners: what was learned -> the learner that predicted best, in words.
        overlap: the propensities, if any are divided by.
        assumptions: what the method rests on beside the identification.
        warnings: what makes the answers doubtful.
        slack: where positivity fails, how far below and above its value each moment may be, two of
            shape (moments,).
        cuts: their values by each of several cuts of the rows into folds, of which ``values`` are
            the mean; shape (cuts, moments).
    """

    values: Array
    influence: Array
    method: str
    learners: Mapping[str, str] = field(default_factory=dict)
    overlap: Overlap | None = None
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    slack: tuple[Array, Array] | None = None
    cuts: Array | None = None


_ENOUGH, _DOMINATING = 50, 0.5
_CUTS = 2

INDEPENDENT = "the rows are drawn independently of one another"


def averaged(problem: Problem, found: Callable[[Problem], Moments]) -> Moments:
    """The mean of moments over cuts of the rows into folds; what is said of them is the first's.

    For means of means, which differ from cut to cut: the mean differs less, and so does its error.
    How far the cuts lie apart is added to it (`assembled`).
    """
    each = [found(replace(problem, cut=cut)) for cut in range(_CUTS)]
    slacks = [moments.slack for moments in each if moments.slack is not None]
    cuts = np.stack([moments.values for moments in each])
    return replace(
        each[0],
        method=f"{each[0].method}, the mean of {_CUTS} cuts",
        values=cuts.mean(axis=0),
        cuts=cuts,
        influence=np.mean([moments.influence for moments in each], axis=0),
        warnings=tuple(dict.fromkeys(line for moments in each for line in moments.warnings)),
        slack=None if not slacks else tuple(np.max(slacks, axis=0)),
    )


def assembled(problem: Problem, moments: Moments) -> Effect:
    """The answers of a problem from its moments, with intervals.

    The variance of a mean over cuts is that of its rows and the mean square by which the cuts
    miss it.

    Raises:
        DataError: an answer that is no finite number.

    Source: Chernozhukov et al. (2018), Definition 3.3, for the mean.
    """
    question = problem.question
    values, influence = question.answers(moments.values, moments.influence)
    if moments.cuts is not None:
        cuts = [question.answers(cut, moments.influence)[0] for cut in moments.cuts]
        influence = influence * _widening(influence, np.stack(cuts) - values)
    effect = told(problem, replace(moments, values=values, influence=influence))
    if moments.slack is None:
        return effect
    return _opened(effect, question, moments.values, moments.slack)


def _widening(influence: Array, missed: Array) -> Array:
    """By how much the errors grow when what the cuts missed joins them; shape (answers,)."""
    variance = (influence**2).sum(axis=0) / len(influence) ** 2
    return np.sqrt(1 + (missed**2).mean(axis=0) / variance.clip(1e-300))


def told(problem: Problem, answers: Moments) -> Effect:
    """Answers with intervals; of ``answers`` the values are the answers themselves.

    Raises:
        DataError: an answer that is no finite number.
    """
    return effect_of_influences(
        answers.values,
        answers.influence,
        confidence=problem.settings.confidence,
        seed=problem.settings.seed,
        query=str(problem.ask.query),
        axes=problem.question.axes,
        cells=problem.question.cells,
        method=answers.method,
        dropped=problem.rows.dropped,
        learners=answers.learners,
        overlap=answers.overlap,
        assumptions=(*problem.ask.assumptions, *answers.assumptions, INDEPENDENT),
        warnings=(*answers.warnings, *_dominating(answers.influence)),
    )


def _dominating(influence: Array) -> list[str]:
    """A warning where one row holds most of the sampling error of an answer."""
    squares = influence**2
    share = float(np.max(squares.max(axis=0) / squares.sum(axis=0).clip(1e-300)))
    if len(influence) < _ENOUGH or share < _DOMINATING:
        return []
    return [
        f"one row makes {share:.0%} of the sampling error: look for a value that is none, or that"
        " lies far from all others"
    ]


def _opened(
    effect: Effect, question: Question, values: Array, slack: tuple[Array, Array]
) -> Effect:
    """The answers as intervals: what moments that are known but for a slack leave open."""
    if question.divisors is not None:
        raise DataError(
            "estimate: positivity fails, and the ratio has no bounds then; ask for its parts"
        )
    up, down = question.sums.clip(0), question.sums.clip(None, 0)
    least = up @ (values - slack[0]) + down @ (values + slack[1])
    most = up @ (values + slack[1]) + down @ (values - slack[0])
    width = norm.ppf((1 + effect.confidence) / 2) * effect.standard_errors
    return replace(
        effect,
        values=np.full_like(values, np.nan, shape=least.shape),
        low=least - width,
        high=most + width,
        bounds=(least, most),
        band=None,
    )


def folds_of(
    rows: int,
    count: int,
    seed: int | tuple[int, ...],
    groups: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """The fold of each row, shape (rows,), as even as can be in each group.

    Args:
        rows: how many.
        count: how many folds, at least two.
        seed: shuffles the rows.
        groups: each row's group, such as its treatment, shape (rows,).

    Raises:
        DataError: fewer rows than folds, or fewer than two folds.
    """
    if not isinstance(count, int) or isinstance(count, bool) or not 2 <= count <= rows:
        raise DataError(
            f"estimate: folds={count!r}; expected a number from 2 to {rows:,}, the rows"
        )
    order = np.random.default_rng(seed).permutation(rows)
    if groups is not None:
        order = order[np.argsort(np.asarray(groups)[order], kind="stable")]
    folds = np.empty(rows, dtype=np.int64)
    folds[order] = np.arange(rows) % count
    return folds
