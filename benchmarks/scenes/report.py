"""Report: every family's verdicts and tables as one page, and their section of docs/results.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.folders import RESULTS
from benchmarks.markdown import markdown
from benchmarks.scenes.scene import FAMILIES, declared
from benchmarks.scenes.verdicts import threads_of, verdicts
from benchmarks.scenes.ways import WAYS
from causalflow.data.sets.scenes.scenes import CHANGED
from causalflow.graph.latent_options import Latent
from causalflow.training.options import LATENT

__all__ = ["found_in", "report", "section"]

Found = Mapping[str, Any]
HEADS = (
    "",
    "attribute right, %",
    "descendants obey, %",
    "others stay, %",
    "changed pixels",
    "of unchanged",
    "all pixels",
    "of floor",
)


HEAD = """\
n = {test} unseen pictures, each with one label set: to the number of another row, or to another
level. Errors are mean absolute differences to the true picture in grey levels (0 to 255); a pixel
truly changes where it does so by more than {threshold} levels; a number is right within
{tolerance:.0%} of its range. Parentheses are 95 % intervals, of ratios paired. What each row is:
`benchmarks/scenes/ways.py`; each column: `benchmarks/scenes/summary.py`.
"""


def found_in(folder: Path) -> dict[str, Found]:
    """Family -> what was measured, of those of families.yaml first."""
    files = {path.stem.removeprefix("scenes_"): path for path in folder.glob("scenes_*.json")}
    order = [name for name in FAMILIES if name in files]
    names = [*order, *sorted(files.keys() - set(order))]
    return {name: json.loads(files[name].read_text(encoding="utf-8")) for name in names}


def report(folder: Path) -> str:
    """The page of all families there are."""
    given = declared()
    lines = [
        "# Scenes of 64 x 64 pixels against their true counterfactuals",
        "",
        HEAD.format(**given, threshold=CHANGED),
    ]
    for family, found in found_in(folder).items():
        lines += [*_family(family, found, folder)]
    return "\n".join(lines)


def _family(family: str, found: Found, folder: Path) -> Iterator[str]:
    yield from (f"## {family}: {found['says']}", "")
    lines = [[v.asked, v.found, "yes" if v.met else "**no**"] for v in verdicts(found)]
    yield from (*markdown(["asked", "found", "met"], lines), "")
    for do in next(iter(found["ways"].values())):
        rows = [_line(way, found["ways"][way][do]) for way in WAYS if way in found["ways"]]
        yield from (f"**{do}**", "", *markdown(HEADS, rows), "")
    yield from (*_beside(family, found, folder), "")
    if (folder / f"scenes_{family}.png").exists():
        yield from (f"![{family}: factual, true and made pictures](scenes_{family}.png)", "")
    machine = found["machine"]
    made = f"{machine['processor']}, {threads_of(machine)}"
    yield from (f"`{found['command']}`: {made}.", "")


def _line(way: str, row: Found) -> list[str]:
    shares = [_cell(row[name], 100, 1) for name in ("right", "obeys", "stays")]
    return [
        way,
        *shares,
        _cell(row["changed"], 1, 1),
        _cell(row["of_unchanged"], 1, 2),
        _cell(row["all"], 1, 2),
        _cell(row["over_floor"], 1, 2),
    ]


def _cell(score: Found | None, times: float, digits: int) -> str:
    """A number and its interval."""
    if score is None or score["value"] is None:
        return "-"
    value, low, high = (
        f"{times * each:.{digits}f}" for each in (score["value"], *score["interval"])
    )
    return f"{value} ({low} to {high})"


def _beside(family: str, found: Found, folder: Path) -> Iterator[str]:
    """Judges, null interventions, and what the nets took, with their logs where they are kept."""
    judged = ", ".join(f"{name} {share:.1%}" for name, share in found["judges"].items())
    yield f"* Right on true counterfactual pictures: {judged}."
    for way, null in found["null"].items():
        yield (
            f"* Null intervention, {way}: largest error {null['largest']:.1e}, mean "
            f"{null['mean']:.1e}, in [0, 1]."
        )
    for method, took in found["fits"].items():
        minutes = (
            f"{took['minutes']:.1f} minutes by the wall, {threads_of(took)} "
            f"({took['cpu_minutes']:.1f} CPU minutes)"
        )
        weights = f"{took['parameters'] / 1e6:.1f} million weights"
        log = f"scenes_{family}_{method}.jsonl"
        kept = f" ([log]({log}))" if (folder / log).exists() else ""
        steps = f"{took['steps']:,.0f} steps"
        yield f"* {method}: {minutes}, {steps}, {weights}: `{took['command']}`{kept}."


def section(folder: Path = RESULTS) -> list[str]:
    """The lines of docs/results.md, a column a family; none without results."""
    found = found_in(folder)
    if not found:
        return []
    each = {family: {v.asked: v for v in verdicts(one)} for family, one in found.items()}
    asked = list(dict.fromkeys(line for lines in each.values() for line in lines))
    lines = [[line, *(_said(each[family].get(line)) for family in found)] for line in asked]
    met, total = _counted(each)
    given, link = declared(), "../benchmarks/results/scenes.md"
    about = (
        f"**{met} of {total} lines are met.** An image node in a latent, fitted by the defaults on "
        f"a CPU to {given['train']:,} pictures; {given['test']} unseen ones, each parent "
        "set by itself, the worst intervention decides. In the file, by intervention, too: "
        f"{_ways(found)}.{_earlier(found)}"
    )
    made = "`python -m benchmarks.scenes fit ball`, `measure ball`, `report`"
    return [
        "## Scenes of 64 x 64 pixels, whose true counterfactuals are known",
        "",
        about,
        "",
        *markdown(["asked", *found], lines),
        "",
        f"{made}, and so for each. [All rows]({link})",
        "",
    ]


def _ways(found: Mapping[str, Any]) -> str:
    """What else was measured, of any family."""
    names = dict.fromkeys(way for one in found.values() for way in one["ways"] if way != "latent")
    return "; ".join(names)


def _earlier(found: Mapping[str, Any]) -> str:
    """Which families were fitted by other steps, or with another latent, than today's defaults."""
    today = {"steps": LATENT.steps, "latent": asdict(Latent())}
    fits = {name: one["fits"].get("latent", {}) for name, one in found.items()}
    names = [name for name, fit in fits.items() if fit and fit != {**fit, **today}]
    return f" By the defaults of an earlier version: {', '.join(names)}." if names else ""


def _said(verdict: Any) -> str:
    if verdict is None:
        return "-"
    return verdict.found if verdict.met else f"**{verdict.found}**"


def _counted(each: Mapping[str, Mapping[str, Any]]) -> tuple[int, int]:
    every = [verdict.met for lines in each.values() for verdict in lines.values()]
    return sum(every), len(every)
