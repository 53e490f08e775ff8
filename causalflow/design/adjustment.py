"""Adjustment: short answers, where they exist: back door, front door, instruments.

Notation: X treatments, Y outcomes of P(y | do(x)).

    back door    Z blocks every path from X to Y that is not causal, and opens none:
                 P(y | do(x)) = sum_z P(y | x, z) P(z)
    front door   S meets every causal path, given X nothing else joins S to Y, and X has no back
                 door to S:  P(y | do(x)) = sum_s P(s | x) sum_x' P(y | x', s) P(x')
                 (see `causalflow.design.adjustment`)
    instrument   z moves X given W, and reaches Y given W by way of X only

Everything is lazy, and bounded: a search that would take too long ends instead.

Source: Pearl (2009), sections 3.3 and 7.4; Shpitser, VanderWeele & Robins (2010) for several
treatments; van der Zander, Textor & Liskiewicz (2015) for instruments.

Mediation: the covariates given which natural effects follow from a short formula.

Notation: X the treatment, M the mediators, Y the outcome; W is *admissible* when no node of W
descends from X, and

    W separates M from X where the edges out of X are cut: P(m[x] | w) = P(m | x, w)
    W separates Y from X, M where the edges out of both are cut: P(y[x, m] | w) = P(y | x, m, w)

Then P(y[x=a, m[x=b]]) = sum_{m, w} P(y | x=a, m, w) P(m | x=b, w) P(w), the mediation formula.

Source: Pearl (2001), Theorem 2 and section 4.1; Pearl (2014) for the two conditions.

Front door: for which sets S is P(y | do(x)) = sum_s P(s | x) sum_x' P(y | x', s) P(x').

Notation: X treatments, Y outcomes. S works where P(s | do(x)) = P(s | x) and S falls into mediators
M, which may be set, and covariates R, which are seen, with

    P(y | m, r, do(x)) = P(y | do(m), r, do(x))     rule 2
                       = P(y | do(m), r)            rule 3: M meets every causal path
    P(y | do(m), r, x') = P(y | m, r, x')           rule 2: given X and R, M has no back door to Y
    P(x' | do(m), r) = P(x')                        rules 3 and 1

as then P(y | do(m), r) = sum_x' P(y | x', m, r) P(x'). With R empty that is Pearl's criterion; that
nothing else works was tried on thousands of random graphs.

Source: Pearl (1995) for the front door; rules 1-3 of `causalflow.proof.check` for the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, islice

from causalflow.admg.admg import ADMG, Names
from causalflow.admg.separation import Separations, bits_of, separation
from causalflow.admg.separators import nearest_set, separating_sets
from causalflow.graph.graph import Graph
from causalflow.limits import ADJUSTMENT_TRIALS, MEDIATION_PAIRS
from causalflow.symbolic.expression import Expression, Index, probability
from causalflow.symbolic.simplify import product_of, sum_of
from causalflow.symbolic.substitute import without_shadows

__all__ = [
    "FrontDoor",
    "Instrument",
    "back_door_formula",
    "back_door_sets",
    "front_door_formula",
    "front_door_sets",
    "instruments",
    "mediation_sets",
]

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
    """The minimal sets S with P(y | do(x)) = sum_s P(s | x) sum_x' P(y | x', s) P(x').

    Fewest variables first. S holds mediators, and covariates that no treatment moves; it is empty
    where the treatments have no effect at all.

    Raises:
        GraphError: an unknown node.

    Example:
        >>> smoking = Graph(edges=["smoking -> tar -> cancer", "smoking <-> cancer"])
        >>> [sorted(found) for found in front_door_sets(smoking, "smoking", "cancer")]
        [['tar']]
        >>> mixed = Graph(edges=["x -> m -> y", "x <-> y", "w -> m", "w -> y"])
        >>> [sorted(found) for found in front_door_sets(mixed, "x", "y")]
        [['m', 'w']]
    """
    admg, x, y = _read(graph, treatments, outcomes)
    door = FrontDoor(admg=admg, treatments=x, outcomes=y)
    candidates = door.candidates
    if not x.isdisjoint(y) or not door.meets_every_path(frozenset(candidates)):
        return
    sizes = (combinations(candidates, size) for size in range(len(candidates) + 1))
    found: list[Set] = []
    for chosen in islice((each for group in sizes for each in group), ADJUSTMENT_TRIALS):
        middle = frozenset(chosen)
        if not any(known <= middle for known in found) and door.holds(middle):
            found.append(middle)
            yield middle


def front_door_formula(
    treatments: Iterable[str], outcomes: Iterable[str], middle: Set
) -> Expression:
    """sum_m P(m | x) sum_x' P(y | x', m) P(x')."""
    x, y = tuple(treatments), tuple(outcomes)
    inner = sum_of(
        [Index(name) for name in x], product_of([probability(y, (*x, *middle)), probability(x)])
    )
    over = [Index(name) for name in middle]
    weight = [probability(middle, x)] if middle else []
    return without_shadows(sum_of(over, product_of([*weight, inner])))


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
    after = admg.descendants(x | y)
    found = []
    for node in admg.nodes:
        if node not in after:
            given = next(_conditions(admg, x, y, node, frozenset(admg.nodes) - after), None)
            if given is not None:
                found.append(Instrument(variable=node, given=given))
    yield from sorted(found, key=lambda each: (len(each.given), each.variable))


def _conditions(admg: ADMG, x: Set, y: Set, node: str, before: Set) -> Iterator[Set]:
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
    sizes = (combinations(sorted(others), size) for size in range(len(others) + 1))
    for given in (frozenset(each) for group in sizes for each in group):
        if not separation(admg, node, x, given) and separation(behind, node, y, given):
            yield given


def _pruned(admg: ADMG, behind: ADMG, x: Set, y: Set, node: str, given: Set) -> Set:
    """The conditions without those that are not needed, in the order of names."""
    for each in sorted(given):
        fewer = given - {each}
        if separation(behind, node, y, fewer) and not separation(admg, node, x, fewer):
            given = fewer
    return given


def _read(graph: Graph | ADMG, treatments: Names, outcomes: Names) -> tuple[ADMG, Set, Set]:
    admg = graph if isinstance(graph, ADMG) else graph.admg
    return admg, frozenset(admg.ordered(treatments)), frozenset(admg.ordered(outcomes))


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
