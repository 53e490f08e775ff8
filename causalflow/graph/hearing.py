"""Hearing: which end of a ``<->`` listens to the other's own noise, and which have a latent class.

Notation: u_x the own noise of a node x, whose mechanism is x = f(pa, u_x).

Where an end of ``x <-> y`` is no class, nothing has to be fitted for the hidden cause: the
mechanism of y is told u_x besides its parents, y = g(pa, u_x, u_y), and u_x is abducted from x. The
*listener* y is the image, if one end is, and otherwise the later in the graph's order; x is
*heard*. What is heard:

    x without observed parents, a class   x itself, as the value that it takes by nature
    x a class with parents                u_x of U(0, 1), which takes the levels in their order
    x a number                            u_x of N(0, 1), in which x increases

That the hidden cause moves x in a rank of its own, the same whatever the parents of x are, is an
assumption where x has parents; where it has none, (x, y) can have any law this way.

Source: the order of the noise as in Imbens & Newey (2009), Identification and estimation of
triangular simultaneous equations models without additivity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from causalflow.admg.admg import ADMG
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class, Continuous, Node, levels_of
from causalflow.names import written

__all__ = ["ORDERED", "Hearing", "hearings", "latent_arcs", "noise_name", "order", "unheard"]

ORDERED = "monotone"
"""The noise of a class that is one number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """One node that listens to the own noise of another.

    Attributes:
        heard: whose noise it is.
        listener: whose mechanism is told it.
        value: whether it is the value itself that stands for the noise.
    """

    heard: str
    listener: str
    value: bool

    @property
    def name(self) -> str:
        """What the listener calls it."""
        return noise_name(self.heard)

    def declared(self, graph: Graph) -> Node:
        """What it is to the listener's mechanism."""
        node = graph.nodes[self.heard]
        if node.type.levels is None:
            return Continuous()
        return Class(levels=node.type.levels) if self.value else Continuous(support=(0.0, 1.0))


def noise_name(heard: str) -> str:
    """What listeners call the own noise of a node.

    Example:
        >>> noise_name("colour")
        'noise of colour'
    """
    return f"noise of {written(heard)}"


def latent_arcs(graph: Graph) -> list[tuple[str, str]]:
    """The ``<->`` whose hidden cause is a latent class."""
    return [ends for ends in graph.bidirected if _is_latent(graph, ends)]


def _is_latent(graph: Graph, ends: tuple[str, str]) -> bool:
    said = graph.cause(*ends).cause
    if said is not None:
        return said == "latent"
    return len(levels_of({name: graph.nodes[name] for name in ends})) == len(ends)


def hearings(graph: Graph) -> list[Hearing]:
    """Who listens to whom, by the listener's place in the order of the arcs."""
    place = {name: k for k, name in enumerate(graph.topological_order())}
    found = []
    for ends in graph.bidirected:
        if not _is_latent(graph, ends):
            pictured = {name: graph.nodes[name].type.pictured for name in ends}
            heard, listener = sorted(ends, key=lambda name: (pictured[name], place[name]))
            found.append(Hearing(heard=heard, listener=listener, value=_is_value(graph, heard)))
    return found


def _is_value(graph: Graph, heard: str) -> bool:
    """Whether a node's value is what its noise is, whatever else happens."""
    levels, parents = graph.nodes[heard].type.levels, graph.parents(heard)
    return levels is not None and not parents


def order(graph: Graph) -> tuple[str, ...]:
    """The nodes, parents and what is heard first."""
    found = hearings(graph)
    return _with(graph, found).topological_order() if found else graph.topological_order()


def _with(graph: Graph, found: list[Hearing]) -> ADMG:
    heard = {(each.heard, each.listener) for each in found}
    return ADMG(graph.nodes, graph.admg.directed | heard)


def unheard(graph: Graph) -> Iterator[str]:
    """Why a ``<->`` cannot be compiled; nothing where all can."""
    for ends in latent_arcs(graph):
        yield from _no_latent(graph, ends)
    found = hearings(graph)
    for each in found:
        yield from _unheard(graph, each)
    if found and (cycle := _with(graph, found).find_cycle()) is not None:
        yield (
            f"graph '{graph.name}': what its nodes listen to, by '->' and '<->', goes round: "
            f"{' -> '.join(map(written, (*cycle, cycle[0])))}; a hidden cause of an image and of "
            "what the image causes has no mechanism here: leave out one of the edges"
        )


def _no_latent(graph: Graph, ends: tuple[str, str]) -> Iterator[str]:
    for name in ends:
        node = graph.nodes[name]
        if node.type.levels is None or node.equation is not None:
            yield (
                f"node '{name}': the hidden confounder '{' <-> '.join(ends)}' is a latent class, "
                "which class nodes alone can have as a parent; leave out 'cause: latent', and one "
                "end listens to the other's own noise"
            )
            return


def _unheard(graph: Graph, each: Hearing) -> Iterator[str]:
    ends = f"{each.heard} <-> {each.listener}"
    heard, listener = graph.nodes[each.heard], graph.nodes[each.listener]
    levels = heard.type.levels is not None
    if any(node.equation is not None for node in (heard, listener)):
        yield (
            f"node '{each.heard}': the hidden confounder '{ends}' joins a node with an equation; "
            "declare an exogenous variable that the equations of both ends share"
        )
    elif heard.type.pictured:
        yield (
            f"node '{each.listener}': the hidden confounder '{ends}' joins two images, and an "
            "image's noise is no number that another could be told; give their cause a node that "
            "both show"
        )
    elif listener.table is not None:
        yield (
            f"node '{each.listener}': the hidden confounder '{ends}' would move it, which a given "
            f"table cannot say; leave out the table, or make '{each.heard}' a class of it"
        )
    elif levels and not each.value and heard.noise not in (None, ORDERED):
        yield (
            f"node '{each.heard}': '{each.listener}' listens to its noise, which '{heard.noise}' "
            f"noise of a class with parents has no number for; expected noise: {ORDERED}, or none"
        )
    elif levels and not each.value and any(each.heard in pair for pair in latent_arcs(graph)):
        yield (
            f"node '{each.heard}': '{each.listener}' listens to its noise, and it has parents and "
            "a latent class besides; write cause: noise at its other '<->' too"
        )
    elif each.name in graph.nodes:
        yield f"node '{each.name}': a hidden cause has this name; expected another"
