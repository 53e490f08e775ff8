"""Discovery: graphs that programs found in data, from their objects.

found                                    a -> b                        a -- b
networkx, pgmpy (DAG, PDAG, ...)         an edge a -> b                edges a -> b and b -> a, or
                                                                       any edge of a Graph
causal-learn (CausalGraph,               -1 at [a, b], 1 at [b, a]     -1 at both
GeneralGraph)
matrix, or data frame with names         not 0 at [a, b] (row a)       not 0 at [a, b] and [b, a]

The libraries are not imported. LiNGAM has its matrices the other way round: give ``matrix.T``. What
stands for several graphs with hidden causes (a circle, or two heads, as FCI writes them, and PC
where the data conflict) is refused until ``orient`` says what it is.

An edge without direction is directed by ``orient``, or by what follows from it (`PDAG`); `members`
lists all graphs that it may stand for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from causalflow.admg.pdag import PDAG, Pair
from causalflow.errors import GraphError, shown
from causalflow.graph.graph import Graph
from causalflow.limits import EDGES, NODES
from causalflow.names import written
from causalflow.values.column import Array
from causalflow.values.dataframe import table_of

__all__ = ["from_discovery", "members"]

_TAIL, _HEAD = -1, 1


def from_discovery(
    found: Any, names: Sequence[str] | None = None, *, orient: str | Iterable[str] = ()
) -> Graph:
    """The graph that a discovery program found, each of its edges directed.

    Args:
        found: a graph of networkx, pgmpy or causal-learn; a matrix whose entry [a, b] is not 0
            where a -> b; or a data frame of such numbers, whose columns are the names.
        names: the nodes of a matrix; by default x0, x1, ...
        orient: edges that the data left open, such as ``"a -> b"`` or ``"a -> b -> c"``.

    Raises:
        GraphError: an edge is left without direction; what is given is no graph, or stands for
            several with hidden causes.

    Example:
        >>> graph = from_discovery([[0, 1, 0], [1, 0, 1], [0, 1, 0]], "abc", orient="a -> b")
        >>> [(edge.source, edge.target) for edge in graph.edges]
        [('a', 'b'), ('b', 'c')]
    """
    graph, latent = _read(found, names, orient), _latent(found)
    if edge := graph.first_open:
        a, b = map(written, edge)
        most = list(islice(graph.members(), 100))
        count = f"{len(most)}" if len(most) < 100 else "100 or more"
        raise GraphError(
            f"edge '{a} -- {b}' has no direction: the data are explained as well by {count} graphs;"
            f" say what you know, orient=['{a} -> {b}'], or go through all of them,"
            " cf.members(found)"
        )
    return _graph(graph, _one(graph), latent)


def members(
    found: Any, names: Sequence[str] | None = None, *, orient: str | Iterable[str] = ()
) -> Iterator[Graph]:
    """All graphs that a discovery program's result may stand for: its equivalence class.

    An answer that is the same in all of them does not rest on the directions that data leave open.

    Args:
        found: as for `from_discovery`.
        names: the nodes of a matrix.
        orient: edges whose direction is known.

    Raises:
        GraphError: what `from_discovery` refuses, except edges without direction.

    Example:
        >>> from causalflow.admg.separation import separation
        >>> found = members([[0, 1, 0], [1, 0, 1], [0, 1, 0]], "abc")
        >>> [bool(separation(graph.admg, "a", "c", "b")) for graph in found]
        [True, True, True]
    """
    graph, latent = _read(found, names, orient), _latent(found)
    _one(graph)
    return (_graph(graph, edges, latent) for edges in graph.members())


def _one(graph: PDAG) -> frozenset[Pair]:
    """The edges of a member.

    Raises:
        GraphError: there is none.
    """
    first = next(graph.members(), None)
    if first is None:
        raise GraphError("no graph without cycles has these edges and no further colliders")
    return first


def _latent(found: Any) -> list[str]:
    """The nodes that pgmpy marks as never observed."""
    return sorted(map(str, getattr(found, "latents", None) or ()))


def _graph(graph: PDAG, edges: frozenset[Pair], latent: list[str]) -> Graph:
    places = {name: place for place, name in enumerate(graph.nodes)}
    ordered = sorted(edges, key=lambda edge: (places[edge[0]], places[edge[1]]))
    texts = [f"{written(a)} -> {written(b)}" for a, b in ordered]
    return Graph(nodes=list(graph.nodes), edges=texts, latent=latent)


def _read(found: Any, names: Sequence[str] | None, orient: str | Iterable[str]) -> PDAG:
    """The edges of any object, oriented as far as is said."""
    known = _pairs([orient] if isinstance(orient, str) else [*orient])
    found = getattr(found, "G", found)  # a CausalGraph of causal-learn holds its graph
    if hasattr(found, "get_nodes") and hasattr(found, "graph"):
        nodes = [str(node.get_name()) for node in found.get_nodes()]
        directed, both = _endpoints(nodes, np.asarray(found.graph), known)
    elif hasattr(found, "is_directed") and hasattr(found, "edges"):
        nodes = [*map(str, found.nodes)]
        directed, both = _links(found)
    else:
        nodes, matrix = _matrix(found, names)
        rows, columns = np.nonzero(matrix)
        directed = {(nodes[a], nodes[b]) for a, b in zip(rows, columns, strict=True)}
        both = set()
    _check(nodes, directed | both)
    both |= {pair for pair in directed if pair[::-1] in directed}
    return PDAG(
        nodes=tuple(nodes),
        directed=frozenset(pair for pair in directed if pair not in both),
        undirected=frozenset(map(frozenset, both)),
    ).oriented(known)


def _pairs(texts: Iterable[str]) -> list[Pair]:
    """The edges of texts such as ``a -> b -> c``."""
    listed = list(texts)
    edges = Graph(edges=listed).edges if listed else ()
    return [(edge.source, edge.target) for edge in edges]


def _links(found: Any) -> tuple[set[Pair], set[Pair]]:
    """The edges of a networkx graph: directed ones, and those without direction."""
    if found.number_of_edges() > EDGES:
        raise GraphError(f"from_discovery: more than {EDGES:,} edges")
    pairs = {(str(edge[0]), str(edge[1])) for edge in found.edges}
    return (pairs, set()) if found.is_directed() else (set(), pairs)


def _endpoints(
    nodes: list[str], marks: Array, known: Iterable[Pair]
) -> tuple[set[Pair], set[Pair]]:
    """The edges of causal-learn's marks at their ends."""
    directed, both = set(), set()
    said = {frozenset(pair): pair for pair in known}
    for a, b in zip(*np.nonzero(np.triu(marks != 0, 1) | np.triu(marks.T != 0, 1)), strict=True):
        pair, ends = (nodes[a], nodes[b]), (int(marks[a, b]), int(marks[b, a]))
        if ends == (_TAIL, _HEAD):
            directed.add(pair)
        elif ends == (_HEAD, _TAIL):
            directed.add(pair[::-1])
        elif ends == (_TAIL, _TAIL) or frozenset(pair) in said:
            both.add(pair)
        else:
            shape = "two heads" if ends == (_HEAD, _HEAD) else "a circle"
            x, y = map(written, pair)
            raise GraphError(
                f"edge between '{x}' and '{y}' has {shape}: hidden causes, or data that conflict;"
                f" say what it is, orient=['{x} -> {y}'], or write the graph with '{x} <-> {y}'"
            )
    return directed, both


