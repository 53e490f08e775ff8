"""Conditional: a class node's table P(node | parents), as a graph file writes it.

    no parents      table: [0.4, 3/5]                           one number a level, in their order
    one parent      table: {green: [0.2, 0.8], red: [1/2, 1/2]}     one row a level of the parent
    more            table: {0: {green: [...], red: [...]}, 1: {green: [...], red: [...]}}
    any             uniform, in place of a row or of the whole table: 1/K for each of K levels

The parents are those of the declared edges, in the order in which the edges name them: the first
one's levels are the outermost keys. Every combination has exactly one row. Numbers are exact; a row
sums to one (one of rounded numbers is divided by its sum: `causalflow.equations.law`).

A key stands for a level as any value does (`causalflow.values`): 1, 1.0 and "1" are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

from causalflow.equations.law import divided, shown_number
from causalflow.errors import one_of
from causalflow.graph.edges import Link
from causalflow.graph.node import Level, Node, Rows
from causalflow.graph.tree import Fields, Items, Place, Scalar, Value, described, items, number
from causalflow.limits import DENOMINATOR, TABLE_CELLS, TABLE_ROWS
from causalflow.values.column import GAP
from causalflow.values.finite import finite

__all__ = [
    "depends_on_noise",
    "nested_rows",
    "probabilities",
    "read_tables",
    "reordered_rows",
    "with_parents",
]

UNIFORM = "uniform"


def probabilities(
    value: Value, place: Place, rough: list[str], where: str = ""
) -> tuple[Fraction, ...]:
    """Exact and with sum one (`causalflow.equations.law`).

    Args:
        value: the list.
        place: where the list stands in the file.
        rough: gets a line where the sum is not near one.
        where: says which row it is, such as " for x=1".

    Raises:
        DeclarationError: what is not a list of probabilities, or does not sum to one.
    """
    entries = [(item, number(item)) for item in items(value, place, "probabilities")]
    for item, p in entries:
        if p is None or not 0 <= p <= 1:
            place.fail(f"expected a probability between 0 and 1, not {described(item)}", item)
    exact = [p for _, p in entries if p is not None]
    total = Fraction(0)
    for p in exact:
        total += p
        if total.denominator > DENOMINATOR:
            place.fail(
                "the probabilities have no common denominator below 1e400; round them", value
            )
    law = divided(exact, f"{place.label}: the probabilities{where}", rough)
    if law is None:
        sums = f"the probabilities{where} sum to {shown_number(total)}"
        place.fail(f"{sums}; they must sum to 1", value)
    return law


def read_tables(
    section: Value | None, nodes: Mapping[str, Node], links: Sequence[Link], rough: list[str]
) -> dict[str, Node]:
    """The nodes, with the tables that the section ``nodes:`` gives them.

    Args:
        section: the located tree of the nodes.
        nodes: the nodes, typed; their tables are not in them yet.
        links: the declared edges, in order.
        rough: gets a line for each row whose sum is not near one.

    Raises:
        DeclarationError: the first mistake in a table, with its line.
    """
    parents: dict[str, list[str]] = {name: [] for name in nodes}
    for link in links:
        if link.kind is not None:
            parents[link.target].append(link.source)
    result = dict(nodes)
    for key, content in section.pairs if isinstance(section, Fields) else ():
        table = content.get("table") if isinstance(content, Fields) else None
        node = nodes[key.text]
        if table is not None and node.type.levels is not None:
            place = Place(f"node '{key.text}'")
            if node.equation is not None:
                place.fail("it has an equation and a table; expected one of them", table)
            above = {name: nodes[name] for name in parents[key.text]}
            rows = _read_rows(table, node.type.levels, above, place.within("table"), rough)
            changed: dict[str, Any] = {"table": rows}
            result[key.text] = replace(node, **changed)
    _check_hidden(links, result)
    return result


def _check_hidden(links: Sequence[Link], nodes: Mapping[str, Node]) -> None:
    """No bidirected edge at a table: its row is all that the node depends on."""
    for link in links:
        for end in (link.source, link.target) if link.kind is None else ():
            if nodes[end].table is not None:
                link.place.fail(
                    f"node '{end}' has a table; declare the common cause as a node, or use one"
                    " exogenous variable in the equations of both ends",
                    link.line,
                )


def _read_rows(
    value: Value,
    own: tuple[Level, ...],
    parents: Mapping[str, Node],
    place: Place,
    rough: list[str],
) -> Rows:
    levels: dict[str, tuple[Level, ...]] = {}
    for name, parent in parents.items():
        if parent.type.levels is None:
            kind = parent.type.word or "symbol"
            place.fail(f"the parent '{name}' is of type {kind}; expected type class", value)
        levels[name] = parent.type.levels
    count = prod(map(len, levels.values()))
    if count > TABLE_ROWS or count * len(own) > TABLE_CELLS:
        most = min(TABLE_ROWS, TABLE_CELLS // len(own))
        place.fail(f"the parents have {count:,} combinations; at most {most:,}", value)
    rows: dict[tuple[Level, ...], Value] = {(): value}
    for depth, name in enumerate(levels):
        rows = {
            (*cell, level): row
            for cell, part in rows.items()
            for level, row in _split(part, list(levels)[: depth + 1], levels[name], cell, place)
        }
    return tuple(
        (cell, _row(row, len(own), _where([*levels, ""], cell), not levels, place, rough))
        for cell, row in rows.items()
    )


def _split(
    value: Value,
    names: Sequence[str],
    levels: Sequence[Level],
    cell: tuple[Level, ...],
    place: Place,
) -> list[tuple[Level, Value]]:
    """What stands under each level of the last of ``names``, in the order of the levels."""
    name = names[-1]
    if _is_uniform(value):
        return [(level, value) for level in levels]
    if not isinstance(value, Fields):
        place.fail(
            f"expected a mapping from the levels of '{name}'{_where(names, cell)},"
            f" not {described(value)}",
            value,
        )
    found: dict[Level, Value] = {}
    reader = finite(levels)
    for key, row in value.pairs:
        at = reader.find(key.text)
        if at is None or at == GAP:
            known = one_of(key.text, levels)
            place.fail(f"unknown level {described(key)} of '{name}'; {known}", key)
        if levels[at] in found:
            place.fail(f"two rows{_where([*names, ''], (*cell, levels[at]))}", key)
        found[levels[at]] = row
    for level in levels:
        if level not in found:
            place.fail(f"there is no row{_where([*names, ''], (*cell, level))}", value)
    return [(level, found[level]) for level in levels]


def _row(
    value: Value, count: int, where: str, is_root: bool, place: Place, rough: list[str]
) -> tuple[Fraction, ...]:
    if _is_uniform(value):
        return (Fraction(1, count),) * count
    if not isinstance(value, Items):
        hint = "; the node has no parents" if is_root else ""
        place.fail(
            f"expected a list of {count} probabilities{where}, not {described(value)}{hint}", value
        )
    if len(value.values) != count:
        place.fail(f"expected {count} probabilities{where}, not {len(value.values)}", value)
    return probabilities(value, place, rough, where)


def _is_uniform(value: Value) -> bool:
    return isinstance(value, Scalar) and value.text == UNIFORM


def _where(names: Sequence[str], cell: tuple[Level, ...]) -> str:
    """Which combination of the parents' levels is meant, "" if there are none."""
    pairs = zip(names, cell, strict=False)
    shown = ", ".join(f"{name}={level}" for name, level in pairs)
    return f" for {shown}" if shown else ""


