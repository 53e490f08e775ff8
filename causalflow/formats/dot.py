"""DOT: graphs as Graphviz draws them, from and to text.

    digraph "napkin" { w -> z -> x [kind=neural]; w -> {x y} [dir=both]; z [type="class"] }

What a graph file says stands in attributes, options in JSON (`causalflow.formats.attributes`).

Source: graphviz.org/doc/info/lang.html.
"""

from __future__ import annotations

import re

from causalflow.formats.attributes import (
    KEPT,
    Sections,
    arcs_of,
    edge_attributes,
    graph_attributes,
    graph_of,
    node_attributes,
    sections_of,
    texts_of,
)
from causalflow.formats.braces import parse_document
from causalflow.formats.formats import NAME, Format
from causalflow.formats.positions import pinned
from causalflow.formats.statements import Document, Link
from causalflow.graph.graph import Graph

__all__ = ["DOT", "dot_document", "from_dot", "to_dot"]


def from_dot(text: str, source: str = "DOT text") -> Graph:
    """The graph of a DOT digraph; styling that is no mark of `causalflow.formats.marks` is ignored.

    Raises:
        GraphError: bad syntax (line and column are named), undirected edges, or what is not a
            causal graph.

    Example:
        >>> from_dot('digraph { u [observed=no]; u -> x; u -> y; x -> y }')
        Graph('graph', x -> y, x <-> y)
    """
    return graph_of(parse_document(text, source, KEPT), source, ("digraph",))


def _sections(text: str, source: str) -> Sections:
    return sections_of(parse_document(text, source, KEPT), source, ("digraph",))


def to_dot(graph: Graph) -> str:
    """DOT text without styling (`causalflow.plot.graph` draws)."""
    return str(dot_document(graph))


def dot_document(graph: Graph) -> Document:
    """What `to_dot` writes, as data to which a drawing adds its style."""
    links = [
        Link(source=e.source, mark="->", target=e.target, attributes=texts_of(edge_attributes(e)))
        for e in graph.edges
    ]
    for (a, b), implied in arcs_of(graph).items():
        given = {"dir": "both", "style": "dashed"} | ({"implied": "true"} if implied else {})
        links.append(Link(source=a, mark="->", target=b, attributes=given))
    return Document(
        kind="digraph",
        name=graph.name,
        attributes=texts_of(graph_attributes(graph)),
        nodes={
            name: {**texts_of(node_attributes(node)), **pinned(graph.layout, name)}
            for name, node in graph.nodes.items()
        },
        links=tuple(links),
    )


DOT = Format(
    suffixes=(".dot", ".gv"),
    begins=re.compile(rf"(?:strict\s+)?(?:di)?graph\b\s*{NAME}\s*\{{", re.IGNORECASE),
    read=from_dot,
    write=to_dot,
    sections=_sections,
)
