"""Latent nodes: those that a declaration names and nobody observes become edges of the others.

    edges: [U -> x, U -> y, x -> y]
    latent: [U]                                 x -> y, x <-> y

The graph is the latent projection of what is declared (`causalflow.admg.projection`), and remembers
the names. A latent node has no mechanism, and takes part in none: hidden causes with a
distribution, used by equations, are declared as exogenous.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from causalflow.admg.admg import ADMG
from causalflow.admg.projection import latent_projection
from causalflow.errors import one_of
from causalflow.graph.node import Anticausal, Edge, Node
from causalflow.graph.tree import Place, Scalar, Value, items, text, trusted
from causalflow.limits import EDGES
from causalflow.names import written

__all__ = ["read_latent", "without_latent"]

Lines: TypeAlias = Mapping[str, int | None]
Pairs: TypeAlias = tuple[tuple[str, str], ...]


def read_latent(value: Value, known: Iterable[str]) -> Lines:
    """The names under ``latent:`` with their lines; ``known`` are nodes and the ends of edges.

    Raises:
        DeclarationError: the first mistake, with its line.
    """
    place = Place("latent")
    names = frozenset(known)
    found: dict[str, int | None] = {}
    for item in items(value, place, "names of nodes"):
        name = item.text if isinstance(item, Scalar) else text(item, place)
        if name not in names:
            place.fail(f"unknown node {name[:40]!r}; {one_of(name, sorted(names))}", item)
        if name in found:
            place.fail(f"node {name!r} is named twice", item)
        found[name] = item.line
    if names and names <= found.keys():
        place.fail("every node is latent; there is nothing left to observe", value)
    return found


def without_latent(
    nodes: Mapping[str, Node], edges: Sequence[Edge], arcs: Pairs, latent: Lines
) -> tuple[dict[str, Node], tuple[Edge, ...], Pairs]:
    """The observed nodes, and the directed and bidirected edges that are left between them.

    Declared edges come first, in their order.

    Raises:
        DeclarationError: a mechanism of a latent node or over one, or too many edges.
    """
    _check_mechanisms(nodes, edges, latent)
    declared = ADMG(
        tuple(nodes),
        frozenset((edge.source, edge.target) for edge in edges),
        frozenset(map(frozenset, arcs)),
    )
    at = next(iter(latent.values()))
    admg: ADMG = trusted(lambda: latent_projection(declared, latent), Place("latent"), at)
    old = tuple(edge for edge in edges if latent.keys().isdisjoint((edge.source, edge.target)))
    made = admg.directed.difference((edge.source, edge.target) for edge in old)
    new = sorted(made, key=lambda pair: tuple(map(admg.nodes.index, pair)))
    kept = tuple(pair for pair in arcs if latent.keys().isdisjoint(pair))
    known = frozenset(map(frozenset, kept))
    if (count := len(admg.directed) + len(admg.bidirected)) > EDGES:
        what = f"the latent nodes would leave {count:,} edges; at most {EDGES:,} are allowed"
        Place("latent").fail(what, at)
    return (
        {name: node for name, node in nodes.items() if name not in latent},
        (*old, *(Edge(source=a, target=b) for a, b in new)),
        (*kept, *((a, b) for a, b in admg.arcs() if frozenset((a, b)) not in known)),
    )


def _check_mechanisms(nodes: Mapping[str, Node], edges: Sequence[Edge], latent: Lines) -> None:
    for name, line in latent.items():
        if _has_mechanism(nodes[name]):
            what = "has a mechanism; a hidden cause with one is declared under exogenous"
            Place(f"latent node '{name}'").fail(what, line)
    for edge in edges:
        place = Place(f"edge '{written(edge.source)} -> {written(edge.target)}'")
        ends = [end for end in (edge.source, edge.target) if end in latent]
        if ends and isinstance(edge.kind, Anticausal):
            place.fail(f"node '{ends[0]}' is latent; its edges have no kind", latent[ends[0]])
        if edge.source in latent and _has_mechanism(nodes[edge.target]):
            what = f"node '{edge.target}' has a mechanism that uses the latent '{edge.source}'"
            place.fail(f"{what}; declare that under exogenous", latent[edge.source])


def _has_mechanism(node: Node) -> bool:
    return node.equation is not None or node.table is not None
