"""Refuting: how the checks of a refutation are made, by asking again with rows or graph changed.

Notation: theta the answers, se their standard errors, n the rows.

    placebo         the treatments' columns are shuffled together: the answers are those of a world
                    in which treatments do nothing, with the standard errors found there; of an
                    instrument's estimate the outcome is shuffled instead
    common cause    a column of random numbers, in the graph a cause of all columns that are used:
                    theta, within se
    subset          a random share s of the rows: theta, within se sqrt(1/s - 1)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from causalflow.admg.admg import ADMG
from causalflow.effects.ask import Ask
from causalflow.effects.effect import Effect
from causalflow.effects.events import group_of, target_of
from causalflow.effects.problem import Settings
from causalflow.effects.question import Question
from causalflow.effects.refutation import Check, Refutation
from causalflow.effects.rows import Array, Column, Rows
from causalflow.effects.sensitivity import Sensitivity
from causalflow.errors import CausalflowError, DataError

__all__ = ["Trial", "refuted"]

_CAUSE = "random common cause"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """An estimate, with what it takes to make it again.

    Attributes:
        ask: the question and its graph.
        rows: complete.
        settings: how it was made.
        question: its answers as sums of moments.
        treatments: what the worlds set.
        used: every column that the estimate was made of.
        by_instrument: whether the outcome is shuffled in place of the treatments.
        again: (question and graph, rows, settings) -> the estimate from these.
        sensitivity: the estimate -> what a hidden cause would do; None: that is not told.
    """

    ask: Ask
    rows: Rows
    settings: Settings
    question: Question
    treatments: tuple[str, ...]
    used: frozenset[str]
    by_instrument: bool
    again: Callable[[Ask, Rows, Settings], Effect]
    sensitivity: Callable[[Effect], Sensitivity | None]

    @property
    def outcomes(self) -> tuple[str, ...]:
        """What the question is about."""
        moments = self.question.moments
        return tuple(sorted({term.name for each in moments for term in each.outcomes}))


def refuted(
    trial: Trial, effect: Effect, *, repeats: int = 10, share: float = 0.8, seed: int = 0
) -> Refutation:
    """The report of an estimate tried by every check.

    Args:
        trial: how it is made again.
        effect: the estimate.
        repeats: of each check, at least two.
        share: of the rows that a subset has, within (0, 1).
        seed: of the shuffles, numbers and subsets.

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
    sensitivity = trial.sensitivity(effect)
    notes = () if sensitivity else (
        "what a hidden cause would do is told of one difference that is adjusted for covariates",
    )
    shown = str(effect).splitlines()[0].removeprefix(f"{effect.query} = ")
    return Refutation(
        query=effect.query,
        estimate=shown if not effect.axes else f"{len(effect.cells)} answers",
        checks=checks,
        sensitivity=sensitivity,
        notes=notes,
    )


def _placebo(
    trial: Trial, effect: Effect, repeats: int, random: np.random.Generator
) -> Check:
    shuffled = trial.outcomes if trial.by_instrument else trial.treatments
    values, errors = _again(
        trial, (trial.ask, _shuffled(trial.rows, shuffled, random)) for _ in range(repeats)
    )
    return _worst(f"shuffled {', '.join(shuffled)}", effect, _without_effect(trial), values, errors)


def _common_cause(
    trial: Trial, effect: Effect, repeats: int, random: np.random.Generator
) -> Check:
    assert trial.ask.graph is not None
    ask = replace(trial.ask, graph=_with_cause(trial.ask.graph, trial.used))
    drawn = (random.normal(size=len(trial.rows)) for _ in range(repeats))
    values, _ = _again(
        trial, ((ask, trial.rows.with_column(_CAUSE, Column(numbers=each))) for each in drawn)
    )
    errors = np.broadcast_to(effect.standard_errors, values.shape)
    return _worst(_CAUSE, effect, effect.values, values, errors)


def _subset(
    trial: Trial, effect: Effect, repeats: int, share: float, random: np.random.Generator
) -> Check:
    count = max(2, round(share * len(trial.rows)))
    chosen = (random.permutation(len(trial.rows))[:count] for _ in range(repeats))
    values, _ = _again(trial, ((trial.ask, trial.rows.taken(np.sort(each))) for each in chosen))
    errors = np.broadcast_to(effect.standard_errors * np.sqrt(1 / share - 1), values.shape)
    return _worst(f"{share:.0%} of the rows", effect, effect.values, values, errors)


def _again(trial: Trial, changed: Iterator[tuple[Ask, Rows]]) -> tuple[Array, Array]:
    """The answers and standard errors of changed rows or graphs, each of shape (repeats, answers)."""
    found = [trial.again(ask, rows, trial.settings) for ask, rows in changed]
    return (
        np.stack([each.values for each in found]),
        np.stack([each.standard_errors for each in found]),
    )


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
    rows, question = trial.rows, trial.question
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
