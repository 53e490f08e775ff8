"""Declaration: everything a graph file, or the arguments of ``Graph``, says; checked.

The order of the checks is the order in which a reader would look: each variable by itself, each
edge by itself, then what they say about each other (names, equations and edges, cycles), so that
the first error shown is the cause.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from causalflow.admg.admg import ADMG
from causalflow.equations.law import warn_of_rough
from causalflow.graph.cause import Cause
from causalflow.graph.checks import QueryCheck, read_queries
from causalflow.graph.conditional import read_tables
from causalflow.graph.consistency import (
    check_equations,
    check_extents,
    check_links,
    check_names,
)
from causalflow.graph.edges import Link, read_links
from causalflow.graph.indicator import check_indicators
from causalflow.graph.latent import read_latent, without_latent
from causalflow.graph.node import Edge, Exogenous, Node, Symbol
from causalflow.graph.node_reader import read_exogenous, read_node
from causalflow.graph.positions import Positions, read_positions
from causalflow.graph.tree import Fields, Items, Place, Scalar, Value, described, record, text
from causalflow.limits import NODES
from causalflow.names import NAME_RULE, is_name, written

__all__ = ["Declaration", "declare", "derived_edges"]

SECTIONS = ("graph", "exogenous", "nodes", "edges", "latent", "queries", "layout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A graph's content; edges into a node with an equation follow from it and stand last.

    Attributes:
        latent: the names of the declared nodes that nobody observes; the edges are those that they
            leave between the others (`causalflow.graph.latent`).
        causes: what is said of some of the bidirected edges (`causalflow.graph.cause`).
        layout: where variables are drawn (`causalflow.graph.positions`).
    """

    name: str
    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    bidirected: tuple[tuple[str, str], ...]
    exogenous: Mapping[str, Exogenous]
    queries: tuple[QueryCheck, ...]
    latent: tuple[str, ...] = ()
    causes: tuple[tuple[tuple[str, str], Cause], ...] = ()
    layout: Positions = ()


def declare(tree: Value | None) -> Declaration:
    """The declaration that the tree makes.

    Raises:
        DeclarationError: the first mistake, with its line.
    """
    top = _top(tree)
    name = top.get("graph")
    title = "graph" if name is None else text(name, Place("graph"))
    links = read_links(_section(top, "edges"))
    rough: list[str] = []
    exogenous = _read_exogenous(_section(top, "exogenous"), rough)
    nodes, latent = _read_nodes_and_latent(top, links)
    lines = _check(top, nodes, exogenous, links)
    nodes = read_tables(_section(top, "nodes"), nodes, links, rough)
    if rough:
        warn_of_rough(rough)
    edges = (*_declared_edges(links, nodes), *derived_edges(nodes))
    arcs = tuple((link.source, link.target) for link in links if link.kind is None)
    _check_cycle(nodes, edges, links, lines)
    layout = read_positions(_section(top, "layout"), (*nodes, *exogenous))
    if latent:
        nodes, edges, arcs = without_latent(nodes, edges, arcs, latent)
    check_indicators(nodes, edges, lines)
    return Declaration(
        name=title,
        nodes=nodes,
        edges=edges,
        bidirected=arcs,
        exogenous=exogenous,
        queries=read_queries(_section(top, "queries")),
        latent=tuple(latent),
        causes=tuple(
            ((link.source, link.target), link.cause)
            for link in links
            if link.cause is not None and (link.source, link.target) in arcs
        ),
        layout=layout,
    )


def _top(tree: Value | None) -> Fields:
    """The sections, of which there is one at least."""
    place = Place("graph")
    if tree is None or (isinstance(tree, Scalar) and tree.empty):
        place.fail(f"nothing is declared; expected a mapping with some of {list(SECTIONS)}", 1)
    return record(tree, place, SECTIONS)


def _read_nodes_and_latent(
    top: Fields, links: Sequence[Link]
) -> tuple[dict[str, Node], Mapping[str, int | None]]:
    """The nodes, latent ones among them, and the names of these with their lines."""
    ends = [end for link in links for end in (link.source, link.target)]
    hidden = _section(top, "latent")
    latent = {} if hidden is None else read_latent(hidden, [*ends, *_lines(top, "nodes")])
    return _read_nodes(_section(top, "nodes"), ends, latent), latent


def _check(
    top: Fields,
    nodes: Mapping[str, Node],
    exogenous: Mapping[str, Exogenous],
    links: Sequence[Link],
) -> dict[str, int | None]:
    """Refuse what does not fit together; the lines of the variables, an equation's where one is."""
    if (count := len(nodes) + len(exogenous)) > NODES:
        Place("graph").fail(f"{count:,} variables; at most {NODES:,}", 1)
    lines = _lines(top, "nodes") | _lines(top, "exogenous")
    check_names(nodes, exogenous, lines)
    check_links(links, nodes)
    lines |= _equation_lines(top)
    check_equations(nodes, exogenous, lines)
    check_extents(nodes, exogenous, lines)
    return lines


