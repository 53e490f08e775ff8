"""Overlap of a question: where what it sets takes a learned node to a place that no data show.

do(color=red) keeps the digit, and the colour of 5 is green without exception: what a red 5 would
look like is the model's word alone. do(digit=5) takes the colour along, and stays where data are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from causalflow.graph.graph import Graph
from causalflow.graph.overlap import Cell, Overlap, overlaps, reached_cells
from causalflow.graph.schema import Class
from causalflow.query.query import Query, Term, Value, World

__all__ = ["left_overlaps"]


def left_overlaps(graph: Graph, query: Query) -> tuple[Overlap, ...]:
    """The failures of positivity that an answer runs into, each with the cells that it meets.

    Example:
        >>> from causalflow.graph.reader import loads
        >>> from causalflow.query.language import parse_query
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
    node = graph.nodes[name]
    if not isinstance(node, Class):
        return ()
    every = tuple(range(len(node.levels)))
    return tuple(at for at in every if _is_level(node, at, value)) or every


def _is_level(node: Class, index: int, value: Value | object) -> bool:
    return value is not None and str(node.levels[index]) == str(value)
