"""Reading: a graph file or text becomes a `Graph`; a mistake names file and line.

A file is YAML, with the sections graph, exogenous, nodes, edges and queries; one whose name ends in
``.bif`` or ``.bif.gz`` is a Bayesian network (`causalflow.graph.bif`). A class node may have a
``table`` of its probabilities given its parents: a list, or mappings from the levels of each
parent, in the order in which the edges name the parents:

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
from causalflow.graph.bif import from_bif
from causalflow.graph.declaration import declare
from causalflow.graph.document import DeclarationError
from causalflow.graph.events import from_yaml
from causalflow.graph.graph import Graph
from causalflow.limits import BIF_LETTERS, GRAPH_BYTES

__all__ = ["load", "loads"]


def load(path: str | os.PathLike[str]) -> Graph:
    """The graph declared by a YAML file, or by a BIF file (``.bif``, ``.bif.gz``).

    Raises:
        GraphError: the file cannot be read, or ``file:line:`` and the first mistake in it.
    """
    source = str(path)
    is_packed = source.lower().endswith(".bif.gz")
    is_bif = is_packed or Path(source).suffix.lower() == ".bif"
    limit = BIF_LETTERS if is_bif else GRAPH_BYTES
    try:
        with opened(path, GraphError, limit=BIF_LETTERS) as file:
            content = (gzip.GzipFile(fileobj=file) if is_packed else file).read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise GraphError(f"{source}: cannot be read: {error}") from None
    if len(content) > limit:
        raise GraphError(f"{source}:1: the file is larger than {limit >> 20} MiB")
    try:
        text = content.decode("utf-8-sig")
        return from_bif(text, source) if is_bif else loads(text, source)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise GraphError(
            f"{source}:{line}: byte {content[error.start]:#04x} is not UTF-8; "
            "save the file as UTF-8"
        ) from None


def loads(text: str, source: str = "<text>") -> Graph:
    """The graph declared by a YAML text; ``source`` names it in errors.

    Raises:
        GraphError: ``source:line:`` and the first mistake.

    Example:
        >>> loads("edges: [x -> m, m -> y, x <-> y]")
        Graph('graph', x -> m, m -> y, x <-> y)
    """
    try:
        return Graph.of(declare(from_yaml(text)))
    except DeclarationError as error:
        raise GraphError(f"{source}:{error.line or 1}: {error}") from None
