"""Tables: what the parts of the benchmark found, as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.counterfactual_targets import targets

__all__ = ["report", "results"]

HEAD = """\
# Counterfactual images against the truth

Errors of pictures are mean absolute differences in grey levels (0 to 255), +- half of the 95 %
interval; *plain*: without the residual. *unchanged* is the error of a method that returns the
factual picture, *floor* that of the judge on real pictures. Seconds are of abducting all images and
predicting one intervention, the device waited for, warm. *calls* are passes of an image through the
denoiser; without those that find the residual in brackets.
"""
NUMBERS = {"pixels": "px", "grey levels": "levels", "share": ""}
Row = Mapping[str, Any]


def results(out: Path) -> dict[str, Any]:
    """What each part wrote, by its name."""
    found = {}
    for path in sorted(out.glob("counterfactual_*.json")):
        found[path.stem.removeprefix("counterfactual_")] = json.loads(
            path.read_text(encoding="utf-8")
        )
    return found


def report(out: Path) -> str:
    """The whole report of the parts there are."""
    found = results(out)
    if not found:
        return "no results\n"
    text = [HEAD, *_machines(found)]
    if aims := targets(found):
        lines = [[*aim[:3], "yes" if aim[3] else "**no**"] for aim in aims]
        text += ["## Targets\n", *_markdown(["asked", "measured", "beside", "met"], lines)]
    for part, note in (("main", ""), ("others", ", other settings")):
        rows = found.get(part, {}).get("rows", ())
        for net in dict.fromkeys(row["net"] for row in rows):
            text += _net(f"{net}{note}", [row for row in rows if row["net"] == net])
    if found.get("main", {}).get("pairs"):
        text += _pairs(found["main"]["pairs"])
    if "confounding" in found:
        text += _confounding(found["confounding"])
    if found.get("partial", {}).get("rows"):
        text += _partial(found["partial"])
    if found.get("speed", {}).get("rows"):
        text += _speed(found["speed"]["rows"])
    if "stream" in found:
        text += _stream(found["stream"])
    text += _skipped(found)
    return "\n".join(text) + "\n"


def _machines(found: Mapping[str, Row]) -> list[str]:
    """Which parts were measured where: they may be of several runs."""
    parts: dict[str, list[str]] = {}
    for part, each in found.items():
        if each.get("rows"):
            parts.setdefault(_machine(each), []).append(part)
    return [f"* {', '.join(names)}: {machine}" for machine, names in parts.items()] + [""]


def _machine(about: Row) -> str:
    used, given = about["machine"], about["arguments"]
    device = used["device"]
    if device == "cpu":
        device = f"{used['threads']} threads of {used['processor']}"
    text = f"{device}, torch {used['torch']}; split {given['split']}."
    return text + (" A REHEARSAL: few images, few steps." if given["quick"] else "")


def _net(net: str, rows: Sequence[Row]) -> list[str]:
    """Two tables: what it costs and how far off it is, what the pictures show."""
    known = [n for n, found in rows[0]["interventions"].items() if "true" in found]
    unchanged = ", ".join(
        f"do({n}) {_number(rows[0]['interventions'][n]['true unchanged'])}" for n in known
    )
    head = ["setting", "n", "calls (plain)", "s", "MiB", "composition plain: mean / largest"]
    head += ["after 10", "kept", "reversed plain / kept"]
    head += [f"do({n}) (plain)" for n in known]
    lines = [
        [
            row["setting"],
            row["n"],
            f"{row['calls']:.0f} ({row['calls_plain']:.0f})",
            f"{row['seconds']:.2f}",
            "" if row["memory_mib"] is None else f"{row['memory_mib']:.0f}",
            _composed(row["composition"], "plain"),
            _composed(row["composition"], "plain 10"),
            _composed(row["composition"], "kept"),
            " / ".join(
                _short(row["reversibility"][k]["value"])
                for k in ("plain", "kept")
                if k in row["reversibility"]
            ),
            *(_true(row["interventions"][n]) for n in known),
        ]
        for row in rows
    ]
    text = [f"\n## {net}\n", f"Unchanged picture: {unchanged or 'not known'}.\n"]
    return [*text, *_markdown(head, lines), "", *_shown(rows)]


def _shown(rows: Sequence[Row]) -> list[str]:
    """What the pictures show, a column for each intervention and attribute."""
    pairs = [
        (what, name)
        for what, found in rows[0]["interventions"].items()
        for name in found["attributes"]
    ]
    head = ["setting", *(f"do({what}): {name}" for what, name in pairs)]

    def attribute(row: Row, pair: tuple[str, str]) -> Row:
        found: Row = row["interventions"][pair[0]]["attributes"][pair[1]]
        return found

    lines = [
        [row["setting"], *(_attribute(attribute(row, pair)) for pair in pairs)] for row in rows
    ]
    for name in ("floor", "unchanged"):
        values = (_number(attribute(rows[0], pair)[name]) for pair in pairs)
        lines.append([f"*{name}*", *values])
    note = "Share that shows it, or mean error; [drift beyond the floor] of what was to stay."
    return [note, "", *_markdown(head, lines)]


def _attribute(found: Row) -> str:
    text = _number(found["read"])
    if not found["moved"] and "drift" in found:
        text += f" [{found['drift']['value']:+.3g}]"
    return text


def _pairs(pairs: Iterable[Row]) -> list[str]:
    lines = [
        [
            f"do({pair['intervention']})",
            " ".join(pair["ours"]),
            " ".join(pair["other"]),
            _interval(pair["difference"]),
            _interval(pair["ratio"]),
            pair["difference"]["count"],
        ]
        for pair in pairs
    ]
    head = [
        "",
        "ours",
        "other",
        "other - ours, grey levels (95 %)",
        "other : ours (95 %)",
        "images",
    ]
    return ["\n## The same images, paired\n", *_markdown(head, lines)]


def _confounding(found: Row) -> list[str]:
    lines = []
    for row in found["rows"]:
        shown = row["interventions"]["color"]
        by = shown["attributes"]
        lines.append(
            [
                row["net"].removeprefix("confounded_"),
                row["setting"],
                row["size"],
                row["n"],
                f"{row['calls']:.0f}",
                _number(by["color"]["read"]),
                _number(by["digit"]["read"]),
                _number(by["digit"].get("read, rare", by["digit"]["read"])),
                _number(by["digit"]["floor"]),
                _number(by["bar"]["read"]),
                _true(shown),
                _number(shown["true unchanged"]),
            ]
        )
    head = ["net", "guidance", "pixels a side", "n", "calls", "colour set", "digit kept"]
    head += [
        "digit kept, colour now rare",
        "ceiling",
        "bar kept",
        "true error (plain)",
        "unchanged",
    ]
    evidence = found.get("evidence", "")
    text = [f"\n## Confounding: do(color), evidence with {evidence}\n", *_markdown(head, lines)]
    return [*text, *(["", found["note"]] if "note" in found else ())]


def _partial(found: Row) -> list[str]:
    shown = (("color", "color"), ("bar", "bar"), ("digit", "digit"), ("color", "digit"))
    lines = [
        [
            row["net"],
            *(_number(row["interventions"][a]["attributes"][b]["read"]) for a, b in shown),
            *(_true(row["interventions"][name]) for name in ("color", "bar")),
        ]
        for row in found["rows"]
    ]
    head = ["net", *(f"do({what}): {name}" for what, name in shown)]
    head += ["do(color) true", "do(bar) true"]
    text = ["\n## Partly labelled\n", *_markdown(head, lines), ""]
    ratios = [
        [
            each["net"],
            each["error"],
            *(_short(each[k]) for k in ("all", "fifth", "fifth_only")),
            _interval(each["ratio"]),
        ]
        for each in found.get("ratios", ())
    ]
    head = ["net", "error", "all", "fifth", "fifth only", "(fifth - all) / (fifth only - all)"]
    return [*text, *(_markdown(head, ratios) if ratios else ())]


def _speed(rows: Iterable[Row]) -> list[str]:
    lines = [
        [
            row["net"],
            row["way"],
            row["images"],
            f"{row['default_seconds']:.3f}",
            f"{row['papers_seconds']:.2f}",
            f"{row['ratio']:.1f}",
            f"{row['default_images_per_second']:.0f}",
            f"{row['papers_images_per_second']:.1f}",
        ]
        for row in rows
    ]
    head = ["net", "network", "batch", "default s", "papers s", "ratio"]
    return ["\n## Speed\n", *_markdown([*head, "default images/s", "papers images/s"], lines)]


def _stream(found: Row) -> list[str]:
    if "rows" not in found:
        return []
    memory = ", ".join(f"{at}: {mib:.0f}" for at, mib in found["memory_mib"].items())
    return [
        "\n## Stream\n",
        f"{found['rows']} pictures; killed after {found['killed_after_batches']} batches, resumed "
        f"from {found['resumed_from']}, {found['seconds']:.1f} s. Resident MiB by rows written: "
        f"{memory}.",
    ]


def _skipped(found: Mapping[str, Any]) -> list[str]:
    skipped = [each for part in found.values() for each in part.get("skipped", ())]
    if not skipped:
        return []
    named: dict[tuple[str, str], list[str]] = {}
    for each in skipped:
        named.setdefault((each["net"], each["why"]), []).append(each["setting"])
    lines = (f"* {net}, {why}: {'; '.join(names)}" for (net, why), names in named.items())
    return ["\n## Left out\n", *lines]


def _markdown(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> list[str]:
    rule = "|" + "---|" * len(head)
    return [_cells(head), rule, *(_cells(line) for line in lines)]


def _cells(line: Sequence[Any]) -> str:
    return "| " + " | ".join(str(cell) for cell in line) + " |"


def _composed(found: Row, name: str) -> str:
    if name not in found:
        return ""
    return f"{_short(found[name]['value'])} / {_short(found[name]['largest'])}"


def _true(found: Row) -> str:
    text, plain = _number(found["true"]), _short(found["true plain"]["value"])
    return f"{text} ({plain})"


def _number(score: Row) -> str:
    if score["unit"] == "share":
        return (
            f"{100 * score['value']:.1f} % ({100 * score['low']:.1f} to {100 * score['high']:.1f})"
        )
    half = (score["high"] - score["low"]) / 2
    unit = NUMBERS[score["unit"]]
    return f"{_short(score['value'])} +- {_short(half)} {unit}".rstrip()


def _interval(score: Row) -> str:
    return f"{score['value']:.3g} ({score['low']:.3g} to {score['high']:.3g})"


def _short(value: float) -> str:
    return f"{value:.2g}" if abs(value) < 0.1 else f"{value:.2f}"
