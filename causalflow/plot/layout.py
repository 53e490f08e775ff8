"""Layout: where the nodes of a DAG are drawn, in columns from causes (left) to effects (right).

Notation: a node's layer is the length of the longest path that ends in it. An edge over several
layers is a chain through *dummies*, one in each layer between. Within layers the order is the
best of some barycentre sweeps (fewest crossings); heights then minimise the squared bends of the
chains, layer by layer, subject to a gap between neighbours (isotonic regression). Nodes that no
edge joins stand below the others, in rows.

Lengths are inches; y grows upward. Where a graph file says where a node is drawn
(`causalflow.graph.positions`), it is drawn there: `settled` puts the others among them.

Source: Sugiyama, Tagawa & Toda (1981); Brandes & Koepf (2001) for the goal of straight chains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import TypeAlias

from causalflow.admg.admg import ADMG

__all__ = ["INCH", "layered_layout", "settled"]

Point: TypeAlias = tuple[float, float]
Item: TypeAlias = tuple[str, str, int]
Layer: TypeAlias = list[Item]
Links: TypeAlias = Mapping[Item, Sequence[Item]]

INCH = 100
"""Units of a graph file's ``layout:`` in an inch; its y grows downward."""
SWEEPS = 12
DUMMY_HEIGHT = 0.1


def layered_layout(
    dag: ADMG,
    sizes: Mapping[str, tuple[float, float]],
    column_gap: float = 0.85,
    row_gap: float = 0.42,
) -> dict[str, tuple[float, float]]:
    """The centre (x, y) of each node, no two nodes overlapping.

    Args:
        dag: its directed edges say which column a node is in; the bidirected ones only whether it
            is joined to another at all.
        sizes: width and height of each node.
        column_gap: least distance between the borders of neighbouring columns.
        row_gap: least distance between the borders of neighbours in a column.
    """
    joined = {end for pair in (*dag.directed, *dag.bidirected) for end in pair}
    apart = [name for name in dag.nodes if name not in joined]
    together = ADMG([name for name in dag.nodes if name in joined], dag.directed)
    places = _layered(together, sizes, column_gap, row_gap)
    found = {**places, **_in_rows(apart, places, sizes, row_gap)}
    return {name: found[name] for name in dag.nodes}


