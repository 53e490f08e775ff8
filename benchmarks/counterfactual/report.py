"""Report: what the parts of the benchmark found, as one page of Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.counterfactual.targets import Row, between, targets
from benchmarks.markdown import markdown

UNITS = {"pixels": "px", "grey levels": "levels", "share": ""}
HEAD = """\
# Counterfactual images against the truth

Errors of pictures are mean absolute differences in grey levels (0 to 255), +- half of the 95 %
interval; *plain*: without the residual. *unchanged* is the error of a method that returns the
factual picture, *floor* that of the judge on real pictures. Seconds are of abducting all images and
predicting one intervention, the device waited for, warm. *calls* are passes of an image through the
denoiser; without those that find the residual in brackets.
"""


def results(out: Path) -> dict[str, Any]:
    """What each part wrote, by its name."""
    return {
        path.stem.removeprefix("counterfactual_"): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(out.glob("counterfactual_*.json"))
    }


def report(out: Path) -> str:
    """The whole report of the parts there are."""
    found = results(out)
    if not found:
        return "no results\n"
    rows = {part: each.get("rows", []) for part, each in found.items()}
    text = [HEAD, *_machines(found)]
    if aims := targets(found):
        lines = [[*aim[:3], "yes" if aim[3] else "**no**"] for aim in aims]
        text += ["## Targets\n", *markdown(["asked", "measured", "beside", "met"], lines)]
    for part, note in (("main", ""), ("others", ", other settings")):
        for net in dict.fromkeys(row["net"] for row in rows.get(part, ())):
            text += _of_net(f"{net}{note}", [row for row in rows[part] if row["net"] == net])
    if pairs := found.get("main", {}).get("pairs"):
        text += _pairs(pairs)
    if "confounding" in found:
        text += _confounding(found["confounding"])
    if rows.get("partial"):
        text += _partial(found["partial"])
    if rows.get("engine"):
        text += _engine(rows["engine"])
    if rows.get("speed"):
        text += _speed(rows["speed"])
    if rows.get("stream"):
        text += _stream(found["stream"])
    return "\n".join([*text, *_skipped(found)]) + "\n"


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


def _skipped(found: Mapping[str, Any]) -> list[str]:
    skipped = [each for part in found.values() for each in part.get("skipped", ())]
    if not skipped:
        return []
    named: dict[tuple[str, str], list[str]] = {}
    for each in skipped:
        named.setdefault((each["net"], each["why"]), []).append(each["setting"])
    lines = (f"* {net}, {why}: {'; '.join(names)}" for (net, why), names in named.items())
    return ["\n## Left out\n", *lines]


def _section(title: str, columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """A heading and a table, its columns by their heads."""
    return [f"\n## {title}\n", *markdown([*columns], zip(*columns.values(), strict=True))]


def _of_net(net: str, rows: Sequence[Row]) -> list[str]:
    """Two tables: what it costs and how far off it is, what the pictures show."""
    known = [n for n, found in rows[0]["interventions"].items() if "true" in found]
    unchanged = ", ".join(
        f"do({n}) {number(rows[0]['interventions'][n]['true unchanged'])}" for n in known
    )
    columns = {
        "setting": [row["setting"] for row in rows],
        "n": [row["n"] for row in rows],
        "calls (plain)": [f"{row['calls']:.0f} ({row['calls_plain']:.0f})" for row in rows],
        "s": [f"{row['seconds']:.2f}" for row in rows],
        "MiB": ["" if row["memory_mib"] is None else f"{row['memory_mib']:.0f}" for row in rows],
        "composition plain: mean / largest": [composed(row, "plain") for row in rows],
        "after 10": [composed(row, "plain 10") for row in rows],
        "kept": [composed(row, "kept") for row in rows],
        "reversed plain / kept": [_reversed(row["reversibility"]) for row in rows],
    }
    columns |= {f"do({n}) (plain)": [true(row["interventions"][n]) for row in rows] for n in known}
    title, *table = _section(net, columns)
    return [title, f"Unchanged picture: {unchanged or 'not known'}.\n", *table, "", *_shown(rows)]


def _reversed(found: Row) -> str:
    return " / ".join(short(found[k]["value"]) for k in ("plain", "kept") if k in found)


def _shown(rows: Sequence[Row]) -> list[str]:
    """What the pictures show, a column for each intervention and attribute."""
    columns = {"setting": [row["setting"] for row in rows] + ["*floor*", "*unchanged*"]}
    for what, found in rows[0]["interventions"].items():
        for name in found["attributes"]:
            each = [row["interventions"][what]["attributes"][name] for row in rows]
            beside = [number(each[0][key]) for key in ("floor", "unchanged")]
            columns[f"do({what}): {name}"] = [*map(_attribute, each), *beside]
    note = "Share that shows it, or mean error; [drift beyond the floor] of what was to stay."
    return [note, "", *_section("", columns)[1:]]


def _attribute(found: Row) -> str:
    drift = "" if found["moved"] or "drift" not in found else f" [{found['drift']['value']:+.3g}]"
    return number(found["read"]) + drift


def _pairs(pairs: Sequence[Row]) -> list[str]:
    """True errors of two settings on the same images, as difference and ratio."""
    columns = {
        "": [f"do({pair['intervention']})" for pair in pairs],
        "ours": [" ".join(pair["ours"]) for pair in pairs],
        "other": [" ".join(pair["other"]) for pair in pairs],
        "other - ours, grey levels (95 %)": [between(pair["difference"]) for pair in pairs],
        "other : ours (95 %)": [between(pair["ratio"]) for pair in pairs],
        "images": [pair["difference"]["count"] for pair in pairs],
    }
    return _section("The same images, paired", columns)


def _confounding(found: Row) -> list[str]:
    """do(color) by nets that saw colour and digit together."""
    rows = found["rows"]
    shown = [row["interventions"]["color"] for row in rows]
    by = [each["attributes"] for each in shown]
    columns = {
        "net": [row["net"].removeprefix("confounded_") for row in rows],
        "guidance": [row["setting"] for row in rows],
        "pixels a side": [row["size"] for row in rows],
        "n": [row["n"] for row in rows],
        "calls": [f"{row['calls']:.0f}" for row in rows],
        "colour set": [number(each["color"]["read"]) for each in by],
        "digit kept": [number(each["digit"]["read"]) for each in by],
        "digit kept, colour now rare": [
            number(each["digit"].get("read, rare", each["digit"]["read"])) for each in by
        ],
        "ceiling": [number(each["digit"]["floor"]) for each in by],
        "bar kept": [number(each["bar"]["read"]) for each in by],
        "true error (plain)": [*map(true, shown)],
        "unchanged": [number(each["true unchanged"]) for each in shown],
    }
    title = f"Confounding: do(color), evidence with {found.get('evidence', '')}"
    return [*_section(title, columns), *(["", found["note"]] if "note" in found else ())]


def _partial(found: Row) -> list[str]:
    """Nets with all labels and with a fifth of them, and the share of the loss that remains."""
    rows, ratios = found["rows"], found.get("ratios", ())
    shown = (("color", "color"), ("bar", "bar"), ("digit", "digit"), ("color", "digit"))
    columns = {key: [row[key] for row in rows] for key in ("net", "setting")}
    for a, b in shown:
        reads = [row["interventions"][a]["attributes"][b]["read"] for row in rows]
        columns[f"do({a}): {b}"] = [*map(number, reads)]
    for name in ("color", "bar"):
        columns[f"do({name}) true"] = [true(row["interventions"][name]) for row in rows]
    text = [*_section("Partly labelled", columns), ""]
    columns = {key: [each[key] for each in ratios] for key in ("net", "setting", "error")}
    for key in ("all", "fifth", "fifth_only"):
        columns[key.replace("_", " ")] = [short(each[key]) for each in ratios]
    columns["(fifth - all) / (fifth only - all)"] = [between(each["ratio"]) for each in ratios]
    return [*text, *(_section("", columns)[1:] if ratios else ())]


def _engine(rows: Sequence[Row]) -> list[str]:
    """Ways of running the engine, beside the limit of the device."""
    columns = {
        "net": [row["net"] for row in rows],
        "way": [row["name"] for row in rows],
        "pictures a call": [row["batch"] for row in rows],
        "threads": [row["threads"] for row in rows],
        "calls": [f"{row['calls']:.0f}" for row in rows],
        "pictures/s": [f"{1 / row['seconds']:.3g}" for row in rows],
        "faster than the first (range)": [
            f"{row['ratio']:.2f} ({row['ratio_range'][0]:.2f} to {row['ratio_range'][1]:.2f})"
            for row in rows
        ],
        "GFLOP a picture": [f"{row['flop'] / 1e9:.2f}" for row in rows],
        "GFLOP/s": [f"{row['flop'] / row['seconds'] / 1e9:.3g}" for row in rows],
        "peak GFLOP/s": [f"{row['peak'] / 1e9:.3g}" for row in rows],
        "GB/s of a copy": [f"{row['bandwidth'] / 1e9:.3g}" for row in rows],
        "share of the limit": [f"{100 * row['reached']:.0f} %" for row in rows],
    }
    note = (
        f"Medians of {rows[0]['turns']} turns in one run; ratios are of one turn, and their range "
        "tells what else the machine had to do. The peak is a product of matrices, timed between "
        "the turns; the limit is that of products or of memory, whichever takes longer. More than "
        "100 %: convolutions do better than such a product, or with fewer multiplications."
    )
    return ["\n## Engine\n", note, "", *_section("", columns)[1:]]


def _speed(rows: Sequence[Row]) -> list[str]:
    """Seconds of the default and of the papers' procedure."""
    shown = {
        "net": ("net", ""),
        "network": ("way", ""),
        "batch": ("images", ""),
        "default s": ("default_seconds", ".3f"),
        "papers s": ("papers_seconds", ".2f"),
        "ratio": ("ratio", ".1f"),
        "default images/s": ("default_images_per_second", ".0f"),
        "papers images/s": ("papers_images_per_second", ".1f"),
    }
    columns = {head: [format(row[k], how) for row in rows] for head, (k, how) in shown.items()}
    return _section("Speed", columns)


