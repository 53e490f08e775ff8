"""Interchange: graphs from and to networkx, DOT and dagitty.

Format      directed edge              bidirected edge               types
networkx    attributes kind, options   attribute bidirected=True     attributes type, options
DOT         the same, options in JSON  attribute dir=both            the same, options in JSON
dagitty     ``x -> y``                 ``x <-> y``                   none

An option is a field of the graph file (levels, support, equation, scale, ...) in its form there.
networkx (but for the order of edges) and DOT keep all that a graph file says: exogenous variables
and queries are attributes of the graph, as are the names of latent nodes. A bidirected edge that
only follows from a shared exogenous variable is marked implied. `causalflow.formats.marks` tells
what other tools' attributes mean on the way in; edges stand for latent nodes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from causalflow.errors import GraphError
from causalflow.formats.braces import parse_document
from causalflow.formats.marks import (
    KEPT,
    STRUCTURED,
    Raw,
    assembled,
    exogenous_of,
    require_one_graph,
    structured,
)
from causalflow.formats.statements import Document, Link
from causalflow.graph.conditional import with_parents
from causalflow.graph.graph import Graph
from causalflow.graph.node import Edge, Node
from causalflow.graph.writer import raw
from causalflow.limits import EDGES, NODES

if TYPE_CHECKING:
    import networkx

__all__ = [
    "dot_document",
    "from_dagitty",
    "from_dot",
    "from_networkx",
    "to_dagitty",
    "to_dot",
    "to_networkx",
]


_MARKS = ("->", "<-", "<->")


def to_networkx(graph: Graph) -> networkx.MultiDiGraph[str]:
    """A multigraph, since a pair of nodes may have an edge of each kind."""
    import networkx

    result: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(
        name=graph.name, **_graph_attributes(graph)
    )
    for name in graph.nodes:
        above = [edge.source for edge in graph.edges if edge.target == name]
        node = with_parents(graph.nodes[name], above, graph.admg.ordered(above))
        result.add_node(name, **_node_attributes(node))
    for edge in graph.edges:
        result.add_edge(edge.source, edge.target, **_edge_attributes(edge))
    for (a, b), implied in _arcs(graph).items():
        result.add_edge(a, b, bidirected=True, **({"implied": True} if implied else {}))
    return result


def from_networkx(peer: networkx.DiGraph[Any]) -> Graph:
    """The graph of any directed networkx graph; attributes that it does not know are left alone.

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
        raise GraphError("a networkx graph with undirected edges; expected a directed one")
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


def to_dot(graph: Graph) -> str:
    """DOT text without styling (`causalflow.plot.graph` draws)."""
    return str(dot_document(graph))


def dot_document(graph: Graph) -> Document:
    """What `to_dot` writes, as data to which a drawing adds its style."""
    links = [
        Link(source=e.source, mark="->", target=e.target, attributes=_texts(_edge_attributes(e)))
        for e in graph.edges
    ]
    for (a, b), implied in _arcs(graph).items():
        given = {"dir": "both", "style": "dashed"} | ({"implied": "true"} if implied else {})
        links.append(Link(source=a, mark="->", target=b, attributes=given))
    return Document(
        kind="digraph",
        name=graph.name,
        attributes=_texts(_graph_attributes(graph)),
        nodes={name: _texts(_node_attributes(node)) for name, node in graph.nodes.items()},
        links=tuple(links),
    )


def from_dot(text: str, source: str = "DOT text") -> Graph:
    """The graph of a DOT digraph; styling that is no mark of `causalflow.formats.marks` is ignored.

    Raises:
        GraphError: bad syntax (line and column are named), undirected edges, or what is not a
            causal graph.

    Example:
        >>> from_dot('digraph { u [observed=no]; u -> x; u -> y; x -> y }')
        Graph('graph', x -> y, x <-> y)
    """
    return _of_document(parse_document(text, source, KEPT), source, ("digraph",))


