"""Graph: what the user declared, as one immutable value; its algebra is `causalflow.admg.admg`'s.

Nodes are endogenous variables; exogenous variables stand aside and enter through equations. The
graph's ADMG has the directed edges (declared, and those that follow from equations) and the
bidirected ones (declared, and one for each pair of equations that share an exogenous variable).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

from causalflow.admg.admg import ADMG, Names
from causalflow.display import svg_of
from causalflow.errors import GraphError
from causalflow.frozen import Frozen
from causalflow.graph.cause import Cause
from causalflow.graph.checks import QueryCheck
from causalflow.graph.declaration import (
    Declaration,
    declare,
    derived_edges,
)
from causalflow.graph.node import (
    Edge,
    EdgeKind,
    Exogenous,
    Node,
    Symbol,
    anchored,
    without_mechanism,
)
from causalflow.graph.tree import Place, from_python
from causalflow.graph.writer import declaration_yaml, raw
from causalflow.limits import EDGES
from causalflow.names import written

if TYPE_CHECKING:
    from causalflow.admg.separation import Separation

__all__ = ["Graph", "QueryCheck", "admg_of"]


class Graph:
    """A causal graph: typed nodes, edges and what each compiles to, equations, queries.

    Two graphs are equal when they declare the same, in the same order, wherever it is drawn.

    Example:
        >>> graph = Graph(
        ...     nodes={"color": {"type": "class", "levels": ["green", "red"]},
        ...            "image": {"type": "image", "shape": [3, 28, 28]}},
        ...     edges=["color -> image: anticausal"],
        ... )
        >>> graph.kind("color", "image")
        Anticausal(scale=2.0)
        >>> sorted(Graph(edges=["x -> m -> y", "x <-> y"]).district("x"))
        ['x', 'y']
    """

    def __init__(
        self,
        nodes: Mapping[str, Any] | Sequence[str] | None = None,
        edges: Sequence[Any] = (),
        exogenous: Mapping[str, Any] | None = None,
        queries: Sequence[Any] = (),
        name: str = "graph",
        latent: str | Collection[str] = (),
        layout: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        """Declare a graph.

        Args:
            nodes: name -> node, as fields (``{"type": "class", "levels": 2}``) or an object of
                `causalflow.graph.node`; names alone, or nothing, for a symbolic graph.
            edges: edge strings, ``{edge string: kind}`` or `Edge` objects.
            exogenous: name -> distribution, as fields, a family's name or a typed object.
            queries: ``{"ask": ..., "identifiable": ..., "answer": ...}`` or texts.
            name: shown in pictures and tables.
            latent: nodes that nobody observes; bidirected edges stand for them (the graph is the
                latent projection), and `Graph.latent` keeps their names.
            layout: name -> (x, y), where a variable is drawn (`Graph.layout`).

        Raises:
            GraphError: the first mistake.
        """
        sections: dict[str, Any] = {"graph": name, "exogenous": exogenous, "nodes": nodes}
        hidden = [latent] if isinstance(latent, str) else latent
        sections |= {
            "edges": edges,
            "latent": sorted(hidden) if isinstance(hidden, Set) else hidden,
        }
        sections |= {"queries": queries, "layout": layout}
        given = {key: _plain(part) for key, part in sections.items()}
        self._set(
            declare(from_python({key: part for key, part in given.items() if part is not None}))
        )

    @classmethod
    def of(cls, declaration: Declaration) -> Graph:
        """The graph of a declaration that has been checked."""
        graph = cls.__new__(cls)
        graph._set(declaration)
        return graph

    def _set(self, declaration: Declaration) -> None:
        self._declaration = declaration

    @property
    def name(self) -> str:
        """The graph's name."""
        return self._declaration.name

    @cached_property
    def nodes(self) -> Mapping[str, Node]:
        """Name -> node, in declared order."""
        return Frozen(dict(self._declaration.nodes))

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The directed edges: declared, then those that follow from equations (`Neural`)."""
        return self._declaration.edges

    @property
    def bidirected(self) -> tuple[tuple[str, str], ...]:
        """The declared ``<->`` edges."""
        return self._declaration.bidirected

    def cause(self, first: str, second: str) -> Cause:
        """What is said of the hidden cause of ``first <-> second``; nothing where there is none."""
        causes = dict(self._declaration.causes)
        return causes.get((first, second)) or causes.get((second, first)) or Cause()

    @cached_property
    def exogenous(self) -> Mapping[str, Exogenous]:
        """Name -> distribution of each declared exogenous variable."""
        return Frozen(dict(self._declaration.exogenous))

    @property
    def queries(self) -> tuple[QueryCheck, ...]:
        """The questions that the graph's file answers itself."""
        return self._declaration.queries

    @property
    def latent(self) -> tuple[str, ...]:
        """The names of the declared nodes that nobody observes; they are not among `nodes`."""
        return self._declaration.latent

    @cached_property
    def layout(self) -> Mapping[str, tuple[float, float]]:
        """Name -> (x, y), where the file draws a variable: x to the right, y down, 100 an inch.

        Latent and exogenous variables may be among them. Equality does not look at it.
        """
        return Frozen(dict(self._declaration.layout))

    @cached_property
    def admg(self) -> ADMG:
        """The acyclic directed mixed graph of the nodes."""
        hidden = [*map(frozenset, self.bidirected), *_sharing(self.nodes, self.exogenous)]
        return ADMG(self.nodes, ((each.source, each.target) for each in self.edges), hidden)

    def parents(self, nodes: Names) -> frozenset[str]:
        """The parents of any of ``nodes``."""
        return self.admg.parents(nodes)

    def children(self, nodes: Names) -> frozenset[str]:
        """The children of any of ``nodes``."""
        return self.admg.children(nodes)

    def ancestors(self, nodes: Names) -> frozenset[str]:
        """``nodes`` and all with a directed path into them."""
        return self.admg.ancestors(nodes)

    def descendants(self, nodes: Names) -> frozenset[str]:
        """``nodes`` and all that directed paths from them reach."""
        return self.admg.descendants(nodes)

    def district(self, node: Names) -> frozenset[str]:
        """The nodes that bidirected edges connect with ``node``."""
        return self.admg.district(node)

    def districts(self) -> tuple[frozenset[str], ...]:
        """The partition of the nodes into districts."""
        return self.admg.districts()

    def topological_order(self) -> tuple[str, ...]:
        """The nodes, parents first."""
        return self.admg.topological_order()

    def separated(self, x: Names, y: Names, given: Names = ()) -> Separation:
        """Whether ``given`` m-separates ``x`` and ``y``, with an open path if not."""
        from causalflow.admg.separation import separation

        return separation(self.admg, x, y, given)

    def exogenous_parents(self, node: str) -> tuple[str, ...]:
        """The exogenous variables in the node's equation, in declared order."""
        equation = self.nodes[self.admg.ordered(node)[0]].equation
        return tuple(name for name in self.exogenous if equation and name in equation.names)

    def noise_of(self, node: str) -> str | None:
        """How the noise of a node enters; None where the file makes no choice and none is made.

        A continuous node whose file says nothing of it has "auto" in a table, a graph whose every
        value is a level or a number; "flow" beside images.

        Example:
            >>> nodes = {"dose": {"type": "continuous"}}
            >>> Graph(nodes=nodes, edges=[]).noise_of("dose")
            'auto'
        """
        declared = self.nodes[self.admg.ordered(node)[0]]
        if declared.noise is not None or declared.type.unsaid is None:
            return declared.noise
        in_table, beside_pictures = declared.type.unsaid
        is_table = all(each.type.scalar for each in self.nodes.values())
        return in_table if is_table else beside_pictures

    def kind(self, source: str, target: str) -> EdgeKind:
        """What the edge ``source -> target`` compiles to.

        Raises:
            GraphError: there is no such edge.
        """
        self.admg.ordered((source, target))
        if (source, target) not in self._kinds:
            parents = sorted(self.parents(target))
            raise GraphError(
                f"no edge '{source} -> {target}'; the parents of '{target}' are {parents}"
            )
        return self._kinds[source, target]

    @cached_property
    def _kinds(self) -> Mapping[tuple[str, str], EdgeKind]:
        return {(edge.source, edge.target): edge.kind for edge in self.edges}

    def do(self, nodes: Names) -> Graph:
        """The graph under an intervention: edges into ``nodes`` cut, equations and tables dropped.

        The file's queries are about the graph without the intervention, so they are dropped too.
        """
        cut = frozenset(self.admg.ordered(nodes))
        changed = {
            name: without_mechanism(n) if name in cut else n for name, n in self.nodes.items()
        }
        edges = tuple(edge for edge in self.edges if edge.target not in cut)
        pairs = tuple(pair for pair in self.bidirected if cut.isdisjoint(pair))
        return self._changed(changed, edges, pairs)

    def subgraph(self, nodes: Names) -> Graph:
        """The graph of ``nodes`` alone; its ADMG is the subgraph of this one's.

        An equation that uses a dropped node is dropped, and with it those that share its exogenous
        variables: their edges stay as declared ones. So is a table with a dropped parent.
        """
        kept = frozenset(self.admg.ordered(nodes))
        lost = self._lost_mechanisms(kept)
        changed = {
            name: without_mechanism(node) if name in lost else node
            for name, node in self.nodes.items()
            if name in kept
        }
        edges = tuple(e for e in self.edges if {e.source, e.target} <= kept)
        declared = tuple(pair for pair in self.bidirected if kept.issuperset(pair))
        hidden = {p for p in self.admg.bidirected if p <= lost} - set(map(frozenset, declared))
        pairs = sorted((a, b) for a, b in (self.admg.ordered(pair) for pair in hidden))
        return self._changed(changed, edges, (*declared, *pairs))

    def with_nodes(self, nodes: Mapping[str, Node]) -> Graph:
        """The graph with other options of some nodes; their equations and tables stay."""
        return Graph.of(replace(self._declaration, nodes={**self.nodes, **nodes}))

    def with_laws(self, laws: Mapping[str, Exogenous]) -> Graph:
        """The graph with other distributions of some exogenous variables."""
        return Graph.of(replace(self._declaration, exogenous={**self.exogenous, **laws}))

    def extended(self, nodes: Mapping[str, Node], edges: Sequence[Edge]) -> Graph:
        """The graph with further nodes, and edges from any into them; nothing else changes."""
        return Graph.of(
            replace(
                self._declaration,
                nodes={**self.nodes, **nodes},
                edges=(*self.edges, *edges),
                queries=(),
            )
        )

    def anchored(self, folder: str) -> Graph:
        """The graph of a file in ``folder``: pretrained networks lie where the file says."""
        moved = {
            name: anchored(node, folder)
            for name, node in self.nodes.items()
            if node.diffusion is not None
        }
        changed = {name: image for name, image in moved.items() if image is not self.nodes[name]}
        return self.with_nodes(changed) if changed else self

    def with_kinds(self, kinds: Mapping[tuple[str, str], EdgeKind]) -> Graph:
        """The graph with other kinds of some edges, by source and target."""
        edges = tuple(
            replace(edge, kind=kinds.get((edge.source, edge.target), edge.kind))
            for edge in self.edges
        )
        return Graph.of(replace(self._declaration, edges=edges))

    def _lost_mechanisms(self, kept: frozenset[str]) -> frozenset[str]:
        """The kept nodes whose mechanism uses a dropped node, or noise of one that is lost."""
        explicit = {n for n in kept if without_mechanism(self.nodes[n]) != self.nodes[n]}
        lost = {n for n in explicit if not self.parents(n) <= kept}
        return self.admg.subgraph(explicit).district(lost)

    def _changed(
        self,
        nodes: Mapping[str, Node],
        edges: Sequence[Edge],
        bidirected: tuple[tuple[str, str], ...],
    ) -> Graph:
        """The graph with other nodes and edges, and the exogenous variables still in use."""
        equations = [e for node in nodes.values() if (e := node.equation) is not None]
        used = frozenset().union(*(equation.names for equation in equations))
        declared = tuple(edge for edge in edges if nodes[edge.target].equation is None)
        drawn = {*nodes, *used, *self.latent}
        return Graph.of(
            replace(
                self._declaration,
                nodes=nodes,
                edges=(*declared, *derived_edges(nodes)),
                bidirected=bidirected,
                causes=tuple(each for each in self._declaration.causes if each[0] in bidirected),
                exogenous={name: u for name, u in self.exogenous.items() if name in used},
                queries=(),
                layout=tuple(each for each in self._declaration.layout if each[0] in drawn),
            )
        )

    def to_yaml(self, *, layout: bool = True) -> str:
        """The text of a graph file; `causalflow.formats.formats.loads` gives an equal graph.

        Args:
            layout: whether it says where the variables are drawn.
        """
        said = self._declaration
        return declaration_yaml(said if layout else replace(said, layout=()))

    def __reduce__(self) -> tuple[Callable[[Declaration], Graph], tuple[Declaration]]:
        """What is computed from the declaration is computed again."""
        return Graph.of, (self._declaration,)

    def __copy__(self) -> Graph:
        """Itself, as nothing of it changes."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Graph:
        """Itself, as nothing of it changes."""
        return self

    def _content(self) -> tuple[object, ...]:
        nodes, exogenous = tuple(self.nodes.items()), tuple(self.exogenous.items())
        arcs = (self.bidirected, self._declaration.causes)
        content = (self.name, nodes, self.edges, arcs, exogenous)
        return (*content, self.queries, self.latent)

    def __eq__(self, other: object) -> bool:
        """Equality of content, in order."""
        return self._content() == other._content() if isinstance(other, Graph) else NotImplemented

    def __hash__(self) -> int:
        """The hash of the content."""
        return hash(self._content())

    def _repr_svg_(self) -> str | None:
        return svg_of(self)

    def __repr__(self) -> str:
        """The name and the edges, or how many there are."""
        links = [f"{written(edge.source)} -> {written(edge.target)}" for edge in self.edges]
        links += [" <-> ".join(map(written, arc)) for arc in self.admg.arcs()]
        shown = (
            ", ".join(links) if len(links) <= 8 else f"{len(self.nodes)} nodes, {len(links)} edges"
        )
        return f"Graph({self.name!r}, {shown or ', '.join(self.nodes)})"


def _plain(part: Any) -> Any:
    """A section of the constructor's arguments with typed objects in raw form."""
    if isinstance(part, Mapping):
        if part and all(value == Symbol() for value in part.values()):
            return list(part)
        return {key: raw(value) for key, value in part.items()}
    return [raw(value) for value in part] if isinstance(part, list | tuple) else part


def _sharing(
    nodes: Mapping[str, Node], exogenous: Mapping[str, Exogenous]
) -> Iterator[frozenset[str]]:
    """The pairs of nodes whose equations share an exogenous variable."""
    users: dict[str, list[str]] = {variable: [] for variable in exogenous}
    for name, node in nodes.items():
        for variable in users.keys() & (node.equation.names if node.equation else ()):
            users[variable].append(name)
    for variable, names in users.items():
        if len(names) ** 2 > 2 * EDGES:
            Place(f"exogenous '{variable}'").fail(
                f"{len(names):,} equations share it; at most {EDGES:,} bidirected edges are made"
            )
        yield from map(frozenset, combinations(names, 2))


def admg_of(graph: Graph | ADMG, asked_by: str) -> ADMG:
    """The mixed graph of what a function that takes either was given.

    Raises:
        GraphError: neither a graph nor its mixed graph.
    """
    if isinstance(graph, ADMG):
        return graph
    if not isinstance(graph, Graph):
        given = type(graph).__name__
        raise GraphError(f"{asked_by}: given {given}; expected a Graph, as from cf.load(path)")
    return graph.admg
