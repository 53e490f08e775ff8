"""Positions: where a graph file says, under ``layout:``, that its variables are drawn.

    layout: {x: [0, 0], y: [140, 0]}

The centre of each, x to the right and y down, a hundred to the inch. What a graph means does not
depend on them: graphs that differ in nothing else are equal, and no checkpoint keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from causalflow.errors import one_of
from causalflow.graph.tree import Fields, Place, Value, bounded, described, items

__all__ = ["REACH", "Positions", "read_positions"]

Positions: TypeAlias = tuple[tuple[str, tuple[float, float]], ...]

REACH = 100_000.0
"""The furthest from the origin that a variable can be drawn, along either axis."""

_NUMBER = bounded(-REACH, REACH)


def read_positions(value: Value | None, known: Iterable[str]) -> Positions:
    """The positions under ``layout:``; ``known`` are all variables, latent and exogenous ones too.

    Raises:
        DeclarationError: the first mistake, with its line.
    """
    return () if value is None else tuple(_positions(value, frozenset(known)))


def _positions(value: Value, known: frozenset[str]) -> Iterator[tuple[str, tuple[float, float]]]:
    if not isinstance(value, Fields):
        form = "expected a mapping name: [x, y]"
        Place("layout").fail(f"{form}, not {described(value)}", value)
    for key, content in value.pairs:
        if key.text not in known:
            choice = one_of(key.text, sorted(known))
            Place("layout").fail(f"unknown node {described(key)}; {choice}", key)
        place = Place(f"layout of {described(key)}")
        ends = items(content, place, "two numbers [x, y]")
        if len(ends) != 2:
            place.fail(f"expected two numbers [x, y], not {len(ends)}", content)
        yield key.text, (_NUMBER(ends[0], place), _NUMBER(ends[1], place))
