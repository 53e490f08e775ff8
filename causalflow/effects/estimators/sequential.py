"""Sequential: effects of treatments set one after another, and so of controlled ones.

E[y[x=1, m=1]] sets a treatment and a mediator; where no one set serves to adjust both for, a plan
may.

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

from causalflow.admg.admg import Nodes
from causalflow.design.plan import Step, plan_of
from causalflow.effects.ask import Ask
from causalflow.effects.complete_rows import Array, Rows
from causalflow.effects.effect import Effect
from causalflow.effects.estimator import Moments, Plan, Problem, Settings, assembled
from causalflow.effects.estimators.ratio import ratio_of_means
from causalflow.effects.events import Treatment, group_of, target_of, world_of
from causalflow.effects.nuisance.learners import learned_levels, learned_mean
from causalflow.effects.nuisance.overlap import Overlap
from causalflow.errors import DataError, QueryError
from causalflow.query.combination import Combination
from causalflow.query.query import Query

__all__ = ["Planned", "Scored", "plan_scores", "plan_sequence"]


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


_POOR = 0.01


def plan_sequence(ask: Ask, known: frozenset[str]) -> Plan | None:
    """The plan of treatments one after another, where each has something to adjust for."""
    query = ask.query
    parts = query.parts if isinstance(query, Combination) else (query,)
    forms = [each.counterfactual_form() for each in parts]
    terms = [term for form in forms for term in form.terms]
    worlds = {frozenset(each.variable for each in term.subscript) for term in terms}
    worlds -= {frozenset()}
    if ask.graph is None or len(worlds) != 1 or any(term.nested for term in terms):
        return None
    (treatments,) = worlds
    outcomes = Nodes(term.name for form in forms for term in form.outcomes)
    if treatments & outcomes or not _are_answered(forms, treatments, ask):
        return None
    conditions = Nodes(term.name for form in forms for term in form.conditions)
    steps = plan_of(ask.graph, treatments, outcomes | conditions)
    if steps is None or not Nodes().union(*(step.given for step in steps)) <= known:
        return None
    return Planned(steps=steps)


def _are_answered(forms: list[Query], treatments: Nodes, ask: Ask) -> bool:
    """Whether each moment lies in one world, and its conditions before any treatment."""
    assert ask.graph is not None
    below = ask.graph.descendants(treatments) | treatments
    return all(
        (form.coefficients or len({term.subscript for term in form.outcomes}) == 1)
        and all(term.name not in below for term in form.conditions)
        for form in forms
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Treatments in causal order, each with what to adjust it for."""

    steps: tuple[Step, ...]

    @property
    def variables(self) -> frozenset[str]:
        """What is adjusted for."""
        return Nodes().union(*(step.given for step in self.steps))

    def estimate(self, problem: Problem) -> Effect:
        """The answers.

        Raises:
            QueryError: a treatment is a number.
        """
        names = tuple(step.treatment for step in self.steps)
        for name in names:
            if not problem.rows[name].is_finite:
                raise QueryError(
                    f"estimate: '{name}' is a number; treatments one after another need a few"
                    " levels each: bin it, or fit a model and ask it"
                )
        return assembled(problem, _Scored(problem, self.steps).moments())


class _Scored:
    """The scores of a problem's moments."""

    def __init__(self, problem: Problem, steps: tuple[Step, ...]) -> None:
        self._problem, self._steps = problem, steps
        self._names = tuple(step.treatment for step in steps)
        self._joint = Treatment.of(problem.rows, self._names)
        self._folds = problem.folds(self._joint.places)
        self._learned: dict[str, str] = {}
        self._shares: dict[int, Array] = {}

    def moments(self) -> Moments:
        """The moments of the question."""
        found = [self._moment(each) for each in self._problem.question.moments]
        values, influence = zip(*found, strict=True)
        order = ", then ".join(
            f"{step.treatment} given {', '.join(sorted(step.given)) or 'nothing'}"
            for step in self._steps
        )
        return Moments(
            values=np.array(values),
            influence=np.stack(influence, axis=1),
            method=f"sequential back door: {order}; doubly robust in"
            f" {self._problem.settings.folds} folds",
            learners=self._learned,
            overlap=self._overlap,
            warnings=self._warnings(),
        )

    def _moment(self, moment: Query) -> tuple[float, Array]:
        """The value of a moment, and its influence values."""
        rows = self._problem.rows
        group = group_of(rows, moment, self._names).astype(np.float64)
        target, world = target_of(rows, moment), world_of(moment.outcomes[0].subscript)
        if not world:
            return ratio_of_means(target * group, group, moment)
        place = self._joint.place(rows, world)
        levels = [rows[name].place(world[name], name) for name in self._names]
        scored = plan_scores(rows, target, self._steps, levels, self._problem.settings, self._folds)
        self._shares[place] = scored.shares
        self._learned |= scored.learned
        return ratio_of_means(group * scored.scores, group, moment)

    def _warnings(self) -> tuple[str, ...]:
        """Where a plan had hardly a row."""
        least = self._problem.settings.least
        shares = {at: float((each <= least).mean()) for at, each in self._shares.items()}
        return tuple(
            f"positivity is poor: the chance of {self._joint.shown[at]} is below {least:g} at"
            f" {share:.1%} of the rows, and the estimate leans on how it is learned there"
            for at, share in shares.items()
            if share > _POOR
        )

    @property
    def _overlap(self) -> Overlap:
        """The propensities of the plans that were asked for, at the rows that followed one."""
        wanted = sorted(self._shares)
        followed = np.isin(self._joint.places, wanted)
        return Overlap(
            levels=tuple(self._joint.shown[place] for place in wanted),
            propensities=np.stack([self._shares[place] for place in wanted], axis=1)[followed],
            treated=np.searchsorted(wanted, self._joint.places[followed]),
            least=self._problem.settings.least,
        )
