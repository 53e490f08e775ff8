"""Formats: the kinds of text that graphs are kept in, by name, each with what reads and writes it.

name      files             a text of it begins with
yaml      .yaml .yml .json  anything else
dagitty   .dagitty          ``dag {`` (or mag, pdag, pag, which it refuses)
dot       .dot .gv          ``digraph {``, ``strict digraph {``, ``graph {``
gml       .gml              ``graph [``
bif       .bif              ``network``, ``variable``, ``probability (``

Each but YAML has a module of its name here; they are loaded when they are first asked for. A text's
beginning tells its format, comments left out; where it tells none, its file's name does. A file may
be packed by gzip. A mistake names file and line.

The own format is YAML, with the sections graph, exogenous, nodes, edges, latent, queries and layout
(where variables are drawn). A class node may have a ``table`` of its probabilities given its
parents: a list, or mappings from the levels of each parent, in the order in which the edges name
the parents:

    nodes:
      rain: {type: class, levels: [no, yes], table: [4/5, 0.2]}
      wet:  {type: class, levels: [no, yes], table: {no: [1, 0], yes: [0.1, 0.9]}}
    edges: [rain -> wet]
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from causalflow import plugins
from causalflow.errors import CausalflowError, GraphError
from causalflow.files import opened
from causalflow.graph.declaration import declare
from causalflow.graph.graph import Graph
from causalflow.graph.tree import DeclarationError
from causalflow.graph.yaml import from_yaml
from causalflow.limits import BIF_LETTERS, GRAPH_BYTES
from causalflow.registry import Registry

__all__ = ["FORMATS", "NAME", "PACKED", "Format", "dumps", "format_of", "load", "loads"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A kind of text.

    Attributes:
        suffixes: the ends of its files' names, with the dot.
        begins: what such a text begins with.
        read: the graph of a text, whose name for messages is the second argument.
        write: the text of a graph.
        limit: the most bytes of a file.
        sections: what a text says in the sections of a graph file, where latent nodes keep the
            edges that a `Graph` has left behind; None: no more than the graph does.
    """

    suffixes: tuple[str, ...]
    begins: re.Pattern[str]
    read: Callable[[str, str], Graph]
    write: Callable[[Graph], str]
    limit: int = GRAPH_BYTES
    sections: Callable[[str, str], Mapping[str, Any]] | None = None


def _from_yaml(text: str, source: str) -> Graph:
    try:
        return Graph.of(declare(from_yaml(text)))
    except DeclarationError as error:
        raise GraphError(f"{source}:{error.line or 1}: {error}") from None


NAME = r"""(?:"(?:\\.|[^"\\])*"|[^\s:{\["]*)"""
"""A name behind the word that a text begins with."""

FORMATS: Registry[Format] = plugins.GRAPH_FORMATS
YAML = Format(
    suffixes=(".yaml", ".yml", ".json"),
    begins=re.compile(r"(?!)"),
    read=_from_yaml,
    write=Graph.to_yaml,
)


def as_format(name: str, given: Any) -> Format:
    """A format of the user's own: a `Format`, or anything with ``read`` and what else it has of it.

    Args:
        name: the format's name.
        given: ``read(text, source)`` gives the graph of a text, ``write(graph)`` its text;
            ``suffixes`` are those of its files, and ``begins`` a regular expression of how a text
            begins.

    Raises:
        CausalflowError: it has no ``read``.
    """
    if isinstance(given, Format):
        return given
    if not callable(getattr(given, "read", None)):
        raise CausalflowError(
            f"graph format '{name}': expected read(text, source), and write(graph) where it can"
        )

    def unwritten(graph: Graph) -> str:
        raise GraphError(f"graph format '{name}' is only read")

    return Format(
        suffixes=tuple(getattr(given, "suffixes", ())),
        begins=re.compile(getattr(given, "begins", r"(?!)")),
        read=given.read,
        write=getattr(given, "write", unwritten),
    )


_BLANK = re.compile(r"(?:\s|//[^\n]*|#[^\n]*|/\*.*?\*/)*", re.DOTALL)


def format_of(text: str, suffix: str = "") -> Format:
    """The format of a text, from a file whose name ends in ``suffix``.

    Example:
        >>> format_of("/* mine */ dag { x -> y }") is FORMATS.get("dagitty")
        True
    """
    if suffix not in YAML.suffixes:
        start = _BLANK.match(text)
        at = start.end() if start else 0
        for name in FORMATS:
            if FORMATS.get(name).begins.match(text, at):
                return FORMATS.get(name)
    named = (FORMATS.get(name) for name in FORMATS)
    return next((each for each in named if suffix in each.suffixes), YAML)


PACKED = b"\x1f\x8b"
"""What a file packed by gzip begins with."""


def load(path: str | os.PathLike[str], format: str | None = None) -> Graph:
    """The graph in a file: YAML, dagitty, DOT, GML or BIF, packed by gzip or not.

    Args:
        path: the file.
        format: its format, one of the names in `causalflow.formats.formats`; None: told by how the
            text begins, and by the file's name.

    Raises:
        GraphError: the file cannot be read, or ``file:line:`` and the first mistake in it.
    """
    source = str(path)
    text = text_of(path)
    name = source.lower().removesuffix(".gz")
    kind = format_of(text, Path(name).suffix) if format is None else FORMATS.get(format)
    if len(text) > kind.limit or len(text.encode()) > kind.limit:
        raise GraphError(f"{source}:1: the file is larger than {kind.limit >> 20} MiB")
    try:
        graph = kind.read(text, source)
    except GraphError as mistake:  # of the whole, such as a cycle, a format names no place
        said = str(mistake)
        raise GraphError(said if said.startswith(f"{source}:") else f"{source}: {said}") from None
    return graph.anchored(os.path.dirname(os.path.abspath(source)))


def text_of(path: str | os.PathLike[str]) -> str:
    """The text of a graph file, unpacked, whatever it declares.

    Raises:
        GraphError: the file cannot be read, holds a model, or is not UTF-8.
    """
    content = _content(path)
    if int.from_bytes(content[:8], "little") < len(content) and content[8:9] == b"{":
        raise GraphError(f"{path}: a model file, not a graph; causalflow.Model.load reads it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise GraphError(
            f"{path}:{line}: byte {content[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        ) from None


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


class Explicit(Protocol):
    """A model that can be written out."""

    @property
    def explicit(self) -> Graph:
        """The graph in which all that was fitted stands as tables."""


def dumps(graph: Graph | Explicit, format: str = "yaml") -> str:
    """The text of a graph; `loads` reads an equal graph, but for what the format has no word for.

    Of a fitted model of classes the text is that of its graph with the fitted tables.

    YAML keeps everything; DOT and GML everything but the order of edges of different kinds;
    dagitty nodes and edges; BIF finite models with tables.

    Raises:
        CausalflowError: an unknown format, a graph that it cannot hold, or a model with nodes that
            are no tables.

    Example:
        >>> print(dumps(Graph(edges=["x -> y"]), format="dagitty"), end="")
        dag {
          x
          y
          x -> y
        }
    """
    if not isinstance(graph, Graph):
        if not hasattr(type(graph), "explicit"):
            raise GraphError(f"dumps: given {type(graph).__name__}; expected a Graph")
        graph = graph.explicit
    return FORMATS.get(format).write(graph)
