"""Planned: effects of several treatments set one after another, and so of controlled ones.

E[y[x=1, m=1]] sets a treatment and a mediator; where no one set serves to adjust both for, a plan
may (`causalflow.design.plan`), with the scores of `causalflow.effects.estimators.sequential`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalflow.admg.admg import Nodes
from causalflow.design.plan import Step, plan_of
from causalflow.effects.ask import Ask
from causalflow.effects.complete_rows import Array
from causalflow.effects.effect import Effect
from causalflow.effects.estimator import Moments, Plan, Problem, assembled
from causalflow.effects.estimators.ratio import ratio_of_means
from causalflow.effects.estimators.sequential import plan_scores
from causalflow.effects.events import Treatment, group_of, target_of, world_of
from causalflow.effects.nuisance.overlap import Overlap
from causalflow.errors import QueryError
from causalflow.query.combination import Combination
from causalflow.query.query import Query

__all__ = ["Planned", "plan_sequence"]

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