def _of_document(document: Document, source: str, kinds: Collection[str]) -> Graph:
    is_directed = bool(document.links) and all(link.mark in _MARKS for link in document.links)
    if not (document.kind == "graph" and is_directed):  # as dagitty's older texts begin
        require_one_graph(document.kind, source, kinds)
    document = document.named_by_labels()
    attributes = {**structured(document.attributes), "name": document.name}
    drawn = exogenous_of(attributes)
    nodes = {name: structured(given) for name, given in document.nodes.items() if name not in drawn}
    links = [
        (link.source, link.mark, link.target, structured(link.attributes))
        for link in document.links
        if link.source not in drawn
    ]
    return assembled(attributes, nodes, links)


def to_dagitty(graph: Graph) -> str:
    """dagitty's text: nodes and edges; it knows no types.

    Example:
        >>> print(to_dagitty(Graph(edges=["x -> y", "x <-> y"])), end="")
        dag {
          x
          y
          x -> y
          x <-> y
        }
    """
    links = [Link(source=edge.source, mark="->", target=edge.target) for edge in graph.edges]
    links += [Link(source=a, mark="<->", target=b) for a, b in _arcs(graph)]
    nodes: dict[str, dict[str, str]] = {name: {} for name in graph.nodes}
    nodes |= {name: {"latent": ""} for name in graph.latent}
    return str(Document(kind="dag", nodes=nodes, links=tuple(links)))


def from_dagitty(text: str, source: str = "dagitty text") -> Graph:
    """The graph of a dagitty ``dag { ... }``; its braces may be left out, positions are left alone.

    Exposures and outcomes make a query of the graph: P(outcomes | do(exposures)).

    Raises:
        GraphError: bad syntax (line and column are named), another kind of graph (mag, pdag, pag),
            selected nodes, or what is not a causal graph.

    Example:
        >>> from_dagitty("dag { x [exposure] y [outcome] u [latent] x <- u -> y x -> y }").queries
        (QueryCheck(ask='P(y | do(x))', identifiable=None, answer=None, note=None, line=None),)
    """
    is_bare = "{" not in text and any(mark in text for mark in ("->", "<-"))
    document = parse_document(f"dag {{{text}}}" if is_bare else text, source, KEPT)
    return _of_document(document, source, ("dag", "admg", "digraph"))


def _arcs(graph: Graph) -> dict[tuple[str, str], bool]:
    """The bidirected edges, and whether each is only implied."""
    known = frozenset(frozenset(pair) for pair in graph.bidirected)
    implied = sorted((a, b) for a, b in map(graph.admg.ordered, graph.admg.bidirected - known))
    declared: dict[tuple[str, str], bool] = dict.fromkeys(graph.bidirected, False)
    return declared | dict.fromkeys(implied, True)


def _graph_attributes(graph: Graph) -> dict[str, Any]:
    exogenous = {name: _plain(raw(variable)) for name, variable in graph.exogenous.items()}
    queries = [_plain(raw(query)) for query in graph.queries]
    given = {"exogenous": exogenous, "queries": queries, "latents": list(graph.latent)}
    return {key: value for key, value in given.items() if value}


def _node_attributes(node: Node) -> dict[str, Any]:
    return _split(raw(node), "type")


def _edge_attributes(edge: Edge) -> dict[str, Any]:
    written = raw(edge)
    kind = "neural" if isinstance(written, str) else next(iter(written.values()))
    return _split({"kind": kind} if isinstance(kind, str) else kind, "kind")


def _split(given: Raw, key: str) -> dict[str, Any]:
    """The name under ``key``, and the other fields as options."""
    options = {name: _plain(value) for name, value in given.items() if name != key}
    named = {key: given[key]} if key in given else {}
    return named | ({"options": options} if options else {})


def _plain(value: Any) -> Any:
    """What JSON can say; a fraction is text, as a graph file may have it."""
    match value:
        case Fraction():
            return str(value)
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value


def _texts(given: Raw) -> dict[str, str]:
    """DOT attributes: names as they are, structures in JSON."""
    return {
        key: json.dumps(value, ensure_ascii=False) if key in STRUCTURED else str(value)
        for key, value in given.items()
    }
