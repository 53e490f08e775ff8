"""Report: what the parts of the benchmark found, as one page of Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.counterfactual.cells import Row, markdown
from benchmarks.counterfactual.tables import (
    confounding,
    of_net,
    pairs,
    partial,
    speed,
    stream,
    variations,
)
from benchmarks.counterfactual.targets import targets

__all__ = ["report", "results"]

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
    text = [HEAD, *_machines(found)]
    if aims := targets(found):
        lines = [[*aim[:3], "yes" if aim[3] else "**no**"] for aim in aims]
        text += ["## Targets\n", *markdown(["asked", "measured", "beside", "met"], lines)]
    for part, note in (("main", ""), ("few", ", few calls"), ("others", ", other settings")):
        rows = found.get(part, {}).get("rows", ())
        for net in dict.fromkeys(row["net"] for row in rows):
            text += of_net(f"{net}{note}", [row for row in rows if row["net"] == net])
    for part in ("main", "few"):
        if found.get(part, {}).get("pairs"):
            text += pairs(found[part]["pairs"])
    if found.get("few", {}).get("rows"):
        text += variations(found["few"]["rows"])
    if "confounding" in found:
        text += confounding(found["confounding"])
    if found.get("partial", {}).get("rows"):
        text += partial(found["partial"])
    if found.get("speed", {}).get("rows"):
        text += speed(found["speed"]["rows"])
    if "stream" in found:
        text += stream(found["stream"])
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


def _skipped(found: Mapping[str, Any]) -> list[str]:
    skipped = [each for part in found.values() for each in part.get("skipped", ())]
    if not skipped:
        return []
    named: dict[tuple[str, str], list[str]] = {}
    for each in skipped:
        named.setdefault((each["net"], each["why"]), []).append(each["setting"])
    lines = (f"* {net}, {why}: {'; '.join(names)}" for (net, why), names in named.items())
    return ["\n## Left out\n", *lines]
