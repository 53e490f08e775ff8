"""Effects from rows beside EconML and DoWhy: bias, coverage of 95 % intervals, CPU seconds.

python -m benchmarks.effects measure --kept effects.jsonl     some 30 minutes; goes on when rerun
python -m benchmarks.effects report --kept effects.jsonl      the committed results
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

import causalflow as cf
from benchmarks.effects.designs import ADJUSTED, Columns, Design
from benchmarks.effects.indirect import INDIRECT
from benchmarks.effects.indirect_peers import PEERS_BY_WAY
from benchmarks.effects.peers import PEERS, quiet
from benchmarks.folders import RESULTS
from benchmarks.machine import machine
from benchmarks.markdown import markdown

DESIGNS = (*ADJUSTED, *INDIRECT)
OURS = "causalflow"
PACKAGES = ("numpy", "scikit-learn", "econml", "dowhy")
HEAD = Path(__file__).with_name("head.md")
Record = dict[str, Any]

kept_option = click.option(
    "--kept",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("effects.jsonl"),
    show_default=True,
    help="A line for each estimate; what stands there is not measured again.",
)


@click.group(context_settings={"max_content_width": 100})
def main() -> None:
    """Estimate effects of which the truth is known, and count how often intervals hold it."""


@main.command()
@kept_option
@click.option("--sets", default=200, show_default=True, help="Data sets of each design.")
@click.option("--peer-sets", default=20, show_default=True, help="Of these, for the peers.")
@click.option("--rows", default=1_000, show_default=True, help="Rows of each.")
@click.option("--design", "names", multiple=True, help="Designs by name (default: all).")
def measure(kept: Path, sets: int, peer_sets: int, rows: int, names: Sequence[str]) -> None:
    """Draw the data sets with the seeds 0, 1, ... and estimate each."""
    quiet()
    done = {(each["design"], each["by"], each["seed"]) for each in _records(kept)}
    chosen = [each for each in DESIGNS if not names or each.name in names]
    with kept.open("a", encoding="utf-8") as file:
        for seed in range(sets):
            for design in chosen:
                for record in _measured(design, seed, rows, seed < peer_sets, done):
                    file.write(json.dumps(record) + "\n")
                    file.flush()


def _measured(
    design: Design, seed: int, rows: int, with_peers: bool, done: set[tuple[str, str, int]]
) -> Iterator[Record]:
    """The estimates of one data set that are not made yet."""
    columns = design.draw(np.random.default_rng(seed), rows)
    peers = PEERS_BY_WAY[design.way] if with_peers and design.treatment else {}
    for by, ask in {OURS: ours, **peers}.items():
        if (design.name, by, seed) in done:
            continue
        start = time.process_time()
        value, low, high = ask(design, columns)
        seconds = time.process_time() - start
        record = {"design": design.name, "by": by, "seed": seed, "value": value}
        yield record | {"low": low, "high": high, "seconds": seconds}


def ours(design: Design, columns: Columns) -> tuple[float | None, float, float]:
    """The estimate by `Verdict.estimate`; None where it is an interval alone."""
    verdict = cf.identify(cf.Graph(edges=list(design.edges)), design.query)
    found = verdict.estimate(columns, **design.options)
    low, high = found.interval
    value = None if found.value is None else float(found.value)
    return value, float(low), float(high)  # type: ignore[arg-type]


def _records(kept: Path) -> list[Record]:
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    return [json.loads(line) for line in lines]


@main.command()
@kept_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS,
    show_default="benchmarks/results",
    help="Where effects.json and effects.md are written.",
)
def report(kept: Path, out: Path) -> None:
    """Write bias, coverage and seconds of each design and contestant."""
    records = _records(kept)
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for each in records:
        groups[each["design"], each["by"]].append(each)
    found = [
        summary(design, by, groups[design.name, by])
        for design in DESIGNS
        for by in (OURS, *PEERS)
        if (design.name, by) in groups
    ]
    out.mkdir(parents=True, exist_ok=True)
    result = {"machine": machine(PACKAGES), "designs": found}
    text = json.dumps(result, indent=1, allow_nan=False) + "\n"
    (out / "effects.json").write_text(text, encoding="utf-8")
    (out / "effects.md").write_text(_text(found), encoding="utf-8")
    click.echo(_text(found))


def summary(design: Design, by: str, records: Sequence[Record]) -> Record:
    """What the estimates of one design by one contestant amount to."""
    values = np.array([each["value"] for each in records if each["value"] is not None])
    told = [each for each in records if not np.isnan(each["low"])]
    holds = [each["low"] <= design.truth <= each["high"] for each in told]
    widths = [each["high"] - each["low"] for each in told]
    return {
        "design": design.name,
        "by": by,
        "truth": design.truth,
        "sets": len(records),
        "coverage": float(np.mean(holds)) if told else None,
        "bias": float(values.mean() - design.truth),
        "bias_error": float(values.std() / np.sqrt(len(values))),
        "rmse": float(np.sqrt(np.mean((values - design.truth) ** 2))),
        "width": _number(float(np.median(widths))) if told else None,
        "bounds": len(records) - len(values),
        "seconds": float(np.median([each["seconds"] for each in records])),
    }


def _number(value: float) -> float | str:
    """The number, as JSON has it: "inf" where it is infinite."""
    return value if np.isfinite(value) else str(value)


def _text(found: Sequence[Record]) -> str:
    head = ["design", "by", "data sets", "coverage", "bias ± its standard error", "RMSE", "width"]
    lines = [
        [
            each["design"] if each["by"] == OURS else "",
            each["by"],
            each["sets"],
            "" if each["coverage"] is None else f"{each['coverage']:.1%}",
            f"{each['bias']:+.4f} ± {each['bias_error']:.4f}",
            f"{each['rmse']:.4f}",
            "" if each["width"] is None else f"{float(each['width']):.3f}",
            each["bounds"] or "",
            f"{each['seconds']:.2f}",
        ]
        for each in found
    ]
    table = markdown([*head, "bounds only", "CPU s"], lines)
    laws = markdown(["design", "question", "truth", "law"], map(_law, DESIGNS))
    return "\n".join([HEAD.read_text(encoding="utf-8"), *table, "", *laws, ""])


def _law(design: Design) -> list[str]:
    return [design.name, f"`{design.query}`", f"{design.truth:.4g}", design.equations]


if __name__ == "__main__":
    main()
