"""Identification beside y0, ananke and pyAgrum, in one run: how fast, and who is right.

    python -m benchmarks.identify                     everything, about five minutes
    python -m benchmarks.identify --graphs napkin --random 0

Speed: each contestant answers the same question about a graph object of its own, which it keeps;
contestants take turns of ten calls, and CPU time is counted. causalflow's time is that of the
user's whole call, from the query as text to the Verdict with estimand and derivation; text is made
when it is printed, so the time with ``str(verdict.estimand)`` stands beside it, and so does that of
the first question about a graph. y0 and ananke take sets of names and give a formula's terms
(ananke: the order of its fixing steps); pyAgrum's call also evaluates its formula on a network of
binary variables. Agreement: see `benchmarks.identify.agreement`.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

import causalflow
from benchmarks.folders import RESULTS
from benchmarks.identify.agreement import compare, disagreements, summary
from benchmarks.identify.cases import named_cases, random_cases, speed_cases
from benchmarks.identify.peers import Case, warm_up
from benchmarks.identify.report import markdown
from benchmarks.identify.speed import speed, thousand
from benchmarks.machine import processor

PACKAGES = ("y0", "ananke-causal", "pyagrum", "networkx", "numpy")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--graphs", default=",".join(speed_cases()), show_default=True, metavar="NAMES",
              help="Graphs of the speed table, separated by commas.")  # fmt: skip
@click.option("--repeats", default=31, show_default=True, help="Rounds; medians are reported.")
@click.option("--limit", default=20.0, show_default=True,
              help="Seconds after which a contestant is left out of a graph.")  # fmt: skip
@click.option("--random", "count", default=1000, show_default=True,
              help="Random graphs (3 to 9 nodes) to compare verdicts and formulas on.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Of the random graphs and models.")
@click.option("--out", default=RESULTS, show_default="benchmarks/results",
              type=click.Path(path_type=Path, file_okay=False),
              help="Folder for identify.json and identify.md.")  # fmt: skip
def main(graphs: str, repeats: int, limit: float, count: int, seed: int, out: Path) -> None:
    """Time identification beside y0, ananke and pyAgrum, and find out who is right.

    Needs the three peers: pip install -c constraints.txt -e ".[benchmarks]", then pip install
    --no-deps -c constraints.txt ananke-causal (it asks for an older numpy than it needs). Writes a
    JSON file and the same as Markdown. Every formula is evaluated on random models with latents and
    compared with the truth.
    """
    known = speed_cases()
    chosen = [name.strip() for name in graphs.split(",") if name.strip()]
    if unknown := [name for name in chosen if name not in known]:
        raise click.UsageError(f"unknown graphs {unknown}; expected some of {[*known]}")
    warm_up()
    rows = [speed(known[name], repeats, limit) for name in tqdm(chosen, desc="speed")]
    result = {
        "command": f"python -m benchmarks.identify --graphs {','.join(chosen)} --repeats {repeats}"
        f" --limit {limit:g} --random {count} --seed {seed}",
        "environment": _environment(),
        "speed": rows,
        "thousand nodes": thousand(5),
        "agreement": {
            "named": _agreement(tqdm([*named_cases()], desc="named graphs"), seed),
            "random": _agreement(tqdm([*random_cases(count, seed)], desc="random graphs"), seed),
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "identify.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    text = markdown(result)
    (out / "identify.md").write_text(text, encoding="utf-8")
    click.echo(text)


def _agreement(cases: Iterable[Case], seed: int) -> dict[str, Any]:
    results = [*compare(cases, seed)]
    return {
        "cases": len(results),
        "identifiable": sum(each["causalflow"].said == "yes" for each in results),
        "summary": summary(results),
        "disagreements": disagreements(results),
    }


def _environment() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "cpu": processor(),
        "packages": {"causalflow": causalflow.__version__}
        | {name: metadata.version(name) for name in PACKAGES},
    }


if __name__ == "__main__":
    main()
