"""Contrast: a treatment at two levels and what it may change; the named quantities as queries.

Notation: x the treatment with levels 1 (treated) and 0 (control), y the outcome, m mediators. The
functions only write the question down; `causalflow.identify.identify` says whether data answer it.

    TE      E[y[x=1] - y[x=0]]                   total effect
    ETT     E[y[x=1] - y[x=0] | x=1]             effect of treatment on the treated
    ETU     E[y[x=1] - y[x=0] | x=0]             effect of treatment on the untreated
    RD      P(y[x=1]=1) - P(y[x=0]=1)            risk difference
    RR      P(y[x=1]=1) / P(y[x=0]=1)            risk ratio
    PN      P(y[x=0]=0 | x=1, y=1)               necessity: without x, no y
    PS      P(y[x=1]=1 | x=0, y=0)               sufficiency
    PNS     P(y[x=1]=1, y[x=0]=0)                both
    CDE     E[y[x=1, m=m] - y[x=0, m=m]]         controlled direct effect
    NDE     E[y[x=1, m[x=0]] - y[x=0]]           natural direct effect
    NIE     E[y[x=0, m[x=1]] - y[x=0]]           natural indirect effect
    PSE     as NDE, along the edges named        path-specific effect
    Ctf-DE  E[y[x=1, m[x=0]] - y[x=0] | x=w]     counterfactual direct effect, on those with x = w
    Ctf-IE  E[y[x=0, m[x=1]] - y[x=0] | x=w]     counterfactual indirect effect
    Ctf-SE  E[y[x=0] | x=1] - E[y | x=0]         counterfactual spurious effect

Source: Pearl (2009), *Causality*, section 9.2; Pearl (2001) for natural effects; Avin, Shpitser &
Pearl (2005) for paths; Zhang & Bareinboim (2018) for Ctf-DE, Ctf-IE and Ctf-SE.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from causalflow.admg.admg import ADMG
from causalflow.errors import QueryError
from causalflow.query.combination import AnyQuery, combined
from causalflow.query.query import Intervention, Kind, Query, Term, Value

if TYPE_CHECKING:
    from causalflow.graph.graph import Graph

__all__ = ["Contrast"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A treatment with the two levels to compare, and the outcome that it may change.

    Example:
        >>> drug = Contrast(treatment="x", outcome="y")
        >>> print(drug.on_the_treated())
        E[y[x=1] - y[x=0] | x=1]
        >>> print(drug.natural_direct(["m"]))
        E[y[x=1, m[x=0]] - y[x=0]]
    """

    treatment: str
    outcome: str
    treated: Value = 1
    control: Value = 0

    def total(self) -> Query:
        """TE: E[y[x=1] - y[x=0]]."""
        return self._difference(self._under(self.treated), self._under(self.control))

    def on_the_treated(self) -> Query:
        """ETT: the total effect on those who were treated."""
        return self._difference(
            self._under(self.treated), self._under(self.control), (self._is(self.treated),)
        )

    def on_the_untreated(self) -> Query:
        """ETU: the total effect on those who were not treated."""
        return self._difference(
            self._under(self.treated), self._under(self.control), (self._is(self.control),)
        )

    def risk_difference(self, occurs: Value = 1) -> AnyQuery:
        """RD: how much likelier the treatment makes the outcome."""
        one, other = self._risks(occurs)
        return combined([(Fraction(1), one), (Fraction(-1), other)])

    def risk_ratio(self, occurs: Value = 1) -> AnyQuery:
        """RR: how many times likelier the treatment makes the outcome."""
        one, other = self._risks(occurs)
        return combined([(Fraction(1), one)], [(Fraction(1), other)])

    def necessity(self, occurs: Value = 1, fails: Value = 0) -> Query:
        """PN: the outcome would have failed without the treatment, given that both occurred."""
        return Query(
            outcomes=(self._under(self.control, fails),),
            conditions=(self._is(self.treated), Term(name=self.outcome, value=occurs)),
        )

    def sufficiency(self, occurs: Value = 1, fails: Value = 0) -> Query:
        """PS: the outcome would have occurred with the treatment, given that neither did."""
        return Query(
            outcomes=(self._under(self.treated, occurs),),
            conditions=(self._is(self.control), Term(name=self.outcome, value=fails)),
        )

    def necessity_and_sufficiency(self, occurs: Value = 1, fails: Value = 0) -> Query:
        """PNS: the outcome occurs with the treatment and fails without."""
        return Query(outcomes=(self._under(self.treated, occurs), self._under(self.control, fails)))

    def controlled_direct(self, mediators: Mapping[str, Value]) -> Query:
        """CDE: the effect while the mediators are held at values."""
        held = tuple(Intervention(variable=m, value=value) for m, value in mediators.items())
        one, other = (
            Term(name=self.outcome, subscript=(self._set(level), *held))
            for level in (self.treated, self.control)
        )
        return self._difference(one, other)

    def natural_direct(self, mediators: Iterable[str], given: Value | None = None) -> Query:
        """NDE: mediators stay as they are without treatment; ``given`` a level of x: Ctf-DE."""
        term = self._natural(self.treated, self.control, mediators)
        return self._difference(term, self._under(self.control), self._whom(given))

    def natural_indirect(self, mediators: Iterable[str], given: Value | None = None) -> Query:
        """NIE: only the mediators feel the treatment; ``given`` a level of x: Ctf-IE."""
        term = self._natural(self.control, self.treated, mediators)
        return self._difference(term, self._under(self.control), self._whom(given))

    def spurious(self) -> tuple[Query, Query]:
        """Ctf-SE is the first minus the second: E[y[x=0] | x=1] and E[y | x=0]."""
        seen = Term(name=self.outcome)
        return self._mean(self._under(self.control), self.treated), self._mean(seen, self.control)

    def spurious_effect(self) -> AnyQuery:
        """Ctf-SE: the difference of the two."""
        one, other = self.spurious()
        return combined([(Fraction(1), one), (Fraction(-1), other)])

    def path_specific(self, graph: Graph | ADMG, edges: Iterable[tuple[str, str]]) -> Query:
        """PSE: the treatment is felt along ``edges`` only; all else stays as without treatment.

        Raises:
            QueryError: an edge that the graph does not have, or that no path of edges from the
                treatment to the outcome uses.
        """
        admg = graph if isinstance(graph, ADMG) else graph.admg
        active = frozenset(edges)
        for source, target in sorted(active - admg.directed):
            raise QueryError(f"path-specific effect: the graph has no edge '{source} -> {target}'")
        paths = ADMG(admg.nodes, active)
        live = paths.descendants(self.treatment) & paths.ancestors(self.outcome)
        for source, target in sorted(active):
            if not {source, target} <= live:
                raise QueryError(
                    f"path-specific effect: '{source} -> {target}' is on no path of edges from"
                    f" '{self.treatment}' to '{self.outcome}'"
                )
        term = self._along(admg, active, self.outcome)
        return self._difference(term, self._under(self.control))

    def _risks(self, occurs: Value) -> tuple[Query, Query]:
        levels = (self.treated, self.control)
        one, other = (Query(outcomes=(self._under(level, occurs),)) for level in levels)
        return one, other

    def _along(self, admg: ADMG, active: frozenset[tuple[str, str]], node: str) -> Term:
        """A node that feels the treatment along active edges; its other causes do not."""
        touched = admg.descendants(self.treatment)
        world = []
        for parent in admg.ordered(admg.parents(node)):
            is_active = (parent, node) in active
            if parent == self.treatment:
                world.append(self._set(self.treated if is_active else self.control))
            elif is_active:
                value = self._along(admg, active, parent)
                world.append(Intervention(variable=parent, value=value))
            elif parent in touched:
                value = Term(name=parent, subscript=(self._set(self.control),))
                world.append(Intervention(variable=parent, value=value))
        return Term(name=node, subscript=tuple(world))

    def _natural(self, own: Value, others: Value, mediators: Iterable[str]) -> Term:
        nested = (
            Intervention(variable=m, value=Term(name=m, subscript=(self._set(others),)))
            for m in mediators
        )
        return Term(name=self.outcome, subscript=(self._set(own), *nested))

    def _set(self, level: Value) -> Intervention:
        return Intervention(variable=self.treatment, value=level)

    def _is(self, level: Value) -> Term:
        return Term(name=self.treatment, value=level)

    def _under(self, level: Value, value: Value | None = None) -> Term:
        return Term(name=self.outcome, subscript=(self._set(level),), value=value)

    def _whom(self, level: Value | None) -> tuple[Term, ...]:
        return () if level is None else (self._is(level),)

    def _mean(self, term: Term, level: Value) -> Query:
        return Query(
            kind=Kind.EXPECTATION,
            outcomes=(term,),
            conditions=(self._is(level),),
            coefficients=(Fraction(1),),
        )

    def _difference(self, one: Term, other: Term, conditions: Sequence[Term] = ()) -> Query:
        return Query(
            kind=Kind.EXPECTATION,
            outcomes=(one, other),
            conditions=tuple(conditions),
            coefficients=(Fraction(1), Fraction(-1)),
        )
