"""Report: what was measured, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.markdown import markdown as table
from benchmarks.tabular.columns import KINDS
from benchmarks.tabular.contestants import CONTESTANTS
from benchmarks.tabular.suites import EQUATIONS

__all__ = ["behind", "markdown"]

HEAD = Path(__file__).with_name("head.md")
OWN = "causalflow"
Errors = Mapping[str, Mapping[int, float]]
"""Contestant -> seed -> error."""


def markdown(result: dict[str, Any]) -> str:
    """The whole report."""
    about = result["machine"]
    software = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
    machine = f"{about['processor']}, {about['threads']} thread; Python {about['python']}"
    text = HEAD.read_text(encoding="utf-8").format(machine=f"{machine}, {software}")
    if result.get("missing"):
        text += f"\nNot installed, and not measured: {', '.join(result['missing'])}.\n"
    if result.get("note"):
        text += f"\n{result['note']}\n"
    fits = result.get("fits", [])
    suites = [name for name in EQUATIONS if any(row["suite"] == name for row in fits)]
    ran = [name for name in CONTESTANTS if any(row["contestant"] == name for row in fits)]
    floors = {row["suite"]: (row["floor"], row["ranked"]) for row in result.get("floors", [])}
    lines = [_line(name, ran, fits, floors) for name in suites]
    heads = ["suite", *ran, "floor", "ranked", *(f"CPU s: {name}" for name in ran)]
    text += "\n" + "\n".join(table(heads, lines)) + "\n\n" + _verdict(suites, fits)
    return text + _columns(result.get("columns", []))


def _errors(name: str, fits: Iterable[Mapping[str, Any]], what: str = "error") -> Errors:
    found: dict[str, dict[int, float]] = {}
    for row in fits:
        if row["suite"] == name:
            found.setdefault(row["contestant"], {})[row["seed"]] = row[what]
    return found


def _line(
    name: str, ran: list[str], fits: list[dict[str, Any]], floors: Mapping[str, tuple[float, float]]
) -> list[str]:
    errors, seconds = _errors(name, fits), _errors(name, fits, "seconds")
    cells = [_shown(list(errors.get(each, {}).values())) for each in ran]
    least = [f"{each:.3f}" if each else "0" for each in floors.get(name, (0.0, 0.0))]
    times = [f"{mean(seconds[each].values()):.1f}" if each in seconds else "" for each in ran]
    return [name, *cells, *least, *times]


def _shown(numbers: list[float]) -> str:
    """The mean, its standard error, and of how many where they are few."""
    if not numbers:
        return ""
    spread = f" ± {stdev(numbers) / math.sqrt(len(numbers)):.4f}" if len(numbers) > 1 else ""
    return f"{mean(numbers):.4f}{spread} ({len(numbers)})"


def behind(errors: Errors) -> list[str]:
    """Who is ahead of this package by more than one standard error, over the tables of both."""
    found = []
    for other, theirs in errors.items():
        shared = sorted(theirs.keys() & errors.get(OWN, {}).keys())
        apart = [errors[OWN][seed] - theirs[seed] for seed in shared]
        doubt = stdev(apart) / math.sqrt(len(apart)) if len(apart) > 1 else 0.0
        if apart and other != OWN and mean(apart) > doubt:
            found.append(other)
    return found


def _verdict(suites: list[str], fits: list[dict[str, Any]]) -> str:
    losses = {name: behind(_errors(name, fits)) for name in suites}
    lost = [f"{name} (behind {', '.join(who)})" for name, who in losses.items() if who]
    ahead = f"{len(suites) - len(lost)} of {len(suites)}"
    lowest = sum(_is_lowest(_errors(name, fits)) for name in suites)
    own = [row["seconds"] for row in fits if row["contestant"] == OWN]
    text = f"* causalflow is first, or within one standard error of the first, in {ahead} suites"
    text += f"; not in {', '.join(lost)}\n" if lost else "\n"
    text += f"* its mean error is the lowest in {lowest} of {len(suites)}\n"
    return text + (f"* its slowest fit took {max(own):.1f} s of CPU\n" if own else "")


def _is_lowest(errors: Errors) -> bool:
    """Whether no other contestant has a lower mean error."""
    means = {name: mean(each.values()) for name, each in errors.items()}
    return OWN in means and means[OWN] <= min(means.values())


def _columns(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    heads = ["column", "alone", "below a number", "chance", "what was chosen below (first table)"]
    lines = []
    for kind in KINDS:
        own = [row for row in rows if row["column"] == kind]
        largest = [f"{max(row[case] for row in own):.4f}" for case in ("alone", "below", "chance")]
        lines.append([kind, *largest, own[0]["below mechanism"]])
    text = "\nThe largest distance over the seeds (Kolmogorov-Smirnov):\n\n"
    return text + "\n".join(table(heads, lines)) + "\n"
