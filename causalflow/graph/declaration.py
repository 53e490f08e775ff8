"""Declaration: everything a graph file, or the arguments of ``Graph``, says; checked.

The order of the checks is the order in which a reader would look: each variable by itself, each
edge by itself, then what they say about each other (names, equations and edges, cycles), so that
the first error shown is the cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from causalflow.errors import one_of
from causalflow.graph.admg import ADMG
from causalflow.graph.checks import QueryCheck, read_queries
from causalflow.graph.conditional import read_tables
from causalflow.graph.document import Fields, Items, Scalar, Value, described
from causalflow.graph.edges import Link, read_links
from causalflow.graph.equation import Equation
from causalflow.graph.fields import Place, record, text
from causalflow.graph.schema import Anticausal, Class, Edge, Exogenous, Image, Node, Symbol
from causalflow.graph.syntax import is_name
from causalflow.graph.term import CONSTANTS
from causalflow.graph.variables import read_exogenous, read_node

__all__ = ["Declaration", "declare", "derived_edges", "equation_of", "mixed_graph"]

SECTIONS = ("graph", "exogenous", "nodes", "edges", "queries")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A graph's content; edges into a node with an equation follow from it and stand last."""

    name: str
    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    bidirected: tuple[tuple[str, str], ...]
    exogenous: Mapping[str, Exogenous]
    queries: tuple[QueryCheck, ...]


def declare(tree: Value | None) -> Declaration:
    """The declaration that the tree makes.

    Raises:
        DeclarationError: the first mistake, with its line.
    """
    place = Place("graph")
    if tree is None or (isinstance(tree, Scalar) and tree.empty):
        place.fail(f"nothing is declared; expected a mapping with some of {list(SECTIONS)}", 1)
    top = record(tree, place, SECTIONS)
    name = top.get("graph")
    title = "graph" if name is None else text(name, place)
    links = read_links(_section(top, "edges"))
    exogenous = _read_exogenous(_section(top, "exogenous"))
    nodes = _read_nodes(_section(top, "nodes"), links)
    lines = _lines(top, "nodes") | _lines(top, "exogenous")
    _check_names(nodes, exogenous, lines)
    _check_links(links, nodes)
    lines |= _equation_lines(top)
    _check_equations(nodes, exogenous, lines)
    nodes = read_tables(_section(top, "nodes"), nodes, links)
    edges = (*_declared_edges(links, nodes), *derived_edges(nodes))
    _check_cycle(nodes, edges, links, lines)
    return Declaration(
        name=title,
        nodes=nodes,
        edges=edges,
        bidirected=tuple((link.source, link.target) for link in links if link.kind is None),
        exogenous=exogenous,
        queries=read_queries(_section(top, "queries")),
    )


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


def _read_nodes(value: Value | None, links: Sequence[Link]) -> dict[str, Node]:
    """Typed nodes from a mapping; symbols from a list of names, or as the edges name them."""
    if value is None:
        ends = dict.fromkeys(end for link in links for end in (link.source, link.target))
        return {name: Symbol() for name in ends} or Place("graph").fail("there are no nodes", 1)
    if isinstance(value, Items):
        return {name: Symbol() for name in _symbols(value)}
    if not isinstance(value, Fields):
        Place("nodes").fail(
            f"expected a mapping name: {{type: ...}}, not {described(value)}", value
        )
    if not value.pairs:
        Place("graph").fail("there are no nodes", value)
    return {key.text: read_node(content, _named("node", key)) for key, content in value.pairs}


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
        place.fail("a name is a letter or '_', then letters, digits and '_', at most 100", key)
    return place


def _read_exogenous(value: Value | None) -> dict[str, Exogenous]:
    if value is None:
        return {}
    if not isinstance(value, Fields):
        given = described(value)
        Place("exogenous").fail(f"expected a mapping name: distribution, not {given}", value)
    return {
        key.text: read_exogenous(content, _named("exogenous", key)) for key, content in value.pairs
    }


def equation_of(node: Node) -> Equation | None:
    """The node's equation, None where it has none or can have none."""
    return None if isinstance(node, Symbol) else node.equation


def _check_names(
    nodes: Mapping[str, Node],
    exogenous: Mapping[str, Exogenous],
    lines: Mapping[str, int | None],
) -> None:
    """No name is a node's and an exogenous variable's, or a constant's of the equations."""
    for name in exogenous:
        if name in nodes:
            Place(f"exogenous '{name}'").fail("a node has this name already", lines.get(name))
    if any(equation_of(node) for node in nodes.values()):
        for name in CONSTANTS.keys() & {*nodes, *exogenous}:
            place = Place(f"{'node' if name in nodes else 'exogenous'} '{name}'")
            place.fail("equations have a constant of this name", lines.get(name))


