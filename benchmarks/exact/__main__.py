"""Exact inference beside pgmpy and pyAgrum: the first call, the repeated call, 100,000 rows.

    python -m benchmarks.exact                         about ten minutes; the committed results
    python -m benchmarks.exact --networks asia --repeats 3 --rows 1000 --no-large --out results

What is timed is in the header of the printed report. Contestants take turns in one process.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.exact.contest import Contest
from benchmarks.exact.networks import NAMES, bnlearn, questions
from benchmarks.exact.report import markdown
from benchmarks.exact.scale import large_networks, many_rows
from benchmarks.folders import RESULTS
from benchmarks.machine import machine
from causalflow.formats.formats import load

TOLERANCE = 1e-7
Row = dict[str, Any]


@click.command(context_settings={"max_content_width": 100})
@click.option("--networks", "-n", multiple=True, default=NAMES, help="Networks (default: twelve).")
@click.option("--effects", default=5, show_default=True, help="Random pairs x, y a network.")
@click.option("--repeats", default=15, show_default=True, help="Turns of each contestant.")
@click.option("--rows", default=100_000, show_default=True, help="Rows of a batch of evidence.")
@click.option("--peer-seconds", default=4.0, show_default=True, help="For a peer's share of them.")
@click.option("--seed", default=0, show_default=True, help="Of questions, rows, random networks.")
@click.option("--large/--no-large", default=True, help="The random networks and the 10^6 rows.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS,
    show_default="benchmarks/results",
    help="Where exact.json and exact.md are written.",
)
def main(
    networks: Sequence[str],
    effects: int,
    repeats: int,
    rows: int,
    peer_seconds: float,
    seed: int,
    large: bool,
    out: Path,
) -> None:
    """Time P(y | do(x)) and P(y | do(x), e) on real Bayesian networks, three engines in turns.

    Needs the extra: pip install -c constraints.txt -e ".[benchmarks]". Every answer is compared, on
    the first call and on the batch; a disagreement above 1e-7 ends the run with exit code 1.

    Example: python -m benchmarks.exact -n asia -n alarm --repeats 5 --rows 10000 --no-large
    """
    arguments: dict[str, Any] = {"effects": effects, "repeats": repeats, "rows": rows}
    arguments |= {"peer-seconds": peer_seconds, "seed": seed}
    result: dict[str, Any] = {"machine": machine(), "arguments": arguments, "networks": []}
    for name in networks:
        graph = load(bnlearn(name))
        contest = Contest(graph, seed)
        asked = [contest.question(q, repeats) for q in questions(graph, effects, seed, (0, 2))]
        deep = contest.question(questions(graph, 1, seed + 1, (8,))[0], repeats)
        batch = contest.batch(questions(graph, 1, seed + 1, (8,))[0], rows, peer_seconds)
        found = {"network": name, "nodes": len(graph.nodes)} | {"batch": batch}
        result["networks"].append(found | {"questions": asked, "eight": deep})
        click.echo(markdown({**result, "networks": result["networks"][-1:]}, part="line"), nl=False)
    if large:
        result |= {"large": large_networks(seed), "many": many_rows(seed)}
    out.mkdir(parents=True, exist_ok=True)
    (out / "exact.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (out / "exact.md").write_text(markdown(result), encoding="utf-8")
    click.echo("\n" + markdown(result))
    worst = max(_disagreements(result["networks"]), default=0.0)
    if worst > TOLERANCE:
        raise SystemExit(f"benchmarks: the engines disagree by {worst:.1e}, above {TOLERANCE:.0e}")


def _disagreements(networks: Sequence[Row]) -> list[float]:
    records = [each for row in networks for each in (*row["questions"], row["eight"], row["batch"])]
    return [each["disagreement"] for each in records if "disagreement" in each]


if __name__ == "__main__":
    main()