def _matrix(found: Any, names: Sequence[str] | None) -> tuple[list[str], Array]:
    """The nodes and the numbers of an adjacency matrix."""
    table = None if isinstance(found, np.ndarray | list | tuple) else table_of(found)
    try:
        if table is None:
            matrix = np.asarray(found, dtype=np.float64)
        else:
            matrix = np.stack([np.asarray(each, dtype=np.float64) for each in table.values()], 1)
    except (TypeError, ValueError):
        raise GraphError(
            f"from_discovery: given {type(found).__name__}; expected a graph of networkx, pgmpy or"
            " causal-learn, a square matrix, or a data frame of one"
        ) from None
    if matrix.ndim != 2 or len(set(matrix.shape)) > 1 or np.isnan(matrix).any():
        raise GraphError(
            f"from_discovery: a matrix of shape {matrix.shape}; expected a square one of numbers,"
            " none of them NaN"
        )
    listed = names if names is not None else table
    nodes = [f"x{k}" for k in range(len(matrix))] if listed is None else [*map(str, listed)]
    if len(nodes) != len(matrix):
        raise GraphError(f"from_discovery: {len(nodes)} names of {len(matrix)} nodes")
    return nodes, matrix


def _check(nodes: list[str], pairs: set[Pair]) -> None:
    if len(nodes) > NODES or len(set(nodes)) < len(nodes):
        raise GraphError(f"from_discovery: more than {NODES:,} nodes, or two of one name")
    if loops := sorted(a for a, b in pairs if a == b):
        raise GraphError(f"from_discovery: {shown(loops[0])} is its own cause")
