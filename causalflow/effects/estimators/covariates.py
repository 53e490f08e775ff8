"""Covariates: those that an estimate by the back door uses, and the moments that it answers.

Notation: X treatments, Y outcomes, C the conditions before the treatment, Z an adjustment set for
X and Y that holds C. A moment E[y[x=a] | x=b, c] is answered when X is the same for all of a
question's moments, or empty, and so is Z. Of all sets the *optimal* one comes first: the parents of
the nodes on causal paths that are none of these nodes themselves, and do not descend from them.

Source: Shpitser, VanderWeele & Robins (2010) for Z; Henckel, Perkovic & Maathuis (2022), the set of
least asymptotic variance in a graph without hidden causes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from causalflow.admg.admg import ADMG, Nodes
from causalflow.design.adjustment import is_adjustment_set, minimal_adjustment_sets
from causalflow.query.combination import AnyQuery, Combination
from causalflow.query.query import Query, Term, World

__all__ = ["Adjusting", "adjusting"]

_SETS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusting:
    """What a back door adjusts for.

    Attributes:
        treatments: X, sorted.
        outcomes: Y, sorted.
        covariates: Z, sorted.
        conditions: C, sorted.
    """

    treatments: tuple[str, ...]
    outcomes: tuple[str, ...]
    covariates: tuple[str, ...]
    conditions: tuple[str, ...] = ()


def adjusting(graph: ADMG, query: AnyQuery, known: Nodes) -> Adjusting | None:
    """What to adjust for to answer a question; None where adjusting does not answer it.

    Args:
        graph: the algebra of the graph.
        query: the question.
        known: the variables that may be adjusted for.
    """
    parts = query.parts if isinstance(query, Combination) else (query,)
    forms = [each.counterfactual_form() for each in parts]
    worlds = {frozenset(_names(t.subscript)) for f in forms for t in f.outcomes} - {frozenset()}
    terms = [term for form in forms for term in form.terms]
    if len(worlds) != 1 or any(term.nested for term in terms):
        return None
    (treatments,) = worlds
    outcomes = frozenset(term.name for form in forms for term in form.outcomes)
    below = graph.descendants(treatments)
    whom = frozenset(term.name for form in forms for term in form.conditions)
    if treatments & outcomes or not all(_is_answered(each, treatments, below) for each in forms):
        return None
    conditions = whom - treatments
    for chosen in _sets(graph, treatments, outcomes):
        covariates = (chosen | conditions) - treatments - outcomes
        if covariates <= known and is_adjustment_set(graph, treatments, outcomes, covariates):
            return Adjusting(
                treatments=tuple(sorted(treatments)),
                outcomes=tuple(sorted(outcomes)),
                covariates=tuple(sorted(covariates)),
                conditions=tuple(sorted(conditions)),
            )
    return None


def _is_answered(form: Query, treatments: Nodes, below: Nodes) -> bool:
    """Whether each moment lies in one world, and its conditions before any treatment or on it."""
    averaged = bool(form.coefficients)
    one_world = averaged or len({term.subscript for term in form.outcomes}) == 1
    outcomes = {term.name for term in form.outcomes}
    return one_world and all(
        _is_before(each, treatments, below, outcomes) for each in form.conditions
    )


def _is_before(term: Term, treatments: Nodes, below: Nodes, outcomes: set[str]) -> bool:
    if term.name in outcomes:
        return False
    return (term.name in treatments and not term.subscript) or term.name not in below


def _names(world: World) -> Iterator[str]:
    return (each.variable for each in world)


def _sets(graph: ADMG, treatments: Nodes, outcomes: Nodes) -> Iterator[Nodes]:
    causal = (graph.do(treatments).descendants(treatments) - treatments) & graph.without_outgoing(
        treatments
    ).ancestors(outcomes)
    yield graph.parents(causal) - causal - graph.descendants(causal) - treatments
    yield from islice(minimal_adjustment_sets(graph, treatments, outcomes), _SETS)
