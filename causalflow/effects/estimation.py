"""Estimation: rows and a question become an estimate, by the first method that answers it.

Where all columns of the formula are finite their rows are counted (`causalflow.estimate.plug_in`).
Else the methods are tried in the order of `PLANNERS`. A call may name one, or `COUNTING`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from causalflow.design.left_out import notes_of_gaps
from causalflow.effects.ask import Ask
from causalflow.effects.complete_rows import Rows, read_rows
from causalflow.effects.effect import Effect
from causalflow.effects.estimator import Plan, Planner, Problem, Settings
from causalflow.effects.estimators.back_door import plan_back_door
from causalflow.effects.estimators.bootstrap import plan_formula
from causalflow.effects.estimators.front_doors import plan_stages
from causalflow.effects.estimators.instrumental_variables import plan_instruments
from causalflow.effects.estimators.mediation import plan_natural
from causalflow.effects.estimators.sequential import plan_sequence
from causalflow.effects.nuisance.learners import read_learners
from causalflow.effects.question import question_of
from causalflow.effects.refutation.refutation import Trial, refuted
from causalflow.errors import DataError, QueryError, one_of
from causalflow.estimate.counts import UncountableError, counted
from causalflow.estimate.plug_in import Answers, Estimate, check_sampling, estimated
from causalflow.graph.node import Level
from causalflow.query.means import check_named, counting_notes
from causalflow.symbolic.parts import variables
from causalflow.values.dataframe import columns_of, table_of

__all__ = ["ASSUMING", "COUNTING", "PLANNERS", "answered", "estimate_of"]

COUNTING = "plug in"

PLANNERS: Mapping[str, Planner] = {
    "back door": plan_back_door,
    "stages": plan_stages,
    "sequential": plan_sequence,
    "mediation": plan_natural,
    "formula": plan_formula,
}
ASSUMING: Mapping[str, Planner] = {"instrument": plan_instruments}
"""Methods that assume more than the graph: taken only where a call names them."""

_NAMED = {**PLANNERS, **ASSUMING}

_ROLES = ("outcome", "treatment", "effect")


def estimate_of(
    ask: Ask,
    given: Any,
    *,
    levels: Mapping[str, Sequence[Level]],
    method: str,
    learners: object,
    folds: int,
    at: Mapping[str, Sequence[float]],
    resamples: int,
    confidence: float,
    generator: np.random.Generator | int | None,
) -> Estimate | Effect:
    """The estimate of a verdict; its arguments are those of `Verdict.estimate`.

    Raises:
        QueryError: no method answers the question.
        DataError: the rows lack a column or hold what is no value, or an option is none.
    """
    if method not in ("auto", COUNTING) and (policies := ask.query.policies):
        raise QueryError(f"estimate: do({policies[0]}) is a policy, whose answer is counted alone")
    if method not in ("auto", COUNTING, *_NAMED):
        known = ["auto", COUNTING, *_NAMED]
        raise DataError(f"estimate: no method {method!r}; {one_of(str(method), known)}")
    if ask.estimand is None and method in ("auto", COUNTING):
        raise QueryError(f"estimate: {ask.refusal}{_advice(ask, given)}")
    if method in ("auto", COUNTING):
        try:
            return _counted(ask, given, levels, resamples, confidence, generator)
        except UncountableError:
            alone = method == COUNTING or bool(ask.query.policies)
            if alone or _plan(ask, columns_of(given, "estimate"), method) is None:
                raise
    settings = _settings(learners, folds, confidence, generator, resamples)
    return answered(ask, given, settings, method=method, levels=levels, at=at)


def _counted(
    ask: Ask,
    given: Any,
    levels: Mapping[str, Sequence[Level]],
    resamples: int,
    confidence: float,
    generator: np.random.Generator | int | None,
) -> Estimate:
    """The formula with the rows' relative frequencies put in."""
    assert ask.estimand is not None
    names = sorted(variables(ask.estimand) | {index.name for index in ask.indices})
    notes = notes_of_gaps(str(ask.query), ask.graph, ask.nodes, ask.estimand, names, given)
    counts = counted(given, names, ask.nodes, levels)
    known = counts.table.levels
    check_named(ask.query, {name: known[name] for name in counts.occurring}, "estimate")
    return estimated(
        ask.estimand,
        counts,
        Answers.of(ask.indices, ask.query.free_variables, ask.constant_in, counts.table),
        resamples=resamples,
        confidence=confidence,
        generator=generator,
        assumptions=(*ask.assumptions, *notes, *counting_notes(ask.query, known)),
    )


