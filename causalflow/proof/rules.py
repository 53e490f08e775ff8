"""Rules: rules 1-3 of the do-calculus, and one use of them.

Notation: G the graph; X set, W seen, Z what a rule moves. To cut *into* X is to leave out the edges
with an arrow head at X, of both kinds; *out of* Z, the directed edges that start there.

    rule 1   P(y | z, w, do(x)) = P(y | w, do(x))          Y, Z separated by X, W; cut into X
    rule 2   P(y | w, do(x, z)) = P(y | z, w, do(x))       the same; cut into X and out of Z
    rule 3   P(y | w, do(x, z)) = P(y | w, do(x))          the same; cut into X and into Z(W)

Z(W) are the nodes of Z that are no ancestors of W when the edges into X are cut. A use of a rule
holds where the m-separation does, in the graph with these edges cut.

Source: Pearl (1995); Pearl (2009), *Causality*, Theorem 3.4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from causalflow.admg.admg import ADMG, Nodes
from causalflow.admg.separation import separation
from causalflow.symbolic.expression import Probability, probability
from causalflow.symbolic.latex import latex_name
from causalflow.symbolic.render import to_latex, to_text

__all__ = ["Chance", "Use", "holds", "use_of"]


class Chance(NamedTuple):
    """P(outcomes | given, do(...)), every variable at its own index."""

    outcomes: Nodes
    given: Nodes = frozenset()
    do: Nodes = frozenset()

    @property
    def formula(self) -> Probability:
        """The term of a formula."""
        return probability(*self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One use of a rule: two equal probabilities, and the separation that makes them so.

    Attributes:
        rule: 1, 2 or 3.
        before: the probability.
        after: what it equals.
        moved: Z, what is left out, put in, or exchanged between seeing and setting.
        given: X and W, which separate Z from the outcomes.
        into: the nodes whose incoming edges are cut.
        out_of: the nodes whose outgoing edges are cut.
    """

    rule: int
    before: Chance
    after: Chance
    moved: Nodes
    given: Nodes
    into: Nodes
    out_of: Nodes = frozenset()

    def graph(self, admg: ADMG) -> ADMG:
        """The graph in which the separation holds."""
        return admg.do(self.into).without_outgoing(self.out_of)

    def __str__(self) -> str:
        sides = f"{to_text(self.before.formula)} = {to_text(self.after.formula)}"
        return f"rule {self.rule}: {sides}, as {self._separation}{self._cuts}"

    @property
    def _separation(self) -> str:
        one, other, given = map(_listed, (self.before.outcomes, self.moved, self.given))
        return f"{one} and {other} are separated{f' by {given}' if given else ''}"

    @property
    def _cuts(self) -> str:
        ends = [("into", self.into), ("out of", self.out_of)]
        cut = " and ".join(f"{word} {_listed(names)}" for word, names in ends if names)
        return f" when the edges {cut} are cut" if cut else " in G"

    def latex(self) -> str:
        r"""The rule and its separation, such as ``(y \perp x \mid z)_{G_{\underline{x}}}``."""
        one, other, given = map(_symbols, (self.before.outcomes, self.moved, self.given))
        behind = rf" \mid {given}" if given else ""
        over = rf"\overline{{{_symbols(self.into)}}}" if self.into else ""
        under = rf"\underline{{{_symbols(self.out_of)}}}" if self.out_of else ""
        graph = f"G_{{{over}{under}}}" if over or under else "G"
        sides = f"{to_latex(self.before.formula)} = {to_latex(self.after.formula)}"
        independence = rf"({one} \perp\!\!\!\perp {other}{behind})_{{{graph}}}"
        return rf"\text{{rule {self.rule}: }} {sides},\; {independence}"


def _listed(names: Nodes) -> str:
    return ", ".join(sorted(names))


def _symbols(names: Nodes) -> str:
    return ", ".join(map(latex_name, sorted(names)))


def use_of(admg: ADMG, before: Chance, after: Chance) -> Use:
    """The use of a rule that turns one probability into another in which one set has moved."""
    do, given = before.do & after.do, before.given & after.given
    moved = (before.do | before.given | after.do | after.given) - do - given
    rule, out_of, into = 1, Nodes(), do
    if moved <= (before.do | before.given) & (after.do | after.given):
        rule, out_of = 2, moved
    elif moved <= before.do | after.do:
        rule, into = 3, do | (moved - admg.subgraph(admg.members - do).ancestors(given))
    return Use(
        rule=rule,
        before=before,
        after=after,
        moved=moved,
        given=do | given,
        into=into,
        out_of=out_of,
    )


def holds(admg: ADMG, use: Use) -> bool:
    """Whether the separation that a use of a rule rests on holds in the graph."""
    outcomes = use.before.outcomes
    return bool(separation(use.graph(admg), outcomes, use.moved, use.given))
