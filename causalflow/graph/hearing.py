"""Hearing: which end of a ``<->`` listens to the other's own noise, and which have a latent class.

Notation: u_x the own noise of a node x, whose mechanism is x = f(pa, u_x); T^-1 its inverse.

Where an end of ``x <-> y`` is no class, nothing has to be fitted for the hidden cause: the
mechanism of y is told more than its parents,

    y = g(pa_y, heard, pa_x, u_y)        heard = u_x = T^-1(x; pa_x) of a number, x of a class

where x and pa_x are those of nature, before any intervention on x. The *listener* y is the image,
if one end is, and otherwise the later in the graph's order; x is *heard*, and what else of pa_x the
listener is told is the *context*. So y's mechanism is P(y | pa_y, x, pa_x), the conditional that
identification by districts asks for (Tian & Pearl 2002), and no assumption on u_x is made. Where x
is a number and a parent of y, the context is left out, for then pa_x is what moves x against u_x:
there that u_x is one number, in which x increases, is an assumption. Where nothing moves x against
what is heard of it, x is a *bow*: no row has x set to another value than nature's, and where it is
set the listener hears the value that is set.

Source: Imbens & Newey (2009), Identification and estimation of triangular simultaneous equations
models without additivity (the listening of a child to its parent's rank).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from causalflow.admg.admg import ADMG
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class, Continuous, Node, levels_of
from causalflow.names import written

__all__ = ["Hearing", "hearings", "latent_arcs", "noise_name", "order", "unheard"]

LINEAR = "linear"
"""The noise of a number that is a line: a listener that is one too needs no context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """One node that listens to the own noise of another.

    Attributes:
        heard: whose noise it is.
        listener: whose mechanism is told it.
        value: whether it is the value itself that is told, as of a class.
        context: the parents of what is heard that the listener is told besides its own.
        bow: whether what is heard is a parent of the listener, and nothing moves it against that.
    """

    heard: str
    listener: str
    value: bool
    context: tuple[str, ...] = ()
    bow: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All that the listener is told of it."""
        return (self.name, *self.context)

    @property
    def name(self) -> str:
        """What the listener calls it."""
        return noise_name(self.heard)

    def declared(self, graph: Graph) -> dict[str, Node]:
        """What that is to the listener's mechanism."""
        levels = graph.nodes[self.heard].type.levels
        own: Node = Continuous() if levels is None else Class(levels=levels)
        return {self.name: own, **{name: graph.nodes[name] for name in self.context}}


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
            found.append(_hearing(graph, heard, listener))
    return found


def _hearing(graph: Graph, heard: str, listener: str) -> Hearing:
    is_class = graph.nodes[heard].type.levels is not None
    lines = all(graph.noise_of(name) == LINEAR for name in (heard, listener))
    bare = not is_class and (lines or heard in graph.parents(listener))
    further = frozenset() if bare else graph.parents(heard) - graph.parents(listener)
    ordered = (each for each in graph.topological_order() if each in further)
    context = tuple(each for each in ordered if not graph.nodes[each].type.pictured)
    fixed = is_class or not graph.parents(heard)
    return Hearing(
        heard=heard,
        listener=listener,
        value=is_class,
        context=context,
        bow=fixed and heard in graph.parents(listener),
    )


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
    elif each.name in graph.nodes:
        yield f"node '{each.name}': a hidden cause has this name; expected another"
