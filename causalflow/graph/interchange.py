"""Interchange: graphs from and to networkx, DOT and dagitty.

Format      directed edge              bidirected edge               types
networkx    attributes kind, options   attribute bidirected=True     attributes type, options
DOT         the same, options in JSON  attribute dir=both            the same, options in JSON
dagitty     ``x -> y``                 ``x <-> y``                   none

An option is a field of the graph file (levels, support, equation, scale, ...) in its form there.
networkx (but for the order of edges) and DOT keep all that a graph file says: exogenous variables
and queries are attributes of the graph. A bidirected edge that only follows from a shared exogenous
variable is marked implied. Nodes marked latent on the way in (dagitty's ``[latent]``, DOT's
``observed=no``) are projected out: bidirected edges stand for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from causalflow.errors import GraphError
from causalflow.graph.admg import ADMG
from causalflow.graph.conditional import with_declared_parents
from causalflow.graph.graph import Graph
from causalflow.graph.schema import Edge, Node
from causalflow.graph.statements import Attributes, Document, Link, parse_document
from causalflow.graph.syntax import is_name
from causalflow.graph.writer import raw

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

Raw: TypeAlias = dict[str, Any]

STRUCTURED = ("options", "exogenous", "queries")


def to_networkx(graph: Graph) -> networkx.MultiDiGraph[str]:
    """A multigraph, since a pair of nodes may have an edge of each kind."""
    import networkx

    result: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(
        name=graph.name, **_graph_attributes(graph)
    )
    for name in graph.nodes:
        result.add_node(name, **_node_attributes(with_declared_parents(graph, name)))
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
    if not peer.is_directed():
        raise GraphError("a networkx graph with undirected edges; expected a directed one")
    links = [(str(a), str(b), given) for a, b, given in peer.edges(data=True)]
    declared = [link for link in links if not link[2].get("implied")]
    return _build(
        attributes=peer.graph,
        nodes={str(name): dict(given) for name, given in peer.nodes(data=True)},
        edges={(a, b): given for a, b, given in declared if not given.get("bidirected")},
        arcs=[(a, b) for a, b, given in declared if given.get("bidirected")],
    )


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
    """The graph of a DOT digraph; styling is left alone.

    Raises:
        GraphError: bad syntax (line and column are named), undirected edges, or what is not a
            causal graph.

    Example:
        >>> from_dot('digraph { u [observed=no]; u -> x; u -> y; x -> y }')
        Graph('graph', x -> y, x <-> y)
    """
    document = parse_document(text, source, kinds=("digraph",), marks=("->",))
    attributes = _values(document.attributes) | {"name": document.name}
    drawn = _exogenous(attributes)
    links = [link for link in document.links if _is_declared(link, drawn)]
    return _build(
        attributes=attributes,
        nodes={name: _values(g) for name, g in document.nodes.items() if name not in drawn},
        edges={
            _ends(link): _values(link.attributes)
            for link in links
            if link.attributes.get("dir") != "both"
        },
        arcs=[_ends(link) for link in links if link.attributes.get("dir") == "both"],
        latent=[name for name, given in document.nodes.items() if _is_latent(given)],
    )


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
    return str(Document(kind="dag", nodes={name: {} for name in graph.nodes}, links=tuple(links)))


def from_dagitty(text: str, source: str = "dagitty text") -> Graph:
    """The graph of a dagitty ``dag { ... }``; roles and positions are left alone.

    Raises:
        GraphError: bad syntax (line and column are named), undirected edges, or what is not a
            causal graph.
    """
    document = parse_document(text, source, kinds=("dag", "admg"), marks=("->", "<-", "<->"))
    return _build(
        attributes={"name": document.name},
        nodes={name: {} for name in document.nodes},
        edges={_ends(link): {} for link in document.links if link.mark != "<->"},
        arcs=[_ends(link) for link in document.links if link.mark == "<->"],
        latent=[name for name, given in document.nodes.items() if _is_latent(given)],
    )


def _exogenous(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    given = attributes.get("exogenous") or {}
    if not isinstance(given, Mapping):
        raise GraphError(f"exogenous {str(given)[:40]!r}; expected a mapping of names")
    return given


def _is_declared(link: Link, drawn: Mapping[str, Any]) -> bool:
    """A drawing also shows implied edges, and those out of exogenous variables."""
    return link.attributes.get("implied") != "true" and link.source not in drawn


def _is_latent(given: Attributes) -> bool:
    words = {key.lower() for key in given}
    return bool({"latent", "l", "u"} & words) or given.get("observed", "").lower() in (
        "no",
        "false",
    )


def _ends(link: Link) -> tuple[str, str]:
    backward = link.mark == "<-" or link.attributes.get("dir") == "back"
    return (link.target, link.source) if backward else (link.source, link.target)


def _build(
    *,
    attributes: Mapping[str, Any],
    nodes: Mapping[str, Raw],
    edges: Mapping[tuple[str, str], Raw],
    arcs: Iterable[tuple[str, str]],
    latent: Iterable[str] = (),
) -> Graph:
    """The Graph of what was read, latent nodes projected out."""
    for name in nodes:
        if not is_name(name):
            raise GraphError(
                f"node {name[:40]!r}; a name is a letter or '_', then letters, digits and '_'"
            )
    written = {frozenset(pair): " <-> ".join(pair) for pair in arcs}
    admg = ADMG(tuple(nodes), frozenset(edges), frozenset(written))
    admg = admg.latent_projection(tuple(latent))
    pairs = [*filter(admg.directed.__contains__, edges), *sorted(admg.directed.difference(edges))]
    siblings = [text for pair, text in written.items() if pair in admg.bidirected]
    made = map(admg.ordered, admg.bidirected.difference(written))
    siblings += sorted(" <-> ".join(pair) for pair in made)
    return Graph(
        nodes=_declared_nodes({name: nodes[name] for name in admg.nodes}),
        edges=[*(_raw_edge(pair, edges.get(pair, {})) for pair in pairs), *siblings],
        exogenous=_exogenous(attributes) or None,
        queries=attributes.get("queries") or (),
        name=str(attributes.get("name") or "graph"),
    )


def _declared_nodes(nodes: Mapping[str, Raw]) -> Mapping[str, Raw] | list[str]:
    """Fields of typed nodes; names alone where no node has a type."""
    if not any("type" in given for given in nodes.values()):
        return list(nodes)
    return {name: _fields(given, "type") for name, given in nodes.items()}


def _raw_edge(pair: tuple[str, str], given: Raw) -> Raw | str:
    links = " -> ".join(pair)
    return {links: _fields(given, "kind")} if "kind" in given else links


def _fields(given: Raw, key: str) -> Raw:
    """The raw form of a declaration from its attributes ``key`` (type or kind) and options."""
    options = given.get("options") or {}
    if not isinstance(options, Mapping):
        raise GraphError(f"options {str(options)[:40]!r}; expected a mapping of fields")
    return {key: given[key], **options} if key in given else {}


def _arcs(graph: Graph) -> dict[tuple[str, str], bool]:
    """The bidirected edges, and whether each is only implied."""
    known = frozenset(frozenset(pair) for pair in graph.bidirected)
    implied = sorted((a, b) for a, b in map(graph.admg.ordered, graph.admg.bidirected - known))
    declared: dict[tuple[str, str], bool] = dict.fromkeys(graph.bidirected, False)
    return declared | dict.fromkeys(implied, True)


def _graph_attributes(graph: Graph) -> Raw:
    exogenous = {name: _plain(raw(variable)) for name, variable in graph.exogenous.items()}
    queries = [_plain(raw(query)) for query in graph.queries]
    given = {"exogenous": exogenous, "queries": queries}
    return {key: value for key, value in given.items() if value}


def _node_attributes(node: Node) -> Raw:
    return _split(raw(node), "type")


def _edge_attributes(edge: Edge) -> Raw:
    written = raw(edge)
    kind = "neural" if isinstance(written, str) else next(iter(written.values()))
    return _split({"kind": kind} if isinstance(kind, str) else kind, "kind")


def _split(given: Raw, key: str) -> Raw:
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


def _values(given: Attributes) -> Raw:
    return {key: _parsed(key, text) if key in STRUCTURED else text for key, text in given.items()}


def _parsed(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise GraphError(f"attribute '{key}' is not JSON: {text[:40]!r}") from None