def _check_links(links: Sequence[Link], nodes: Mapping[str, Node]) -> None:
    """Every link joins declared nodes and has a meaning there."""
    for link in links:
        for end in (link.source, link.target):
            if end not in nodes:
                link.place.fail(f"unknown node '{end}'; {one_of(end, nodes)}", link.line)
        target = nodes[link.target]
        if link.kind is None:
            _check_bidirected(link, nodes)
        elif equation_of(target) is not None:
            _check_used(link, target)
        elif isinstance(link.kind, Anticausal) and not isinstance(target, Image | Symbol):
            kind = type(target).__name__.lower()
            link.place.fail(
                f"an anticausal edge must point at an image; '{link.target}' is of type {kind}",
                link.line,
            )


def _check_bidirected(link: Link, nodes: Mapping[str, Node]) -> None:
    for end in (link.source, link.target):
        if equation_of(nodes[end]) is not None:
            link.place.fail(
                f"node '{end}' has an equation; "
                "use one exogenous variable in both equations instead",
                link.line,
            )


def _check_used(link: Link, target: Node) -> None:
    equation = equation_of(target)
    assert equation is not None
    if link.source not in equation.names:
        used = sorted(equation.names)
        link.place.fail(
            f"node '{link.target}' has an equation that does not use '{link.source}'; "
            f"it uses {used}",
            link.line,
        )
    if isinstance(link.kind, Anticausal):
        link.place.fail(f"node '{link.target}' has an equation; its edges have no kind", link.line)


def _check_equations(
    nodes: Mapping[str, Node],
    exogenous: Mapping[str, Exogenous],
    lines: Mapping[str, int | None],
) -> None:
    """Equations use declared variables with one number a row, and not the node itself."""
    for name, node in nodes.items():
        equation = equation_of(node)
        for used in sorted(equation.names) if equation else ():
            place = Place(f"node '{name}': equation")
            if used == name:
                place.fail(f"it uses '{name}' itself", lines.get(name))
            if used not in nodes and used not in exogenous:
                hint = _level_hint(used, nodes) or one_of(used, [*nodes, *exogenous])
                place.fail(f"unknown variable '{used}'; {hint}", lines.get(name))
            if isinstance(nodes.get(used), Image):
                place.fail(
                    f"'{used}' is an image; expected variables of type class or continuous",
                    lines.get(name),
                )


def _level_hint(name: str, nodes: Mapping[str, Node]) -> str | None:
    for node, declared in nodes.items():
        if isinstance(declared, Class) and name in declared.levels:
            return f"a level of '{node}' is a number in an equation: {declared.levels.index(name)}"
    return None


def _declared_edges(links: Sequence[Link], nodes: Mapping[str, Node]) -> Iterator[Edge]:
    for link in links:
        if link.kind is not None and equation_of(nodes[link.target]) is None:
            yield Edge(source=link.source, target=link.target, kind=link.kind)


def derived_edges(nodes: Mapping[str, Node]) -> Iterator[Edge]:
    """The edges that follow from the equations."""
    for name, node in nodes.items():
        equation = equation_of(node)
        used = equation.names if equation else frozenset()
        yield from (Edge(source=source, target=name) for source in nodes if source in used)


def mixed_graph(
    nodes: Mapping[str, Node],
    edges: Sequence[Edge],
    bidirected: Sequence[tuple[str, str]] = (),
    exogenous: Mapping[str, Exogenous] | None = None,
) -> ADMG:
    """The ADMG; two equations that share an exogenous variable are joined by a bidirected edge."""
    hidden = {frozenset(pair) for pair in bidirected}
    users: dict[str, list[str]] = {variable: [] for variable in exogenous or ()}
    for name, node in nodes.items():
        equation = equation_of(node)
        for variable in users.keys() & (equation.names if equation else frozenset()):
            users[variable].append(name)
    for names in users.values():
        hidden.update(frozenset(pair) for pair in combinations(names, 2))
    directed = frozenset((edge.source, edge.target) for edge in edges)
    return ADMG(tuple(nodes), directed, frozenset(hidden))


def _check_cycle(
    nodes: Mapping[str, Node],
    edges: Sequence[Edge],
    links: Sequence[Link],
    lines: Mapping[str, int | None],
) -> None:
    """The graph is acyclic; the line is that of the cycle's last edge or equation in the file."""
    cycle = mixed_graph(nodes, edges).find_cycle()
    if cycle is None:
        return
    steps = set(zip(cycle, (*cycle[1:], cycle[0]), strict=True))
    found = [link.line for link in links if (link.source, link.target) in steps and link.kind]
    found += [lines.get(name) for name in cycle if equation_of(nodes[name]) is not None]
    line = max((line for line in found if line is not None), default=None)
    Place("graph").fail(f"the edges make a cycle: {' -> '.join((*cycle, cycle[0]))}", line)
