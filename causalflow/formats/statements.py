"""Statements: the brace language that DOT and dagitty share, as text and as data.

    digraph "napkin" { w -> z -> x [kind=neural]; w -> {x y} [dir=both]; z [type="class"] }
    dag { x [exposure] u [latent] x -> y x <-> y }

A document is a kind, a name, and attributes for the graph, the nodes and the edges; an attribute is
text, and one without a value is "". `causalflow.formats.braces` reads a text: groups in braces are
multiplied out, chains are cut into edges.

Source: the DOT language (graphviz.org/doc/info/lang.html); Textor et al. (2016) for dagitty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

__all__ = ["Attributes", "Document", "Link"]

Attributes: TypeAlias = Mapping[str, str]

BARE_NAME = re.compile(r"[^\W\d]\w*", re.ASCII)
KEYWORDS = {"node", "edge", "graph", "digraph", "subgraph", "strict"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One edge: ``mark`` is "->", "<-", "<->", "--" or another of dagitty's."""

    source: str
    mark: str
    target: str
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A graph as such a text says it; ``str`` gives the text.

    Attributes:
        kind: "digraph", "dag", ...
        nodes: the nodes, in order of first mention.
    """

    kind: str
    name: str = ""
    attributes: Attributes = field(default_factory=dict)
    nodes: Mapping[str, Attributes] = field(default_factory=dict)
    links: tuple[Link, ...] = ()

    def __str__(self) -> str:
        head = f"{self.kind} {_quote(self.name)} {{" if self.name else f"{self.kind} {{"
        settings = [f"  {_quote(key)}={_quote(value)}" for key, value in self.attributes.items()]
        nodes = [f"  {_quote(name)}{_bracket(given)}" for name, given in self.nodes.items()]
        links = [
            f"  {_quote(link.source)} {link.mark} {_quote(link.target)}{_bracket(link.attributes)}"
            for link in self.links
        ]
        return "\n".join([head, *settings, *nodes, *links, "}"]) + "\n"

    def named_by_labels(self) -> Document:
        """The nodes by their labels, where all have one of their own and are but numbered.

        As causal-learn and igraph write graphs.

        Example:
            >>> nodes = {"0": {"label": "age"}, "1": {"label": "bmi"}}
            >>> links = (Link(source="0", mark="->", target="1"),)
            >>> print(Document(kind="digraph", nodes=nodes, links=links).named_by_labels().links[0])
            Link(source='age', mark='->', target='bmi', attributes={})
        """
        names = {n: g.get("label") or g.get("name") or "" for n, g in self.nodes.items()}
        if not all(map(str.isdecimal, names)) or len({*names.values()} - {""}) < len(names):
            return self
        links = [
            replace(each, source=names[each.source], target=names[each.target])
            for each in self.links
        ]
        nodes = {names[name]: given for name, given in self.nodes.items()}
        return replace(self, nodes=nodes, links=tuple(links))


def _quote(text: str) -> str:
    if BARE_NAME.fullmatch(text) and text.lower() not in KEYWORDS:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _bracket(attributes: Attributes) -> str:
    inside = ", ".join(
        f"{_quote(key)}={_quote(value)}" if value else _quote(key)
        for key, value in attributes.items()
    )
    return f" [{inside}]" if inside else ""
