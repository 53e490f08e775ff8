"""Drawing: the folders of the package as the floors of a house, from its imports, as SVG.

floor       0 for a folder that imports none of the others, else one above the highest it
            imports; folders that reach torch stand above all that do not
box         a folder; the cells in it are its files, as wide as they are long
arrow       from a folder to one that it imports; those that follow from others are left out
ground      the modules that stand alone and import only one another; all may import them
roof        the face of the package, by which all can be had
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
from sklearn.isotonic import isotonic_regression

from house.source import PACKAGE, TORCH, folder, imports, lines, modules

__all__ = ["House", "draw", "house"]

WIDTH, PITCH, BOX, MARGIN, GAP, PASSAGE = 1120, 84, 46, 28, 22, 2
FACE = {"__init__", "__main__"}
GROUND = "ground"
COOL, WARM = ("#e8f1f4", "#2f7f93"), ("#fbeee2", "#c46a2b")  # of a box, of its files
ARROW, GREY = "#7d8890", "#5b6a72"
FONT = "font-family='Helvetica, Arial, sans-serif'"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The folders of a package.

    Attributes:
        files: folder -> (file, lines) in order of the names.
        takes: (folder, folder that it imports) pairs, those for types included.
        torch: the folders that reach torch, themselves or through others.
    """

    files: Mapping[str, Sequence[tuple[str, int]]]
    takes: frozenset[tuple[str, str]]
    torch: frozenset[str]

    @property
    def floors(self) -> dict[str, int]:
        """The floor of every folder, 0 the lowest."""
        graph = nx.DiGraph(self.takes)
        graph.add_nodes_from(self.files)
        solid = nx.condensation(graph)
        height: dict[int, int] = {}
        for warm in (False, True):
            least = 1 + max(height.values(), default=-1) if warm else 0
            for part in reversed(list(nx.topological_sort(solid))):
                members = solid.nodes[part]["members"]
                if bool(members & self.torch) is warm:
                    height[part] = max([least, *(height[low] + 1 for low in solid[part])])
        return {name: height[part] for name, part in solid.graph["mapping"].items()}


def house(root: Path) -> House:
    """The house of the package at `root`."""
    known, found = modules(root), imports(root)
    alone = {folder(name) for name, path in known.items() if path.parent == root / PACKAGE}
    own = {(folder(i.source), folder(i.target)) for i in found if i.target.split(".")[0] == PACKAGE}
    torch = _reaching(own, {folder(i.source) for i in found if i.target.split(".")[0] in TORCH})
    ground = alone - FACE - torch - {a for a, b in own if b not in alone or b in torch}
    name = {each: GROUND if each in ground else each for each in map(folder, known)}
    files = defaultdict(list)
    for module, path in known.items():
        if folder(module) not in FACE:
            files[name[folder(module)]].append((path.stem, lines([path])))
    pairs = {(name[a], name[b]) for a, b in own if not {a, b} & FACE}
    takes = frozenset((a, b) for a, b in pairs if a != b)
    return House(files=dict(files), takes=takes, torch=frozenset(torch - FACE))


def _reaching(pairs: set[tuple[str, str]], reached: set[str]) -> set[str]:
    """The folders from which one of `reached` is reached; nobody comes to it through the face."""
    graph = nx.DiGraph((a, b) for a, b in pairs if not {a, b} & FACE)
    graph.add_nodes_from(reached)
    return reached.union(*(nx.ancestors(graph, each) for each in reached))


@dataclass(slots=True)
class _Stop:
    """A box, or the place where an arrow passes a floor."""

    floor: int
    width: float
    x: float = WIDTH / 2

    @property
    def passes(self) -> bool:
        return self.width == PASSAGE


