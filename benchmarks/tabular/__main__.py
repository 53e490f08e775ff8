"""Counterfactuals of fitted tables beside DoWhy gcm and causal normalizing flows, and columns.

    python -m benchmarks.tabular                     all suites, seeds 0-4, the usual contestants
    python -m benchmarks.tabular --suites cnf-chain-linear --seeds 0 --out results
    python -m benchmarks.tabular --report            the page anew, from the numbers

Every fit is kept at once; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.folders import RESULTS
from benchmarks.machine import machine
from benchmarks.tabular.columns import distances
from benchmarks.tabular.contestants import CONTESTANTS, missing
from benchmarks.tabular.report import markdown
from benchmarks.tabular.suites import EQUATIONS, draw, floor, ranked, score
from causalflow.files import whole_file

PACKAGES = ("torch", "scikit-learn", "dowhy", "causalflows")
ROWS, WARMING_ROWS = 5000, 300
USUAL = tuple(name for name in CONTESTANTS if "BETTER" not in name)
FLOORS = [name for name in EQUATIONS if name.endswith("nonadditive")]
Row = dict[str, Any]


@click.command(context_settings={"max_content_width": 100})
@click.option("--suites", "-s", multiple=True, default=tuple(EQUATIONS), help="Which (all).")
@click.option("--seeds", default=5, show_default=True, help="Tables of each suite, seeds from 0.")
@click.option("--contestants", "-c", multiple=True, default=USUAL, help="Which (all but BETTER).")
@click.option("--fits/--no-fits", default=True, help="The suites.")
@click.option("--columns/--no-columns", default=True, help="The columns, too.")
@click.option("--report", "only_report", is_flag=True, help="Write the page, run nothing.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS,
    show_default="benchmarks/results",
    help="Where tabular.json and tabular.md are written.",
)
def main(
    suites: Sequence[str],
    seeds: int,
    contestants: Sequence[str],
    fits: bool,
    columns: bool,
    only_report: bool,
    out: Path,
) -> None:
    """Error of counterfactuals and CPU seconds of a fit, on tables with known equations.

    Example: python -m benchmarks.tabular --suites cnf-chain-linear --seeds 1 --out results
    """
    out.mkdir(parents=True, exist_ok=True)
    kept = out / "tabular.json"
    result: Row = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    if not only_report:
        result |= {"machine": machine(PACKAGES), "rows": ROWS}
        here = [name for name in contestants if not missing(CONTESTANTS[name][0])]
        result["missing"] = sorted(set(contestants) - set(here))
        for part, rows in (
            ("fits", _fits(result, suites, seeds if fits else 0, here)),
            ("floors", _floors(result, suites if fits else ())),
            ("columns", _columns(result, seeds if columns else 0)),
        ):
            for row in rows:
                result.setdefault(part, []).append(row)
                _write(kept, json.dumps(result, indent=1) + "\n")
    _write(out / "tabular.md", markdown(result))
    click.echo(markdown(result))


def _fits(
    result: Row, suites: Sequence[str], seeds: int, contestants: Sequence[str]
) -> Iterator[Row]:
    done = {(row["suite"], row["seed"], row["contestant"]) for row in result.get("fits", [])}
    for contestant in contestants if seeds else ():  # what is imported late is no part of a fit
        _fit(suites[0], 0, contestant, rows=WARMING_ROWS)
    for seed in range(seeds):
        for name in suites:
            for contestant in contestants:
                if (name, seed, contestant) not in done:
                    yield _fit(name, seed, contestant)


def _fit(name: str, seed: int, contestant: str, rows: int = ROWS) -> Row:
    columns, _ = draw(name, rows, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.process_time()
        answer = CONTESTANTS[contestant][1](name, columns, seed)
        seconds = time.process_time() - start
        error = score(name, answer)
    row: Row = {"suite": name, "seed": seed, "contestant": contestant}
    return row | {"error": error, "seconds": seconds}


def _floors(result: Row, suites: Sequence[str]) -> Iterator[Row]:
    done = {row["suite"] for row in result.get("floors", [])}
    for name in FLOORS:
        if name in suites and name not in done:
            yield {"suite": name, "floor": floor(name), "ranked": ranked(name)}


def _columns(result: Row, seeds: int) -> Iterator[Row]:
    done = {row["seed"] for row in result.get("columns", [])}
    for seed in range(seeds):
        if seed not in done:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield from list(distances(ROWS, seed))


def _write(path: Path, text: str) -> None:
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
