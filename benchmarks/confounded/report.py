"""Report: the page of what was measured, from its lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import causalflow as cf
from benchmarks.confounded.measure import DRAWN
from benchmarks.confounded.questions import CASES
from benchmarks.markdown import markdown

__all__ = ["page"]

HEAD = Path(__file__).with_name("head.md")
LIMIT = 0.03
Line = dict[str, Any]


def page(lines: Sequence[Line]) -> str:
    """The tables: laws under do(), what is kept, and shares beside bounds."""
    ordered = sorted(lines, key=lambda line: (list(CASES).index(line["world"]), line["way"]))
    groups: dict[tuple[str, str, int], list[Line]] = {}
    for line in ordered:
        groups.setdefault((line["world"], line["way"], line["steps"]), []).append(line)
    text = [HEAD.read_text(encoding="utf-8"), *_laws(groups), *_kept(groups), *_shares(groups)]
    return "\n".join(text) + "\n"


Groups = dict[tuple[str, str, int], list[Line]]


def _laws(groups: Groups) -> Iterator[str]:
    yield "## What pictures show under do()\n"
    yield (
        "Total variation between the attributes that 2,000 drawn pictures show and the true law, "
        "by seed; *of 16,000*: the same of more drawn ones; *chance*: that of 2,000 true pictures; "
        "*true ones beyond .03*: how often 2,000 drawn from the true law itself are further apart. "
        "In bar_mnist but through the slant, in ascm and in instrument it is not identified: drawn "
        "is one member of a family.\n"
    )
    head = [
        "world",
        "attributes",
        "do",
        "hidden cause",
        "steps",
        "apart, by seed",
        "of 16,000",
        "chance",
        "true ones beyond .03",
        "CPU s",
    ]
    yield from markdown(head, _law_rows(groups))
    yield ""


def _law_rows(groups: Groups) -> Iterator[list[str]]:
    for (world, way, steps), lines in groups.items():
        for number, arm in enumerate(lines[0]["arms"]):
            do = ", ".join(f"{name}={value:g}" for name, value in arm["do"].items())
            arms = [line["arms"][number] for line in lines]
            yield [
                world,
                ", ".join(CASES[world].shown),
                do,
                way,
                str(steps),
                _listed(each["apart"] for each in arms),
                _listed(each["more"] for each in arms if "more" in each),
                f"{sum(each['floor'] for each in arms) / len(arms):.3f}",
                f"{100 * _beyond(world, arm['do']):.1f} %",
                f"{sum(line['fit_seconds'] for line in lines) / len(lines):.0f}",
            ]


def _beyond(world: str, do: dict[str, float]) -> float:
    """How often as many rows of the true law as were drawn are further from it than .03."""
    law = cf.data.confounded(world, n=1).law(CASES[world].shown, do).values.ravel()
    drawn = np.random.default_rng(0).multinomial(DRAWN, law / law.sum(), 20_000) / DRAWN
    return float((np.abs(drawn - law).sum(1) / 2 > LIMIT).mean())


def _kept(groups: Groups) -> Iterator[str]:
    yield "## What stays under do()\n"
    yield (
        "The share of 400 test rows whose counterfactual picture still shows what the hidden cause "
        "had decided, and the mean error of its pixels against the true one, in levels of 255.\n"
    )
    head = ["world", "attribute", "do", "hidden cause", "steps", "kept", "pixels"]
    rows = []
    for (world, way, steps), lines in groups.items():
        if kept := CASES[world].kept:
            found = [line["kept"] for line in lines]
            shares = ", ".join(f"{100 * each['share']:.1f} %" for each in found)
            do = f"another {', '.join(kept[1])}"
            pixels = _listed((each["pixels"] for each in found), 1)
            rows.append([world, kept[0], do, way, str(steps), shares, pixels])
    yield from markdown(head, rows)
    yield ""


def _shares(groups: Groups) -> Iterator[str]:
    yield "## What is not identified\n"
    yield (
        "The exact bounds of the graph by linear programs over all ways to respond "
        "(`benchmarks/confounded/bounds.py`) and the truth; the share in counterfactuals of the "
        "model with its standard error, and the bounds that `cf.bounds` finds in rows that the "
        "model drew, by seed.\n"
    )
    head = ["world", "hidden cause", "steps", "question", "exact", "truth", "share", "found"]
    rows = []
    for (world, way, steps), lines in groups.items():
        for number, asked in enumerate(lines[0].get("shares", []) if way != "ignored" else []):
            found = [line["shares"][number] for line in lines]
            ends = [each["ends"] for each in found if each["ends"]]
            exact, told = _interval(asked["low"], asked["high"]), f"{asked['truth']:.3f}"
            shares = ", ".join(map(_share, found))
            pairs = ", ".join(_interval(*each) for each in ends)
            asking = f"`{asked['question']}`"
            rows.append([world, way, str(steps), asking, exact, told, shares, pairs])
    yield from markdown(head, rows)


def _share(found: Line) -> str:
    """A share with its standard error."""
    share, rows = found["share"], found["rows"]
    return f"{share:.3f} ± {(share * (1 - share) / rows) ** 0.5:.3f}"


def _interval(low: float, high: float) -> str:
    return f"[{low + 0:.3f}, {high:.3f}]"


def _listed(numbers: Any, digits: int = 3) -> str:
    return ", ".join(f"{each:.{digits}f}" for each in numbers)
