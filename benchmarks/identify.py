"""Identification beside y0, ananke and pyAgrum, in one run: how fast, and who is right.

    python -m benchmarks.identify                     everything, about five minutes
    python -m benchmarks.identify --graphs napkin --random 0

Speed: each contestant answers the same question about a graph object of its own, which it keeps;
contestants take turns of ten calls, and CPU time is counted. causalflow's time is that of the
user's whole call, from the query as text to the Verdict with estimand and derivation; text is made
when it is printed, so the time with ``str(verdict.estimand)`` stands beside it, and so does that of
the first question about a graph. y0 and ananke take sets of names and give a formula's terms
(ananke: the order of its fixing steps); pyAgrum's call also evaluates its formula on a network of
binary variables. Agreement: see `benchmarks.identify_agreement`.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib import metadata
from itertools import cycle
from pathlib import Path
from time import process_time
from typing import Any

import click
from tqdm import tqdm

import causalflow
from benchmarks.identify_agreement import compare, disagreements, summary
from benchmarks.identify_cases import ROOT, named_cases, random_cases, speed_cases, thousand_nodes
from benchmarks.identify_peers import CONTESTANTS, Case, Contestant, warm_up
from benchmarks.identify_report import markdown
from benchmarks.timing import interleaved

RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("y0", "ananke-causal", "pyagrum", "networkx", "numpy")
PRINTED = "causalflow, printed"
FIRST = "causalflow, first"
BUDGET = 60.0
"""Seconds after which no further round begins on a graph."""
TURN = 10
"""Calls in a row when it is a contestant's turn."""


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
    speed = [_speed(known[name], repeats, limit) for name in tqdm(chosen, desc="speed")]
    result = {
        "command": f"python -m benchmarks.identify --graphs {','.join(chosen)} --repeats {repeats}"
        f" --limit {limit:g} --random {count} --seed {seed}",
        "environment": _environment(),
        "speed": speed,
        "thousand nodes": _thousand(5),
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


def _speed(case: Case, repeats: int, limit: float) -> dict[str, Any]:
    """Median milliseconds by contestant, or why there are none; and how many times ours."""
    trials = {name: _trial(name, case, limit) for name in CONTESTANTS}
    well = [name for name, why in trials.items() if not why]
    calls = {name: _calls(CONTESTANTS[name], case, repeats) for name in well}
    calls[PRINTED] = _calls(CONTESTANTS["causalflow"], case, repeats, printed=True)
    calls[FIRST] = _calls(CONTESTANTS["causalflow"], case, repeats, first=True)
    found = _interleaved(calls, repeats)
    seconds = {name: each / TURN for name, each in found.items()}
    ours = seconds["causalflow"]
    return {
        "graph": case.name,
        "nodes": len(case.nodes),
        "query": case.query,
        "ms": {name: round(1e3 * each, 3) for name, each in seconds.items()},
        "times ours": {name: round(each / ours, 1) for name, each in seconds.items()},
        "failed": {name: why for name, why in trials.items() if why},
    }


def _interleaved(calls: Mapping[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Median CPU seconds of a turn; the garbage collector leaves what has been prepared alone."""
    gc.collect()
    gc.freeze()
    try:
        return interleaved(calls, repeats, budget=BUDGET, clock=process_time)
    finally:
        gc.unfreeze()


def _calls(
    contestant: Contestant,
    case: Case,
    repeats: int,
    *,
    printed: bool = False,
    first: bool = False,
) -> Callable[[], None]:
    """A turn: calls in a row on one graph, or each on a fresh graph that nobody has seen."""
    count = repeats * TURN
    cases = [_renamed(case, number) for number in range(count)] if first else [case]
    turns = cycle([(contestant.prepare(each), each) for each in cases])

    def answer() -> None:
        for _ in range(TURN):
            graph, each = next(turns)
            found = contestant.answer(graph, each)
            if printed:
                str(found.estimand)

    return answer


def _renamed(case: Case, number: int) -> Case:
    """The same graph with an idle node of another name, so that nothing kept can serve it."""
    return replace(case, nodes=(*case.nodes, f"idle{number}"))


def _trial(name: str, case: Case, limit: float) -> str:
    """One call in a process of its own: empty if it ends well, else what is wrong."""
    contestant = CONTESTANTS[name]
    child = multiprocessing.get_context("fork").Process(
        target=lambda: contestant.answer(contestant.prepare(case), case), daemon=True
    )
    child.start()
    child.join(limit)
    if child.is_alive():
        child.terminate()
        child.join()
        return f"over {limit:g} s"
    return "" if child.exitcode == 0 else "crashes"


def _thousand(repeats: int) -> dict[str, Any]:
    case = thousand_nodes()
    call = _calls(CONTESTANTS["causalflow"], case, repeats)
    seconds = _interleaved({"causalflow": call}, repeats)["causalflow"] / TURN
    return {
        "nodes": len(case.nodes),
        "directed": len(case.directed),
        "bidirected": len(case.bidirected),
        "query": case.query,
        "ms": round(1e3 * seconds, 1),
    }


def _agreement(cases: Iterable[Case], seed: int) -> dict[str, Any]:
    results = [*compare(cases, seed)]
    return {
        "cases": len(results),
        "identifiable": sum(each["causalflow"].said == "yes" for each in results),
        "summary": summary(results),
        "disagreements": disagreements(results),
    }


def _environment() -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    return {
        "python": platform.python_version(),
        "cpu": model or platform.processor() or platform.machine(),
        "packages": {"causalflow": causalflow.__version__}
        | {name: metadata.version(name) for name in PACKAGES},
    }


if __name__ == "__main__":
    main()
