"""Prove: the derivation of ID as a do-calculus proof.

Notation: Q[S] = P(s | do(pa(S) - S)), pa(S) the parents of the nodes of S. The proof follows ID:

    line 2      rule 3 leaves out the treatments that no outcome descends from
    line 4      the sum over the ancestors D of Y, the chain rule, and for each of D's terms the
                exchange of what its district lacks: P(d_i | d_<i, do(x)) is a term of Q[S]
    line 6      a term of Q[S], S a district of the data, is P(s_i | what it depends on)
    lines 2, 7  else it is a term of Q[T], T around S: a quotient of sums of products of terms of
                the set around T, and so on up to the data (`causalflow.identify.kernel`)

What turns one term into another is found, and every use of a rule checked, by
`causalflow.proof.check.convert`. Variables stand at their own indices throughout: a term's
value does not depend on what is put in, so sums around it may bind that.

Source: Shpitser & Pearl (2006), Theorems 5-7; Tian & Pearl (2002), Lemmas 1-4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from causalflow.admg.admg import ADMG
from causalflow.identify.kernel import Level, descend, goal_of, needed_of, parents_of
from causalflow.proof.check import Chance, Use, convert
from causalflow.proof.proof import Line
from causalflow.symbolic.expression import Expression, Index, Probability, Product, Ratio, Sum
from causalflow.symbolic.simplify import simplify

__all__ = ["UnprovedError", "prove_effect"]

Names = frozenset[str]
NOTHING: Names = frozenset()


class UnprovedError(Exception):
    """A step of ID that was not translated; it never leaves the package."""


@lru_cache(maxsize=64)
def prove_effect(
    admg: ADMG,
    outcomes: Names,
    treatments: Names,
    conditions: Names = NOTHING,
    experiments: tuple[Names, ...] = (NOTHING,),
) -> tuple[Line, ...]:
    """The lines that lead from P(outcomes | do(treatments), conditions) to data.

    Raises:
        UnprovedError: it is not identifiable, or a step was not found.
    """
    prover = _Prover(admg=admg, experiments=experiments)
    prover.prove(Chance(outcomes, conditions, treatments))
    return tuple(prover.lines)


@dataclass(slots=True, kw_only=True)
class _Prover:
    """The proof so far."""

    admg: ADMG
    experiments: tuple[Names, ...]
    lines: list[Line] = field(default_factory=list)
    current: Expression | None = None
    plans: dict[tuple[Chance, Chance], tuple[Use, ...] | None] = field(default_factory=dict)

    def prove(self, asked: Chance) -> None:
        """All lines, from the question to a formula without ``do``."""
        self.current = asked.formula
        asked = self._as_set(asked)
        region = self.admg.subgraph(self.admg.ancestors(asked.outcomes | asked.given))
        relevant = Chance(asked.outcomes, asked.given, asked.do & region.members)
        self._convert({asked: relevant})
        if relevant.do or NOTHING not in self.experiments:
            self._by_districts(region, self._joint(relevant))
        self._simplify()

    def _as_set(self, asked: Chance) -> Chance:
        """Conditions set instead of seen where rule 2 allows: line 1 of IDC."""
        moved = True
        while moved and asked.given and (asked.do or NOTHING not in self.experiments):
            moved = False
            for node in sorted(asked.given):
                goal = Chance(asked.outcomes, asked.given - {node}, asked.do | {node})
                if (uses := convert(self.admg, asked, goal)) is not None:
                    self._rewrite("rule 2", {asked.formula: goal.formula}, uses)
                    asked, moved = goal, True
                    break
        return asked

    def _joint(self, asked: Chance) -> Chance:
        """A conditional probability as the quotient of the joint one and its sum."""
        if not asked.given:
            return asked
        joint = Chance(asked.outcomes | asked.given, NOTHING, asked.do)
        below = Sum(_indices(asked.outcomes), joint.formula)
        quotient = Ratio(joint.formula, below)
        self._rewrite("conditional probability", {asked.formula: quotient})
        return joint

    def _by_districts(self, region: ADMG, asked: Chance) -> None:
        """Line 4: a term for each ancestor of the outcomes, each on its way to the data."""
        inner = region.subgraph(region.members - asked.do)
        kept = inner.ancestors(asked.outcomes)
        terms = self._chain({asked: kept})
        goals: dict[Chance, tuple[Chance, Chance]] = {}
        levels: list[tuple[Chance, Level]] = []
        for district in region.subgraph(kept).causal_districts():
            level = self._level(region, district)
            before, around = level.before(district), parents_of(region, district) - district
            for node, term in terms[asked].items():
                if node in district:
                    own = Chance(term.outcomes, term.given & district, around)
                    goal = Chance(term.outcomes, before[node], level.set())
                    goals[term] = own, goal
                    levels.append((goal, level))
        self._convert_by_way(goals)
        self._resolve(levels)

    def _level(self, region: ADMG, district: Names) -> Level:
        """Where Q[S] is a product of terms, from the first experiment that tells it."""
        for experiment in self.experiments:
            if district.isdisjoint(experiment):
                base = region.subgraph(region.members - experiment)
                level = descend(Level(region=base, do=experiment), district)
                if level is not None:
                    return level
        raise UnprovedError(f"Q{sorted(district)} is in no data")

    def _resolve(self, pending: Sequence[tuple[Chance, Level]]) -> None:
        """Terms of derived levels as terms of the levels above them, until all are data."""
        while derived := [pair for pair in dict.fromkeys(pending) if pair[1].above is not None]:
            pending = self._raise(derived)

    def _raise(self, terms: Sequence[tuple[Chance, Level]]) -> list[tuple[Chance, Level]]:
        """One level up: straight where a term is one of the level above, else by a quotient."""
        goals: dict[Chance, tuple[Chance, Chance]] = {}
        found: list[tuple[Chance, Level]] = []
        broken: dict[Chance, Level] = {}
        for term, level in terms:
            if needed_of(level, term.outcomes | term.given) <= term.outcomes | term.given:
                (node,) = term.outcomes
                goal = goal_of(level, node)
                goals[term] = goal, goal
                found.append((goal, level.upper))
            else:
                broken[term] = level
        sums = self._quotients(broken)
        for joint, nodes in self._chain({c: needed_of(sums[c], c.outcomes) for c in sums}).items():
            level = sums[joint]
            whole = needed_of(level, joint.outcomes)
            around = parents_of(level.region, whole) - whole
            for node, term in nodes.items():
                goal = goal_of(level, node)
                goals[term] = Chance(term.outcomes, term.given, around), goal
                found.append((goal, level.upper))
        self._convert_by_way(goals)
        return found

    def _quotients(self, terms: Mapping[Chance, Level]) -> dict[Chance, Level]:
        """P(a | b, do(z)) as P(a, b | do(z)) / P(b | do(z)); these, without conditions."""
        split: dict[Probability, Expression] = {}
        sums: dict[Chance, Level] = {}
        for term, level in terms.items():
            parts = [Chance(term.outcomes | term.given, NOTHING, term.do)]
            if term.given:
                parts.append(Chance(term.given, NOTHING, term.do))
                split[term.formula] = Ratio(parts[0].formula, parts[1].formula)
            sums |= dict.fromkeys(parts, level)
        self._rewrite("conditional probability", split)
        own = {}
        for part, level in sums.items():
            whole = needed_of(level, part.outcomes)
            own[part] = Chance(part.outcomes, NOTHING, parents_of(level.region, whole) - whole)
        self._convert(own)
        return {own[part]: level for part, level in sums.items()}

    def _chain(self, joints: Mapping[Chance, Names]) -> dict[Chance, dict[str, Chance]]:
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
            self.plans[term, goal] = convert(self.admg, term, goal)
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


def _indices(names: Names) -> tuple[Index, ...]:
    return tuple(map(Index, sorted(names)))


def _product(factors: Iterable[Expression]) -> Expression:
    """The factors side by side, products among them opened, nothing simplified."""
    flat = [f for each in factors for f in (each.factors if isinstance(each, Product) else [each])]
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def _replaced(node: Expression, change: Callable[[Probability], Expression | None]) -> Expression:
    match node:
        case Probability():
            return change(node) or node
        case Sum():
            return Sum(node.over, _replaced(node.body, change))
        case Product():
            return _product(_replaced(factor, change) for factor in node.factors)
        case Ratio():
            parts = (node.numerator, node.denominator)
            return Ratio(*(_replaced(part, change) for part in parts))
        case _:
            return node
