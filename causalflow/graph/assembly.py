"""Assembly: the Graph of the nodes, edges and attributes that another format has given.

Attributes named type (of a node) and kind (of an edge) with their options are a declaration's, in
the form of a graph file; what else a node or an edge says is read by `causalflow.graph.marks`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from causalflow.errors import GraphError
from causalflow.graph.graph import Graph
from causalflow.graph.marks import MARKS, is_latent, read_arrow, with_role
from causalflow.graph.names import quoted_unless_word, written

__all__ = ["KEPT", "STRUCTURED", "Raw", "assembled", "exogenous_of", "structured"]

Raw: TypeAlias = Mapping[str, Any]
Link: TypeAlias = tuple[str, str, str, Raw]
"""Source, mark, target and attributes of an edge."""

STRUCTURED = ("options", "exogenous", "queries", "latents")
KEPT = MARKS.union(STRUCTURED, {"implied", "name"})
"""The attributes that mean something; all others are styling."""


def exogenous_of(attributes: Raw) -> Raw:
    """The exogenous variables of a graph's attributes.

    Raises:
        GraphError: they are no mapping.
    """
    given = attributes.get("exogenous") or {}
    if not isinstance(given, Mapping):
        raise GraphError(f"exogenous {str(given)[:40]!r}; expected a mapping of names")
    return given


def assembled(
    attributes: Mapping[str, Any],
    nodes: Mapping[str, Raw],
    links: Iterable[Link],
    hidden: Iterable[str] = (),
) -> Graph:
    """The Graph of what was read.

    Args:
        attributes: the graph's: name, exogenous, queries, and latents, the names of latent nodes.
        nodes: their attributes.
        links: the edges.
        hidden: further names of latent nodes.
    """
    declared = [str(name) for name in _listed(attributes, "latents")]
    named = dict.fromkeys([*hidden, *declared])
    nodes = {**nodes, **{name: {} for name in named if name not in nodes}}
    latent = [name for name, given in nodes.items() if is_latent(name, given) or name in named]
    return Graph(
        nodes=_declared_nodes(nodes),
        edges=_edges(links, frozenset(latent)),
        exogenous=exogenous_of(attributes) or None,
        queries=_listed(attributes, "queries") or _role_query(nodes),
        name=str(attributes.get("name") or "graph"),
        latent=latent,
    )


def _edges(links: Iterable[Link], latent: frozenset[str]) -> list[Raw | str]:
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