def draw(home: House) -> str:
    """The drawing as the text of an SVG file."""
    stops, links = _stops(home)
    _arrange(stops, links)
    top = max(stop.floor for stop in stops.values())
    height = _y(0, top) + BOX + GAP + 14
    line = max(stops[n].floor for n in stops if n in home.files and n not in home.torch)
    parts = [_torch_line(_y(line, top) - (PITCH - BOX) / 2)]
    parts += [_arrow([stops[n] for n in chain], top) for chain in links.values()]
    parts += [_box(name, stops[name], home, top) for name in home.files]
    text = "\n".join([_roof(), *parts, _legend(height)])
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' {FONT}>\n"
        f"<defs><marker id='head' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' "
        f"markerHeight='7' orient='auto'><path d='M0 1 L8 4 L0 7 Z' fill='{ARROW}'/></marker>"
        f"</defs>\n<rect width='{WIDTH}' height='{height:.0f}' rx='10' fill='#ffffff'/>\n"
        f"{text}\n</svg>\n"
    )


def _scale(home: House) -> float:
    """Pixels a line: the fullest floor fits the page."""
    totals: dict[int, int] = defaultdict(int)
    counts: dict[int, int] = defaultdict(int)
    for name, floor in home.floors.items():
        totals[floor] += sum(n for _, n in home.files[name])
        counts[floor] += 1
    room = WIDTH - 2 * MARGIN
    return 0.85 * min((room - 60 * counts[floor]) / totals[floor] for floor in totals)


def _stops(home: House) -> tuple[dict[str, _Stop], dict[tuple[str, str], list[str]]]:
    """Boxes and passages by name, and for every arrow the names of those on its way."""
    floors, scale = home.floors, _scale(home)
    stops = {}
    for name, files in home.files.items():
        strip = scale * sum(n for _, n in files) + 20
        words = 34 + 8.4 * len(name) + 6.2 * len(f"{sum(n for _, n in files):,}")
        stops[name] = _Stop(floors[name], max(strip, words))
    stops[GROUND].width = WIDTH - 2 * MARGIN
    straight = [(a, b) for a, b in home.takes if floors[a] > floors[b] and b != GROUND]
    links = {}
    for source, target in sorted(nx.transitive_reduction(nx.DiGraph(straight)).edges):
        chain = [source]
        for floor in range(floors[source] - 1, floors[target], -1):
            chain.append(f"{source} -> {target} at {floor}")
            stops[chain[-1]] = _Stop(floor, PASSAGE)
        links[source, target] = [*chain, target]
    return stops, links


def _arrange(stops: dict[str, _Stop], links: dict[tuple[str, str], list[str]]) -> None:
    """Set the middle of every stop: near those it is tied to, in order, without overlap."""
    tied = defaultdict(list)
    for chain in links.values():
        for a, b in pairwise(chain):
            tied[a].append(b)
            tied[b].append(a)
    rows: dict[int, list[str]] = defaultdict(list)
    for name, stop in stops.items():
        rows[stop.floor].append(name)
    for number in range(400):
        for floor in sorted(rows, reverse=bool(number % 2)):
            want = {n: _pull(stops[n], [stops[m] for m in tied[n]]) for n in rows[floor]}
            if number < 100:
                rows[floor].sort(key=lambda name: (want[name], name))
            _settle([stops[name] for name in rows[floor]], [want[name] for name in rows[floor]])


def _pull(stop: _Stop, tied: list[_Stop]) -> float:
    """Where a stop is drawn to: a passage to its like, to run straight; a box to the middle too."""
    weights = [30.0 if stop.passes and other.passes else 1.0 for other in tied]
    places = [other.x for other in tied]
    if not stop.passes:
        weights, places = [*weights, 0.3], [*places, WIDTH / 2]
    return float(np.average(places, weights=weights))


def _settle(row: list[_Stop], want: list[float]) -> None:
    """As near to what is wanted as the order and the gaps allow; passages keep to their line."""
    widths = [stop.width for stop in row]
    steps = [(a + b) / 2 + GAP for a, b in pairwise(widths)]
    offsets = np.concatenate([[0.0], np.cumsum(steps)])
    low, high = MARGIN + widths[0] / 2, WIDTH - MARGIN - widths[-1] / 2 - offsets[-1]
    weights = [20.0 if stop.passes else 1.0 for stop in row]
    placed = isotonic_regression(
        np.array(want) - offsets, sample_weight=weights, y_min=low, y_max=max(low, high)
    )
    for stop, x in zip(row, placed + offsets, strict=True):
        stop.x = float(x)


