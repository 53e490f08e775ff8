"""Surrogate: effects from several distributions: experiments, margins, conditionals.

Data are distributions P(o | do(z), w). Where each is the joint distribution of all variables of the
graph that it does not set, gID decides. Others go through five steps, each on the latent projection
onto the variables that the question and the data name:

    1  each distribution made larger, P(all but z | do(z)): where even these do not tell, gID's
       hedges prove that the smaller ones do not
    2  gID on the variables that some distributions share
    3  each district from a source of its own
    4  the forward search by the rules of the do-calculus (`causalflow.identify.search`)
    5  two models of the same data that answer differently (`causalflow.identify.two_models`)

What passes all of them is unknown.

Step 3 rests on this: Q[S] of a district is the same in the graph and in its latent projection onto
the variables of a source, if these hold S and its parents, since when all parents of S are set
nothing else matters. So each source tells Q[S] where ID finds it in that projection; a conditional
one too, if seeing what it is conditioned on is setting it. Formulas made of several sources are
left as they are: P(y | x) P(x) is no P(x, y) where the two are known each by itself.

Source: Lee, Correa & Bareinboim (2019), gID; Kivva et al. (2022) for its completeness; Verma &
Pearl (1990) for the projection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations

from causalflow.admg.admg import ADMG, Nodes
from causalflow.admg.projection import latent_projection
from causalflow.admg.separation import separation
from causalflow.errors import QueryError
from causalflow.identify.id import Effect, Factor, exchanged, identify_district, identify_effect
from causalflow.identify.kernel import observed
from causalflow.identify.search import search
from causalflow.identify.two_models import TwoModels, two_models
from causalflow.limits import SOURCES
from causalflow.proof.proof import Step
from causalflow.query.distributions import Experiments, Source
from causalflow.symbolic.expression import (
    Expression,
    Index,
    Probability,
)
from causalflow.symbolic.parts import rebuilt
from causalflow.symbolic.simplify import plain_product, plain_ratio, plain_sum

__all__ = ["enlarged", "identify_from", "readings"]


def identify_from(
    admg: ADMG, outcomes: Nodes, treatments: Nodes, conditions: Nodes, sources: Sequence[Source]
) -> Effect:
    """The effect from the sources; else why not, if that is proved.

    Raises:
        QueryError: there are too many sources.
    """
    asked = outcomes | treatments | conditions
    part = _named_part(admg, asked, sources)
    most = identify_effect(part, outcomes, treatments, conditions, enlarged(sources))
    if most.estimand is None or all(source.covers(part.members) for source in sources):
        return most
    for shared, known in _shared_parts(part, asked, sources):
        found = identify_effect(shared, outcomes, treatments, conditions, known)
        if found.estimand is not None:
            return found
    return (
        _by_pieces(part, outcomes, treatments, conditions, sources)
        or _searched(part, outcomes, treatments, conditions, sources)
        or _refuted(part, outcomes, treatments, conditions, sources)
    )


def readings(
    admg: ADMG, asked: frozenset[str], sources: Sequence[Source] | None
) -> Iterator[tuple[ADMG, Experiments, Sequence[Source]]]:
    """The graphs on which a question may be answered, each with what is known on it.

    That is the experiments on all of the graph's variables (None: every one), or other sources.
    Where the sources are partial or conditional, first come sets of variables that some of them
    share, the largest first; then all that are named.

    Raises:
        QueryError: too many sources.
    """
    if sources is None:
        yield admg, None, ()
        return
    part = _named_part(admg, asked, sources)
    if all(source.covers(part.members) for source in sources):
        yield part, enlarged(sources), ()
        return
    yield from ((shared, known, ()) for shared, known in _shared_parts(admg, asked, sources))
    yield part, (), sources


def enlarged(sources: Sequence[Source]) -> tuple[Nodes, ...]:
    """What is set in each source when it is made larger: all other variables seen, jointly."""
    return tuple(dict.fromkeys(source.treatments for source in sources))


def _named_part(admg: ADMG, asked: Nodes, sources: Sequence[Source]) -> ADMG:
    """The latent projection onto the variables that the question and the data name.

    Raises:
        QueryError: there are more sources than the search can try.
    """
    if len(sources) > SOURCES:
        raise QueryError(f"data: {len(sources)} distributions; at most {SOURCES} are read")
    hidden = admg.members - asked.union(*(source.variables for source in sources))
    return latent_projection(admg, hidden) if hidden else admg


def _shared_parts(
    admg: ADMG, asked: Nodes, sources: Sequence[Source]
) -> Iterator[tuple[ADMG, Sequence[Nodes]]]:
    """The graph on variables that some joint distributions share, and what these set there.

    All that is asked is among them; the most variables come first.
    """
    joint = [source for source in sources if not source.conditions]
    groups = (group for size in range(1, len(joint) + 1) for group in combinations(joint, size))
    shared = {frozenset.intersection(*(each.variables for each in group)) for group in groups}
    for names in sorted((s for s in shared if asked <= s), key=lambda s: (-len(s), sorted(s))):
        known = [s.treatments for s in joint if names <= s.variables and s.treatments <= names]
        if known:
            yield latent_projection(admg, admg.members - names), [*dict.fromkeys(known)]


def _by_pieces(
    admg: ADMG, outcomes: Nodes, treatments: Nodes, conditions: Nodes, sources: Sequence[Source]
) -> Effect | None:
    """P(outcomes | do(treatments), conditions), a factor from each source; None: not found."""
    steps: list[Step] = []
    moved = exchanged(admg, outcomes, treatments, conditions, steps)
    x, z = treatments.union(moved), conditions.difference(moved)
    y = outcomes | z
    kept = admg.subgraph(admg.ancestors(y) - x).ancestors(y)
    factors: list[Expression] = []
    for district in admg.subgraph(kept).causal_districts():
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
    admg: ADMG, district: Nodes, sources: Sequence[Source], steps: list[Step]
) -> Iterator[Expression]:
    """Q[S] from each source that tells it."""
    needed = district | admg.parents(district)
    for source in sources:
        if needed <= source.variables and district <= source.observed and _is_set(admg, source):
            part = latent_projection(admg, frozenset(admg.nodes) - source.variables)
            own = part.subgraph(source.observed)
            record = [Step("source", "{} from {}", (district, source.variables))]
            data = observed(own, source.treatments | source.conditions)
            found = identify_district(data, district, record)
            if isinstance(found, Factor):
                steps.extend(record)
                seen = source.conditions
                yield _seen(found.formula, seen) if seen else found.formula


def _is_set(admg: ADMG, source: Source) -> bool:
    """Whether what a source is conditioned on might as well be set: rule 2."""
    if not source.conditions:
        return True
    cut = admg.do(source.treatments).without_outgoing(source.conditions)
    return bool(separation(cut, source.observed, source.conditions, source.treatments))


def _seen(node: Expression, names: Nodes) -> Expression:
    """The formula with variables seen that it has set."""
    if not isinstance(node, Probability):
        return rebuilt(node, partial(_seen, names=names))
    moved = tuple(event for event in node.do if event.name in names)
    left = tuple(event for event in node.do if event.name not in names)
    return Probability(node.outcomes, (*node.given, *moved), left)


def _searched(
    admg: ADMG, outcomes: Nodes, treatments: Nodes, conditions: Nodes, sources: Sequence[Source]
) -> Effect | None:
    found = search(admg, outcomes, treatments, conditions, sources)
    return None if found is None else Effect(estimand=found.formula, steps=found.steps)


def _refuted(
    admg: ADMG, outcomes: Nodes, treatments: Nodes, conditions: Nodes, sources: Sequence[Source]
) -> Effect:
    """Two models that agree on the data and differ on the question, or no verdict."""
    found = two_models(admg, outcomes, treatments, conditions, sources)
    if isinstance(found, TwoModels):
        step = Step("witness", str(found))
        return Effect(estimand=None, witness=(found,), steps=(step,))
    return Effect(estimand=None, is_final=False, note=found)
