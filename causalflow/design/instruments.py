"""Instruments: variables that move a treatment, and reach the outcome by way of it only.

Notation: X the treatment, Y the outcome; Z is an *instrument* given W, none of them behind X or Y,
when W does not separate Z from X, but separates Z from Y where the edges out of X are cut.

Source: Pearl (2009), section 7.4; van der Zander, Textor & Liskiewicz (2015).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from causalflow.admg.admg import ADMG, Nodes
from causalflow.admg.separation import separation
from causalflow.admg.separators import nearest_set, separating_sets, subsets
from causalflow.design.adjustment import effect_of
from causalflow.graph.graph import Graph
from causalflow.limits import ADJUSTMENT_TRIALS

__all__ = ["Instrument", "instruments"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A variable that is an instrument for an effect given others.

    Attributes:
        variable: the instrument.
        given: the conditions; empty if it needs none.
    """

    variable: str
    given: Nodes = frozenset()

    def __str__(self) -> str:
        return f"{self.variable}{' | ' if self.given else ''}{', '.join(sorted(self.given))}"


def instruments(graph: Graph | ADMG, treatment: str, outcome: str) -> Iterator[Instrument]:
    """The variables that are instruments for an effect, those that need fewest others first.

    Args:
        graph: the causal graph; latent nodes are no instruments.
        treatment: X.
        outcome: Y.

    Returns:
        Each variable once, with conditions given which it is one.

    Raises:
        GraphError: an unknown node.

    Source: van der Zander, Textor & Liskiewicz (2015).

    Example:
        >>> trial = Graph(edges=["z -> x -> y", "x <-> y", "w -> z", "w -> y"])
        >>> print(*instruments(trial, "x", "y"), sep="; ")
        z | w
    """
    admg, x, y = effect_of(graph, treatment, outcome, "instruments")
    after = admg.descendants(x | y)
    found = []
    for node in admg.nodes:
        if node not in after:
            given = next(_conditions(admg, x, y, node, frozenset(admg.nodes) - after), None)
            if given is not None:
                found.append(Instrument(variable=node, given=given))
    return iter(sorted(found, key=lambda each: (len(each.given), each.variable)))


def _conditions(admg: ADMG, x: Nodes, y: Nodes, node: str, before: Nodes) -> Iterator[Nodes]:
    """The sets given which a node is an instrument: the smallest separating set, then others.

    The smallest may cut the node from the treatment too, or leave a collider closed that joins the
    two; so the set nearest to the outcome is tried, and all sets where there are few enough.
    """
    behind, others, own = admg.without_outgoing(x), before - {node}, frozenset({node})
    cuts = [*islice(separating_sets(behind, own, y, others), 1)]
    yield from (given for given in cuts if not separation(admg, node, x, given))
    if not cuts:
        return
    if 2 ** len(others) > ADJUSTMENT_TRIALS:
        nearest = nearest_set(behind, own, y, others)
        if nearest is not None and not separation(admg, node, x, nearest):
            yield _pruned(admg, behind, x, y, node, nearest)
        return
    for given in subsets(others):
        if not separation(admg, node, x, given) and separation(behind, node, y, given):
            yield given


def _pruned(admg: ADMG, behind: ADMG, x: Nodes, y: Nodes, node: str, given: Nodes) -> Nodes:
    """The conditions without those that are not needed, in the order of names."""
    for each in sorted(given):
        fewer = given - {each}
        if separation(behind, node, y, fewer) and not separation(admg, node, x, fewer):
            given = fewer
    return given