def answered(
    ask: Ask,
    given: Any,
    settings: Settings,
    *,
    method: str = "auto",
    levels: Mapping[str, Sequence[Level]] | None = None,
    at: Mapping[str, Sequence[float]] | None = None,
) -> Effect:
    """The answers of a question from rows, by learners.

    Args:
        ask: the question and its graph.
        given: a data frame, or a mapping of columns.
        settings: how the estimate is made.
        method: a name of `PLANNERS`, or "auto", the first that answers.
        levels: the levels of variables for which the graph declares none.
        at: variable -> the values at which a free number is wanted.

    Raises:
        QueryError: no method answers the question.
        DataError: the rows lack a column or hold what is no value.
    """
    given = columns_of(given, "estimate")
    plan = _plan(ask, given, method)
    if plan is None:
        raise QueryError(f"estimate: {method} does not answer {ask.query} from the columns given")
    names = sorted(ask.query.variables | plan.variables)
    notes = notes_of_gaps(str(ask.query), ask.graph, ask.nodes, ask.estimand, names, given)
    rows = read_rows(given, names, ask.nodes, levels)
    question = question_of(ask.query, rows, at or {})
    readings = _readings(ask, rows, levels or {})
    gaps = [rows.assumed] if rows.assumed else []
    ask = replace(ask, assumptions=(*ask.assumptions, *notes, *gaps, *readings))
    problem = Problem(ask=ask, question=question, rows=rows, settings=settings)
    trial = Trial(problem=problem, plan=plan, planner=partial(_planned, method))
    return replace(plan.estimate(problem), refuter=partial(refuted, trial))


def _readings(ask: Ask, rows: Rows, levels: Mapping[str, Sequence[Level]]) -> list[str]:
    """How levels are read that nobody has declared, and names in means.

    Raises:
        DataError: a query needs an order of levels that only occur.
    """
    known = {name: each.levels for name, each in rows.columns.items() if each.is_finite}
    declared = {name for name, node in ask.nodes.items() if node.type.levels}
    occurring = {n: found for n, found in known.items() if n not in declared | levels.keys()}
    check_named(ask.query, occurring, "estimate")
    return counting_notes(ask.query, known)


def _plan(ask: Ask, given: Mapping[str, Any], method: str) -> Plan | None:
    """The plan of the method that is named, or of the first that answers."""
    return _planned(method, ask, frozenset(given))


def _advice(ask: Ask, given: Any) -> str:
    """The method that would answer on a further assumption, if there is one."""
    columns = table_of(given)
    if columns is None:
        return ""
    found = [name for name in ASSUMING if _plan(ask, columns, name) is not None]
    return "".join(f"; method='{name}' answers on a further assumption" for name in found)


def _planned(method: str, ask: Ask, known: frozenset[str]) -> Plan | None:
    wanted = PLANNERS if method == "auto" else {method: _NAMED[method]}
    plans = (planner(ask, known) for planner in wanted.values())
    return next((plan for plan in plans if plan is not None), None)


def _settings(
    learners: object,
    folds: int,
    confidence: float,
    generator: np.random.Generator | int | None,
    resamples: int,
) -> Settings:
    """The settings that a call names, checked."""
    check_sampling(resamples, confidence, generator)
    roles = learners if isinstance(learners, Mapping) else dict.fromkeys(_ROLES, learners)
    if wrong := [role for role in roles if role not in _ROLES]:
        raise DataError(f"estimate: learners of '{wrong[0]}'; {one_of(str(wrong[0]), _ROLES)}")
    outcome, treatment = (read_learners(roles.get(role, "auto")) for role in _ROLES[:2])
    by_mapping = isinstance(learners, Mapping) and "effect" in learners
    is_random = isinstance(generator, np.random.Generator)
    return Settings(
        outcome_learners=outcome,
        treatment_learners=treatment,
        effect_learners=read_learners(roles["effect"]) if by_mapping else None,
        folds=folds,
        confidence=confidence,
        seed=int(generator.integers(2**31)) if is_random else int(generator or 0),  # type: ignore
        resamples=resamples,
    )
