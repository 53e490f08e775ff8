"""networkx: graphs from and to its objects.

All that a graph file says is kept, but for the order of edges of different kinds, as attributes
(`causalflow.formats.attributes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from causalflow.errors import GraphError
from causalflow.formats.attributes import (
    arcs_of,
    assembled,
    edge_attributes,
    graph_attributes,
    node_attributes,
    structured,
)
from causalflow.graph.conditional import with_parents
from causalflow.graph.graph import Graph
from causalflow.limits import EDGES, NODES

if TYPE_CHECKING:
    import networkx

__all__ = ["from_networkx", "to_networkx"]


def to_networkx(graph: Graph) -> networkx.MultiDiGraph[str]:
    """The graph as a networkx multigraph: a pair of nodes may have an edge of each kind.

    Example:
        >>> sorted(to_networkx(Graph(edges=["x -> y"])).edges())
        [('x', 'y')]
    """
    import networkx

    result: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(
        name=graph.name, **graph_attributes(graph)
    )
    for name in graph.nodes:
        above = [edge.source for edge in graph.edges if edge.target == name]
        node = with_parents(graph.nodes[name], above, graph.admg.ordered(above))
        result.add_node(name, **node_attributes(node))
    for edge in graph.edges:
        result.add_edge(edge.source, edge.target, **edge_attributes(edge))
    for (a, b), implied in arcs_of(graph).items():
        result.add_edge(a, b, bidirected=True, **({"implied": True} if implied else {}))
    return result


def from_networkx(peer: networkx.DiGraph[Any]) -> Graph:
    """The graph of any directed networkx graph; attributes that it does not know are left alone.

    Example:
        >>> import networkx
        >>> from_networkx(networkx.DiGraph([("x", "y")])).edges[0].target
        'y'

    Raises:
        GraphError: undirected edges, or what is not a causal graph.
    """
    if not all(
        hasattr(peer, each) for each in ("is_directed", "number_of_edges", "nodes", "graph")
    ):
        given = type(peer).__name__
        raise GraphError(f"from_networkx: given {given}; expected a directed networkx graph")
    if len(peer) > NODES or peer.number_of_edges() > EDGES:
        raise GraphError(f"a networkx graph of more than {NODES:,} nodes or {EDGES:,} edges")
    if not peer.is_directed():
        raise GraphError(
            "a networkx graph with undirected edges; expected a directed one, or from_discovery,"
            " which directs them"
        )
    usual, edge = (_defaults(peer, key) for key in ("node", "edge"))
    nodes = {str(name): structured({**usual, **g}) for name, g in peer.nodes(data=True)}
    if len(nodes) < len(peer):
        raise GraphError("two nodes of the networkx graph have the same text as their name")
    links = [(str(a), "->", str(b), structured({**edge, **g})) for a, b, g in peer.edges(data=True)]
    hidden = map(str, getattr(peer, "latents", None) or ())
    return assembled(structured(peer.graph), nodes, links, hidden)


def _defaults(peer: networkx.DiGraph[Any], key: str) -> Mapping[str, Any]:
    """The attributes of all nodes or edges, where pydot and pygraphviz keep DOT's defaults."""
    given = peer.graph.get(key)
    return given if isinstance(given, Mapping) else {}
