"""Posterior abduction: `python -m benchmarks.abduction` measures what is missing, and reports.

About forty minutes of CPU, most of them for the draws of every pattern (`--resampled 4`: five
minutes); what was measured is kept in results/abduction.json, and gone on with.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.abduction import linear, nonlinear
from benchmarks.folders import RESULTS
from benchmarks.markdown import markdown
from causalflow.files import whole_file

FILE, PAGE = RESULTS / "abduction.json", RESULTS / "abduction.md"
HEAD = Path(__file__).with_name("head.md")


@click.command()
@click.option("--graphs", default=100, show_default=True, help="Linear-Gaussian graphs.")
@click.option("--models", default=50, show_default=True, help="Models of numbers and classes.")
@click.option("--resampled", default=256, show_default=True, help="Patterns of a graph drawn too.")
@click.option("--draws", default=10_000, show_default=True, help="Draws of each.")
@click.option("--kept", default=20_000, show_default=True, help="Draws that the judge keeps.")
def main(graphs: int, models: int, resampled: int, draws: int, kept: int) -> None:
    """Measure, and write results/abduction.json and results/abduction.md."""
    found = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {"linear": {}, "mixed": {}}
    for seed in range(models):
        if str(seed) not in found["mixed"]:
            found["mixed"][str(seed)] = nonlinear.judged(seed, draws, kept)
            _keep(found)
    for seed in range(graphs):
        if str(seed) not in found["linear"]:
            found["linear"][str(seed)] = linear.judged(seed, resampled, draws)
            _keep(found)
    lines, mixed = list(found["linear"].values()), list(found["mixed"].values())
    text = HEAD.read_text("utf-8").format(
        graphs=len(lines),
        patterns=sum(each["patterns"] for each in lines),
        resampled=sum(each["drawn"] for each in lines),
        draws=draws,
        models=len(mixed),
        kept=kept,
        linear="\n".join(_linear(lines)),
        mixed=_said(mixed),
        table="\n".join(_mixed(found["mixed"])),
    )
    with whole_file(PAGE) as path:
        path.write_text(text, "utf-8")


def _keep(found: dict[str, Any]) -> None:
    with whole_file(FILE) as path:
        path.write_text(json.dumps(found) + "\n", "utf-8")


def _linear(found: list[dict[str, Any]]) -> list[str]:
    asked = f"{2 * sum(each['patterns'] for each in found):,}"
    closed = f"{max(each['closed'] for each in found):.1e} (absolute)"
    rows = [["closed form, `ask`", asked, closed, "", ""]]
    worth = [number for each in found for number in each["worth"]]
    for route in ("linear-Gaussian", "resampling"):
        errors = [each["errors"][route] for each in found]
        means = sum(each["means"] for each in errors)
        mean = math.sqrt(sum(each["squares"] for each in errors) / means)
        least = f"{min(worth):,.0f} / {np.median(worth):,.0f}" if route == "resampling" else ""
        numbers = f"{means:,}", f"{max(each['largest'] for each in errors):.2f}", f"{mean:.2f}"
        rows.append([f"`abduct`, {route}", *numbers, least])
    head = ["route", "means", "largest error", "root mean square"]
    return markdown([*head, "effective draws, least / median"], rows)


def _said(found: list[dict[str, Any]]) -> str:
    errors = np.array([e for each in found for e in each["errors"]])
    ours, theirs = (sum(each[key] for each in found) for key in ("seconds", "rejection"))
    return (
        f"{len(errors)} means: the largest error {errors.max():.2f}, "
        f"root mean square {_mean(errors)}; "
        f"CPU seconds in all: ours {ours:.1f}, rejection {theirs:.1f}."
    )


def _mixed(found: dict[str, dict[str, Any]]) -> list[str]:
    head = ["model", "nodes", "known", "route", "effective draws", "means", "largest error"]
    head += ["CPU s", "rejection: kept of tried", "CPU s"]
    rows = [
        [
            seed,
            each["nodes"],
            each["known"],
            each["route"],
            f"{each['worth']:,.0f}" if each["worth"] else "",
            len(each["errors"]),
            f"{max(each['errors']):.2f}",
            f"{each['seconds']:.2f}",
            f"{each['kept']:,} of {each['tried']:,}",
            f"{each['rejection']:.2f}",
        ]
        for seed, each in found.items()
    ]
    return markdown(head, rows)


def _mean(errors: np.ndarray[Any, Any]) -> str:
    return f"{float(np.sqrt((errors**2).mean())):.2f}"


if __name__ == "__main__":
    main()
