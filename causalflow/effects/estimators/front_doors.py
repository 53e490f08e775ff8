"""Front doors: effects of a treatment whose hidden causes spare its children, not all it moves.

That is the front door, with or without covariates, and every other graph with stages
(`causalflow.design.stages`); their scores are those of
`causalflow.effects.estimators.nested_means`.

A moment E[y[x=a] | x=b, c] is answered where c are values of finite variables in the world of x=a,
or before x: y 1_c takes the place of y, and the answer is a ratio of two means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalflow.admg.admg import Nodes
from causalflow.design.stages import Stages, stages_of
from causalflow.effects.ask import Ask
from causalflow.effects.complete_rows import Array
from causalflow.effects.effect import Effect
from causalflow.effects.estimator import Moments, Plan, Problem, assembled, averaged
from causalflow.effects.estimators.bootstrap import plan_formula
from causalflow.effects.estimators.nested_means import set_scores
from causalflow.effects.estimators.ratio import opened, ratio_of_means
from causalflow.effects.events import group_of, target_of, world_of
from causalflow.effects.nuisance.nuisances import Nuisances
from causalflow.errors import QueryError
from causalflow.query.combination import Combination
from causalflow.query.query import Query, Term, World

__all__ = ["Staged", "plan_stages"]


def plan_stages(ask: Ask, known: frozenset[str]) -> Plan | None:
    """The plan of going by stages, where the treatment has them and all their columns are there."""
    if ask.graph is None:
        return None
    query = ask.query
    parts = query.parts if isinstance(query, Combination) else (query,)
    forms = [each.counterfactual_form() for each in parts]
    names = {each.variable for form in forms for term in form.terms for each in term.subscript}
    if len(names) != 1 or any(term.nested for form in forms for term in form.terms):
        return None
    (treatment,) = names
    if not all(_is_answered(form, treatment, ask.graph.descendants(treatment)) for form in forms):
        return None
    ends = Nodes(term.name for form in forms for term in form.terms) - {treatment}
    stages = stages_of(ask.graph, treatment, ends)
    if stages is None or not stages.variables <= known:
        return None
    return Staged(stages=stages)


def _is_answered(form: Query, treatment: str, below: Nodes) -> bool:
    """Whether each moment lies in one world, its conditions there, before, or on the treatment."""
    worlds = {term.subscript for term in form.outcomes}
    if any(term.name == treatment for term in form.outcomes) or (
        len(worlds) > 1 and not form.coefficients
    ):
        return False
    return all(_fits(term, treatment, below, worlds) for term in form.conditions)


def _fits(term: Term, treatment: str, below: Nodes, worlds: set[World]) -> bool:
    if term.subscript:
        return worlds == {term.subscript} and term.name != treatment
    return term.name == treatment or term.name not in below


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Going by stages."""

    stages: Stages

    @property
    def variables(self) -> frozenset[str]:
        """All that the stages' laws are conditioned on."""
        return self.stages.variables

    def estimate(self, problem: Problem) -> Effect:
        """The answers; of a treatment that is a number those of the formula (`plan_formula`)."""
        if not problem.rows[self.stages.treatment].is_finite:
            plan = plan_formula(problem.ask, frozenset(problem.rows.columns))
            if plan is None:
                raise QueryError(
                    f"estimate: '{self.stages.treatment}' is a number, and the question has no"
                    " formula of the rows' columns; bin it, or fit a model and ask it"
                )
            return plan.estimate(problem)
        return assembled(problem, averaged(problem, self._moments))

    def _moments(self, problem: Problem) -> Moments:
        """The moments of the question by one cut of the rows."""
        nuisances = Nuisances(problem, self.stages.treatment)
        found = [self._moment(problem, nuisances, each) for each in problem.question.moments]
        values, influence, slack = zip(*found, strict=True)
        return Moments(
            values=np.array(values),
            influence=np.stack(influence, axis=1),
            method=f"{self._named}, efficient scores in {problem.settings.folds} folds",
            learners=nuisances.learned,
            overlap=nuisances.overlap(self.stages.pillow),
            warnings=nuisances.warnings,
            slack=(np.zeros(len(slack)), np.array(slack)) if any(slack) else None,
        )

    @property
    def _named(self) -> str:
        stages = self.stages.stages
        through = ", ".join(name for stage in stages[:-1] for name in stage.names)
        if [stage.is_set for stage in stages] == [True, False]:
            given = ", ".join(sorted(self.stages.pillow))
            return f"front door through {through}" + (f" given {given}" if given else "")
        return f"stages through {through}" if through else "one stage"

    def _moment(
        self, problem: Problem, nuisances: Nuisances, moment: Query
    ) -> tuple[float, Array, float]:
        """The value of a moment, its influence values, and how much it may be larger."""
        rows, treatment = problem.rows, self.stages.treatment
        group = group_of(rows, moment, [treatment]).astype(np.float64)
        target = target_of(rows, moment) * group
        given = [each.value for each in moment.conditions if each.name == treatment]
        whom = None if not given else rows[treatment].place(given[0], treatment)
        world = world_of(moment.outcomes[0].subscript)
        if not world:
            had = np.asarray(group if whom is None else group * nuisances.has(whom))
            return (*ratio_of_means(target * (had > 0), had, moment), 0.0)
        level = rows[treatment].place(world[treatment], treatment)
        above = set_scores(nuisances, target, self.stages, level, whom)
        if moment.conditions == () or group.all():
            kept = np.full(len(rows), True) if whom is None else nuisances.has(whom)
            share = kept.astype(np.float64)
        else:
            share = set_scores(nuisances, group, self.stages, level, whom)
        void = nuisances.void(level, self.stages.pillow).rows
        above, slack = opened(above, share, target, void)
        return (*ratio_of_means(above, share, moment), slack)
