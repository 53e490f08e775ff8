"""dagitty: graphs as dagitty.net and its R package keep them, from and to text.

    dag { x [exposure] u [latent] x -> y x <-> y }

It knows nodes, edges and the roles of nodes; no types.

Source: Textor et al. (2016), Robust causal inference using directed acyclic graphs.
"""

from __future__ import annotations

import re

from causalflow.formats.attributes import KEPT, Sections, arcs_of, graph_of, sections_of
from causalflow.formats.braces import parse_document
from causalflow.formats.formats import NAME, Format
from causalflow.formats.statements import Document, Link
from causalflow.graph.graph import Graph

_KINDS = ("dag", "admg", "digraph")

__all__ = ["DAGITTY", "from_dagitty", "to_dagitty"]


def from_dagitty(text: str, source: str = "dagitty text") -> Graph:
    """The graph of a dagitty ``dag { ... }``; its braces may be left out.

    Exposures and outcomes make a query of the graph: P(outcomes | do(exposures)).

    Raises:
        GraphError: bad syntax (line and column are named), another kind of graph (mag, pdag, pag),
            selected nodes, or what is not a causal graph.

    Example:
        >>> from_dagitty("dag { x [exposure] y [outcome] u [latent] x <- u -> y x -> y }").queries
        (QueryCheck(ask='P(y | do(x))', identifiable=None, answer=None, note=None, line=None),)
    """
    return graph_of(_document(text, source), source, _KINDS)


def _document(text: str, source: str) -> Document:
    is_bare = "{" not in text and any(mark in text for mark in ("->", "<-"))
    return parse_document(f"dag {{{text}}}" if is_bare else text, source, KEPT)


def _sections(text: str, source: str) -> Sections:
    return sections_of(_document(text, source), source, _KINDS)


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
    links += [Link(source=a, mark="<->", target=b) for a, b in arcs_of(graph)]
    nodes: dict[str, dict[str, str]] = {name: {} for name in graph.nodes}
    nodes |= {name: {"latent": ""} for name in graph.latent}
    for name in nodes.keys() & graph.layout.keys():
        nodes[name]["pos"] = "{:g},{:g}".format(*graph.layout[name])
    return str(Document(kind="dag", nodes=nodes, links=tuple(links)))


DAGITTY = Format(
    suffixes=(".dagitty",),
    begins=re.compile(rf"(?:dag|admg|mag|c?pdag|pag)\b\s*{NAME}\s*\{{", re.IGNORECASE),
    read=from_dagitty,
    write=to_dagitty,
    sections=_sections,
)
