"""Edge strings: ``a, b -> c: kind``, ``a -> b -> c``, ``a <- b``, ``a <-> b``, ``"warm up" -> c``.

An edge string is a chain of groups of names; each arrow joins every name on its left with every
name on its right. A name stands as `causalflow.graph.names` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from causalflow.errors import GraphError
from causalflow.graph.names import NAME_RULE, PLAIN, QUOTED, is_name, unquoted
from causalflow.limits import EDGE_LETTERS, EDGE_LINKS

__all__ = ["Links", "parse_links", "split_kind"]

_TOKEN = re.compile(rf"\s*(?:(?P<arrow><->|->|<-)|(?P<comma>,)|(?P<name>{PLAIN}|{QUOTED}))")
_BEFORE_COLON = re.compile(rf"(?:{QUOTED}|[^:])*")


@dataclass(frozen=True, slots=True)
class Links:
    """What an edge string says: (source, target) pairs, and unordered hidden common causes."""

    directed: tuple[tuple[str, str], ...]
    bidirected: tuple[tuple[str, str], ...]


def split_kind(text: str) -> tuple[str, str | None]:
    """The links and the kind of ``"links: kind"``; None where there is no colon.

    Raises:
        GraphError: a text that is too long.

    Example:
        >>> split_kind("a -> b: anticausal")
        ('a -> b', 'anticausal')
    """
    _check_length(text)
    found = _BEFORE_COLON.match(text)
    links, rest = (found[0], text[found.end() :]) if found else ("", text)
    return links.strip(), rest[1:].strip() if rest else None


def parse_links(text: str) -> Links:
    """Read the part of an edge string before the colon.

    Raises:
        GraphError: what cannot be read, with its column.

    Example:
        >>> parse_links("a, b -> c <-> d")
        Links(directed=(('a', 'c'), ('b', 'c')), bidirected=(('c', 'd'),))
    """
    groups, arrows = _chain(text)
    directed: list[tuple[str, str]] = []
    bidirected: list[tuple[str, str]] = []
    count = sum(len(left) * len(right) for left, right in pairwise(groups))
    if count > EDGE_LINKS:
        raise GraphError(f"one entry makes {count:,} edges; at most {EDGE_LINKS:,}")
    for left, arrow, right in zip(groups, arrows, groups[1:], strict=False):
        pairs = [(a, b) for a in left for b in right]
        if arrow == "<->":
            bidirected += pairs
        else:
            directed += pairs if arrow == "->" else [(b, a) for a, b in pairs]
    return Links(tuple(directed), tuple(bidirected))


def _chain(text: str) -> tuple[list[list[str]], list[str]]:
    """The groups of names and the arrows between them; names and separators must alternate."""
    groups: list[list[str]] = [[]]
    arrows: list[str] = []
    expect_name = True
    for kind, token, column in _tokens(text):
        if expect_name != (kind == "name"):
            wanted = "a node's name" if expect_name else "'->', '<->' or ','"
            wanted += "; a name of several words is quoted" if kind == "name" else ""
            raise GraphError(f"column {column}: unexpected '{token}'; expected {wanted}")
        if kind == "name":
            groups[-1].append(_name(token, column))
        elif kind == "arrow":
            groups.append([])
            arrows.append(token)
        expect_name = not expect_name
    if expect_name:
        raise GraphError("the edge ends early; expected a node's name")
    if not arrows:
        raise GraphError(
            "no arrow; expected 'a -> b' or 'a <-> b' (quote an edge with a comma inside [ ])"
        )
    return groups, arrows


def _check_length(text: str) -> None:
    if len(text) > EDGE_LETTERS:
        raise GraphError(f"an edge of {len(text)} characters; at most {EDGE_LETTERS} are allowed")


def _name(token: str, column: int) -> str:
    name = unquoted(token)
    if not is_name(name):
        raise GraphError(f"column {column}: {NAME_RULE}")
    return name


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    _check_length(text)
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise GraphError(
                f"column {start + 1}: unexpected {text[start]!r}; "
                "expected a node's name (letters, digits, '_', '.'; any other in quotes), "
                "'->', '<->' or ','"
            )
        yield match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup) + 1
        position = match.end()
