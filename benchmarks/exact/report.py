"""Report: what was measured, as Markdown."""

from __future__ import annotations

from statistics import mean
from typing import Any

STAGES = {
    "first": "first",
    "again": "again",
    "eight": "8 again",
    "batch": "rows",
    "distinct": "rows, the peer given each different row only once",
}
HEAD = """\
# Exact inference

`{command}`

{machine}

P(y | do(x)) and P(y | do(x), e) with two nodes as evidence, random x, y, e; x and e drawn from
P(v | do(x)). Mean over the questions of a network of each question's median, milliseconds of wall
time; contestants take turns. Every package starts from the network in its own form, with the same
numbers (each row of a table divided by its sum).

* *first*: causalflow `ExactModel(graph).ask(query, evidence)`, all of it; pgmpy `network.do([x])`,
  `VariableElimination` on it and `query`; pyAgrum a copy of the network without the arcs into x,
  `LazyPropagation` with y as target, and `posterior`.
* *again*: the same signature with other values of x and e. causalflow `ask` on the same model (from
  the second call on, a signature with few combinations is a look-up in a table that it made);
  pgmpy `query` on the same object; pyAgrum `chgEvidence`, `makeInference`, `posterior`.
* *8 again*: the same with eight nodes as evidence.
* *rows*: a batch with eight nodes as evidence, seconds from a fresh model to all the answers;
  pgmpy and pyAgrum are timed on the first rows for some seconds, one row after the other as in
  *again*, and extrapolated.
* ratios are peer / causalflow: above 1, causalflow is faster.

Where a peer is ahead: pyAgrum's first call is C++ throughout, while here the query is read, the
network pruned and the contraction planned in Python; with eight nodes as evidence the table of all
evidence is mostly too large to be made, and each step of the contraction costs Python some 10
microseconds. Read the ratios rather than the times, which are those of the machine named above.
"""


def markdown(result: dict[str, Any], part: str = "all") -> str:
    """The whole report, or the lines of its networks."""
    if part == "line":
        return _lines(result["networks"])
    about = result["machine"]
    software = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
    shown = f"{about['processor']}, {about['cores']} cores; Python {about['python']}, {software}"
    given = " ".join(f"--{name} {value}" for name, value in result["arguments"].items())
    text = HEAD.format(command=f"python -m benchmarks.exact {given}", machine=shown)
    text += (
        "\n| network (nodes) | first ms: cf, pgmpy, pyAgrum | ratios | again ms | ratios |"
        " 8 again ms | ratios | rows s (distinct) | ratios | disagreement |\n"
        "|---|---|---|---|---|---|---|---|---|---|\n"
    )
    text += _lines(result["networks"]) + "\n" + _verdict(result["networks"])
    return text + (_scale(result) if "large" in result else "")


def _lines(networks: list[dict[str, Any]]) -> str:
    return "".join(_line(network) for network in networks)


def _line(network: dict[str, Any]) -> str:
    asked = [each for each in network["questions"] if "first" in each]
    cells = [f"{network['network']} ({network['nodes']})"]
    cells += _times([each["first"] for each in asked])
    cells += _times([each["again"] for each in asked])
    cells += _times([network["eight"]["again"]]) if "again" in network["eight"] else ["refused", ""]
    batch = network["batch"]
    if "seconds" in batch:
        seconds = batch["seconds"]
        cells += [", ".join(f"{s:.3g}" for s in seconds.values()) + f" ({batch['distinct']:,})"]
        cells += [_ratios(seconds)]
    else:
        cells += ["refused", ""]
    records = [*asked, network["eight"], batch]
    worst = max(each.get("disagreement", 0.0) for each in records)
    return f"| {' | '.join([*cells, f'{worst:.0e}'])} |\n"


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
    text = (
        "\nRandom networks of 1,000 nodes with tables (noise monotone), P(y[x=1]=1 | x=0, z=1),"
        " from the graph to the answer. Widths are upper bounds by min-fill: of the network, and of"
        " its whole twin network with an explicit exogenous variable for each node.\n\n"
        "| k | width | twin width | ancestors of y, z | of these below x | wall s | CPU s |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    for row in result["large"]:
        cells = [row[key] for key in ("k", "width", "twin_width", "ancestors", "copied")]
        cells += [f"{row['seconds']:.2f}", f"{row['cpu']:.2f}"]
        text += f"| {' | '.join(map(str, cells))} |\n"
    text += "\nThe paper's augmented SCM, a column of images as evidence, from a fresh model.\n\n"
    text += "| query | rows | evidence | wall s | CPU s |\n|---|---|---|---|---|\n"
    for row in result["many"]:
        query = row["query"].replace("|", "\\|")
        numbers = f"{row['seconds']:.3f} | {row['cpu']:.3f}"
        text += f"| `{query}` | {row['rows']:,} | {row['evidence']} | {numbers} |\n"
    return text