def _stream(found: Row) -> list[str]:
    """The stream that was killed and resumed, and its memory."""
    memory = ", ".join(f"{at}: {mib:.0f}" for at, mib in found["memory_mib"].items())
    return [
        "\n## Stream\n",
        f"{found['rows']} pictures; killed after {found['killed_after_batches']} batches, resumed "
        f"from {found['resumed_from']}, {found['seconds']:.1f} s. Resident MiB by rows written: "
        f"{memory}.",
    ]


def composed(row: Row, name: str) -> str:
    """Mean and largest error of composition; empty where it was not measured."""
    found = row["composition"].get(name)
    return "" if found is None else f"{short(found['value'])} / {short(found['largest'])}"


def true(found: Row) -> str:
    """The error to the true pictures, and in brackets the same without the residual."""
    return f"{number(found['true'])} ({short(found['true plain']['value'])})"


def number(score: Row) -> str:
    """A share in per cent with its interval, or a number +- half of its interval, with the unit."""
    if score["unit"] == "share":
        share, low, high = (100 * score[key] for key in ("value", "low", "high"))
        return f"{share:.1f} % ({low:.1f} to {high:.1f})"
    half = short((score["high"] - score["low"]) / 2)
    return f"{short(score['value'])} +- {half} {UNITS[score['unit']]}".rstrip()


def short(value: float) -> str:
    """Two digits after the point, or two that count below a tenth."""
    return f"{value:.2g}" if abs(value) < 0.1 else f"{value:.2f}"
