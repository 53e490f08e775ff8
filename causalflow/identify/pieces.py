"""Pieces: the districts of a question, each from whichever distribution tells it.

Notation: as in `causalflow.identify.id`; Q[S] of a district is the same in the graph and in its
latent projection onto the variables of a source, if these hold S and its parents: when all parents
of S are set, nothing else matters. So each source tells Q[S] where ID finds it in that projection;
a conditional one too, if seeing what it is conditioned on is setting it.

Formulas are left as they are (`causalflow.symbolic.plain`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from causalflow.graph.admg import ADMG
from causalflow.graph.separation import separation
from causalflow.identify.id import Effect, exchanged, identify_district
from causalflow.identify.kernel import Observed
from causalflow.identify.region import Region
from causalflow.identify.source import Source
from causalflow.identify.step import Step
from causalflow.symbolic.expression import (
    Expression,
    Index,
    Probability,
    Product,
    Ratio,
    Sum,
    own_events,
)
from causalflow.symbolic.plain import plain_product, plain_ratio, plain_sum

__all__ = ["by_pieces"]

Names = frozenset[str]


def by_pieces(
    admg: ADMG, outcomes: Names, treatments: Names, conditions: Names, sources: Sequence[Source]
) -> Effect | None:
    """P(outcomes | do(treatments), conditions), a factor from each source; None: not found."""
    steps: list[Step] = []
    x, z = exchanged(admg, outcomes, treatments, conditions, steps)
    y = outcomes | z
    region = Region.of(admg)
    kept = region.restrict(region.ancestors(y) - x).ancestors(y)
    factors: list[Expression] = []
    for district in region.restrict(kept).districts():
        found = next(_factors(admg, district, sources, steps), None)
        if found is None:
            return None
        factors.append(found)
    formula = plain_sum(map(Index, sorted(kept - y)), plain_product(factors))
    steps.append(Step("line 4", "the product of the districts' factors", (), "P", formula))
    if z:
        formula = plain_ratio(formula, plain_sum(map(Index, sorted(outcomes)), formula))
        steps.append(Step("condition", "divide by the sum over {}", (outcomes,), "P", formula))
    return Effect(estimand=formula, steps=tuple(steps))


def _factors(
    admg: ADMG, district: Names, sources: Sequence[Source], steps: list[Step]
) -> Iterator[Expression]:
    """Q[S] from each source that tells it."""
    needed = district | admg.parents(district)
    for source in sources:
        if needed <= source.variables and district <= source.observed and _is_set(admg, source):
            part = admg.latent_projection(frozenset(admg.nodes) - source.variables)
            own = Region.of(part).restrict(source.observed)
            record = [Step("source", "{} from {}", (district, source.variables))]
            do = own_events(sorted(source.treatments | source.conditions))
            found = identify_district(Observed(own, do), district, record)
            if not isinstance(found, Region):
                steps.extend(record)
                yield _seen(found, source.conditions)


def _is_set(admg: ADMG, source: Source) -> bool:
    """Whether what a source is conditioned on might as well be set: rule 2."""
    if not source.conditions:
        return True
    cut = admg.do(source.treatments).without_outgoing(source.conditions)
    return bool(separation(cut, source.observed, source.conditions, source.treatments))


def _seen(node: Expression, names: Names) -> Expression:
    """The formula with variables seen that it has set."""
    if not names:
        return node
    match node:
        case Probability():
            moved = tuple(event for event in node.do if event.name in names)
            left = tuple(event for event in node.do if event.name not in names)
            return Probability(node.outcomes, (*node.given, *moved), left)
        case Sum():
            return Sum(node.over, _seen(node.body, names))
        case Product():
            return Product(tuple(_seen(factor, names) for factor in node.factors))
        case Ratio():
            return Ratio(_seen(node.numerator, names), _seen(node.denominator, names))
        case _:
            return node