def _in_rows(
    names: Sequence[str],
    above: Mapping[str, Point],
    sizes: Mapping[str, tuple[float, float]],
    gap: float,
) -> dict[str, Point]:
    """Nodes in rows as wide as what stands above them, or about as many rows as columns."""
    if not names:
        return {}
    width = max(sizes[name][0] for name in names) + gap
    height = max(sizes[name][1] for name in names) + gap
    ends = [(x - sizes[n][0] / 2, x + sizes[n][0] / 2) for n, (x, _) in above.items()]
    left = min((low for low, _ in ends), default=0.0)
    wide = max((high for _, high in ends), default=0.0) - left + gap
    columns = max(math.ceil(math.sqrt(len(names))), int(wide / width))
    low = min((y - sizes[n][1] / 2 for n, (_, y) in above.items()), default=gap)
    top = low - (2 * gap if above else gap) - (height - gap) / 2
    return {
        name: (left + (k % columns + 0.5) * width - gap / 2, top - k // columns * height)
        for k, name in enumerate(names)
    }


def _layered(
    dag: ADMG,
    sizes: Mapping[str, tuple[float, float]],
    column_gap: float,
    row_gap: float,
) -> dict[str, Point]:
    """The centres of nodes in columns from causes to effects."""
    depth = _depths(dag)
    layers, before, after = _with_dummies(dag, depth)
    layers = _least_crossings(layers, before, after)
    heights = {item: sizes[item[0]][1] if _is_node(item) else DUMMY_HEIGHT for item in after}
    rows = _rows(layers, before, after, heights, row_gap)
    columns = _columns(layers, sizes, column_gap)
    return {name: (columns[depth[name]], rows[_node(name)]) for name in dag.nodes}


def settled(
    layered: Mapping[str, Point],
    stated: Mapping[str, Point],
    sizes: Mapping[str, Point],
    gap: float = 0.2,
) -> dict[str, Point]:
    """The centres as a graph file states them, and those of the other nodes free of them.

    Args:
        layered: the centre of each node as `layered_layout` has it.
        stated: those that the file states, in its units.
        sizes: width and height of each node.
        gap: least distance between a node that had no place and its neighbours.
    """
    fixed = {n: (x / INCH, -y / INCH) for n, (x, y) in stated.items() if n in layered}
    if not fixed:
        return dict(layered)
    moved = [(fixed[n][0] - layered[n][0], fixed[n][1] - layered[n][1]) for n in fixed]
    right, up = (median(each) for each in zip(*moved, strict=True))
    places = dict(fixed)
    for name, (x, y) in layered.items():
        if name not in fixed:
            places[name] = _free((x + right, y + up), name, places, sizes, gap)
    return {name: places[name] for name in layered}


def _free(
    wanted: Point,
    name: str,
    taken: Mapping[str, Point],
    sizes: Mapping[str, Point],
    gap: float,
) -> Point:
    """The first place at or below the wanted one where the node lies on no other."""
    x, y = wanted
    near = sorted(
        (taken[other][1], (sizes[name][1] + sizes[other][1]) / 2 + gap)
        for other in taken
        if abs(taken[other][0] - x) < (sizes[name][0] + sizes[other][0]) / 2 + gap
    )
    for centre, apart in reversed(near):
        if abs(centre - y) < apart:
            y = centre - apart
    return x, y


def _node(name: str) -> Item:
    return (name, name, 0)


def _is_node(item: Item) -> bool:
    return item[0] == item[1]


def _depths(dag: ADMG) -> dict[str, int]:
    """Longest path from a root; a node with more children than parents moves to its children."""
    order = dag.topological_order()
    depth: dict[str, int] = {}
    for name in order:
        depth[name] = max((depth[parent] + 1 for parent in dag.parents(name)), default=0)
    for name in reversed(order):
        children = dag.children(name)
        if len(children) > len(dag.parents(name)):
            depth[name] = min(depth[child] for child in children) - 1
    first = min(depth.values(), default=0)
    return {name: value - first for name, value in depth.items()}


def _with_dummies(
    dag: ADMG, depth: Mapping[str, int]
) -> tuple[list[Layer], dict[Item, list[Item]], dict[Item, list[Item]]]:
    """The layers in declared order, and the neighbours of each item to its left and right."""
    layers: list[Layer] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    before: dict[Item, list[Item]] = {}
    after: dict[Item, list[Item]] = {}

    def enter(item: Item, layer: int) -> None:
        layers[layer].append(item)
        before[item], after[item] = [], []

    for name in dag.nodes:
        enter(_node(name), depth[name])
    for source in dag.nodes:
        for target in dag.ordered(dag.children(source)):
            between = range(depth[source] + 1, depth[target])
            for layer in between:
                enter((source, target, layer), layer)
            chain = [_node(source), *((source, target, layer) for layer in between), _node(target)]
            for left, right in pairwise(chain):
                after[left].append(right)
                before[right].append(left)
    return layers, before, after


def _least_crossings(layers: list[Layer], before: Links, after: Links) -> list[Layer]:
    best, fewest = layers, _crossings(layers, after)
    current = [list(layer) for layer in layers]
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        indices = range(1, len(current)) if forward else range(len(current) - 2, -1, -1)
        for index in indices:
            fixed = {item: i for i, item in enumerate(current[index - 1 if forward else index + 1])}
            _sort_by_barycentre(current[index], fixed, before if forward else after)
        count = _crossings(current, after)
        if count < fewest:
            best, fewest = [list(layer) for layer in current], count
    return best


def _sort_by_barycentre(layer: Layer, fixed: Mapping[Item, int], links: Links) -> None:
    """Items without neighbours keep their place."""
    keys = {}
    for place, item in enumerate(layer):
        near = [fixed[neighbour] for neighbour in links[item]]
        keys[item] = sum(near) / len(near) if near else place
    layer.sort(key=keys.__getitem__)


def _crossings(layers: list[Layer], after: Links) -> int:
    count = 0
    for left, right in pairwise(layers):
        place = {item: index for index, item in enumerate(right)}
        ends = [place[target] for item in left for target in sorted(after[item], key=place.get)]  # type: ignore[arg-type]
        count += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return count


def _rows(
    layers: list[Layer],
    before: Links,
    after: Links,
    heights: Mapping[Item, float],
    gap: float,
) -> dict[Item, float]:
    """Heights by sweeps: each item wants the mean of its neighbours; the gaps are kept."""
    offsets = [_offsets(layer, heights, gap) for layer in layers]
    rows: dict[Item, float] = {}
    for layer, offset in zip(layers, offsets, strict=True):
        rows.update({item: o - offset[-1] / 2 for item, o in zip(layer, offset, strict=True)})
    forward = list(zip(layers, offsets, strict=True))
    for sweep in range(4 * SWEEPS):
        for layer, offset in forward if sweep % 2 == 0 else forward[::-1]:
            wanted = [_wanted(item, rows, before, after) for item in layer]
            shifts = _isotonic([w - o for w, o in zip(wanted, offset, strict=True)])
            rows.update({i: s + o for i, s, o in zip(layer, shifts, offset, strict=True)})
    return {item: -row for item, row in rows.items()}


def _offsets(layer: Layer, heights: Mapping[Item, float], gap: float) -> list[float]:
    """Least distance of each item from the first of its layer."""
    offsets = [0.0]
    for upper, lower in pairwise(layer):
        offsets.append(offsets[-1] + (heights[upper] + heights[lower]) / 2 + gap)
    return offsets


def _wanted(item: Item, rows: Mapping[Item, float], before: Links, after: Links) -> float:
    near = [rows[neighbour] for neighbour in (*before[item], *after[item])]
    return sum(near) / len(near) if near else rows[item]


def _isotonic(values: Sequence[float]) -> list[float]:
    """The closest non-decreasing sequence in least squares (pool adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for value in values:
        total, count = value, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            total, count = total + pools[-1][0], count + pools[-1][1]
            pools.pop()
        pools.append((total, count))
    return [total / count for total, count in pools for _ in range(count)]


def _columns(
    layers: list[Layer], sizes: Mapping[str, tuple[float, float]], gap: float
) -> list[float]:
    """The x of each layer; a crowded gap between layers is wider."""
    widths = [max(sizes[i[0]][0] if _is_node(i) else 0.0 for i in layer) for layer in layers]
    columns = [widths[0] / 2] if widths else []
    for left, right in pairwise(widths):
        columns.append(columns[-1] + (left + right) / 2 + gap)
    return columns
