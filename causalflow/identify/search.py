"""Search: the answer from any distributions at all, by the rules of the do-calculus, forward.

Notation: a *chance* P(a | do(b), c) is three disjoint sets of variables, kept as bits. From those
that are data the search makes others, cheapest first, until it meets the question:

    rules 1, 2, 3   what is seen or set comes, goes, or is exchanged
    marginal        P(a | do(b), c) = sum_d P(a, d | do(b), c)
    condition       P(a | do(b), c, d) = P(a, d | do(b), c) / P(d | do(b), c)
    product         P(a, d | do(b), c) = P(a | do(b), c, d) P(d | do(b), c)

The way that leads to the question is its derivation. What the search does not find may be known
all the same: not finding is no proof, and some answers take the inverse of a matrix of data.

Source: Tikka, Hyttinen & Karvanen (2021), do-search; Knuth (1977) for the cheapest way to a goal
that is made of several.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from causalflow.admg.admg import ADMG, Nodes
from causalflow.admg.separation import Separations, bits_of
from causalflow.limits import SEARCHED_CHANCES
from causalflow.proof.proof import Step
from causalflow.proof.rules import Chance, use_of
from causalflow.query.distributions import Source
from causalflow.symbolic.expression import Expression, Index, Probability
from causalflow.symbolic.simplify import plain_product, plain_ratio, plain_sum

__all__ = ["Found", "search"]


READ, RULE, JOIN = 100, 1, 1
"""What a chance costs: one read off data, one more rule, one more product; a sum or a ratio of what
is a product already costs as much as one more of the data."""


MANY = 6
"""Of more outcomes one at a time is moved to the conditions, not any set of them."""


class _Chance(NamedTuple):
    """P(outcomes | do(set_), seen) in bits."""

    outcomes: int
    set_: int
    seen: int


class _Way(NamedTuple):
    """How a chance is made: from one chance or two, or (none) read off the data."""

    rule: str
    parts: tuple[_Chance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A formula for the question, and the steps that lead to it."""

    formula: Expression
    steps: tuple[Step, ...]


