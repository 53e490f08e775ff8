"""Positions: where other tools draw a node, in the units of a graph file's ``layout:``.

    DOT       pos="1.5,2!" in inches where it is pinned, else in points, y upward
    dagitty   pos="1.5,2" in a unit of its own, y downward

Of a dagitty text whose nodes would lie on each other, or far apart, the unit is chosen such that
neighbours are `APART` from each other. What is no position is styling, and left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from statistics import median

from causalflow.formats.statements import Document
from causalflow.graph.positions import REACH

__all__ = ["pinned", "positions"]

APART = 130.0
"""How far neighbours stand from each other where the unit is chosen."""
ROOMY = (60.0, 400.0)
INCH, POINT = 100.0, 100.0 / 72

_POS = re.compile(r"\s*([-+.\deE]+)\s*,\s*([-+.\deE]+)\s*(?:,[-+.\deE\s]+)?(!?)\s*")


def positions(document: Document) -> dict[str, tuple[float, float]]:
    """The positions that a text in braces states.

    Example:
        >>> nodes = {"x": {"pos": "0,0!"}, "y": {"pos": "1.5,1!"}, "z": {}}
        >>> positions(Document(kind="digraph", nodes=nodes))
        {'x': (0.0, 0.0), 'y': (150.0, -100.0)}
    """
    stated = {name: _POS.fullmatch(given.get("pos", "")) for name, given in document.nodes.items()}
    found = {name: (_number(at[1]), _number(at[2]), at[3]) for name, at in stated.items() if at}
    if document.kind == "digraph":
        scaled = {
            name: (x * unit, 0 - y * unit)
            for name, (x, y, pin) in found.items()
            for unit in [INCH if pin else POINT]
        }
    else:
        unit = _unit([(x, y) for x, y, _ in found.values()])
        scaled = {name: (x * unit, y * unit) for name, (x, y, _) in found.items()}
    return {
        name: (round(x, 1), round(y, 1))
        for name, (x, y) in scaled.items()
        if max(abs(x), abs(y)) <= REACH
    }


def _number(text: str) -> float:
    """The number; infinite where the text is none."""
    try:
        return float(text)
    except ValueError:
        return math.inf


def _unit(points: list[tuple[float, float]]) -> float:
    """How many units of a graph file one of a dagitty text is."""
    nearest = [
        min(math.dist(one, other) for other in points if other is not one)
        for one in points
        if len(points) > 1 and all(map(math.isfinite, one))
    ]
    near = median(nearest) if nearest else math.inf
    return 1.0 if ROOMY[0] <= near <= ROOMY[1] or not 0 < near < math.inf else APART / near


def pinned(layout: Mapping[str, tuple[float, float]], name: str) -> dict[str, str]:
    """The attribute by which DOT has a node drawn where a graph file says."""
    if name not in layout:
        return {}
    x, y = layout[name]
    return {"pos": f"{x / INCH:g},{0 - y / INCH:g}!"}
