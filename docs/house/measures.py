"""Measures: what is counted of a checkout, and the aims it is held against.

`measure(root)` is plain data, so that the numbers of an earlier commit can be kept as JSON:

    files, faces, lines ...    counts of the text: `house.source`, `house.typed`
    trips                      name -> the files entered: `house.trips`
    milliseconds               name -> median of a public call: `house.speed`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from house.source import circles, double_names, imports, lines, modules, single_importers
from house.speed import milliseconds
from house.trips import TRIPS, entered
from house.typed import askers

__all__ = ["AIMS", "Row", "measure", "rows"]

Measures = Mapping[str, Any]

AIMS: Mapping[str, float] = {
    "files": 214,
    "lines": 38_000,
    "lines of tests": 21_000,
    "lines of benchmarks": 5_500,
    "single importers": 50,
    "double names": 16,
    "places": 0,
    "files that ask": 0,
    "circles": 0,
    "circles at run time": 0,
    "counterfactual": 25,
    "exact, first": 22,
    "exact, again": 6,
    "verdict": 12,
    "verdict, from a file": 24,
    "ask again, 3 nodes": 0.05,
    "ask again, 10 nodes": 0.05,
    "ask again, 400 nodes": 0.05,
}
"""The most that a measure should be; of those that have no aim nothing is asked but to be known."""

COUNTS: Mapping[str, str] = {
    "files": "files of the package",
    "faces": "of these faces (`__init__`)",
    "lines": "lines of the package",
    "lines of tests": "lines of tests",
    "lines of benchmarks": "lines of benchmarks",
    "single importers": "modules with a single importer",
    "double names": "file names that stand twice",
    "places": "places that ask of which type a node is",
    "files that ask": "files with such a place",
    "circles": "circles of imports, those for types counted",
    "circles at run time": "circles of imports that run",
}
JOURNEYS: Mapping[str, str] = {
    "counterfactual": "files entered by a counterfactual of an image",
    "exact, first": "by an exact answer, first",
    "exact, again": "by an exact answer, again",
    "verdict": "by a printed verdict, from a `Graph`",
    "verdict, from a file": "by a printed verdict, from a file",
    "fit": "by a fit of pictures",
    "evaluate": "by `causalflow evaluate`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table.

    Attributes:
        what: in words.
        before: at the commit that `before.json` was measured on; None: not measured.
        after: of this checkout.
        aim: the most it should be; None: no aim.
    """

    what: str
    before: float | None
    after: float
    aim: float | None


def measure(root: Path) -> dict[str, Any]:
    """All that is measured of the checkout at `root`."""
    return {
        **_counts(root),
        "trips": {name: entered(root, name) for name in TRIPS},
        "milliseconds": {name: round(n, 4) for name, n in milliseconds(root).items()},
    }


def _counts(root: Path) -> dict[str, int]:
    known, found, places = modules(root), imports(root), askers(root)
    return {
        "files": len(known),
        "faces": sum(path.name == "__init__.py" for path in known.values()),
        "lines": lines(known.values()),
        "lines of tests": lines((root / "tests").rglob("*.py")),
        "lines of benchmarks": lines((root / "benchmarks").rglob("*.py")),
        "single importers": len(single_importers(root)),
        "double names": len(double_names(root)),
        "places": len(places),
        "files that ask": len({place.file for place in places}),
        "circles": len(circles(found, typing=True)),
        "circles at run time": len(circles(found, typing=False)),
    }


def rows(before: Measures, after: Measures) -> list[Row]:
    """The table: counts, then trips, then milliseconds."""
    told = [(name, what, before.get(name), after[name]) for name, what in COUNTS.items()]
    for name, what in JOURNEYS.items():
        old = before["trips"].get(name)
        told.append((name, what, None if old is None else len(old), len(after["trips"][name])))
    for name, now in after["milliseconds"].items():
        told.append((name, f"ms: {name}", before["milliseconds"].get(name), now))
    return [
        Row(what=what, before=old, after=now, aim=AIMS.get(name)) for name, what, old, now in told
    ]