def _section(top: Fields, name: str) -> Value | None:
    """A section's value; an empty section is as good as none."""
    value = top.get(name)
    return None if isinstance(value, Scalar) and value.empty else value


def _lines(top: Fields, section: str) -> dict[str, int | None]:
    value = _section(top, section)
    match value:
        case Fields():
            return {key.text: key.line for key, _ in value.pairs}
        case Items():
            return {item.text: item.line for item in value.values if isinstance(item, Scalar)}
        case _:
            return {}


def _equation_lines(top: Fields) -> dict[str, int | None]:
    nodes = _section(top, "nodes")
    pairs = nodes.pairs if isinstance(nodes, Fields) else ()
    found = (
        (key.text, content.get("equation")) for key, content in pairs if isinstance(content, Fields)
    )
    return {name: value.line for name, value in found if value is not None}


def _read_nodes(
    value: Value | None, ends: Iterable[str], latent: Collection[str]
) -> dict[str, Node]:
    """Typed nodes from a mapping; symbols from a list of names, or as the edges name them.

    A latent node needs no type, nor to be listed.
    """
    if value is None:
        return dict.fromkeys(ends, Symbol()) or Place("graph").fail("there are no nodes", 1)
    unlisted: dict[str, Node] = dict.fromkeys(latent, Symbol())
    if isinstance(value, Items):
        return dict.fromkeys(_symbols(value), Symbol()) | unlisted
    if not isinstance(value, Fields):
        Place("nodes").fail(
            f"expected a mapping name: {{type: ...}}, not {described(value)}", value
        )
    if not value.pairs:
        Place("graph").fail("there are no nodes", value)
    return unlisted | {
        key.text: _read_latent(content, place) if key.text in latent else read_node(content, place)
        for key, content in value.pairs
        for place in [_named("node", key)]
    }


def _read_latent(content: Value, place: Place) -> Node:
    """A latent node may have a type, which says nothing."""
    is_empty = content.empty if isinstance(content, Scalar) else content == Fields((), content.line)
    return Symbol() if is_empty else read_node(content, place)


def _symbols(value: Items) -> Iterator[str]:
    seen: set[str] = set()
    for item in value.values:
        key = item if isinstance(item, Scalar) else Scalar(text(item, Place("nodes")))
        place = _named("node", key)
        if key.text in seen:
            place.fail("the name is given twice", key)
        seen.add(key.text)
        yield key.text
    if not seen:
        Place("graph").fail("there are no nodes", value)


def _named(kind: str, key: Scalar) -> Place:
    place = Place(f"{kind} {described(key)}")
    if not is_name(key.text):
        place.fail(NAME_RULE, key)
    return place


def _read_exogenous(value: Value | None, rough: list[str]) -> dict[str, Exogenous]:
    if value is None:
        return {}
    if not isinstance(value, Fields):
        given = described(value)
        Place("exogenous").fail(f"expected a mapping name: distribution, not {given}", value)
    return {
        key.text: read_exogenous(content, _named("exogenous", key), rough)
        for key, content in value.pairs
    }


def _declared_edges(links: Sequence[Link], nodes: Mapping[str, Node]) -> Iterator[Edge]:
    for link in links:
        if link.kind is not None and nodes[link.target].equation is None:
            yield Edge(source=link.source, target=link.target, kind=link.kind)


def derived_edges(nodes: Mapping[str, Node]) -> Iterator[Edge]:
    """The edges that follow from the equations."""
    place = {name: index for index, name in enumerate(nodes)}
    for name, node in nodes.items():
        equation = node.equation
        used = place.keys() & (equation.names if equation else ())
        yield from (Edge(source=each, target=name) for each in sorted(used, key=place.__getitem__))


def _check_cycle(
    nodes: Mapping[str, Node],
    edges: Sequence[Edge],
    links: Sequence[Link],
    lines: Mapping[str, int | None],
) -> None:
    """The graph is acyclic; the line is that of the cycle's last edge or equation in the file."""
    cycle = ADMG(nodes, ((each.source, each.target) for each in edges)).find_cycle()
    if cycle is None:
        return
    steps = set(zip(cycle, (*cycle[1:], cycle[0]), strict=True))
    found = [link.line for link in links if (link.source, link.target) in steps and link.kind]
    found += [lines.get(name) for name in cycle if nodes[name].equation is not None]
    line = max((line for line in found if line is not None), default=None)
    shown = " -> ".join(map(written, (*cycle, cycle[0])))
    Place("graph").fail(f"the edges make a cycle: {shown}", line)
