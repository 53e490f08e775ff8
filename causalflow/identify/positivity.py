"""Positivity: what no data can tell, as some parents of a learned node are functions of others.

    digit -> image, color -> image,  color = [digit > 4]

No data show an image with digit = 0 and the color of 9, so that P(image | digit=0, color) has to
come from the model alone: there is no *overlap*. A class node is a function of its parents where
its equation reads no exogenous variable, or its table has a one in every row. A child with an
equation or a table of its own is known, and nothing is to be learned there.

A question meets such a failure where what it sets takes a learned node to a place that no data
show: do(color=red) keeps the digit, and the colour of 5 is green without exception, so what a red 5
would look like is the model's word alone. do(digit=5) takes the colour along, and stays where data
are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import prod
from typing import TypeAlias

import numpy as np

from causalflow.equations.equation import evaluate
from causalflow.graph.graph import Graph
from causalflow.graph.node import Level
from causalflow.graph.stored import stored_node
from causalflow.limits import OVERLAP_CELLS
from causalflow.query.query import Query, Term, World
from causalflow.values.variable import UNTYPED

__all__ = ["Cell", "Overlap", "left_overlaps", "overlaps", "reached_cells"]


SHOWN = 3


Cell: TypeAlias = tuple[int, ...]


Column: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """A failure of positivity; ``str`` says it in one sentence.

    Attributes:
        child: the node that is learned.
        node: its parent that others determine.
        by: those others, parents of the child too; none: the node has one value.
        empty: combinations of levels of ``by`` and ``node`` that no data have, as indices; none are
            listed where one of them is continuous.
        levels: the level names of ``by`` and ``node``.
    """

    child: str
    node: str
    by: tuple[str, ...]
    empty: tuple[Cell, ...] = ()
    levels: tuple[tuple[Level, ...], ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """``by``, then ``node``."""
        return (*self.by, self.node)

    def __str__(self) -> str:
        others = " and ".join(self.by)
        how = f"is a function of {others}" if self.by else "has one value"
        if not self.empty:
            return f"{self.node} {how}, so no data tell their effects on {self.child} apart"
        shown = "; ".join(map(self._named, self.empty[:SHOWN]))
        left = len(self.empty) - SHOWN
        more = f", and {left} more" if left > 0 else ""
        return f"{self.node} {how}, so no data show {self.child} under {shown}{more}"

    def _named(self, cell: Cell) -> str:
        named = zip(self.variables, self.levels, cell, strict=True)
        return ", ".join(f"{name}={levels[index]}" for name, levels, index in named)


def left_overlaps(graph: Graph, query: Query) -> tuple[Overlap, ...]:
    """The failures of positivity that an answer runs into, each with the cells that it meets.

    Example:
        >>> from causalflow.formats.formats import loads
        >>> from causalflow.query.parse import parse_query
        >>> graph = loads('''
        ... nodes:
        ...   x: {type: class, levels: 2}
        ...   z: {type: class, levels: 2, equation: x}
        ...   y: {type: class, levels: 2}
        ... edges: [x -> y, z -> y]
        ... ''')
        >>> print(*left_overlaps(graph, parse_query("P(y | do(z=1))", graph)))
        z is a function of x, so no data show y under x=0, z=1
        >>> left_overlaps(graph, parse_query("P(y | do(x=1))", graph))
        ()
        >>> left_overlaps(graph, parse_query("P(y | do(z=1), x=1)", graph))
        ()
    """
    form = query.counterfactual_form()
    terms = {term for top in form.terms for term in top.walk() if term.subscript}
    found = (_left(graph, form, terms, each) for each in overlaps(graph)) if terms else ()
    return tuple(each for each in found if each is not None)


def overlaps(graph: Graph) -> tuple[Overlap, ...]:
    """Every failure of positivity that the graph's own equations and tables show.

    Example:
        >>> from causalflow.formats.formats import loads
        >>> graph = loads('''
        ... nodes:
        ...   x: {type: class, levels: 2}
        ...   z: {type: class, levels: [no, yes], equation: 1 - x}
        ...   y: {type: class, levels: 2}
        ... edges: [x -> y, z -> y]
        ... ''')
        >>> print(*overlaps(graph))
        z is a function of x, so no data show y under x=0, z=no; x=1, z=yes
    """
    found = (_of_child(graph, name) for name in graph.nodes if _is_learned(graph, name))
    return tuple(each for part in found for each in part)


def reached_cells(
    graph: Graph, names: Sequence[str], fixed: Mapping[str, Sequence[int]]
) -> frozenset[Cell]:
    """The combinations of levels of ``names`` that can occur, as indices.

    Args:
        graph: the declaration.
        names: class nodes.
        fixed: nodes that do not follow their equation -> the levels that they have.

    Returns:
        Nothing where there are more than `OVERLAP_CELLS`, or a node depends on what is not finite.
    """
    roots, order = _unfolded(graph, names, fixed)
    sizes = [fixed.get(name) or range(_count(graph, name)) for name in roots]
    count = prod(map(len, sizes))
    if not 0 < count <= OVERLAP_CELLS:
        return frozenset()
    grid = np.array(list(product(*sizes)), dtype=np.int64).reshape(count, len(roots))
    columns: dict[str, Column] = {name: grid[:, at] for at, name in enumerate(roots)}
    for name in order:
        columns[name] = _column(graph, name, columns, count)
    cells = np.stack([columns[name] for name in names], axis=1)
    return frozenset(map(tuple, np.unique(cells, axis=0).tolist()))


def _of_child(graph: Graph, child: str) -> Iterator[Overlap]:
    parents = graph.admg.ordered(graph.parents(child))
    classes = [name for name in parents if _is_finite(graph, name)]
    for name in (name for name in parents if _is_function(graph, name)):
        above = graph.admg.ordered(graph.parents(name))
        if name not in classes:
            if set(above) <= set(parents):
                yield Overlap(child=child, node=name, by=tuple(above))
        elif cells := reached_cells(graph, classes, {}):
            yield from _empty(graph, child, name, classes, cells)


def _empty(
    graph: Graph, child: str, node: str, classes: Sequence[str], cells: frozenset[Cell]
) -> Iterator[Overlap]:
    """The smallest set of other parents of which the node is a function, if there is one."""
    others = [name for name in classes if name != node]
    subsets = (by for size in range(len(others) + 1) for by in combinations(others, size))
    for by in subsets:
        at = [classes.index(name) for name in (*by, node)]
        seen = {tuple(cell[place] for place in at) for cell in cells}
        known = {cell[:-1] for cell in seen}
        if len(known) < len(seen):
            continue
        levels = range(_count(graph, node))
        empty = sorted({(*cell, level) for cell in known for level in levels} - seen)
        names = tuple(_levels(graph, name) for name in (*by, node))
        if empty:
            yield Overlap(child=child, node=node, by=by, empty=tuple(empty), levels=names)
        return


def _is_learned(graph: Graph, name: str) -> bool:
    node = graph.nodes[name]
    return node.equation is None and node.table is None and node.type is not UNTYPED


def _is_finite(graph: Graph, name: str) -> bool:
    """Whether a node is a class, and a function of classes alone if it is one."""
    roots, _ = _unfolded(graph, [name], {})
    return all(graph.nodes[each].type.levels is not None for each in roots)


def _is_function(graph: Graph, name: str) -> bool:
    """Whether a class node is a function of its parents."""
    node = graph.nodes[name]
    if node.type.levels is None:
        return False
    if node.table is not None:
        return all(max(row) == 1 for _, row in node.table)
    return node.equation is not None and not graph.exogenous_parents(name)


def _unfolded(
    graph: Graph, names: Sequence[str], fixed: Mapping[str, Sequence[int]]
) -> tuple[list[str], list[str]]:
    """What ``names`` come from: nodes that take any level, and functions of them, in order."""
    roots: list[str] = []
    order: list[str] = []
    wanted = set(names)
    for name in reversed(graph.topological_order()):
        if name in wanted and name not in fixed and _is_function(graph, name):
            order.insert(0, name)
            wanted |= graph.parents(name)
        elif name in wanted:
            roots.insert(0, name)
    return roots, order


def _count(graph: Graph, name: str) -> int:
    """The number of levels; 0 of what has none."""
    return len(graph.nodes[name].type.levels or ())


def _levels(graph: Graph, name: str) -> tuple[Level, ...]:
    return graph.nodes[name].type.levels or ()


def _column(graph: Graph, name: str, columns: Mapping[str, Column], rows: int) -> Column:
    """The levels that a function gives, by row."""
    node = stored_node(graph, name)
    if node.equation is not None:
        values = np.broadcast_to(np.asarray(evaluate(node.equation, columns)), rows)
        return values.astype(np.int64)
    parents = [edge.source for edge in graph.edges if edge.target == name]
    table = {cell: row.index(1) for cell, row in node.table or ()}
    given = zip(*(columns[parent].tolist() for parent in parents), strict=True)
    names = [_levels(graph, parent) for parent in parents]
    cells = given if parents else (() for _ in range(rows))
    found = (tuple(n[i] for n, i in zip(names, cell, strict=True)) for cell in cells)
    return np.array([table[cell] for cell in found], dtype=np.int64)


def _left(graph: Graph, query: Query, terms: Iterable[Term], overlap: Overlap) -> Overlap | None:
    """The failure with the cells that are met in some world; None if none is."""
    worlds = {t.subscript for t in terms if _depends(graph, t.name, t.subscript, overlap)}
    if not overlap.empty:
        return overlap if any(_parts(world, overlap) for world in worlds) else None
    met: set[Cell] = set()
    for world in worlds:
        met |= _cells(graph, query, world, overlap)
    return replace(overlap, empty=tuple(sorted(met))) if met else None


def _depends(graph: Graph, name: str, world: World, overlap: Overlap) -> bool:
    """Whether the term is made by way of the learned node, and that below what is set."""
    done = {each.variable for each in world}
    if overlap.child in done or name not in graph.nodes:
        return False
    moved = graph.ancestors(overlap.child) & done
    return bool(moved) and overlap.child in graph.admg.do(done).ancestors(name)


def _parts(world: World, overlap: Overlap) -> bool:
    """Whether a world sets what is a function, or several of those it is a function of."""
    done = {each.variable for each in world}
    return overlap.node in done or len(done & set(overlap.by)) > 1


def _cells(graph: Graph, query: Query, world: World, overlap: Overlap) -> set[Cell]:
    """The combinations of the child's parents that a world has, and no data."""
    done = {each.variable: each.value for each in world}
    values = _known(graph, query, done) | done
    fixed = {name: _indices(graph, name, value) for name, value in values.items()}
    reached = reached_cells(graph, overlap.variables, {n: v for n, v in fixed.items() if v})
    return set(overlap.empty) & reached


def _known(graph: Graph, query: Query, done: Mapping[str, object]) -> dict[str, object]:
    """The conditions on what nothing that is set can move."""
    below = graph.descendants(done)
    return {
        term.name: term.value
        for term in query.conditions
        if term.name in graph.nodes and term.value is not None
        if term.name not in below | graph.descendants({each.variable for each in term.subscript})
    }


def _indices(graph: Graph, name: str, value: object) -> tuple[int, ...]:
    """The levels that a value may be; all of them, where it is no single one."""
    levels = graph.nodes[name].type.levels or ()
    named = tuple(at for at, level in enumerate(levels) if str(level) == str(value))
    return (named if value is not None else ()) or tuple(range(len(levels)))
