"""Report: what was measured, as Markdown."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.markdown import markdown as table

STAGES = {
    "first": "first",
    "again": "again",
    "eight": "8 again",
    "batch": "rows",
    "distinct": "rows, the peer given each different row only once",
}
HEAD = Path(__file__).with_name("head.md")


def markdown(result: dict[str, Any], part: str = "all") -> str:
    """The whole report, or the lines of its networks."""
    if part == "line":
        return "".join(f"| {' | '.join(_cells(network))} |\n" for network in result["networks"])
    about = result["machine"]
    software = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
    shown = f"{about['processor']}, {about['cores']} cores; Python {about['python']}, {software}"
    given = " ".join(f"--{name} {value}" for name, value in result["arguments"].items())
    text = HEAD.read_text(encoding="utf-8").format(
        command=f"python -m benchmarks.exact {given}", machine=shown
    )
    head = ["network (nodes)", "first ms: cf, pgmpy, pyAgrum", "ratios", "again ms", "ratios",
            "8 again ms", "ratios", "rows s (distinct)", "ratios", "disagreement"]  # fmt: skip
    text += "\n" + "\n".join(table(head, map(_cells, result["networks"]))) + "\n"
    text += "\n" + _verdict(result["networks"])
    return text + (_scale(result) if "large" in result else "")


def _cells(network: dict[str, Any]) -> list[str]:
    asked = [each for each in network["questions"] if "first" in each]
    cells = [f"{network['network']} ({network['nodes']})"]
    cells += _times([each["first"] for each in asked])
    cells += _times([each["again"] for each in asked])
    cells += _times([network["eight"]["again"]]) if "again" in network["eight"] else ["refused", ""]
    batch = network["batch"]
    if "seconds" in batch:
        shown = ", ".join(f"{s:.3g}" for s in batch["seconds"].values())
        cells += [f"{shown} ({batch['distinct']:,})", _ratios(batch["seconds"])]
    else:
        cells += ["refused", ""]
    records = [*asked, network["eight"], batch]
    return [*cells, f"{max(each.get('disagreement', 0.0) for each in records):.0e}"]


def _times(each: list[dict[str, float]]) -> list[str]:
    means = _means(each)
    return [", ".join(f"{1e3 * s:.3g}" for s in means.values()), _ratios(means)]


def _means(each: list[dict[str, float]]) -> dict[str, float]:
    return {name: mean(times[name] for times in each) for name in each[0]} if each else {}


def _ratios(seconds: dict[str, float]) -> str:
    own = seconds.get("causalflow", 1.0)
    return ", ".join(f"{s / own:.3g}" for name, s in seconds.items() if name != "causalflow")


def _verdict(networks: list[dict[str, Any]]) -> str:
    """Where a peer was faster; "distinct": had the peer been given each different row once."""
    text = ""
    for stage in STAGES:
        for peer in ("pgmpy", "pyagrum"):
            slower = [n["network"] for n in networks if _is_slower(n, stage, peer)]
            count = len(networks) - len(slower)
            text += f"* {STAGES[stage]}: faster than {peer} on {count} of {len(networks)} networks"
            text += f"; not on {', '.join(slower)}\n" if slower else "\n"
    refused = [q for n in networks for q in n["questions"] if "refused" in q]
    return text + "".join(f"* refused: {q['question']}: {q['refused']}\n" for q in refused)


def _is_slower(network: dict[str, Any], stage: str, peer: str) -> bool:
    if stage == "batch":
        times = network["batch"].get("seconds", {})
    elif stage == "distinct":
        batch = network["batch"]
        share = batch["distinct"] / batch["rows"]
        times = {n: s * share for n, s in batch.get("seconds", {}).items()}
        times |= {"causalflow": batch["seconds"]["causalflow"]} if times else {}
    elif stage == "eight":
        times = network["eight"].get("again", {})
    else:
        times = _means([q[stage] for q in network["questions"] if stage in q])
    return not times or times[peer] <= times["causalflow"]


def _scale(result: dict[str, Any]) -> str:
    large = [
        [*(row[key] for key in ("k", "width", "twin_width", "ancestors", "copied")),
         f"{row['seconds']:.2f}", f"{row['cpu']:.2f}"]
        for row in result["large"]
    ]  # fmt: skip
    many = [
        [f"`{row['query']}`", f"{row['rows']:,}", row["evidence"], f"{row['seconds']:.3f}",
         f"{row['cpu']:.3f}"]
        for row in result["many"]
    ]  # fmt: skip
    widths = ["k", "width", "twin width", "ancestors of y, z", "of these below x"]
    lines = [
        "",
        "Random networks of 1,000 nodes with tables (noise monotone), P(y[x=1]=1 | x=0, z=1), from "
        "the graph to the answer. Widths are upper bounds by min-fill: of the network, and of its "
        "whole twin network with an explicit exogenous variable for each node.",
        "",
        *table([*widths, "wall s", "CPU s"], large),
        "",
        "The paper's augmented SCM, a column of images as evidence, from a fresh model.",
        "",
        *table(["query", "rows", "evidence", "wall s", "CPU s"], many),
    ]
    return "\n".join(lines) + "\n"