def search(
    admg: ADMG, outcomes: Nodes, treatments: Nodes, conditions: Nodes, sources: Sequence[Source]
) -> Found | None:
    """P(outcomes | do(treatments), conditions) from the sources; None: not found.

    Example:
        >>> chain = ADMG(("x", "z", "y"), frozenset({("x", "z"), ("z", "y")}))
        >>> data = [Source(observed=frozenset("xz")), Source(observed=frozenset("zy"))]
        >>> print(search(chain, frozenset("y"), frozenset("x"), frozenset(), data).formula)
        sum_z P(y | z) P(z | x)
    """
    graph = Separations(admg)
    goal = _Chance(*map(graph.mask, (outcomes, treatments, conditions)))
    known = _Search(graph=graph, goal=goal)
    for source in sources:
        sides = (source.observed, source.treatments, source.conditions)
        known.offer(_Chance(*map(graph.mask, sides)), READ, _Way("data"), is_read=True)
    return _Writer(admg, known).found() if known.run() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """What is known so far, each chance with its way; what waits, cheapest first."""

    graph: Separations
    goal: _Chance
    ways: dict[_Chance, _Way] = field(default_factory=dict)
    read: set[_Chance] = field(default_factory=set)
    costs: dict[_Chance, int] = field(default_factory=dict)
    given: dict[tuple[int, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    joint: dict[tuple[int, int], list[_Chance]] = field(default_factory=lambda: defaultdict(list))
    waiting: list[tuple[int, int, _Chance, _Way, bool]] = field(default_factory=list)

    def offer(self, chance: _Chance, cost: int, way: _Way, *, is_read: bool) -> None:
        """Let a chance wait for its turn, unless a cheaper way to it is known."""
        if chance in self.ways or self.costs.get(chance, cost + 1) <= cost:
            return
        self.costs[chance] = cost
        heappush(self.waiting, (cost, len(self.costs), chance, way, is_read))

    def run(self) -> bool:
        """Whether the goal is met."""
        most = SEARCHED_CHANCES // len(self.graph.admg.nodes)
        while self.waiting and len(self.ways) < most:
            cost, _, chance, way, is_read = heappop(self.waiting)
            if chance in self.ways:
                continue
            self.ways[chance] = way
            if is_read:
                self.read.add(chance)
            if chance == self.goal:
                return True
            self.given[chance.set_, chance.seen].append(chance.outcomes)
            self.joint[chance.set_, chance.seen | chance.outcomes].append(chance)
            self._by_rules(chance, cost, is_read)
            self._by_sums(chance, cost, is_read)
            self._by_products(chance, cost)
        return False

    def _by_rules(self, chance: _Chance, cost: int, is_read: bool) -> None:
        for rule, following in _following(self.graph, chance):
            self.offer(following, cost + RULE, _Way(rule, (chance,)), is_read=is_read)

    def _by_sums(self, chance: _Chance, cost: int, is_read: bool) -> None:
        outcomes, set_, seen = chance
        more = cost + (RULE if is_read else READ)
        for bit in bits_of(outcomes):
            if rest := outcomes ^ bit:
                summed = _Chance(rest, set_, seen)
                self.offer(summed, more, _Way("marginal", (chance,)), is_read=is_read)
        few = is_read or outcomes.bit_count() > MANY
        for part in bits_of(outcomes) if few else _parts(outcomes):
            if part == outcomes:
                continue
            following = _Chance(outcomes ^ part, set_, seen | part)
            price = more if is_read else cost + more
            self.offer(following, price, _Way("condition", (chance,)), is_read=is_read)

    def _by_products(self, chance: _Chance, cost: int) -> None:
        outcomes, set_, seen = chance
        for lower in self.joint.get((set_, seen), ()):
            self._join(chance, lower, cost)
        for above in self.given.get((set_, seen | outcomes), ()):
            self._join(_Chance(above, set_, seen | outcomes), chance, cost)

    def _join(self, upper: _Chance, lower: _Chance, cost: int) -> None:
        joined = _Chance(upper.outcomes | lower.outcomes, lower.set_, lower.seen)
        other = self.costs[lower] + self.costs[upper] - cost
        self.offer(joined, cost + other + JOIN, _Way("product", (upper, lower)), is_read=False)


def _parts(mask: int) -> Iterator[int]:
    """The subsets of a set but for itself and the empty one."""
    part = (mask - 1) & mask
    while part:
        yield part
        part = (part - 1) & mask


def _following(graph: Separations, chance: _Chance) -> Iterator[tuple[str, _Chance]]:
    """The chances that one rule makes equal to this one, a variable at a time."""
    a, b, c = chance
    apart = graph.separated
    for bit in bits_of(((1 << len(graph.admg.nodes)) - 1) & ~a):
        if bit & c:
            rest = c ^ bit
            if apart(bit, a, rest | b, b):
                yield "rule 1", _Chance(a, b, rest)
            if apart(bit, a, rest | b, b, bit):
                yield "rule 2", _Chance(a, b | bit, rest)
        elif bit & b:
            rest = b ^ bit
            if apart(bit, a, c | rest, rest, bit):
                yield "rule 2", _Chance(a, rest, c | bit)
            if apart(bit, a, c | rest, _cut(graph, bit, rest, c)):
                yield "rule 3", _Chance(a, rest, c)
        else:
            if apart(bit, a, c | b, b):
                yield "rule 1", _Chance(a, b, c | bit)
            if apart(bit, a, c | b, _cut(graph, bit, b, c)):
                yield "rule 3", _Chance(a, b | bit, c)


def _cut(graph: Separations, bit: int, set_: int, seen: int) -> int:
    """The nodes whose incoming edges rule 3 cuts when it moves one: its Z(W)."""
    return set_ if bit & graph.ancestors(seen, set_) else set_ | bit


@dataclass(frozen=True, slots=True)
class _Writer:
    """The way to the goal as a formula, and as steps."""

    admg: ADMG
    known: _Search
    formulas: dict[_Chance, Expression] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def found(self) -> Found:
        formula = self._formula(self.known.goal)
        return Found(formula=formula, steps=tuple(self.steps))

    def _formula(self, chance: _Chance) -> Expression:
        if chance not in self.formulas:
            way = self.known.ways[chance]
            parts = [self._formula(part) for part in way.parts]
            self.formulas[chance] = self._made(chance, way, parts)
            if way.rule.startswith("rule") or chance not in self.known.read:
                self.steps.append(self._step(chance, way, self.formulas[chance]))
        return self.formulas[chance]

    def _made(self, chance: _Chance, way: _Way, parts: list[Expression]) -> Expression:
        names = self.known.graph.names
        match way.rule, parts:
            case "data", _:
                return self._shown(chance).formula
            case "product", [one, other]:
                return plain_product((one, other))
            case "marginal", [whole]:
                return _summed(whole, names(way.parts[0].outcomes ^ chance.outcomes))
            case "condition", [whole]:
                return _given(whole, names(chance.outcomes), names(way.parts[0].outcomes))
            case _:
                return parts[0]

    def _step(self, chance: _Chance, way: _Way, formula: Expression) -> Step:
        claim = self._shown(chance).formula
        if not way.rule.startswith("rule"):
            return Step(way.rule, _REASONS[way.rule], (), claim, formula)
        use = str(use_of(self.admg, self._shown(way.parts[0]), self._shown(chance)))
        return Step(way.rule, use.split(": ", 1)[1])

    def _shown(self, chance: _Chance) -> Chance:
        outcomes, set_, seen = map(self.known.graph.names, chance)
        return Chance(outcomes, seen, set_)


_REASONS = {
    "product": "the chain rule",
    "marginal": "a sum over what is not asked",
    "condition": "divide by the sum over the outcomes",
}


def _summed(whole: Expression, names: Nodes) -> Expression:
    """The sum over the own indices of some variables; of data, the smaller margin."""
    if isinstance(whole, Probability):
        kept = tuple(event for event in whole.outcomes if event.name not in names)
        return Probability(kept, whole.given, whole.do)
    return plain_sum(map(Index, sorted(names)), whole)


def _given(whole: Expression, left: Nodes, every: Nodes) -> Expression:
    """The conditional of the outcomes that are left; of data, the data's own."""
    if isinstance(whole, Probability):
        kept = tuple(event for event in whole.outcomes if event.name in left)
        moved = tuple(event for event in whole.outcomes if event.name in every - left)
        return Probability(kept, (*whole.given, *moved), whole.do)
    return plain_ratio(whole, _summed(whole, left))
