"""Derivation: the way of the ID algorithm, written out as a do-calculus proof.

Notation: Q[S] = P(s | do(pa(S) - S)), pa(S) the parents of the nodes of S. The proof follows ID:

    line 2      rule 3 leaves out the treatments that no outcome descends from
    line 4      the sum over the ancestors D of Y, the chain rule, and for each of D's terms the
                exchange of what its district lacks: P(d_i | d_<i, do(x)) is a term of Q[S]
    line 6      a term of Q[S], S a district of the data, is P(s_i | what it depends on)
    lines 2, 7  else it is a term of Q[T], T around S: a quotient of sums of products of terms of
                the kernel above T, and so on up to the data (`causalflow.identify.kernel`)

ID has found all of this already: an `Effect` holds the kernel that each Q[S] was reached by, and
the proof goes its way back. Only what turns one term into another by the rules is looked for
(`convert`). Variables stand at their own indices throughout: a term's value does not depend on what
is put in, so sums around it may bind that. `causalflow.proof.check`, which knows nothing of this,
reads every proof before it is shown.

Source: Shpitser & Pearl (2006), Theorems 5-7; Tian & Pearl (2002), Lemmas 1-4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

from causalflow.admg.admg import ADMG, Nodes
from causalflow.admg.separation import Separations
from causalflow.identify.id import Effect, Factor
from causalflow.identify.kernel import Factored, Kernel, Observed
from causalflow.proof.check import faults
from causalflow.proof.proof import Line
from causalflow.proof.rules import Chance, Use, use_of
from causalflow.symbolic.expression import Expression, Index, Probability, Product, Ratio, Sum
from causalflow.symbolic.parts import rebuilt
from causalflow.symbolic.simplify import simplify

__all__ = ["UnprovedError", "convert", "prove_effect"]

NOTHING: Nodes = frozenset()


class UnprovedError(Exception):
    """A step of ID that was not translated; it never leaves the package."""


@lru_cache(maxsize=64)
def prove_effect(admg: ADMG, asked: Chance, effect: Effect) -> tuple[Line, ...]:
    """The lines that lead from a probability to data, as ID went.

    Args:
        admg: the graph.
        asked: the question.
        effect: what `causalflow.identify.id.identify_effect` found for it, a formula.

    Raises:
        UnprovedError: a step was not found, or a line does not pass `causalflow.proof.check`.
    """
    prover = _Prover(admg=admg, graph=Separations(admg))
    prover.prove(asked, effect)
    for fault in faults(admg, asked, prover.lines):
        raise UnprovedError(fault)
    return tuple(prover.lines)


@dataclass(slots=True, kw_only=True)
class _Prover:
    """The proof so far."""

    admg: ADMG
    graph: Separations
    lines: list[Line] = field(default_factory=list)
    current: Expression | None = None
    plans: dict[tuple[Chance, Chance], tuple[Use, ...] | None] = field(default_factory=dict)
    above: dict[Factored, Mapping[str, Nodes]] = field(default_factory=dict)

    def prove(self, asked: Chance, effect: Effect) -> None:
        """All lines, from the question to a formula without ``do``."""
        self.current = asked.formula
        for node in effect.moved:  # line 1 of IDC
            goal = Chance(asked.outcomes, asked.given - {node}, asked.do | {node})
            self._convert({asked: goal})
            asked = goal
        region = self.admg.subgraph(self.admg.ancestors(asked.outcomes | asked.given))
        relevant = Chance(asked.outcomes, asked.given, asked.do & region.members)
        self._convert({asked: relevant})
        if effect.factors:
            self._by_districts(region, self._joint(relevant), effect.factors)
        self._simplify()

    def _joint(self, asked: Chance) -> Chance:
        """A conditional probability as the quotient of the joint one and its sum."""
        if not asked.given:
            return asked
        joint = Chance(asked.outcomes | asked.given, NOTHING, asked.do)
        below = Sum(_indices(asked.outcomes), joint.formula)
        quotient = Ratio(joint.formula, below)
        self._rewrite("conditional probability", {asked.formula: quotient})
        return joint

    def _by_districts(self, region: ADMG, asked: Chance, factors: Sequence[Factor]) -> None:
        """Line 4: a term for each ancestor of the outcomes, each on its way to the data."""
        inner = region.subgraph(region.members - asked.do)
        terms = self._chain({asked: inner.ancestors(asked.outcomes)})[asked]
        goals: dict[Chance, tuple[Chance, Chance]] = {}
        reached: list[tuple[Chance, Kernel]] = []
        for factor in factors:
            district, kernel = factor.district, factor.kernel
            before, around = kernel.before(district), self._around(district)
            for node, term in terms.items():
                if node in district:
                    own = Chance(term.outcomes, term.given & district, around)
                    goal = Chance(term.outcomes, before[node], self._set(kernel))
                    goals[term] = own, goal
                    reached.append((goal, kernel))
        self._convert_by_way(goals)
        self._resolve(reached)

    def _set(self, kernel: Kernel) -> Nodes:
        """What is set in a kernel: by the experiment, or else all that Q[T] depends on."""
        if isinstance(kernel, Observed):
            return frozenset(event.name for event in kernel.do)
        return self._around(kernel.region.members)

    def _resolve(self, reached: Sequence[tuple[Chance, Kernel]]) -> None:
        """Terms of kernels as terms of those above them, until all are data."""
        while below := [(c, at) for c, at in dict.fromkeys(reached) if isinstance(at, Factored)]:
            reached = self._raise(below)

    def _raise(self, terms: Sequence[tuple[Chance, Factored]]) -> list[tuple[Chance, Kernel]]:
        """One kernel up: straight where a term is one of that above, else by a quotient."""
        goals: dict[Chance, tuple[Chance, Chance]] = {}
        found: list[tuple[Chance, Kernel]] = []
        broken: dict[Chance, Factored] = {}
        for term, kernel in terms:
            if self._needed(kernel, term.outcomes | term.given) <= term.outcomes | term.given:
                goal = self._goal(kernel, term.outcomes)
                goals[term] = goal, goal
                found.append((goal, kernel.above))
            else:
                broken[term] = kernel
        sums = self._quotients(broken)
        wholes = {joint: self._needed(kernel, joint.outcomes) for joint, kernel in sums.items()}
        for joint, nodes in self._chain(wholes).items():
            kernel, around = sums[joint], self._around(wholes[joint])
            for term in nodes.values():
                goal = self._goal(kernel, term.outcomes)
                goals[term] = Chance(term.outcomes, term.given, around), goal
                found.append((goal, kernel.above))
        self._convert_by_way(goals)
        return found

    def _quotients(self, terms: Mapping[Chance, Factored]) -> dict[Chance, Factored]:
        """P(a | b, do(z)) as P(a, b | do(z)) / P(b | do(z)); these, without conditions."""
        split: dict[Probability, Expression] = {}
        sums: dict[Chance, Factored] = {}
        for term, kernel in terms.items():
            parts = [Chance(term.outcomes | term.given, NOTHING, term.do)]
            if term.given:
                parts.append(Chance(term.given, NOTHING, term.do))
                split[term.formula] = Ratio(parts[0].formula, parts[1].formula)
            sums |= dict.fromkeys(parts, kernel)
        self._rewrite("conditional probability", split)
        own = {}
        for part, kernel in sums.items():
            around = self._around(self._needed(kernel, part.outcomes))
            own[part] = Chance(part.outcomes, NOTHING, around)
        self._convert(own)
        return {own[part]: kernel for part, kernel in sums.items()}

    def _around(self, nodes: Nodes) -> Nodes:
        """What all of Q[T] depends on, T some nodes."""
        return self.admg.parents(nodes) - nodes

    def _goal(self, kernel: Factored, outcomes: Nodes) -> Chance:
        """The term of one node at the kernel above."""
        (node,) = outcomes
        return Chance(outcomes, self._before(kernel)[node], self._set(kernel.above))

    def _needed(self, kernel: Factored, nodes: Nodes) -> Nodes:
        """Some nodes, and those of their district that their terms above depend on."""
        before, reached, frontier = self._before(kernel), set(nodes), [*nodes]
        while frontier:
            fresh = (before[frontier.pop()] & kernel.whole) - reached
            reached |= fresh
            frontier.extend(fresh)
        return frozenset(reached)

    def _before(self, kernel: Factored) -> Mapping[str, Nodes]:
        """What the terms of its district are conditioned on at the kernel above."""
        if kernel not in self.above:
            self.above[kernel] = kernel.above.before(kernel.whole)
        return self.above[kernel]

    def _chain(self, joints: Mapping[Chance, Nodes]) -> dict[Chance, dict[str, Chance]]:
        """Sum over further variables, then the chain rule: a term for each variable."""
        summed, chained, terms = {}, {}, {}
        for joint, nodes in joints.items():
            whole = Chance(nodes, NOTHING, joint.do)
            if nodes != joint.outcomes:
                summed[joint.formula] = Sum(_indices(nodes - joint.outcomes), whole.formula)
            terms[joint] = self._terms(whole)
            chained[whole.formula] = _product(each.formula for each in terms[joint].values())
        over = sorted(NOTHING.union(*(n - j.outcomes for j, n in joints.items())))
        self._rewrite(f"sum over {', '.join(over)}", summed)
        self._rewrite("chain rule", chained)
        return terms

    def _terms(self, whole: Chance) -> dict[str, Chance]:
        order = self.admg.causal_order(whole.outcomes)
        return {
            node: Chance(frozenset({node}), frozenset(order[:place]), whole.do)
            for place, node in enumerate(order)
        }

    def _convert_by_way(self, goals: Mapping[Chance, tuple[Chance, Chance]]) -> None:
        """Each term into its goal, straight or by way of the term of Q[S] between."""
        straight = {term: self._plan(term, goal) for term, (_, goal) in goals.items()}
        first = {t: way for t, (way, _) in goals.items() if straight[t] is None}
        self._convert(first)
        rest = {way: goals[term][1] for term, way in first.items()}
        self._convert({t: g for t, (_, g) in goals.items() if straight[t] is not None} | rest)

    def _convert(self, goals: Mapping[Chance, Chance]) -> None:
        """Each term into its goal; a line for all uses of one rule that come next."""
        plans: list[list[Use]] = []
        for term, goal in goals.items():
            uses = self._plan(term, goal)
            if uses is None:
                raise UnprovedError(f"{term.formula} was not turned into {goal.formula}")
            plans.append([*uses])
        while left := [plan for plan in plans if plan]:
            rule = left[0][0].rule
            now = [plan.pop(0) for plan in left if plan[0].rule == rule]
            changes = {use.before.formula: use.after.formula for use in now}
            self._rewrite(f"rule {rule}", changes, dict.fromkeys(now))

    def _plan(self, term: Chance, goal: Chance) -> tuple[Use, ...] | None:
        """Uses of the rules from one term to the other; each pair is searched once."""
        if (term, goal) not in self.plans:
            self.plans[term, goal] = convert(self.graph, term, goal)
        return self.plans[term, goal]

    def _rewrite(
        self,
        reason: str,
        changes: Mapping[Probability, Expression],
        uses: Iterable[Use] = (),
    ) -> None:
        """A line in which terms have given way to what equals them."""
        assert self.current is not None
        after = _replaced(self.current, changes.get)
        if after != self.current:
            self.current = after
            self.lines.append(Line(formula=after, reason=reason, uses=tuple(uses)))

    def _simplify(self) -> None:
        assert self.current is not None
        simple = simplify(self.current)
        if simple != self.current or not self.lines:
            self.lines.append(Line(formula=simple, reason="simplify"))
            self.current = simple


def _indices(names: Nodes) -> tuple[Index, ...]:
    return tuple(map(Index, sorted(names)))


def _product(factors: Iterable[Expression]) -> Expression:
    """The factors side by side, products among them opened, nothing simplified."""
    flat = [f for each in factors for f in (each.factors if isinstance(each, Product) else [each])]
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def _replaced(node: Expression, change: Callable[[Probability], Expression | None]) -> Expression:
    match node:
        case Probability():
            return change(node) or node
        case Product():
            return _product(_replaced(factor, change) for factor in node.factors)
        case _:
            return rebuilt(node, partial(_replaced, change=change))


def convert(graph: Separations, start: Chance, goal: Chance) -> tuple[Use, ...] | None:
    """Uses of the rules that turn one probability into another of the same outcomes, if found.

    Whatever moves in the same way moves at once, so there are at most six steps, in any order.

    Example:
        >>> fork = ADMG(("z", "x", "y"), frozenset({("z", "x"), ("z", "y"), ("x", "y")}))
        >>> y, x, z = map(frozenset, "yxz")
        >>> (use,) = convert(Separations(fork), Chance(y, z, x), Chance(y, x | z))
        >>> use.rule, str(use.before.formula), str(use.after.formula), sorted(use.out_of)
        (2, 'P(y | do(x), z)', 'P(y | x, z)', ['x'])
    """
    if start == goal:
        return ()
    dead: set[Chance] = set()
    return _found(graph, start, goal, dead)


def _found(
    graph: Separations, here: Chance, goal: Chance, dead: set[Chance]
) -> tuple[Use, ...] | None:
    for following in _neighbours(here, goal):
        if following in dead:
            continue
        use = use_of(graph.admg, here, following)
        if _holds(graph, use):
            rest = () if following == goal else _found(graph, following, goal, dead)
            if rest is not None:
                return (use, *rest)
    dead.add(here)
    return None


def _holds(graph: Separations, use: Use) -> bool:
    sides = (use.before.outcomes, use.moved, use.given, use.into, use.out_of)
    return graph.all_separated(*map(graph.mask, sides))


def _neighbours(here: Chance, goal: Chance) -> Iterator[Chance]:
    """The probabilities one move nearer to the goal: exchanges, then what goes, what comes."""
    outcomes, given, do = here
    yield from _distinct(
        here,
        (
            Chance(outcomes, given - goal.do, do | (given & goal.do)),
            Chance(outcomes, given | (do & goal.given), do - goal.given),
            Chance(outcomes, given, do - (do - goal.do - goal.given)),
            Chance(outcomes, given - (given - goal.do - goal.given), do),
            Chance(outcomes, given, do | (goal.do - given)),
            Chance(outcomes, given | (goal.given - do), do),
        ),
    )


def _distinct(here: Chance, found: tuple[Chance, ...]) -> Iterator[Chance]:
    yield from (each for each in dict.fromkeys(found) if each != here)
