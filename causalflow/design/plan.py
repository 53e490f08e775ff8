"""Plan: several treatments one after another, each with what to adjust it for.

Notation: treatments x_1 .. x_T in causal order; H_t the nodes before x_t that no later treatment
moves, x_t .. x_T among those. The plan is identified by adjustment if for every t

    H_t, x_1 .. x_{t-1} separate the outcomes from x_t, where the edges out of x_t and those into
    x_{t+1} .. x_T are cut

What earlier treatments move may be adjusted for at later ones, as each step averages over it.

Source: Pearl & Robins (1995), Theorem 4, the sequential back-door criterion.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from causalflow.admg.admg import ADMG, Nodes
from causalflow.admg.separation import separation

__all__ = ["Step", "plan_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A treatment of a plan.

    Attributes:
        treatment: x_t.
        given: H_t, without the earlier treatments.
    """

    treatment: str
    given: Nodes


def plan_of(
    admg: ADMG, treatments: Iterable[str], outcomes: Iterable[str]
) -> tuple[Step, ...] | None:
    """The treatments in causal order with what to adjust for; None: adjustment does not do.

    Of the variables that may be adjusted for, those above an outcome or a treatment are.

    Example:
        >>> admg = ADMG("albmy", [("l", "a"), ("a", "m"), ("m", "b"), ("a", "y"), ("b", "y"),
        ...                       ("m", "y"), ("l", "y")])
        >>> [(step.treatment, sorted(step.given)) for step in plan_of(admg, "ab", "y")]
        [('a', ['l']), ('b', ['l', 'm'])]
    """
    x, y = frozenset(treatments), frozenset(outcomes)
    order = [node for node in admg.topological_order() if node in x]
    useful = admg.ancestors(x | y) - x - y
    steps: list[Step] = []
    for place, treatment in enumerate(order):
        given = useful - admg.descendants(order[place:])
        cut = admg.do(order[place + 1 :]).without_outgoing(treatment)
        given = _needed(cut, treatment, y, given, frozenset(order[:place]))
        if not separation(cut, treatment, y, given | frozenset(order[:place])):
            return None
        steps.append(Step(treatment=treatment, given=given))
    return tuple(steps)


def _needed(cut: ADMG, treatment: str, outcomes: Nodes, given: Nodes, earlier: Nodes) -> Nodes:
    """The conditions without those that lead to the outcomes by way of the treatment alone."""
    for each in sorted(given - cut.ancestors(outcomes)):
        fewer = given - {each}
        if separation(cut, treatment, outcomes, fewer | earlier):
            given = fewer
    return given
