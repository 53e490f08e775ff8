"""Formats: the kinds of text that graphs are kept in, by name, each with what reads and writes it.

name      files             a text of it begins with                        read by
yaml      .yaml .yml .json  anything else                                   causalflow.graph.events
dagitty   .dagitty          ``dag {`` (or mag, pdag, pag, which it refuses) interchange
dot       .dot .gv          ``digraph {``, ``strict digraph {``, ``graph {`` interchange
gml       .gml              ``graph [``                                     gml
bif       .bif              ``network``, ``variable``, ``probability (``    bif

A text's beginning tells its format, comments left out; where it tells none, its file's name does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from causalflow.errors import GraphError
from causalflow.graph.bif import from_bif, to_bif
from causalflow.graph.declaration import declare
from causalflow.graph.document import DeclarationError
from causalflow.graph.events import from_yaml
from causalflow.graph.gml import from_gml, to_gml
from causalflow.graph.graph import Graph
from causalflow.graph.interchange import from_dagitty, from_dot, to_dagitty, to_dot
from causalflow.limits import BIF_LETTERS, GRAPH_BYTES
from causalflow.registry import Registry

__all__ = ["FORMATS", "Format", "format_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A kind of text.

    Attributes:
        suffixes: of its files, with the dot.
        begins: what such a text begins with.
        read: the graph of a text, whose name for messages is the second argument.
        write: the text of a graph.
        limit: the most bytes of a file.
    """

    suffixes: tuple[str, ...]
    begins: re.Pattern[str]
    read: Callable[[str, str], Graph]
    write: Callable[[Graph], str]
    limit: int = GRAPH_BYTES


def _from_yaml(text: str, source: str) -> Graph:
    try:
        return Graph.of(declare(from_yaml(text)))
    except DeclarationError as error:
        raise GraphError(f"{source}:{error.line or 1}: {error}") from None


FORMATS = Registry[Format]("graph format")
_NAME = r"""(?:"(?:\\.|[^"\\])*"|[^\s:{\["]*)"""
_YAML = FORMATS.add(
    "yaml",
    Format(
        suffixes=(".yaml", ".yml", ".json"),
        begins=re.compile(r"(?!)"),
        read=_from_yaml,
        write=Graph.to_yaml,
    ),
)
FORMATS.add(
    "dagitty",
    Format(
        suffixes=(".dagitty",),
        begins=re.compile(rf"(?:dag|admg|mag|c?pdag|pag)\b\s*{_NAME}\s*\{{", re.IGNORECASE),
        read=from_dagitty,
        write=to_dagitty,
    ),
)
FORMATS.add(
    "dot",
    Format(
        suffixes=(".dot", ".gv"),
        begins=re.compile(rf"(?:strict\s+)?(?:di)?graph\b\s*{_NAME}\s*\{{", re.IGNORECASE),
        read=from_dot,
        write=to_dot,
    ),
)
FORMATS.add(
    "gml",
    Format(
        suffixes=(".gml",),
        begins=re.compile(r"(?:(?:Creator|Version)\b[^\n:]*\n\s*)*graph\s*\[", re.IGNORECASE),
        read=from_gml,
        write=to_gml,
    ),
)
FORMATS.add(
    "bif",
    Format(
        suffixes=(".bif",),
        begins=re.compile(
            rf"network\b\s*{_NAME}\s*\{{|variable\b\s*{_NAME}\s*\{{|probability\s*\("
        ),
        read=from_bif,
        write=to_bif,
        limit=BIF_LETTERS,
    ),
)
_BLANK = re.compile(r"(?:\s|//[^\n]*|#[^\n]*|/\*.*?\*/)*", re.DOTALL)


def format_of(text: str, suffix: str = "") -> Format:
    """The format of a text, from a file whose name ends in ``suffix``.

    Example:
        >>> format_of("/* mine */ dag { x -> y }") is FORMATS.get("dagitty")
        True
    """
    if suffix not in _YAML.suffixes:
        start = _BLANK.match(text)
        at = start.end() if start else 0
        for name in FORMATS:
            if FORMATS.get(name).begins.match(text, at):
                return FORMATS.get(name)
    named = (FORMATS.get(name) for name in FORMATS)
    return next((each for each in named if suffix in each.suffixes), _YAML)