def depends_on_noise(laws: Iterable[Sequence[Fraction]]) -> bool:
    """Whether what a node would be in several worlds depends on how its noise enters.

    Args:
        laws: the different rows of its table that can meet; where at most one of them leaves its
            level to chance there is nothing to choose.

    Example:
        >>> certain, even = (Fraction(1), Fraction(0)), (Fraction(1, 2), Fraction(1, 2))
        >>> depends_on_noise([certain, even]), depends_on_noise([even, even])
        (False, True)
    """
    return sum(1 not in law for law in laws) > 1


def nested_rows(rows: Rows) -> Any:
    """The raw form of a table: a list of fractions, or mappings by the parents' levels.

    Example:
        >>> half = (Fraction(1, 2), Fraction(1, 2))
        >>> nested_rows((((), half),))
        [Fraction(1, 2), Fraction(1, 2)]
        >>> sorted(nested_rows(((("red",), half), (("green",), half))))
        ['green', 'red']
    """
    if not rows[0][0]:
        return list(rows[0][1])
    top: dict[Level, Any] = {}
    for cell, row in rows:
        inner = top
        for level in cell[:-1]:
            inner = inner.setdefault(level, {})
        inner[cell[-1]] = list(row)
    return top


def reordered_rows(rows: Rows, order: Sequence[int]) -> Rows:
    """The same table with its parents in another order.

    Args:
        rows: a complete table.
        order: the place, among the parents of ``rows``, of each parent of the result.
    """
    cells = {tuple(cell[place] for place in order): row for cell, row in rows}
    levels = [dict.fromkeys(cell[place] for cell, _ in rows) for place in order]
    return tuple((cell, cells[cell]) for cell in product(*levels))


def with_parents(node: Node, written: Sequence[str], wanted: Sequence[str]) -> Node:
    """The node, its table having its parents in another order.

    Args:
        node: the node; it is returned as it is where it has no table.
        written: the parents in the table's order.
        wanted: the same parents in the order that is wanted.
    """
    if node.table is None:
        return node
    order = [written.index(parent) for parent in wanted]
    return replace(node, table=reordered_rows(node.table, order))
