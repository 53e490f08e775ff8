"""Reading: a graph file or text becomes a `Graph`; a mistake names file and line."""

from __future__ import annotations

import os
from pathlib import Path

from causalflow.errors import GraphError
from causalflow.graph.declaration import declare
from causalflow.graph.document import DeclarationError
from causalflow.graph.events import MAX_BYTES, from_yaml
from causalflow.graph.graph import Graph

__all__ = ["load", "loads"]


def load(path: str | os.PathLike[str]) -> Graph:
    """The graph declared by a YAML file.

    Raises:
        GraphError: the file cannot be read, or ``file:line:`` and the first mistake in it.
    """
    source = os.fspath(path)
    try:
        with Path(source).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise GraphError(f"{source}: cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise GraphError(f"{source}:1: the file is larger than {MAX_BYTES >> 20} MiB")
    try:
        return loads(content.decode("utf-8-sig"), source)
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
