"""Worlds: values by node as a reader writes them, level names and numbers, and as pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from causalflow.graph.schema import Class, Continuous, Image, Node

if TYPE_CHECKING:
    from torch import Tensor

    from causalflow.graph.graph import Graph

__all__ = ["captions", "headers", "image_names", "label_columns", "label_names", "pixels"]


def label_names(graph: Graph) -> list[str]:
    """The nodes that are no images, in declared order."""
    return [name for name, node in graph.nodes.items() if not isinstance(node, Image)]


def image_names(graph: Graph) -> list[str]:
    """The image nodes, in declared order."""
    return [name for name, node in graph.nodes.items() if isinstance(node, Image)]


def label_columns(graph: Graph, world: Mapping[str, Tensor]) -> dict[str, list[Any]]:
    """Node -> its values: level names, or numbers in the unit of the graph file."""
    return {
        name: _readable(name, graph.nodes[name], world[name])
        for name in label_names(graph)
        if name in world
    }


def headers(graph: Graph, columns: Mapping[str, Any]) -> dict[str, Any]:
    """The same columns under names with their units: ``thickness [px]``."""
    return {
        _with_unit(name, graph.nodes[name]) if name in graph.nodes else name: values
        for name, values in columns.items()
    }


def captions(graph: Graph, world: Mapping[str, Tensor], rows: Iterable[int]) -> list[str]:
    """One short text a row: ``7 red present``."""
    columns = label_columns(graph, world).values()
    return [" ".join(map(_short, (values[row] for values in columns))) for row in rows]


def pixels(node: Image, images: Tensor) -> Tensor:
    """Public images on the scale [0, 1], discrete ones too."""
    return images / max(node.levels - 1, 1) if node.levels is not None else images


def _readable(name: str, node: Node, values: Tensor) -> list[Any]:
    if isinstance(node, Class):
        return list(node.type.names(node.type.read(values, where=f"node '{name}'")).tolist())
    return list(values.tolist())


def _with_unit(name: str, node: Node) -> str:
    return f"{name} [{node.unit}]" if isinstance(node, Continuous) and node.unit else name


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
