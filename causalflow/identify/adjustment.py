"""Adjustment: short answers, where they exist: back door, front door, instruments.

Notation: X treatments, Y outcomes of P(y | do(x)).

    back door    Z blocks every path from X to Y that is not causal, and opens none:
                 P(y | do(x)) = sum_z P(y | x, z) P(z)
    front door   M meets every causal path, X blocks every back door from M to Y, and X has none
                 to M:  P(y | do(x)) = sum_m P(m | x) sum_x' P(y | x', m) P(x')
    instrument   z moves X given W, and reaches Y given W by way of X only

Everything is lazy, and bounded: a search that would take too long ends instead.

Source: Pearl (2009), sections 3.3 and 7.4; Shpitser, VanderWeele & Robins (2010) for several
treatments; van der Zander, Textor & Liskiewicz (2015) for instruments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, islice

from causalflow.graph.admg import ADMG, Names
from causalflow.graph.graph import Graph
from causalflow.graph.separation import separation
from causalflow.identify.cut import separating_sets
from causalflow.limits import ADJUSTMENT_TRIALS
from causalflow.symbolic.binding import without_shadows
from causalflow.symbolic.expression import Expression, Index, probability
from causalflow.symbolic.simplify import product_of, sum_of

__all__ = [
    "Instrument",
    "back_door_formula",
    "back_door_sets",
    "front_door_formula",
    "front_door_sets",
    "instruments",
]


Set = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A variable that is an instrument for an effect given others."""

    variable: str
    given: Set = frozenset()

    def __str__(self) -> str:
        return f"{self.variable}{' | ' if self.given else ''}{', '.join(sorted(self.given))}"


def back_door_sets(graph: Graph | ADMG, treatments: Names, outcomes: Names) -> Iterator[Set]:
    """The minimal sets to adjust for, fewest variables first.

    Raises:
        GraphError: an unknown node.

    Example:
        >>> fork = Graph(edges=["z -> x -> y", "z -> w -> y"])
        >>> sorted(sorted(found) for found in back_door_sets(fork, "x", "y"))
        [['w'], ['z']]
    """
    admg, x, y = _read(graph, treatments, outcomes)
    causal = _causal(admg, x, y)
    arrows = frozenset(edge for edge in admg.directed if not (edge[0] in x and edge[1] in causal))
    without = ADMG(admg.nodes, arrows, admg.bidirected)
    allowed = frozenset(admg.nodes) - admg.descendants(causal) - x - y
    if x.isdisjoint(y) and not admg.descendants(causal) & x:
        yield from separating_sets(without, x, y, allowed)


def _causal(admg: ADMG, x: Set, y: Set) -> Set:
    """The nodes behind X on causal paths to Y that do not come back to X."""
    return (admg.do(x).descendants(x) - x) & admg.without_outgoing(x).ancestors(y)


def back_door_formula(treatments: Iterable[str], outcomes: Iterable[str], given: Set) -> Expression:
    """sum_z P(y | x, z) P(z)."""
    x, y = tuple(treatments), tuple(outcomes)
    over = [Index(name) for name in given]
    weight = [probability(given)] if given else []
    return sum_of(over, product_of([probability(y, (*x, *given)), *weight]))


def front_door_sets(graph: Graph | ADMG, treatments: Names, outcomes: Names) -> Iterator[Set]:
    """The minimal front-door sets, fewest variables first.

    Raises:
        GraphError: an unknown node.

    Example:
        >>> smoking = Graph(edges=["smoking -> tar -> cancer", "smoking <-> cancer"])
        >>> [sorted(found) for found in front_door_sets(smoking, "smoking", "cancer")]
        [['tar']]
    """
    admg, x, y = _read(graph, treatments, outcomes)
    between = (admg.descendants(x) & admg.ancestors(y)) - x - y
    behind = admg.without_outgoing(x)
    candidates = sorted(node for node in between if separation(behind, x, node))
    sizes = (combinations(candidates, size) for size in range(1, len(candidates) + 1))
    found: list[Set] = []
    for chosen in islice((each for group in sizes for each in group), ADJUSTMENT_TRIALS):
        middle = frozenset(chosen)
        if not any(known <= middle for known in found) and _is_front_door(admg, x, y, middle):
            found.append(middle)
            yield middle


def _is_front_door(admg: ADMG, x: Set, y: Set, middle: Set) -> bool:
    """The conditions that the back door from X to M leaves."""
    rest = admg.subgraph(frozenset(admg.nodes) - middle)
    if rest.descendants(x) & y:
        return False
    return bool(separation(admg.without_outgoing(middle), middle, y, x))


def front_door_formula(
    treatments: Iterable[str], outcomes: Iterable[str], middle: Set
) -> Expression:
    """sum_m P(m | x) sum_x' P(y | x', m) P(x')."""
    x, y = tuple(treatments), tuple(outcomes)
    inner = sum_of(
        [Index(name) for name in x], product_of([probability(y, (*x, *middle)), probability(x)])
    )
    over = [Index(name) for name in middle]
    return without_shadows(sum_of(over, product_of([probability(middle, x), inner])))


def instruments(graph: Graph | ADMG, treatment: str, outcome: str) -> Iterator[Instrument]:
    """One instrument for each variable that is one, those that need fewest others first.

    Raises:
        GraphError: an unknown node.

    Example:
        >>> trial = Graph(edges=["z -> x -> y", "x <-> y", "w -> z", "w -> y"])
        >>> print(*instruments(trial, "x", "y"), sep="; ")
        z | w
    """
    admg, x, y = _read(graph, treatment, outcome)
    behind = admg.without_outgoing(x)
    after = admg.descendants(x | y)
    found = []
    for node in admg.nodes:
        if node not in after:
            given = next(
                separating_sets(behind, frozenset({node}), y, _others(admg, after, node)), None
            )
            if given is not None and not separation(admg, node, x, given):
                found.append(Instrument(variable=node, given=given))
    yield from sorted(found, key=lambda each: (len(each.given), each.variable))


def _others(admg: ADMG, after: Set, node: str) -> Set:
    return frozenset(admg.nodes) - after - {node}


def _read(graph: Graph | ADMG, treatments: Names, outcomes: Names) -> tuple[ADMG, Set, Set]:
    admg = graph if isinstance(graph, ADMG) else graph.admg
    return admg, frozenset(admg.ordered(treatments)), frozenset(admg.ordered(outcomes))
