"""Attributes: a declaration as attributes of a graph, its nodes and its edges, and back.

Format      directed edge              bidirected edge               types
networkx    attributes kind, options   attribute bidirected=True     attributes type, options
DOT         the same, options in JSON  attribute dir=both            the same, options in JSON
GML         as networkx                as networkx                   options in JSON
dagitty     ``x -> y``                 ``x <-> y``                   none

An option is a field of the graph file (levels, support, equation, scale, ...) in its form there.
Exogenous variables and queries are attributes of the graph, as are the names of latent nodes. A
bidirected edge that only follows from a shared exogenous variable is marked implied. What else a
node or an edge says is read by `causalflow.formats.marks`; edges stand for latent nodes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

from causalflow.errors import GraphError, one_of
from causalflow.formats.marks import MARKS, is_latent, read_arrow, with_role
from causalflow.formats.positions import positions
from causalflow.formats.statements import Document
from causalflow.graph.graph import Graph
from causalflow.graph.node import Edge, Node
from causalflow.graph.writer import raw
from causalflow.names import quoted_unless_word, written

__all__ = [
    "KEPT",
    "STRUCTURED",
    "Raw",
    "arcs_of",
    "assembled",
    "edge_attributes",
    "graph_attributes",
    "graph_of",
    "node_attributes",
    "sections_of",
    "structured",
    "texts_of",
]

_CLASSES = {
    "pdag": "a pdag stands for a class of graphs with the same separations",
    "cpdag": "a cpdag stands for a class of graphs with the same separations",
    "mag": "a mag says what is an ancestor of what, and stands for many graphs with hidden causes",
    "pag": "a pag stands for a class of graphs with hidden causes",
    "graph": "the edges of a graph of kind 'graph' have no direction",
}
_MARKS = ("->", "<-", "<->")

Raw: TypeAlias = Mapping[str, Any]
Sections: TypeAlias = Mapping[str, Any]
"""The sections of a graph file, in their order."""
Connection: TypeAlias = tuple[str, str, str, Raw]
"""Source, mark, target and attributes of an edge."""

STRUCTURED = ("options", "exogenous", "queries", "latents")
KEPT = MARKS.union(STRUCTURED, {"implied", "name", "pos"})
"""The attributes that mean something; all others are styling."""


def graph_of(document: Document, source: str, kinds: Collection[str]) -> Graph:
    """The graph of a text in braces, whose kind is one of ``kinds``.

    Raises:
        GraphError: it is of another kind, or what is not a causal graph.
    """
    return _graph(sections_of(document, source, kinds))


def sections_of(document: Document, source: str, kinds: Collection[str]) -> Sections:
    """What a text in braces says, in the sections of a graph file: latent nodes keep their edges.

    Raises:
        GraphError: it is of another kind, or what is not a causal graph.
    """
    is_directed = bool(document.links) and all(link.mark in _MARKS for link in document.links)
    if not (document.kind == "graph" and is_directed):  # as dagitty's older texts begin
        _require_one_graph(document.kind, source, kinds)
    document = document.named_by_labels()
    attributes = {**structured(document.attributes), "name": document.name}
    drawn = _exogenous_of(attributes)
    nodes = {name: structured(given) for name, given in document.nodes.items() if name not in drawn}
    links = [
        (link.source, link.mark, link.target, structured(link.attributes))
        for link in document.links
        if link.source not in drawn
    ]
    return {**_sections(attributes, nodes, links), "layout": positions(document)}


def _require_one_graph(kind: str, source: str, allowed: Collection[str]) -> None:
    """Refuse a text whose kind is not that of one causal graph.

    Raises:
        GraphError: there is not exactly one graph of a kind that is read.
    """
    if kind in allowed:
        return
    if kind in _CLASSES:
        wanted = " or ".join(f"'{each}'" for each in allowed)
        raise GraphError(f"{source}: {_CLASSES[kind]}; expected one graph, of kind {wanted}")
    raise GraphError(f"{source}: a graph of kind {kind[:40]!r}; {one_of(kind, allowed)}")


def assembled(
    attributes: Mapping[str, Any],
    nodes: Mapping[str, Raw],
    links: Iterable[Connection],
    hidden: Iterable[str] = (),
) -> Graph:
    """The Graph of what was read.

    Args:
        attributes: the graph's: name, exogenous, queries, and latents, the names of latent nodes.
        nodes: their attributes.
        links: the edges.
        hidden: further names of latent nodes.
    """
    return _graph(_sections(attributes, nodes, links, hidden))


def _graph(sections: Sections) -> Graph:
    others = {key: value for key, value in sections.items() if key != "graph"}
    return Graph(name=sections["graph"], **others)


def _sections(
    attributes: Mapping[str, Any],
    nodes: Mapping[str, Raw],
    links: Iterable[Connection],
    hidden: Iterable[str] = (),
) -> dict[str, Any]:
    declared = [str(name) for name in _listed(attributes, "latents")]
    named = dict.fromkeys([*hidden, *declared])
    nodes = {**nodes, **{name: {} for name in named if name not in nodes}}
    latent = [name for name, given in nodes.items() if is_latent(name, given) or name in named]
    return {
        "graph": str(attributes.get("name") or "graph"),
        "exogenous": _exogenous_of(attributes) or None,
        "nodes": _declared_nodes(nodes),
        "edges": _edges(links, frozenset(latent)),
        "latent": latent,
        "queries": _listed(attributes, "queries") or _role_query(nodes),
    }


def _exogenous_of(attributes: Raw) -> Raw:
    """The exogenous variables of a graph's attributes.

    Raises:
        GraphError: they are no mapping.
    """
    given = attributes.get("exogenous") or {}
    if not isinstance(given, Mapping):
        raise GraphError(f"exogenous {str(given)[:40]!r}; expected a mapping of names")
    return given


def _edges(links: Iterable[Connection], latent: frozenset[str]) -> list[Raw | str]:
    """The directed edges, then the bidirected ones, each once."""
    arrows: dict[tuple[str, str], Raw] = {}
    arcs: dict[frozenset[str], str] = {}
    for source, mark, target, given in links:
        found = read_arrow(source, mark, target, given, latent)
        if found is None or str(given.get("implied")).lower() == "true":
            continue
        if found.bidirected:
            arcs.setdefault(frozenset((source, target)), f"{written(source)} <-> {written(target)}")
        else:
            _enter(arrows, (found.source, found.target), given)
    return [*(_raw_edge(pair, given) for pair, given in arrows.items()), *arcs.values()]


def _listed(attributes: Raw, key: str) -> list[Any]:
    given = attributes.get(key) or []
    if not isinstance(given, list | tuple):
        raise GraphError(f"{key} {str(given)[:40]!r}; expected a list")
    return list(given)


def _enter(arrows: dict[tuple[str, str], Raw], pair: tuple[str, str], given: Raw) -> None:
    """The edge, which may be drawn twice if both say the same."""
    first = arrows.setdefault(pair, given)
    if any(first.get(key) != given.get(key) for key in ("kind", "options")):
        raise GraphError(f"edge '{_link(pair)}' is given twice, as different kinds")


def _link(pair: tuple[str, str]) -> str:
    return " -> ".join(map(written, pair))


def _role_query(nodes: Mapping[str, Raw]) -> list[Raw]:
    """What dagitty's roles ask: the effect of the exposures on the outcomes."""
    exposures, outcomes, adjusted = (
        ", ".join(map(quoted_unless_word, with_role(nodes, role)))
        for role in ("exposure", "outcome", "adjusted")
    )
    if not (exposures and outcomes):
        return []
    note = {"note": f"the text marks as adjusted: {adjusted}"} if adjusted else {}
    return [{"ask": f"P({outcomes} | do({exposures}))", **note}]


