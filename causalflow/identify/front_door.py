"""Front door: for which sets S is P(y | do(x)) = sum_s P(s | x) sum_x' P(y | x', s) P(x').

Notation: X treatments, Y outcomes. S works where P(s | do(x)) = P(s | x) and S falls into mediators
M, which may be set, and covariates R, which are seen, with

    P(y | m, r, do(x)) = P(y | do(m), r, do(x))     rule 2
                       = P(y | do(m), r)            rule 3: M meets every causal path
    P(y | do(m), r, x') = P(y | m, r, x')           rule 2: given X and R, M has no back door to Y
    P(x' | do(m), r) = P(x')                        rules 3 and 1

as then P(y | do(m), r) = sum_x' P(y | x', m, r) P(x'). With R empty that is Pearl's criterion; that
nothing else works was tried on thousands of random graphs.

Source: Pearl (1995) for the front door; rules 1-3 of `causalflow.identify.calculus` for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

from causalflow.graph.admg import ADMG
from causalflow.identify.separations import Separations, bits_of

__all__ = ["FrontDoor"]

Set = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontDoor:
    """The front doors from some treatments to some outcomes."""

    admg: ADMG
    treatments: Set
    outcomes: Set
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
    def candidates(self) -> list[str]:
        """The nodes that a minimal set may hold: no back door from X, and above X or Y."""
        above = self.admg.ancestors(self.treatments | self.outcomes)
        usable = above - self.treatments - self.outcomes
        return sorted(n for n in usable if self._apart(self.x, self.graph.mask([n]), 0, 0, self.x))

    def meets_every_path(self, middle: Set) -> bool:
        """Whether no causal path from X to Y avoids the set."""
        rest = self.admg.subgraph(frozenset(self.admg.nodes) - middle)
        return not rest.descendants(self.treatments) & self.outcomes

    def holds(self, middle: Set) -> bool:
        """Whether the formula is right for a set of candidates."""
        if not self.meets_every_path(middle):
            return False
        below = middle & self.admg.descendants(self.treatments)
        splits = (
            frozenset(chosen)
            for size in reversed(range(len(middle) + 1))
            for chosen in combinations(sorted(middle), size)
        )
        return self._splits(below, middle - below) or any(
            self._splits(mediators, middle - mediators) for mediators in splits
        )

    def _splits(self, mediators: Set, covariates: Set) -> bool:
        """Whether the four equations hold for these mediators and covariates."""
        graph, x, y = self.graph, self.x, self.y
        m, r = graph.mask(mediators), graph.mask(covariates)
        return (
            self._apart(m, y, x | r, x, m)
            and self._apart(x, y, m | r, self._cut(x, r, m))
            and self._apart(m, y, x | r, 0, m)
            and self._apart(x, r, m, m)
            and self._apart(m, x, 0, m)
        )

    def _apart(self, some: int, others: int, given: int, into: int, out_of: int = 0) -> bool:
        return all(self.graph.separated(bit, others, given, into, out_of) for bit in bits_of(some))

    def _cut(self, moved: int, seen: int, set_: int) -> int:
        """The nodes whose incoming edges rule 3 cuts: its X(R)."""
        return set_ | (moved & ~self.graph.ancestors(seen, set_))