def _y(floor: int, top: int) -> float:
    """The upper edge of a box."""
    return MARGIN + 50 + (top - floor) * PITCH


def _arrow(chain: list[_Stop], top: int) -> str:
    """A curve downward from the lower edge of the first box to the upper edge of the last."""
    points = [(chain[0].x, _y(chain[0].floor, top) + BOX)]
    for stop in chain[1:-1]:
        points += [(stop.x, _y(stop.floor, top) - 4), (stop.x, _y(stop.floor, top) + BOX + 4)]
    points.append((chain[-1].x, _y(chain[-1].floor, top) - 1))
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x, y), (u, v) in pairwise(points):
        bend = (v - y) / 2
        path += f" C{x:.1f} {y + bend:.1f} {u:.1f} {v - bend:.1f} {u:.1f} {v:.1f}"
    line = f"fill='none' stroke='{ARROW}' stroke-width='1.3' marker-end='url(#head)'"
    return f"<path d='{path}' {line}/>"


def _box(name: str, stop: _Stop, home: House, top: int) -> str:
    """A folder: its name, how much it holds, and a cell for every file."""
    files = home.files[name]
    fill, ink = WARM if name in home.torch else COOL
    total = sum(n for _, n in files)
    left, y = stop.x - stop.width / 2, _y(stop.floor, top)
    parts = [
        f"<rect x='{left:.1f}' y='{y:.1f}' width='{stop.width:.1f}' height='{BOX}' rx='6' "
        f"fill='{fill}' stroke='{ink}' stroke-width='1.2'/>",
        f"<text x='{left + 10:.1f}' y='{y + 19:.1f}' font-size='14' font-weight='bold' "
        f"fill='#1d2b33'>{escape(name)}</text>",
        f"<text x='{left + stop.width - 9:.1f}' y='{y + 19:.1f}' font-size='11' fill='{GREY}' "
        f"text-anchor='end'>{total:,}</text>",
    ]
    return "\n".join([*parts, *_cells(name, home, left + 10, y + 28, ink)])


def _cells(name: str, home: House, x: float, y: float, ink: str) -> Iterator[str]:
    """A cell for every file of a folder, from left to right; of the ground their names too."""
    scale = _scale(home)
    for file, count in home.files[name]:
        yield (
            f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(scale * count - 1.2, 0.6):.1f}' "
            f"height='10' rx='1.5' fill='{ink}'><title>{escape(file)}: {count} lines</title></rect>"
        )
        x += scale * count
    if name == GROUND:
        names = " · ".join(file for file, _ in home.files[name])
        yield f"<text x='{x + 16:.1f}' y='{y + 9:.1f}' font-size='12' fill='{GREY}'>{names}</text>"


def _roof() -> str:
    peak, eaves = MARGIN - 12, MARGIN + 30
    return (
        f"<path d='M{MARGIN} {eaves} L{WIDTH / 2} {peak} L{WIDTH - MARGIN} {eaves} Z' "
        f"fill='#eef0f1' stroke='{ARROW}' stroke-width='1.2'/>\n"
        f"<text x='{WIDTH / 2}' y='{eaves - 9}' font-size='14' text-anchor='middle' "
        f"fill='#1d2b33'>import {PACKAGE} as cf</text>"
    )


def _torch_line(y: float) -> str:
    return (
        f"<path d='M{MARGIN} {y:.1f} H{WIDTH - MARGIN}' stroke='#b3261e' stroke-width='1.6' "
        "stroke-dasharray='7 5'/>\n"
        f"<text x='{MARGIN}' y='{y - 6:.1f}' font-size='12' fill='#b3261e'>with torch</text>\n"
        f"<text x='{MARGIN}' y='{y + 15:.1f}' font-size='12' fill='#b3261e'>never torch</text>"
    )


def _legend(height: float) -> str:
    text = (
        "a box is a folder, a cell a file as wide as it is long, the number its lines; "
        "arrows are imports, less those that follow from others"
    )
    return (
        f"<text x='{WIDTH / 2}' y='{height - 12:.0f}' font-size='12' text-anchor='middle' "
        f"fill='{GREY}'>{text}</text>"
    )
