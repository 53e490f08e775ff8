"""Instrumental variables: a treatment's effect in spite of hidden causes, by what moves it alone.

The graph does not tell this effect: it is told by a further assumption, so the method is taken only
where a call names it. Either the treatment's effect per unit is the same for all rows (*two-stage
least squares*, other variables taken out by learners); or, where instrument and treatment have two
levels, the instrument moves nobody the other way, and the answer is the mean effect among those
whom it moves (*compliers*). `causalflow.effects.estimators.two_stages` has the formulas.

Source: Chernozhukov et al. (2018), section 4.2, for taking other variables out; Frölich (2007) for
compliers given covariates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from causalflow.admg.admg import Nodes
from causalflow.design.instruments import instruments
from causalflow.design.stages import Stage
from causalflow.effects.ask import Ask
from causalflow.effects.complete_rows import Array
from causalflow.effects.effect import Effect, effect_of_influences
from causalflow.effects.estimator import INDEPENDENT, Plan, Problem
from causalflow.effects.estimators.nested_means import felt_scores
from causalflow.effects.estimators.two_stages import (
    STRONG,
    Instrumented,
    ratio_of_scores,
    two_stages,
)
from causalflow.effects.nuisance.learners import learned_mean
from causalflow.effects.nuisance.nuisances import Nuisances
from causalflow.effects.nuisance.overlap import Overlap
from causalflow.effects.question import units_apart
from causalflow.errors import QueryError
from causalflow.query.combination import Combination

__all__ = ["Instruments", "plan_instruments"]


def plan_instruments(ask: Ask, known: frozenset[str]) -> Plan | None:
    """The plan of using the graph's instruments among the columns, those that need fewest others.

    The question is a difference of means of one outcome under values of one treatment.
    """
    query = ask.query
    parts = query.parts if isinstance(query, Combination) else (query,)
    forms = [each.counterfactual_form() for each in parts]
    terms = [term for form in forms for term in form.terms]
    names = {each.variable for term in terms for each in term.subscript}
    outcomes = {term.name for term in terms}
    if ask.graph is None or len(names) != 1 or len(outcomes) != 1 or names & outcomes:
        return None
    if any(term.nested for term in terms) or any(form.conditions for form in forms):
        return None
    ((treatment,), (outcome,)) = names, outcomes
    usable = [
        each
        for each in instruments(ask.graph, treatment, outcome)
        if {each.variable, *each.given} <= known
    ]
    if not usable:
        return None
    chosen = [each.variable for each in usable if each.given == usable[0].given]
    return Instruments(
        treatment=treatment,
        outcome=outcome,
        instruments=tuple(sorted(set(chosen))),
        given=usable[0].given,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """Using instruments for the effect of a treatment on an outcome.

    Attributes:
        treatment: x.
        outcome: y.
        instruments: z.
        given: what the instruments need to be conditioned on.
    """

    treatment: str
    outcome: str
    instruments: tuple[str, ...]
    given: Nodes

    @property
    def variables(self) -> frozenset[str]:
        """The instruments, and what they need."""
        return self.given | frozenset(self.instruments)

    def estimate(self, problem: Problem) -> Effect:
        """The answers.

        Raises:
            QueryError: an answer that is no difference of means.
        """
        sizes = self._sizes(problem)
        is_local = self._is_binary(problem)
        found, learned, overlap = self._complied(problem) if is_local else self._two_stages(problem)
        effect = effect_of_influences(
            sizes * found.value,
            found.influence[:, None] * sizes,
            confidence=problem.settings.confidence,
            seed=problem.settings.seed,
            query=str(problem.ask.query),
            axes=problem.question.axes,
            cells=problem.question.cells,
            method=self._method(is_local),
            dropped=problem.rows.dropped,
            learners=learned,
            overlap=overlap,
            assumptions=(*self._assumed(is_local), INDEPENDENT),
            warnings=self._warnings(found),
        )
        return _robust(effect, found, sizes, len(self.instruments))

    def _sizes(self, problem: Problem) -> Array:
        """By how many units of the treatment each answer's worlds differ, shape (answers,)."""
        units = units_apart(problem.question, problem.rows[self.treatment], self.treatment)
        if units is None:
            raise QueryError(
                "estimate: an instrument tells how far means differ, not what they are; ask for a"
                f" difference such as TE({self.treatment} -> {self.outcome})"
            )
        return units

    def _is_binary(self, problem: Problem) -> bool:
        """Whether there is one instrument, and it and the treatment have two levels."""
        names = (self.treatment, *self.instruments)
        return len(names) == 2 and all(len(problem.rows[name].levels) == 2 for name in names)

    def _two_stages(
        self, problem: Problem
    ) -> tuple[Instrumented, Mapping[str, str], Overlap | None]:
        """Two-stage least squares with the other variables taken out."""
        told: dict[str, str] = {}
        folds, names, rows = problem.folds(), sorted(self.given), problem.rows
        given = rows.features(names)

        def left(column: Array, what: str) -> Array:
            if not names:
                return np.asarray(column - column.mean())
            learners = problem.settings.outcome_learners
            learned = learned_mean(learners, given, column, folds)
            told[f"E[{what} | {', '.join(names)}]"] = str(learned)
            return np.asarray(column - learned.predictions)

        moved = rows.features(self.instruments)
        found = two_stages(
            left(rows[self.outcome].numbers, self.outcome),
            left(rows[self.treatment].numbers, self.treatment),
            np.stack([left(each, "instruments") for each in moved.T], axis=1),
            confidence=problem.settings.confidence,
        )
        return found, told, None

    def _complied(self, problem: Problem) -> tuple[Instrumented, Mapping[str, str], Overlap | None]:
        """The instrument's effect on the outcome over that on the treatment."""
        nuisances = Nuisances(problem, self.instruments[0])
        stage = Stage(
            names=(self.outcome,), pillow=self.given, given=self.given, is_set=True, feels=True
        )

        def moved(name: str) -> Array:
            ends = (
                felt_scores(nuisances, problem.rows[name].numbers, [stage], self.given, [level])
                for level in (1, 0)
            )
            return np.asarray(next(ends) - next(ends))

        found = ratio_of_scores(
            moved(self.outcome), moved(self.treatment), confidence=problem.settings.confidence
        )
        return found, nuisances.learned, nuisances.overlap(self.given)

    def _method(self, is_local: bool) -> str:
        given = f" given {', '.join(sorted(self.given))}" if self.given else ""
        way = "effect among compliers" if is_local else "two-stage least squares"
        return f"{way}, instrument {', '.join(self.instruments)}{given}"

    def _assumed(self, is_local: bool) -> tuple[str, ...]:
        """What the answer rests on beside the graph."""
        z, x, y = ", ".join(self.instruments), self.treatment, self.outcome
        if is_local:
            return (
                f"nobody's {x} is moved by {z} in the other direction than others' are;"
                f" the effect is that among those whom {z} moves",
            )
        return (f"a unit of {x} changes {y} by the same amount for everyone",)

    def _warnings(self, found: Instrumented) -> tuple[str, ...]:
        weak = (
            f"{', '.join(self.instruments)} hardly moves {self.treatment}: first-stage F"
            f" {found.strength:.3g}, below {STRONG:g}; the estimate leans towards the confounded"
            " one, and only the interval (Anderson-Rubin) is to be trusted"
        )
        split = (
            "the interval has a hole: all numbers but those between "
            + " and ".join(f"{each:.4g}" for each in (found.robust[0][1], found.robust[-1][0]))
            + " per unit of the treatment"
            if len(found.robust) == 2
            else ""
        )
        clash = (
            ""
            if found.robust
            else ("the instruments contradict one another: no effect agrees with all of them")
        )
        return tuple(filter(None, [weak if found.is_weak else "", split, clash]))


def _robust(effect: Effect, found: Instrumented, sizes: Array, count: int) -> Effect:
    """The effect with Anderson-Rubin intervals: of one instrument always, of more if weak."""
    if not found.robust or (count > 1 and not found.is_weak):
        return effect
    ends = np.array([found.robust[0][0], found.robust[-1][1]])
    with np.errstate(invalid="ignore"):
        spans = np.where(sizes[:, None] == 0, 0.0, sizes[:, None] * ends)
    return replace(
        effect,
        low=spans.min(axis=1),
        high=spans.max(axis=1),
        band=None,
    )
