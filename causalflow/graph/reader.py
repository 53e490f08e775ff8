"""Reading: a graph file or text becomes a `Graph`; a mistake names file and line.

A file is in any of the formats of `causalflow.graph.formats`, told by how its text begins and by
its name; one that is packed by gzip is unpacked. The own format is YAML, with the sections graph,
exogenous, nodes, edges, latent and queries. A class node may have a ``table`` of its probabilities
given its parents: a list, or mappings from the levels of each parent, in the order in which the
edges name the parents:

    nodes:
      rain: {type: class, levels: [no, yes], table: [4/5, 0.2]}
      wet:  {type: class, levels: [no, yes], table: {no: [1, 0], yes: [0.1, 0.9]}}
    edges: [rain -> wet]
"""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

from causalflow.errors import GraphError
from causalflow.files import opened
from causalflow.graph.formats import FORMATS, format_of
from causalflow.graph.graph import Graph
from causalflow.limits import BIF_LETTERS

__all__ = ["PACKED", "dumps", "load", "loads"]

PACKED = b"\x1f\x8b"
"""What a file packed by gzip begins with."""


def load(path: str | os.PathLike[str], format: str | None = None) -> Graph:
    """The graph in a file: YAML, dagitty, DOT, GML or BIF, packed by gzip or not.

    Args:
        path: the file.
        format: its format, one of the names in `causalflow.graph.formats`; None: told by how the
            text begins, and by the file's name.

    Raises:
        GraphError: the file cannot be read, or ``file:line:`` and the first mistake in it.
    """
    source = str(path)
    content = _content(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise GraphError(
            f"{source}:{line}: byte {content[error.start]:#04x} is not UTF-8; "
            "save the file as UTF-8"
        ) from None
    name = source.lower().removesuffix(".gz")
    kind = format_of(text, Path(name).suffix) if format is None else FORMATS.get(format)
    if len(content) > kind.limit:
        raise GraphError(f"{source}:1: the file is larger than {kind.limit >> 20} MiB")
    return kind.read(text, source)


def _content(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file, unpacked, no more than any format takes."""
    try:
        with opened(path, GraphError, limit=BIF_LETTERS) as file:
            is_packed = file.peek(2)[:2] == PACKED
            content = (gzip.GzipFile(fileobj=file) if is_packed else file).read(BIF_LETTERS + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise GraphError(f"{path}: cannot be read: {error}") from None
    if len(content) > BIF_LETTERS:
        raise GraphError(f"{path}:1: the file is larger than {BIF_LETTERS >> 20} MiB")
    return content


def loads(text: str, format: str | None = None, source: str = "<text>") -> Graph:
    """The graph that a text declares.

    Args:
        text: YAML, dagitty, DOT, GML or BIF.
        format: "yaml", "dagitty", "dot", "gml" or "bif"; None: told by how the text begins.
        source: names the text in errors.

    Raises:
        GraphError: ``source:line:`` and the first mistake, or an unknown format.

    Example:
        >>> loads("edges: [x -> m, m -> y, x <-> y]")
        Graph('graph', x -> m, m -> y, x <-> y)
        >>> loads("dag { U [latent] U -> {X Y} X -> Y }")
        Graph('graph', X -> Y, X <-> Y)
    """
    if not isinstance(text, str):
        raise GraphError(f"loads: given {type(text).__name__}; expected a text")
    kind = format_of(text) if format is None else FORMATS.get(format)
    return kind.read(text, source)


def dumps(graph: Graph, format: str = "yaml") -> str:
    """The text of a graph; `loads` reads an equal graph, but for what the format has no word for.

    YAML keeps everything; DOT and GML everything but the order of edges of different kinds;
    dagitty nodes and edges; BIF finite models with tables.

    Raises:
        GraphError: an unknown format, or a graph that it cannot hold.

    Example:
        >>> print(dumps(Graph(edges=["x -> y"]), format="dagitty"), end="")
        dag {
          x
          y
          x -> y
        }
    """
    if not isinstance(graph, Graph):
        raise GraphError(f"dumps: given {type(graph).__name__}; expected a Graph")
    return FORMATS.get(format).write(graph)
