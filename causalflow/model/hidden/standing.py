"""Standing: what a model whose nodes listen to one another may say of an intervention.

Notation: y a listener, x what it hears (`causalflow.graph.hearing`), An(y) the ancestors of y.

    identified       P(y | do) follows from P(v): draws have that law, whatever the hidden cause is
    by rank          it follows where the noise of a number is one number in which it increases
    open             it does not: what is drawn is one member of a family of models that fit the
                     rows equally well, that in which rows where x is not what it is set to would
                     answer as those where it is; `causalflow.model.hidden.family` has the ends

y is told x and the parents of x, which is the conditional that identification asks for as long as
x has no other hidden cause in common with an ancestor of y that y has none in common with. Where it
has, an identified law may differ from that of the draws, and they are refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from causalflow.errors import EvidenceError
from causalflow.graph.graph import Graph
from causalflow.graph.hearing import Hearing
from causalflow.model.scm import StructuralModel
from causalflow.model.world_verdicts import sample_verdict
from causalflow.query.query import World

__all__ = ["Standing", "assumed_of", "standing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What draws of some listeners under an intervention stand on.

    Attributes:
        open: why they are one member of a family; empty where they are not.
        assumptions: what is assumed, one sentence each.
    """

    open: str = ""
    assumptions: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """All of it."""
        return (*self.assumptions, *((self.open,) if self.open else ()))


def standing(scm: StructuralModel, done: Collection[str], wanted: Collection[str]) -> Standing:
    """What draws of ``wanted`` under an intervention on ``done`` stand on.

    Raises:
        EvidenceError: draws that would not have the law that is identified.
    """
    if not (scm.hearings and done):
        return Standing()
    cut = scm.graph.admg.do(done)
    moved = (cut.ancestors(wanted) & cut.descendants(done)) - frozenset(done)
    listeners = tuple(name for name in scm.order if name in moved and scm.listened(name))
    if not listeners:
        return Standing()
    return _standing(scm.graph, scm.hearings, frozenset(done), listeners)


def assumed_of(scm: StructuralModel, worlds: Mapping[World, Collection[str]]) -> tuple[str, ...]:
    """What a question assumes of hidden causes: a sentence each.

    Args:
        scm: the model.
        worlds: world -> the variables that are read in it.

    Raises:
        EvidenceError: an intervention whose law they leave open: no single number answers.
    """
    found: dict[str, None] = {}
    for world, names in worlds.items():
        done = {each.variable for each in world}
        stands = standing(scm, done, scm.types.keys() & names)
        if stands.open:
            raise EvidenceError(f"ask: {stands.open}")
        found |= dict.fromkeys(stands.assumptions)
    return tuple(found)


@lru_cache(maxsize=256)
def _standing(
    graph: Graph, hearings: tuple[Hearing, ...], done: frozenset[str], listeners: tuple[str, ...]
) -> Standing:
    own = [each for each in hearings if each.listener in listeners]
    text = f"P({', '.join(listeners)} | do({', '.join(sorted(done))}))"
    ranked = [each for each in own if not each.value and each.heard in done and not each.bow]
    ranked = [each for each in ranked if each.heard in graph.parents(each.listener)]
    if _identified(graph, listeners, done):
        for name in listeners:
            _check_told(graph, [each for each in own if each.listener == name], done, text)
        return Standing(assumptions=tuple(_by_rank(each) for each in own if _bare(graph, each)))
    if ranked and _identified(_without(graph, ranked), listeners, done):
        return Standing(assumptions=tuple(map(_by_rank, ranked)))
    bows = [
        f"'{each.heard} <-> {each.listener}'" for each in own if each.bow and each.heard in done
    ]
    leave = "leave" if len(bows) > 1 else "leaves"
    why = f": {' and '.join(bows)} beside the arrow {leave} no row that tells" if bows else ""
    return Standing(
        open=f"{text} is not identified from the data{why}. A draw is of one member of a "
        "family of models, in which rows with another value would answer as those that have it "
        f"(density ratio 1); {_remedy(graph, (*listeners, *done))}"
    )


def _remedy(graph: Graph, names: Collection[str]) -> str:
    """What gives the ends, which are told of levels alone."""
    numbers = sorted(name for name in names if graph.nodes[name].type.numeric)
    if not numbers:
        return "model.family(...) gives the ends"
    return f"for the ends, make {numbers} classes of ranges and ask model.family(...)"


def _identified(graph: Graph, outcomes: Collection[str], done: Collection[str]) -> bool:
    verdict = sample_verdict(graph, outcomes, dict.fromkeys(done))
    return verdict is not None and verdict.identifiable is True


def _without(graph: Graph, hearings: Collection[Hearing]) -> Graph:
    """The graph without some hidden causes."""
    cut = {frozenset((each.heard, each.listener)) for each in hearings}
    kept = [pair for pair in graph.bidirected if frozenset(pair) not in cut]
    links = [f'"{edge.source}" -> "{edge.target}"' for edge in graph.edges]
    return Graph(nodes=list(graph.nodes), edges=[*links, *(f'"{a}" <-> "{b}"' for a, b in kept)])


def _bare(graph: Graph, each: Hearing) -> bool:
    """Whether the rank of a number is heard without the parents that it is a rank given."""
    further = graph.parents(each.heard) - graph.parents(each.listener) - {*each.context}
    return not each.value and bool(further)


def _by_rank(each: Hearing) -> str:
    return (
        f"the hidden cause of '{each.heard}' and '{each.listener}' moves '{each.heard}' by one "
        "number in which it increases (rank), and what is set lies where rows have that rank"
    )


def _check_told(
    graph: Graph, hearings: Collection[Hearing], done: frozenset[str], text: str
) -> None:
    """Refuse a listener that would have to hear more."""
    listener = next(iter(hearings)).listener
    heard = {each.heard for each in hearings}
    told = graph.parents(listener) | heard.union(*(each.context for each in hearings))
    told |= graph.parents({each.heard for each in hearings if _bare(graph, each)})
    part = graph.admg.subgraph(graph.ancestors({listener, *told}))
    district = part.district(listener)
    unheard = (district | part.parents(district)) - told - {listener}
    if done & district:
        moved = district & part.descendants(done & district)
        unheard |= moved - heard - {listener}
    if unheard:
        raise EvidenceError(
            f"{text} is identified, but draws would not have that law: '{listener}' hears of "
            f"{sorted(heard)} and would have to hear of {sorted(unheard)} too; "
            "cf.identify(...).estimate(rows) answers of labels"
        )
