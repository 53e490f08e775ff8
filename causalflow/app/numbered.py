"""Numbered: a graph of bare arrows with example numbers, so that there is something to ask.

Every node gets the levels 0 and 1. With k causes, hidden ones among them, it is 1 with probability

    P(v = 1 | causes) = (1 + how many of the causes are 1) / (2 + k)

A root is 1 in a third of all cases, a hidden cause in half. A node with few causes, none of them
hidden, has this as a table; another one as an equation over its own chance, of 2 + k equal cases.
The numbers are made up: the text says so in its first line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from itertools import chain, count
from typing import Any

from causalflow.app.asked import graph_of
from causalflow.app.handler import Handler, Session
from causalflow.errors import GraphError
from causalflow.graph.compilable import untyped
from causalflow.graph.graph import Graph
from causalflow.names import written

__all__ = ["HANDLERS", "can_be_numbered", "numbered"]

SAID = "# Levels and numbers are examples that the page made up: put yours in their place.\n"
_TABLE_PARENTS = 3
"""Causes up to which a table is readable."""


def can_be_numbered(graph: Graph) -> bool:
    """Whether the graph says arrows alone."""
    return bool(graph.nodes) and len(untyped(graph)) == len(graph.nodes)


def numbered(graph: Graph) -> Graph:
    """The same arrows and hidden causes, with example numbers.

    Raises:
        GraphError: its nodes have types already.

    Example:
        >>> print(numbered(Graph(edges=["x -> y", "x <-> y"])).nodes["y"].equation)
        chance_y < 1 + x + u
    """
    if not can_be_numbered(graph):
        raise GraphError("example numbers are for graphs whose nodes have no types yet")
    free = _free_names(graph)
    hidden = {pair: next(free) for pair in graph.admg.arcs()}
    laws: dict[str, Any] = {name: {"p": ["1/2", "1/2"]} for name in hidden.values()}
    nodes: dict[str, Any] = {}
    tabled: list[str] = []
    for name in graph.nodes:
        seen = graph.admg.ordered(graph.parents(name))
        unseen = [cause for pair, cause in hidden.items() if name in pair]
        if not unseen and len(seen) <= _TABLE_PARENTS:
            nodes[name] = _node(noise="monotone") if seen else _node()
            nodes[name]["table"] = _table(len(seen))
            tabled += [f"{written(each)} -> {written(name)}" for each in seen]
        else:
            chance = _chance(name, {*graph.nodes, *laws})
            laws[chance] = {"levels": 2 + len(seen) + len(unseen)}
            causes = map(_ticked, (*seen, *unseen))
            nodes[name] = _node(equation=f"{chance} < {' + '.join(['1', *causes])}")
    layout = {name: place for name, place in graph.layout.items() if name in graph.nodes}
    return Graph(nodes, tabled, laws, graph.queries, graph.name, (), layout or None)


def _node(**fields: Any) -> dict[str, Any]:
    return {"type": "class", "levels": 2, **fields}


def _table(parents: int, ones: int = 0, whole: int | None = None) -> Any:
    """The rows, one level of the mapping a parent."""
    whole = parents if whole is None else whole
    if parents:
        return {level: _table(parents - 1, ones + level, whole) for level in (0, 1)}
    share = Fraction(1, 3) if whole == 0 else Fraction(1 + ones, 2 + whole)
    return [str(1 - share), str(share)]


def _free_names(graph: Graph) -> Iterator[str]:
    """Names of hidden causes, none of them a node's: u where there is one, else u1, u2, ..."""
    numbers = (f"u{k}" for k in count(1))
    names = numbers if len(graph.admg.arcs()) > 1 else chain(["u"], numbers)
    return (name for name in names if name not in graph.nodes)


def _chance(name: str, taken: Collection[str]) -> str:
    """What a node's own chance is called."""
    word = re.sub(r"\W+", "_", name)
    options = chain([f"chance_{word}"], (f"chance_{word}_{k}" for k in count(2)))
    return next(each for each in options if each not in taken)


def _ticked(name: str) -> str:
    """A name as it stands in an equation."""
    return name if re.fullmatch(r"[^\W\d]\w*", name) else f"`{name.replace('`', '``')}`"


def _numbers(request: Mapping[str, Any], session: Session) -> Mapping[str, Any]:
    """The text of the graph with example numbers."""
    return {"text": SAID + numbered(graph_of(request, session)).to_yaml()}


HANDLERS: dict[str, Handler] = {"numbers": Handler(_numbers)}
