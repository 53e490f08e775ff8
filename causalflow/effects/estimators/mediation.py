"""Mediation: direct and indirect effects, by means behind mediators that feel another treatment.

Notation: x the treatment, m mediators, y the outcome, w covariates that are admissible for
mediation (`causalflow.design.adjustment`). A moment E[y[x=a, m[x=b]] | x=c, w_1] is the mean of the
outcome where the stage of m feels b and that of y feels a; with a = b both are one stage. Its score
is that of `causalflow.effects.estimators.nested_means`, which needs no model of the mediators' law.

Source: Pearl (2001) for the effects; Tchetgen Tchetgen & Shpitser (2012) for the score.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from causalflow.admg.admg import Nodes
from causalflow.design.adjustment import mediation_sets
from causalflow.design.formulas import Natural, natural_term
from causalflow.design.stages import Stage
from causalflow.effects.ask import Ask
from causalflow.effects.complete_rows import Array
from causalflow.effects.effect import Effect
from causalflow.effects.estimator import Moments, Plan, Problem, assembled, averaged
from causalflow.effects.estimators.nested_means import felt_scores
from causalflow.effects.estimators.ratio import opened, ratio_of_means
from causalflow.effects.events import group_of, target_of
from causalflow.effects.nuisance.nuisances import Nuisances
from causalflow.errors import QueryError
from causalflow.query.combination import Combination
from causalflow.query.query import Query

__all__ = ["Mediated", "plan_natural"]


def plan_natural(ask: Ask, known: frozenset[str]) -> Plan | None:
    """The plan of a question about natural effects of one treatment on one outcome."""
    query = ask.query
    parts = query.parts if isinstance(query, Combination) else (query,)
    forms = [each.counterfactual_form() for each in parts]
    if ask.graph is None or any(len(form.outcomes) > 1 and not form.coefficients for form in forms):
        return None
    terms = [natural_term(term) for form in forms for term in form.outcomes if term.subscript]
    found = [each for each in terms if each is not None]
    mediators = Nodes().union(*(each.mediators for each in found))
    kinds = {(each.treatment, each.outcome, each.mediators or mediators) for each in found}
    if not mediators or len(found) < len(terms) or len(kinds) != 1:
        return None
    ((treatment, outcome, _),) = kinds
    whom = Nodes(term.name for form in forms for term in form.conditions)
    if any(term.subscript for form in forms for term in form.conditions):
        return None
    if any(term.name != outcome for form in forms for term in form.outcomes):
        return None
    for covariates in _admissible(ask, treatment, mediators, outcome, known):
        if whom <= covariates | {treatment}:
            return Mediated(
                treatment=treatment,
                mediators=tuple(sorted(mediators)),
                outcome=outcome,
                covariates=covariates,
            )
    return None


def _admissible(
    ask: Ask, treatment: str, mediators: Nodes, outcome: str, known: Nodes
) -> Iterator[Nodes]:
    """The admissible sets among the columns."""
    assert ask.graph is not None
    sets = mediation_sets(ask.graph, treatment, sorted(mediators), outcome)
    return (each for each in sets if each <= known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mediated:
    """Means behind mediators."""

    treatment: str
    mediators: tuple[str, ...]
    outcome: str
    covariates: Nodes

    @property
    def variables(self) -> frozenset[str]:
        """The covariates."""
        return self.covariates

    def estimate(self, problem: Problem) -> Effect:
        """The answers.

        Raises:
            QueryError: the treatment is a number.
        """
        if not problem.rows[self.treatment].is_finite:
            raise QueryError(
                f"estimate: '{self.treatment}' is a number; its natural effects need a treatment of"
                " a few levels: bin it, or fit a model and ask it"
            )
        return assembled(problem, averaged(problem, self._moments))

    def _moments(self, problem: Problem) -> Moments:
        """The moments of the question by one cut of the rows."""
        nuisances = Nuisances(problem, self.treatment)
        found = [self._moment(problem, nuisances, each) for each in problem.question.moments]
        values, influence, slack = zip(*found, strict=True)
        given = ", ".join(sorted(self.covariates)) or "nothing"
        return Moments(
            values=np.array(values),
            influence=np.stack(influence, axis=1),
            method=f"mediation by {', '.join(self.mediators)}, adjusted for {given}, efficient"
            f" scores in {problem.settings.folds} folds",
            learners=nuisances.learned,
            overlap=nuisances.overlap(self.covariates),
            warnings=nuisances.warnings,
            slack=(np.zeros(len(slack)), np.array(slack)) if any(slack) else None,
        )

    def _moment(
        self, problem: Problem, nuisances: Nuisances, moment: Query
    ) -> tuple[float, Array, float]:
        """The value of a moment, its influence values, and how much it may be larger."""
        rows, column = problem.rows, problem.rows[self.treatment]
        group = group_of(rows, moment, [self.treatment]).astype(np.float64)
        target = target_of(rows, moment)
        given = [each.value for each in moment.conditions if each.name == self.treatment]
        whom = None if not given else column.place(given[0], self.treatment)
        share = group if whom is None else group * nuisances.has(whom)
        term = natural_term(moment.outcomes[0])
        if term is None:
            return (*ratio_of_means(target * share, share, moment), 0.0)
        own = column.place(term.own, self.treatment)
        stages, felt = self._stages(term, own, problem)
        scores = felt_scores(nuisances, target, stages, self.covariates, felt, whom)
        voids = [nuisances.void(level, self.covariates).rows for level in felt]
        above, slack = opened(group * scores, share, target, np.logical_or.reduce(voids))
        return (*ratio_of_means(above, share, moment), slack)

    def _stages(
        self, term: Natural, own: int, problem: Problem
    ) -> tuple[tuple[Stage, ...], tuple[int, ...]]:
        """The stages of a moment and the levels that they feel."""
        column, middle = problem.rows[self.treatment], Nodes(self.mediators)
        others = own if term.others is None else column.place(term.others, self.treatment)
        last = _stage((self.outcome,), self.covariates)
        if others == own:
            return (last,), (own,)
        stages = _stage(self.mediators, self.covariates), _stage(last.names, last.given | middle)
        return stages, (others, own)


def _stage(names: tuple[str, ...], given: Nodes) -> Stage:
    return Stage(names=names, pillow=given, given=given, is_set=True, feels=True)
