"""Report: the result of the identification benchmark as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.identify.peers import CONTESTANTS

LISTED = 25
"""As many crashes of random graphs are listed in the text; all are in the JSON file."""


def markdown(result: Mapping[str, Any]) -> str:
    """All tables, and every disagreement with its explanation."""
    environment = result["environment"]
    packages = ", ".join(f"{name} {number}" for name, number in environment["packages"].items())
    large = result["thousand nodes"]
    lines = [
        "# Identification beside y0, ananke and pyAgrum",
        "",
        f"`{result['command']}`",
        "",
        f"Python {environment['python']}, {environment['cpu']}; {packages}.",
        "",
        "## Speed: CPU milliseconds, medians of calls that take turns",
        "",
        *_speed_table(result["speed"]),
        "",
        "causalflow: the query as text to the Verdict, with estimand and derivation; *printed*: and"
        " the estimand's text; *first*: the first question about a graph. In brackets: times"
        " causalflow's time. pyAgrum's call also evaluates its formula on a binary network;"
        " ananke's gives fixing orders, no formula.",
        "",
        f"A random graph of {large['nodes']:,} nodes, {large['directed']:,} directed and"
        f" {large['bidirected']} bidirected edges: {large['query']} in {large['ms']} ms.",
    ]
    for title, part in result["agreement"].items():
        lines += ["", *_agreement(title, part)]
    return "\n".join(lines) + "\n"


def _speed_table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    own = ["causalflow", "causalflow, printed", "causalflow, first"]
    names = [*own, *[name for name in CONTESTANTS if name != "causalflow"]]
    table = []
    for row in rows:
        cells = [row["failed"].get(name) or _time(row, name) for name in names]
        table.append([row["graph"], *cells])
    return _table(["graph", *names], table)


def _time(row: Mapping[str, Any], name: str) -> str:
    number = f"{row['ms'][name]:.3g}"
    return number if name.startswith("causalflow") else f"{number} ({row['times ours'][name]:.1f}x)"


def _agreement(title: str, part: Mapping[str, Any]) -> list[str]:
    yes = part["identifiable"]
    rows = [list(map(str, row.values())) for row in part["summary"]]
    listed = part["disagreements"]
    crashes = [each for each in listed if each["said"] == "crash"]
    others = [each for each in listed if each["said"] != "crash"]
    shown = crashes if title == "named" else crashes[:LISTED]
    kinds = Counter((each["contestant"], each["note"].split(":")[0]) for each in crashes)
    counted = ", ".join(f"{who} {kind} {count}" for (who, kind), count in sorted(kinds.items()))
    return [
        f"## Agreement on {part['cases']} questions, {title} graphs ({yes} identifiable)",
        "",
        *_table(list(part["summary"][0]), rows),
        "",
        "A verdict is *other* than causalflow's; a formula is *wrong* where it is off by more than"
        " 1e-9 on P(v) of random models with latents.",
        "",
        f"Other verdicts and wrong formulas, {len(others)} in all:",
        "",
        *_list(others),
        "",
        f"Crashes, {len(crashes)} in all ({counted or 'none'}), {len(shown)} listed:",
        "",
        *_list(shown),
    ]


def _list(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"- {each['case']}: {each['contestant']} on `{each['query']}` in `{each['edges']}`:"
        f" {each['explanation']}"
        for each in findings
    ] or ["- none"]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]
