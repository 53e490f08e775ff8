"""The graph files that come with the package, found by name, and fitted to a size of images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from causalflow.data.shipped import shipped_folder
from causalflow.errors import GraphError, one_of
from causalflow.graph.graph import Graph
from causalflow.graph.names import written
from causalflow.graph.schema import Image

__all__ = ["at_size", "graph_names", "graph_path"]

_FOLDER = shipped_folder("graphs")


def graph_path(name: str) -> Path:
    """The path of a graph file by its name, such as ``classics/napkin``; ``.yaml`` may be added.

    Raises:
        GraphError: there is no such file.

    Example:
        >>> graph_path("ascm_xy").name
        'ascm_xy.yaml'
    """
    stem = name.removesuffix(".yaml")
    if stem not in graph_names():
        raise GraphError(f"unknown graph file '{name}'; {one_of(stem, graph_names())}")
    return _FOLDER / f"{stem}.yaml"


def graph_names() -> tuple[str, ...]:
    """The names of all graph files that come with the package, sorted.

    ``classics/...`` are textbook models with exact answers, ``literature/...`` graphs of papers
    with verdicts.
    """
    found = (path.relative_to(_FOLDER).with_suffix("") for path in _FOLDER.rglob("*.yaml"))
    return tuple(sorted(path.as_posix() for path in found))


def at_size(graph: Graph, size: int) -> Graph:
    """The same graph with its images at another height and width."""
    nodes = {
        name: replace(node, shape=(node.shape[0], size, size)) if isinstance(node, Image) else node
        for name, node in graph.nodes.items()
    }
    arcs = (f"{written(first)} <-> {written(second)}" for first, second in graph.bidirected)
    edges = [*graph.edges, *arcs]
    return Graph(nodes=nodes, edges=edges, queries=graph.queries, name=graph.name)
