"""Mediation: the covariates given which natural effects follow from a short formula.

Notation: X the treatment, M the mediators, Y the outcome; W is *admissible* when no node of W
descends from X, and

    W separates M from X where the edges out of X are cut: P(m[x] | w) = P(m | x, w)
    W separates Y from X, M where the edges out of both are cut: P(y[x, m] | w) = P(y | x, m, w)

Then P(y[x=a, m[x=b]]) = sum_{m, w} P(y | x=a, m, w) P(m | x=b, w) P(w), the mediation formula.

Source: Pearl (2001), Theorem 2 and section 4.1; Pearl (2014) for the two conditions.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from causalflow.graph.admg import ADMG, Names
from causalflow.graph.graph import Graph
from causalflow.graph.separation import separation
from causalflow.identify.cut import separating_sets
from causalflow.limits import MEDIATION_PAIRS

__all__ = ["mediation_sets"]


Set = frozenset[str]


def mediation_sets(
    graph: Graph | ADMG, treatment: str, mediators: Names, outcome: str
) -> Iterator[Set]:
    """Admissible sets: minimal ones for the outcome's condition, with what the mediators' needs.

    Lazy; fewest variables for the outcome come first. Not all sets: others may be admissible too.

    Raises:
        GraphError: an unknown node.

    Example:
        >>> graph = Graph(edges=["w -> x -> m -> y", "x -> y", "w -> m", "v -> m", "v -> y"])
        >>> [sorted(found) for found in mediation_sets(graph, "x", "m", "y")]
        [['v', 'w']]
    """
    admg = graph if isinstance(graph, ADMG) else graph.admg
    x, m, y = (frozenset(admg.ordered(names)) for names in (treatment, mediators, outcome))
    allowed = frozenset(admg.nodes) - admg.descendants(x) - m - y
    of_outcome = separating_sets(admg.without_outgoing(x | m), x | m, y, allowed)
    found: list[Set] = []
    for base in islice(of_outcome, MEDIATION_PAIRS):
        of_mediators = separating_sets(admg.without_outgoing(x), x, m, allowed)
        for other in (Set(), *islice(of_mediators, MEDIATION_PAIRS)):
            chosen = base | other
            if any(known <= chosen for known in found):
                continue
            if _is_admissible(admg, x, m, y, chosen):
                found.append(chosen)
                yield chosen
                break


def _is_admissible(admg: ADMG, x: Set, m: Set, y: Set, w: Set) -> bool:
    one = separation(admg.without_outgoing(x), x, m, w)
    return bool(one and separation(admg.without_outgoing(x | m), x | m, y, w))