def _declared_nodes(nodes: Mapping[str, Raw]) -> Mapping[str, Raw] | list[str]:
    """Fields of typed nodes; names alone where no node has a type."""
    if not any("type" in given for given in nodes.values()):
        return list(nodes)
    return {name: _fields(given, "type") for name, given in nodes.items()}


def _raw_edge(pair: tuple[str, str], given: Raw) -> Raw | str:
    links = _link(pair)
    is_plain = str(given.get("kind", "directed")).lower() in ("directed", "->")
    return links if is_plain else {links: _fields(given, "kind")}


def _fields(given: Raw, key: str) -> Raw:
    """The raw form of a declaration from its attributes ``key`` (type or kind) and options."""
    options = given.get("options") or {}
    if not isinstance(options, Mapping):
        raise GraphError(f"options {str(options)[:40]!r}; expected a mapping of fields")
    return {key: given[key], **options} if key in given else {}


def structured(given: Mapping[str, Any]) -> Raw:
    """Attributes with their structures, which text formats keep as JSON."""
    return {**given} | {key: _parsed(key, given[key]) for key in STRUCTURED if key in given}


def _parsed(key: str, text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise GraphError(f"attribute '{key}' is not JSON: {text[:40]!r}") from None


def arcs_of(graph: Graph) -> dict[tuple[str, str], bool]:
    """The bidirected edges, and whether each is only implied."""
    known = frozenset(frozenset(pair) for pair in graph.bidirected)
    implied = sorted((a, b) for a, b in map(graph.admg.ordered, graph.admg.bidirected - known))
    declared: dict[tuple[str, str], bool] = dict.fromkeys(graph.bidirected, False)
    return declared | dict.fromkeys(implied, True)


def graph_attributes(graph: Graph) -> dict[str, Any]:
    """What is said of a graph beside its nodes and edges."""
    exogenous = {name: _plain(raw(variable)) for name, variable in graph.exogenous.items()}
    queries = [_plain(raw(query)) for query in graph.queries]
    given = {"exogenous": exogenous, "queries": queries, "latents": list(graph.latent)}
    return {key: value for key, value in given.items() if value}


def node_attributes(node: Node) -> dict[str, Any]:
    """A node's type, and its other fields as options."""
    return _split(raw(node), "type")


def edge_attributes(edge: Edge) -> dict[str, Any]:
    """An edge's kind, and its other fields as options."""
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


def texts_of(given: Raw) -> dict[str, str]:
    """DOT attributes: names as they are, structures in JSON."""
    return {
        key: json.dumps(value, ensure_ascii=False) if key in STRUCTURED else str(value)
        for key, value in given.items()
    }
