"""Front door: for which sets S is P(y | do(x)) = sum_s P(s | x) sum_x' P(y | x', s) P(x').

Notation: X treatments, Y outcomes. S works where P(s | do(x)) = P(s | x) and S falls into mediators
M, which may be set, and covariates R, which are seen, with

    P(y | m, r, do(x)) = P(y | do(m), r, do(x))     rule 2
                       = P(y | do(m), r)            rule 3: M meets every causal path
    P(y | do(m), r, x') = P(y | m, r, x')           rule 2: given X and R, M has no back door to Y
    P(x' | do(m), r) = P(x')                        rules 3 and 1

as then P(y | do(m), r) = sum_x' P(y | x', m, r) P(x'). With R empty that is Pearl's criterion; that
nothing else works was tried on thousands of random graphs.

Source: Pearl (1995) for the front door; rules 1-3 of `causalflow.proof.rules` for the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from causalflow.admg.admg import ADMG, Names, Nodes
from causalflow.admg.separation import Separations
from causalflow.admg.separators import subsets
from causalflow.design.adjustment import effect_of
from causalflow.graph.graph import Graph
from causalflow.limits import ADJUSTMENT_TRIALS
from causalflow.symbolic.expression import Expression, Index, probability
from causalflow.symbolic.simplify import product_of, sum_of
from causalflow.symbolic.substitute import without_shadows

__all__ = ["front_door_formula", "front_door_sets"]


def front_door_sets(graph: Graph | ADMG, treatments: Names, outcomes: Names) -> Iterator[Nodes]:
    """The minimal sets S with P(y | do(x)) = sum_s P(s | x) sum_x' P(y | x', s) P(x').

    S holds mediators, and covariates that no treatment moves; it is empty where the treatments have
    no effect at all.

    Args:
        graph: the causal graph; latent nodes are in no set.
        treatments: X, one name or several.
        outcomes: Y, one name or several.

    Returns:
        The sets, fewest variables first, each found when it is asked for; of large graphs those
        among the first `causalflow.limits.ADJUSTMENT_TRIALS` that are tried.

    Raises:
        GraphError: an unknown node.

    Source: Pearl (1995) for sets of mediators alone.

    Example:
        >>> smoking = Graph(edges=["smoking -> tar -> cancer", "smoking <-> cancer"])
        >>> [sorted(found) for found in front_door_sets(smoking, "smoking", "cancer")]
        [['tar']]
        >>> mixed = Graph(edges=["x -> m -> y", "x <-> y", "w -> m", "w -> y"])
        >>> [sorted(found) for found in front_door_sets(mixed, "x", "y")]
        [['m', 'w']]
    """
    admg, x, y = effect_of(graph, treatments, outcomes, "front_door_sets")
    return _sets(_FrontDoor(admg=admg, treatments=x, outcomes=y))


def _sets(door: _FrontDoor) -> Iterator[Nodes]:
    candidates = frozenset(door.candidates)
    if not door.treatments.isdisjoint(door.outcomes) or not door.meets_every_path(candidates):
        return
    found: list[Nodes] = []
    for middle in islice(subsets(candidates), ADJUSTMENT_TRIALS):
        if not any(known <= middle for known in found) and door.holds(middle):
            found.append(middle)
            yield middle


def front_door_formula(
    treatments: Iterable[str], outcomes: Iterable[str], middle: Nodes
) -> Expression:
    """sum_m P(m | x) sum_x' P(y | x', m) P(x')."""
    x, y = tuple(treatments), tuple(outcomes)
    inner = sum_of(
        [Index(name) for name in x], product_of([probability(y, (*x, *middle)), probability(x)])
    )
    over = [Index(name) for name in middle]
    weight = [probability(middle, x)] if middle else []
    return without_shadows(sum_of(over, product_of([*weight, inner])))


@dataclass(frozen=True, slots=True, kw_only=True)
class _FrontDoor:
    """The front doors from some treatments to some outcomes."""

    admg: ADMG
    treatments: Nodes
    outcomes: Nodes
    graph: Separations = field(init=False)
    x: int = field(init=False)
    y: int = field(init=False)

    def __post_init__(self) -> None:
        graph = Separations(self.admg)
        put = object.__setattr__
        put(self, "graph", graph)
        put(self, "x", graph.mask(self.treatments))
        put(self, "y", graph.mask(self.outcomes))

    @property
    def candidates(self) -> Iterator[str]:
        """The nodes that a minimal set may hold: no back door from X, and above X or Y."""
        above = self.admg.ancestors(self.treatments | self.outcomes)
        usable = above - self.treatments - self.outcomes
        graph, x = self.graph, self.x
        return (n for n in usable if graph.all_separated(x, graph.mask([n]), 0, 0, x))

    def meets_every_path(self, middle: Nodes) -> bool:
        """Whether no causal path from X to Y avoids the set."""
        rest = self.admg.subgraph(frozenset(self.admg.nodes) - middle)
        return not rest.descendants(self.treatments) & self.outcomes

    def holds(self, middle: Nodes) -> bool:
        """Whether the formula is right for a set of candidates."""
        if not self.meets_every_path(middle):
            return False
        below = middle & self.admg.descendants(self.treatments)
        return self._splits(below, middle - below) or any(
            self._splits(mediators, middle - mediators) for mediators in subsets(middle)
        )

    def _splits(self, mediators: Nodes, covariates: Nodes) -> bool:
        """Whether the four equations hold for these mediators and covariates."""
        graph, x, y = self.graph, self.x, self.y
        apart = graph.all_separated
        m, r = graph.mask(mediators), graph.mask(covariates)
        return (
            apart(m, y, x | r, x, m)
            and apart(x, y, m | r, self._cut(x, r, m))
            and apart(m, y, x | r, 0, m)
            and apart(x, r, m, m)
            and apart(m, x, 0, m)
        )

    def _cut(self, moved: int, seen: int, set_: int) -> int:
        """The nodes whose incoming edges rule 3 cuts: its X(R)."""
        return set_ | (moved & ~self.graph.ancestors(seen, set_))
