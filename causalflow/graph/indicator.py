"""Indicator: a node that says in which rows the cells of another column are empty.

``income_gap: {missing: income}`` is a class node with the levels `LEVELS`. Nobody gives its column:
it is made of the gaps of the other one. Edges into it say why cells are missing; none leads from it
to a node that is no indicator, as an empty cell changes nothing in the world. A graph with such
nodes is a missingness graph; what it says of gaps, `causalflow.design.missingness` tells.

Source: Mohan, Pearl & Tian (2013), Graphical models for inference with missing data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from causalflow.errors import DataError, one_of
from causalflow.graph.node import Edge, Node
from causalflow.graph.tree import Fields, Items, Place, Scalar, Value
from causalflow.values.column import GAP, entries_of, is_gap, is_missing_word

__all__ = [
    "LEVELS",
    "SHOWN",
    "check_indicators",
    "completed_fields",
    "gaps_in",
    "indicators_of",
    "with_indicators",
]

LEVELS = SHOWN, _ = ("shown", "missing")


def indicators_of(nodes: Mapping[str, Node]) -> dict[str, str]:
    """The column of each indicator among the nodes -> the indicator.

    Example:
        >>> from causalflow.graph.node import Class
        >>> indicators_of({"y": Class(levels=(0, 1)), "r": Class(levels=LEVELS, missing="y")})
        {'y': 'r'}
    """
    found = {name: node.missing for name, node in nodes.items()}
    return {target: name for name, target in found.items() if target is not None}


def completed_fields(value: Fields) -> Fields:
    """The fields of an indicator, whose type and levels a file need not give."""
    if value.get("missing") is None:
        return value
    levels = Items(tuple(map(Scalar, LEVELS)), value.line)
    named = Scalar("class", line=value.line)
    given: dict[str, Value] = {"type": named, "levels": levels}
    own = ((Scalar(key), each) for key, each in given.items() if value.get(key) is None)
    return Fields((*own, *value.pairs), value.line)


def check_indicators(
    nodes: Mapping[str, Node], edges: Iterable[Edge], lines: Mapping[str, int | None]
) -> None:
    """Every indicator marks a column of its own, and has effects on indicators only.

    Raises:
        DeclarationError: the first that does not.
    """
    found = indicators_of(nodes)
    for name, node in nodes.items():
        if (target := node.missing) is not None:
            place, line = Place(f"node '{name}': missing"), lines.get(name)
            if target not in nodes:
                place.fail(f"unknown node '{target}'; {one_of(target, nodes)}", line)
            if nodes[target].missing is not None or not nodes[target].type.scalar:
                place.fail(f"'{target}' is no column with gaps of its own", line)
            if found[target] != name:
                place.fail(f"'{found[target]}' marks the gaps of '{target}' already", line)
            if node.type.levels != LEVELS:
                place.fail(f"its levels are {list(LEVELS)}; leave them out", line)
    for edge in edges:
        if edge.source in found.values() and edge.target not in found.values():
            Place(f"edge '{edge.source} -> {edge.target}'").fail(
                f"'{edge.source}' says that a cell is empty, which has no effect on '{edge.target}'"
            )


def with_indicators(table: Mapping[str, Any], nodes: Mapping[str, Node]) -> Mapping[str, Any]:
    """The columns of a table, and those of the indicators that it does not hold.

    Args:
        table: name -> column.
        nodes: the declared nodes.

    Raises:
        DataError: the table does not hold the column whose gaps are marked, or it has values that
            are none of its node's.
    """
    made: dict[str, Any] = {}
    for target, name in indicators_of(nodes).items():
        if name in table:
            continue
        if target not in table:
            raise DataError(f"node '{name}': no column '{target}' in the data, whose gaps it marks")
        made[name] = np.array(LEVELS)[gaps_in(target, table[target], nodes).astype(np.int64)]
    return {**table, **made} if made else table


def gaps_in(name: str, column: Any, nodes: Mapping[str, Node]) -> np.ndarray[Any, Any]:
    """Which entries of a node's column are empty, bool, shape (rows,)."""
    if name not in nodes:
        entries = entries_of(column).array.ravel()
        empty = [is_missing_word(e) if isinstance(e, str) else is_gap(e) for e in entries]
        return np.array(empty, dtype=bool)
    values = np.asarray(nodes[name].type.read(column, where=f"node '{name}'", error=DataError))
    gaps: np.ndarray[Any, Any] = np.isnan(values) if values.dtype.kind == "f" else values == GAP
    return gaps
