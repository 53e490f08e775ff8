"""Drawn: what a drawing of a graph file shows, and what is refused of it."""

from __future__ import annotations

from dataclasses import dataclass

from causalflow.edit.chain import Ends
from causalflow.errors import GraphError, one_of
from causalflow.graph.declaration import declare
from causalflow.graph.edges import read_links
from causalflow.graph.tree import Fields
from causalflow.graph.yaml import from_yaml
from causalflow.names import NAME_RULE, is_name

__all__ = ["Drawn", "ends_of", "require_known", "require_new", "stated_edge"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a drawing of the graph shows.

    Attributes:
        names: the variables, in their order.
        edges: the edges; the names of a bidirected one are sorted.
        by_equation: those of them that follow from equations.
    """

    names: tuple[str, ...]
    edges: frozenset[Ends]
    by_equation: frozenset[Ends] = frozenset()

    @classmethod
    def of(cls, text: str) -> Drawn:
        """What the text of a graph file declares, latent nodes and all.

        Raises:
            GraphError: the first mistake in it.
        """
        tree = from_yaml(text)
        if tree is None:
            return cls((), frozenset())
        declaration = declare(tree)
        links = read_links(tree.get("edges") if isinstance(tree, Fields) else None)
        stated = {ends_of(link.source, link.target, link.kind is None) for link in links}
        follow = {
            Ends(source=edge.source, target=edge.target)
            for edge in declaration.edges
            if declaration.nodes[edge.target].equation is not None
        }
        names = (*declaration.nodes, *declaration.latent, *declaration.exogenous)
        return cls(names, frozenset(stated | follow), frozenset(follow))


def ends_of(source: str, target: str, bidirected: bool) -> Ends:
    """An edge, the names of a bidirected one sorted."""
    first, last = sorted((source, target)) if bidirected else (source, target)
    return Ends(source=first, target=last, bidirected=bidirected)


def require_known(name: str, drawn: Drawn) -> None:
    """Refuse a name that nothing has.

    Raises:
        GraphError: no variable is called so.
    """
    if name not in drawn.names:
        raise GraphError(f"unknown node '{name}'; {one_of(name, drawn.names)}")


def require_new(name: str, drawn: Drawn) -> None:
    """Refuse a name that nothing can have, or that something has.

    Raises:
        GraphError: it is no name, or one that is taken.
    """
    if not is_name(name):
        raise GraphError(f"{name[:40]!r}: {NAME_RULE}")
    if name in drawn.names:
        raise GraphError(f"a variable '{name}' is there already")


def stated_edge(source: str, target: str, bidirected: bool, drawn: Drawn) -> Ends:
    """The edge, which is drawn and no equation's.

    Raises:
        GraphError: there is none, or it follows from an equation.
    """
    edge = ends_of(source, target, bidirected)
    if edge in drawn.by_equation:
        raise GraphError(f"the edge {edge} follows from the equation of '{target}'; change that")
    if edge not in drawn.edges:
        raise GraphError(f"there is no edge {edge}")
    return edge
