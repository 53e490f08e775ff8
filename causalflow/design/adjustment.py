"""Adjustment: the sets of variables to adjust for, of an effect and of mediation.

Notation: X treatments, Y outcomes; C the nodes behind X on directed paths from X to Y that do not
come back to X. Z is an *adjustment set* if P(y | do(x)) = sum_z P(y | x, z) P(z) in every model of
the graph. That is so if and only if

    Z holds no node of X or Y, no node of C, and none that descends from C
    Z separates X from Y where the edges from X to C are cut

For *mediation*, M the mediators, W is admissible when no node of W descends from X, and

    W separates M from X where the edges out of X are cut: P(m[x] | w) = P(m | x, w)
    W separates Y from X, M where the edges out of both are cut: P(y[x, m] | w) = P(y | x, m, w)

Then P(y[x=a, m[x=b]]) = sum_{m, w} P(y | x=a, m, w) P(m | x=b, w) P(w), the mediation formula.

Source: Shpitser, VanderWeele & Robins (2010) for the criterion, which is complete; van der Zander,
Liskiewicz & Textor (2019) for its form here; Pearl (2001), Theorem 2, and Pearl (2014) for
mediation.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import islice

from causalflow.admg.admg import ADMG, Names, Nodes
from causalflow.admg.separation import Separations, separation
from causalflow.admg.separators import separating_sets, subsets
from causalflow.errors import GraphError
from causalflow.graph.graph import Graph, admg_of
from causalflow.limits import CUTS, MEDIATION_PAIRS, SUBSETS
from causalflow.symbolic.expression import Expression, Index, probability
from causalflow.symbolic.simplify import product_of, sum_of

__all__ = [
    "adjustment_formula",
    "adjustment_sets",
    "effect_of",
    "is_adjustment_set",
    "mediation_sets",
    "minimal_adjustment_sets",
]


def adjustment_sets(
    graph: Graph | ADMG, treatments: Names, outcomes: Names, *, minimal: bool = True
) -> Iterator[Nodes]:
    """The sets Z with P(y | do(x)) = sum_z P(y | x, z) P(z), fewest variables first.

    Args:
        graph: the causal graph; latent nodes are in no set.
        treatments: X, one name or several.
        outcomes: Y, one name or several.
        minimal: only sets of which no part will do; else all of them.

    Returns:
        The sets one by one, each found when it is asked for.

    Raises:
        GraphError: an unknown node, one that is given twice, or none; while the sets are read, that
            there are too many to look through.

    Source: Shpitser, VanderWeele & Robins (2010); van der Zander, Liskiewicz & Textor (2019).

    Example:
        >>> fork = Graph(edges=["z -> x -> y", "z -> w -> y"])
        >>> [sorted(found) for found in adjustment_sets(fork, "x", "y")]
        [['z'], ['w']]
        >>> [sorted(found) for found in adjustment_sets(fork, "x", "y", minimal=False)]
        [['w'], ['z'], ['w', 'z']]
    """
    admg, x, y = _adjusted(graph, treatments, outcomes, "adjustment_sets")
    return _all_minimal(admg, x, y) if minimal else _all_valid(admg, x, y)


def is_adjustment_set(
    graph: Graph | ADMG, treatments: Names, outcomes: Names, given: Names
) -> bool:
    """Whether P(y | do(x)) = sum_z P(y | x, z) P(z) for ``given`` in every model of the graph.

    Raises:
        GraphError: an unknown node, one that is given twice, or no treatment or outcome.

    Example:
        >>> graph = Graph(edges=["z -> x -> m -> y", "z -> y", "z -> w"])
        >>> [is_adjustment_set(graph, "x", "y", given) for given in ("z", ["z", "w"], "m", [])]
        [True, True, False, False]
    """
    admg, x, y = _adjusted(graph, treatments, outcomes, "is_adjustment_set")
    z = frozenset(admg.ordered(given))
    if twice := sorted(z & (x | y)):
        raise GraphError(
            f"is_adjustment_set: '{twice[0]}' is a treatment or an outcome; adjust for other nodes"
        )
    allowed = _allowed(admg, x, y)
    return allowed is not None and z <= allowed and bool(separation(_behind(admg, x, y), x, y, z))


def effect_of(
    graph: Graph | ADMG, treatments: Names, outcomes: Names, asked_by: str
) -> tuple[ADMG, Nodes, Nodes]:
    """The mixed graph, treatments and outcomes that a function of this folder was given."""
    admg = admg_of(graph, asked_by)
    return admg, frozenset(admg.ordered(treatments)), frozenset(admg.ordered(outcomes))


def _adjusted(
    graph: Graph | ADMG, treatments: Names, outcomes: Names, asked_by: str
) -> tuple[ADMG, Nodes, Nodes]:
    """The same, where both sets hold something and share nothing."""
    admg, x, y = effect_of(graph, treatments, outcomes, asked_by)
    if both := sorted(x & y):
        raise GraphError(f"{asked_by}: '{both[0]}' is given twice; no treatment is an outcome")
    if not (x and y):
        raise GraphError(f"{asked_by}: no {'outcome' if x else 'treatment'} is given; name one")
    return admg, x, y


def minimal_adjustment_sets(
    admg: ADMG, treatments: Names, outcomes: Names
) -> Generator[Nodes, None, bool]:
    """The minimal sets that are found in time; returns whether these are all."""
    x, y = frozenset(admg.ordered(treatments)), frozenset(admg.ordered(outcomes))
    allowed = _allowed(admg, x, y)
    if allowed is None:
        return True
    return (yield from separating_sets(_behind(admg, x, y), x, y, allowed))


def _all_minimal(admg: ADMG, x: Nodes, y: Nodes) -> Iterator[Nodes]:
    if not (yield from minimal_adjustment_sets(admg, x, y)):
        raise GraphError(
            f"adjustment_sets: there may be more, but {CUTS:,} steps of the search are over;"
            " is_adjustment_set decides for any set"
        )


def _all_valid(admg: ADMG, x: Nodes, y: Nodes) -> Iterator[Nodes]:
    allowed = _allowed(admg, x, y)
    if allowed is None:
        return
    if 2 ** len(allowed) > SUBSETS:
        raise GraphError(
            f"adjustment_sets: {len(allowed)} variables have more than {SUBSETS:,} subsets;"
            " is_adjustment_set decides for any one, and minimal=True lists the minimal ones"
        )
    behind = Separations(_behind(admg, x, y))
    ends = behind.mask(x), behind.mask(y)
    for given in subsets(allowed):
        if behind.all_separated(*ends, behind.mask(given)):
            yield given


def _allowed(admg: ADMG, x: Nodes, y: Nodes) -> Nodes | None:
    """What may be adjusted for; None: nothing will do, as X is behind a cause of Y behind X."""
    forbidden = admg.descendants(_causal(admg, x, y))
    return None if forbidden & x else frozenset(admg.nodes) - forbidden - x - y


def _behind(admg: ADMG, x: Nodes, y: Nodes) -> ADMG:
    """The graph without the first edges of the causal paths."""
    causal = _causal(admg, x, y)
    arrows = frozenset(edge for edge in admg.directed if not (edge[0] in x and edge[1] in causal))
    return ADMG(admg.nodes, arrows, admg.bidirected)


def _causal(admg: ADMG, x: Nodes, y: Nodes) -> Nodes:
    """The nodes behind X on causal paths to Y that do not come back to X."""
    return (admg.do(x).descendants(x) - x) & admg.without_outgoing(x).ancestors(y)


def adjustment_formula(
    treatments: Iterable[str], outcomes: Iterable[str], given: Nodes
) -> Expression:
    """sum_z P(y | x, z) P(z)."""
    x, y = tuple(treatments), tuple(outcomes)
    over = [Index(name) for name in given]
    weight = [probability(given)] if given else []
    return sum_of(over, product_of([probability(y, (*x, *given)), *weight]))


def mediation_sets(
    graph: Graph | ADMG, treatment: str, mediators: Names, outcome: str
) -> Iterator[Nodes]:
    """Admissible sets: minimal ones for the outcome's condition, with what the mediators' needs.

    Lazy; fewest variables for the outcome come first. Not all sets: others may be admissible too.

    Raises:
        GraphError: an unknown node.

    Example:
        >>> graph = Graph(edges=["w -> x -> m -> y", "x -> y", "w -> m", "v -> m", "v -> y"])
        >>> [sorted(found) for found in mediation_sets(graph, "x", "m", "y")]
        [['v', 'w']]
    """
    admg = admg_of(graph, "mediation_sets")
    x, m, y = (frozenset(admg.ordered(names)) for names in (treatment, mediators, outcome))
    allowed = frozenset(admg.nodes) - admg.descendants(x) - m - y
    of_outcome = separating_sets(admg.without_outgoing(x | m), x | m, y, allowed)
    found: list[Nodes] = []
    for base in islice(of_outcome, MEDIATION_PAIRS):
        of_mediators = separating_sets(admg.without_outgoing(x), x, m, allowed)
        for other in (Nodes(), *islice(of_mediators, MEDIATION_PAIRS)):
            chosen = base | other
            if any(known <= chosen for known in found):
                continue
            if _is_admissible(admg, x, m, y, chosen):
                found.append(chosen)
                yield chosen
                break


def _is_admissible(admg: ADMG, x: Nodes, m: Nodes, y: Nodes, w: Nodes) -> bool:
    one = separation(admg.without_outgoing(x), x, m, w)
    return bool(one and separation(admg.without_outgoing(x | m), x | m, y, w))
