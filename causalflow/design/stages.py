"""Stages: the way from a treatment to outcomes in steps, each seen with the treatment set or as is.

Notation: X the treatment, set to x; D its district; no child of X is in D. Behind X, in causal
order, the nodes of D feel X as it was, all others as it is set, so that

    P(v | do(x)) = sum_x' prod of P(i | pillow, x) for i outside of D
                        * prod of P(i | pillow, x') for i in D, P(x' | pillow) among them

where i's *pillow* is its district among the nodes up to i, with that district's parents. Nodes of
one kind in a row are one *stage*. With D = {X} there is one stage, and this is the back door; with
mediators that share no hidden cause with X, and an outcome that does, two, and this is the front
door.

Source: Tian & Pearl (2002), Theorem 2; Bhattacharya, Nabi & Shpitser (2022), section 4, who call
such a treatment *primal fixable* and give the efficient influence function.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from causalflow.admg.admg import ADMG, Nodes
from causalflow.admg.projection import latent_projection

__all__ = ["Stage", "Stages", "stages_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Nodes that feel the treatment alike, one behind another.

    Attributes:
        names: the nodes, in causal order.
        pillow: what their law is conditioned on beside the treatment.
        given: the pillow, and what later stages' laws are conditioned on before this one.
        is_set: whether they feel the treatment as it is set; else as it was.
        feels: whether they feel it at all.
    """

    names: tuple[str, ...]
    pillow: Nodes
    given: Nodes
    is_set: bool
    feels: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The stages from a treatment to outcomes.

    Attributes:
        treatment: X.
        pillow: what the law of X is conditioned on.
        stages: in causal order.
    """

    treatment: str
    pillow: Nodes
    stages: tuple[Stage, ...]

    @property
    def variables(self) -> Nodes:
        """All that is needed, the treatment among it."""
        stages = (frozenset(each.names) | each.given for each in self.stages)
        return Nodes({self.treatment}).union(self.pillow, *stages)


def stages_of(admg: ADMG, treatment: str, outcomes: Iterable[str]) -> Stages | None:
    """The stages from a treatment to outcomes; None: a child of the treatment is in its district.

    Example:
        >>> admg = ADMG("xmy", [("x", "m"), ("m", "y")], [frozenset("xy")])
        >>> [(each.names, each.is_set) for each in stages_of(admg, "x", "y").stages]
        [(('m',), True), (('y',), False)]
    """
    admg = _needed(admg, treatment, frozenset(outcomes))
    district = admg.district(treatment)
    if admg.children(treatment) & district:
        return None
    behind = admg.descendants(treatment)
    before = [node for node in admg.topological_order() if node not in behind]
    after = _by_kind(admg, behind - {treatment}, district)
    order = [*before, treatment, *after]
    pillows = {node: _pillow(admg, order[: order.index(node) + 1]) for node in order}
    return Stages(
        treatment=treatment,
        pillow=pillows[treatment],
        stages=_stages(_blocks(after, district), pillows, treatment, district),
    )


def _needed(admg: ADMG, treatment: str, outcomes: Nodes) -> ADMG:
    """The graph above the outcomes; what leads there by the treatment alone is latent."""
    above = admg.subgraph(admg.ancestors(outcomes) | {treatment})
    apart = above.subgraph(frozenset(above.nodes) - {treatment})
    only = frozenset(apart.nodes) - apart.ancestors(outcomes) - above.descendants(treatment)
    return latent_projection(above, only)


def _by_kind(admg: ADMG, nodes: Nodes, district: Nodes) -> list[str]:
    """The nodes in causal order, those of one kind together as far as can be."""
    order: list[str] = []
    left = [node for node in admg.topological_order() if node in nodes]
    kind = False
    while left:
        free = [node for node in left if admg.parents(node).isdisjoint(left)]
        alike = [node for node in free if (node in district) == kind]
        kind = kind if alike else not kind
        order.append((alike or free)[0])
        left.remove(order[-1])
    return order


def _blocks(order: Sequence[str], district: Nodes) -> list[list[str]]:
    """Nodes in a row that are all in the district, or all outside."""
    blocks: list[list[str]] = []
    for node in order:
        if blocks and (blocks[-1][0] in district) == (node in district):
            blocks[-1].append(node)
        else:
            blocks.append([node])
    return blocks


def _pillow(admg: ADMG, up_to: Sequence[str]) -> Nodes:
    """What the law of the last of some nodes is conditioned on."""
    graph = admg.subgraph(up_to)
    own = graph.district(up_to[-1])
    return (own | graph.parents(own)) - {up_to[-1]}


def _stages(
    blocks: Sequence[Sequence[str]], pillows: dict[str, Nodes], treatment: str, district: Nodes
) -> tuple[Stage, ...]:
    """The stages of blocks, from the last to the first and turned."""
    found: list[Stage] = []
    later: Nodes = Nodes()
    for block in reversed(blocks):
        own = Nodes({treatment, *block})
        pillow = Nodes().union(*(pillows[node] for node in block))
        later = (later | pillow) - own
        found.append(
            Stage(
                names=tuple(block),
                pillow=pillow - own,
                given=later,
                is_set=block[0] not in district,
                feels=treatment in pillow,
            )
        )
    return tuple(reversed(found))
