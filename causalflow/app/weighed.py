"""Weighed: a graph whose roots have other distributions, as the sliders of the page set them.

A *root* is a finite variable that nothing in the graph moves: an exogenous one, or a node with a
table and no parents. The page gives each level a weight; shares are weights by their sum, as
fractions, so that answers stay exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from causalflow.errors import GraphError, one_of, shown
from causalflow.graph.graph import Graph
from causalflow.graph.node import Finite, Level, Node

__all__ = ["Root", "roots_of", "weighed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A root and its distribution.

    Attributes:
        name: the variable's name.
        levels: its levels.
        shares: the probability of each.
        exogenous: whether it is declared so; else it is a node with a table.
    """

    name: str
    levels: tuple[Level, ...]
    shares: tuple[Fraction, ...]
    exogenous: bool


def roots_of(graph: Graph) -> tuple[Root, ...]:
    """The roots of a graph, in declared order.

    Example:
        >>> coin = {"type": "class", "levels": ["no", "yes"], "table": ["1/3", "2/3"]}
        >>> [root.shares for root in roots_of(Graph(nodes={"x": coin}))]
        [(Fraction(1, 3), Fraction(2, 3))]
    """
    laws = [
        Root(name=name, levels=tuple(range(len(law.p))), shares=law.p, exogenous=True)
        for name, law in graph.exogenous.items()
        if isinstance(law, Finite)
    ]
    tables = [
        Root(name=name, levels=node.type.levels, shares=node.table[0][1], exogenous=False)
        for name, node in graph.nodes.items()
        if node.table and node.type.levels and not graph.parents(name)
    ]
    return (*laws, *tables)


def weighed(graph: Graph, weights: Mapping[str, Any]) -> Graph:
    """The graph with the distributions that weights give; itself where none are given.

    Raises:
        GraphError: a name of no root, or weights that are none.
    """
    roots = {root.name: root for root in roots_of(graph)}
    laws: dict[str, Finite] = {}
    nodes: dict[str, Node] = {}
    for name, given in weights.items():
        if name not in roots:
            raise GraphError(f"weights: '{name}' is no root; {one_of(name, roots)}")
        shares = _shares(roots[name], given)
        if roots[name].exogenous:
            laws[name] = Finite(p=shares)
        else:
            changed: dict[str, Any] = {"table": (((), shares),)}
            nodes[name] = replace(graph.nodes[name], **changed)
    graph = graph.with_laws(laws) if laws else graph
    return graph.with_nodes(nodes) if nodes else graph


def _shares(root: Root, given: Any) -> tuple[Fraction, ...]:
    if not isinstance(given, Sequence) or len(given) != len(root.levels):
        raise GraphError(f"weights: '{root.name}' has {len(root.levels)} levels; a weight for each")
    if not all(_is_weight(each) for each in given) or not any(given):
        raise GraphError(
            f"weights: '{root.name}' is given {shown(given, 60)}; expected numbers from 0 to 1e6,"
            " not all of them 0"
        )
    whole = [Fraction(str(each)) for each in given]
    return tuple(each / sum(whole) for each in whole)


def _is_weight(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0 <= value <= 1e6
