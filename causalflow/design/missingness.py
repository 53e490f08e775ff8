"""Missingness: what a graph says of empty cells, and what can be recovered from rows with them.

Notation: R_x the indicator of a column x with gaps (`causalflow.graph.indicator`), V the other
nodes, V_m those with gaps, V_o those without. Cells are missing

    completely at random    R _||_ V
    at random               R _||_ V_m | V_o
    not at random           else

by m-separation, R all indicators or one. P(V) is recovered from the rows where all is shown by

    P(v) = P(v, R = shown) / prod_i P(R_i = shown | R_1 .. R_{i-1} = shown, v)

where each factor can be seen: R_i is separated from V without S_i by S_i and the indicators before
it, x_i is not in S_i, and neither are the indicators of S_i in its way. Where no indicator has an
edge to another, no P(V) is recovered if an x and its own R_x are neighbours or joined by colliders.

A formula is right on the complete rows alone if each of its P(a | b) is: a _||_ R | b, R those of
all columns of the formula.

Source: Mohan, Pearl & Tian (2013), Theorems 1 and 2; Mohan & Pearl (2014), Theorems 1 and 2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice, permutations

from causalflow.admg.admg import ADMG
from causalflow.admg.projection import latent_projection
from causalflow.admg.separation import separation
from causalflow.errors import GraphError
from causalflow.graph.graph import Graph
from causalflow.graph.indicator import SHOWN, indicators_of
from causalflow.names import written
from causalflow.symbolic.expression import Expression
from causalflow.symbolic.parts import probabilities

__all__ = ["GapLaw", "Missingness", "bias_of_complete_rows", "missingness", "missingness_of"]

RANDOMLY = ("completely at random", "at random", "not at random")

_ORDERS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class GapLaw:
    """The law of an indicator, as rows show it.

    Attributes:
        indicator: whose law it is.
        shown: indicators that have to be "shown".
        given: columns that it depends on beside them.
    """

    indicator: str
    shown: tuple[str, ...]
    given: tuple[str, ...]

    def __str__(self) -> str:
        known = [*map(written, self.given), *(f"{written(each)}={SHOWN}" for each in self.shown)]
        behind = f" | {', '.join(known)}" if known else ""
        return f"P({written(self.indicator)}={SHOWN}{behind})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missingness:
    """What a graph says of the gaps of some columns.

    Attributes:
        indicators: column with gaps -> its indicator.
        kinds: column -> how its cells are missing, one of `RANDOMLY`.
        kind: how they are missing all together.
        recoverable: whether the law of all columns follows from rows with gaps; None: unknown.
        laws: the laws that complete rows are weighted by, if it does.
        reason: why it does not, or is not known to.
    """

    indicators: Mapping[str, str]
    kinds: Mapping[str, str]
    kind: str
    recoverable: bool | None
    laws: tuple[GapLaw, ...] = ()
    reason: str = ""
    columns: tuple[str, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        lines = [f"{written(name)} is missing {kind}" for name, kind in self.kinds.items()]
        return "\n".join([*lines, self.said])

    @property
    def said(self) -> str:
        """Whether and how the law of the columns is recovered, in one line."""
        law = f"P({', '.join(map(written, self.columns))})"
        if self.recoverable:
            shown = ", ".join(f"{written(r)}={SHOWN}" for r in self.indicators.values())
            below = " ".join(map(str, self.laws))
            over = f"{law[:-1]}, {shown})" if shown else law
            return f"{law} is recoverable: {over} / [{below}]" if below else f"{law} is observed"
        known = "not recoverable" if self.recoverable is False else "not known to be recoverable"
        return f"{law} is {known}: {self.reason}"


def missingness(graph: Graph, columns: Iterable[str] | None = None) -> Missingness:
    """What a graph says of the gaps in rows, and whether the law of its columns is recoverable.

    Args:
        graph: the causal graph, with a node ``{missing: NAME}`` for each column with gaps.
        columns: the columns whose law is wanted; None: all. Others with gaps are summed out.

    Raises:
        GraphError: no graph, or an unknown node.

    Source: Mohan & Pearl (2014), Graphical models for recovering probabilistic and causal queries
    from missing data.

    Example:
        >>> classes = dict.fromkeys("xy", {"type": "class", "levels": 2})
        >>> nodes = {**classes, "gap": {"missing": "y"}}
        >>> print(missingness(Graph(nodes=nodes, edges=["x -> y", "x -> gap"])))
        y is missing at random
        P(x, y) is recoverable: P(x, y, gap=shown) / [P(gap=shown | x)]
    """
    if not isinstance(graph, Graph):
        raise GraphError(f"missingness: given {type(graph).__name__}; expected a Graph")
    wanted = None if columns is None else graph.admg.ordered(columns)
    return missingness_of(graph.admg, indicators_of(graph.nodes), wanted)


def missingness_of(
    admg: ADMG,
    indicators: Mapping[str, str],
    columns: Collection[str] | None = None,
    gapped: Collection[str] | None = None,
) -> Missingness:
    """The same of a mixed graph.

    Args:
        admg: the graph.
        indicators: column -> its indicator.
        columns: those whose law is wanted; None: all that are no indicators.
        gapped: the columns that do have gaps; None: all that have an indicator.
    """
    own = frozenset(indicators.values())
    wanted = [n for n in admg.nodes if n not in own] if columns is None else list(columns)
    having = indicators.keys() if gapped is None else indicators.keys() & set(gapped)
    open_ = {name: indicators[name] for name in admg.nodes if name in having and name in wanted}
    unwanted = frozenset(having) - frozenset(wanted)
    constant = tuple(r for name, r in indicators.items() if name not in having)
    kept = latent_projection(admg, unwanted) if unwanted else admg
    marks = {*open_.values(), *constant}
    values = tuple(name for name in kept.nodes if name not in marks)
    search = _Search(admg=kept, open_=open_, values=values, constant=constant)
    laws, reason = search.laws()
    return Missingness(
        indicators=open_,
        kinds={name: search.kind([indicator]) for name, indicator in open_.items()},
        kind=search.kind(list(open_.values())),
        recoverable=laws is not None or (False if search.is_closed() else None),
        laws=tuple(laws or ()),
        reason=reason,
        columns=tuple(wanted),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """The search for the laws that recover a joint distribution.

    Attributes:
        admg: the graph.
        open_: column with gaps -> its indicator.
        values: the nodes that are no indicators of these.
        constant: indicators of columns without gaps.
    """

    admg: ADMG
    open_: Mapping[str, str]
    values: tuple[str, ...]
    constant: tuple[str, ...]

    def separated(self, x: Iterable[str], y: Iterable[str], given: Iterable[str]) -> bool:
        ends = (sorted(x), sorted(y))
        return not all(ends) or bool(separation(self.admg, *ends, sorted(given)))

    def kind(self, indicators: Collection[str]) -> str:
        complete = [name for name in self.values if name not in self.open_]
        if self.separated(indicators, self.values, self.constant):
            return RANDOMLY[0]
        hidden = self.separated(indicators, self.open_, [*complete, *self.constant])
        return RANDOMLY[1 if hidden else 2]

    def is_closed(self) -> bool:
        """Whether it is proven that nothing recovers the law: Theorem 2 of Mohan & Pearl (2014)."""
        own = frozenset(self.open_.values())
        if any(own & (self.admg.parents(r) | self.admg.siblings(r)) for r in own):
            return False
        return not all(
            self.separated([r], [n], [*_without(self.values, n), *self.constant])
            for n, r in self.open_.items()
        )

    def laws(self) -> tuple[list[GapLaw] | None, str]:
        """The laws in the first order of the indicators that has them, or why none was found."""
        reasons: list[str] = []
        own = [r for r in self.admg.topological_order() if r in set(self.open_.values())]
        for order in islice(permutations(own), _ORDERS):
            found: list[GapLaw] = []
            for place, indicator in enumerate(order):
                law = self._law(indicator, order[:place])
                if isinstance(law, str):
                    reasons.append(law)
                    break
                found.append(law)
            else:
                return found, ""
        return None, reasons[0]

    def _law(self, indicator: str, before: tuple[str, ...]) -> GapLaw | str:
        """The law of an indicator after those before it, or why it cannot be seen."""
        column = next(name for name, own in self.open_.items() if own == indicator)
        known = (*before, *self.constant)
        given = [
            name
            for name in self.values
            if not self.separated([indicator], [name], [*_without(self.values, name), *known])
        ]
        if column in given:
            rest = [*_without(self.values, column), *known]
            path = separation(self.admg, column, indicator, rest)
            return f"whether '{column}' is empty depends on its own value ({path})"
        later = [r for n, r in self.open_.items() if n in given and r not in before]
        if not self.separated([indicator], later, [*given, *known]):
            return f"'{indicator}' depends on what is empty together with '{column}'"
        return GapLaw(indicator=indicator, shown=(*before, *later), given=tuple(given))


def _without(names: Iterable[str], name: str) -> list[str]:
    return [each for each in names if each != name]


def bias_of_complete_rows(
    admg: ADMG, estimand: Expression, indicators: Collection[str]
) -> str | None:
    """Why a formula is not right on the rows where all its columns are shown; None: it is.

    Args:
        admg: the graph.
        estimand: a formula of observed probabilities.
        indicators: those of the columns with gaps that the formula needs.
    """
    for each in probabilities(estimand):
        ends = sorted({event.name for event in each.outcomes} - set(indicators))
        given = sorted({event.name for event in each.given} - set(indicators))
        found = separation(admg, ends, sorted(indicators), given)
        if not found:
            return f"{each} differs in the complete rows ({found})"
    return None
