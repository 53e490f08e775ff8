"""Targets: what the default setting is to reach, beside what was measured; none is loosened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from benchmarks.counterfactual.settings import PAPERS

CALLS, SPEED, BETTER, SHARPER = 60, 30, 1.5, 100
PIXELS, LEVELS, KEPT = 0.25, 5.0, 0.95
DRIFT = {"thickness": 0.05, "intensity": 2.0}
LABELS = 0.2
Row = Mapping[str, Any]
Target = tuple[str, str, str, bool]


def targets(found: Mapping[str, Any]) -> list[Target]:
    """What is asked, what was measured, what it is to be held against, whether it is met."""
    rows = [row for part in ("main", "others") for row in found.get(part, {}).get("rows", ())]
    named = {(row["net"], row["setting"]): row for row in rows}
    return [
        *_cost(named, found),
        *_pairs(found.get("main", {}).get("pairs", ())),
        *_attributes(named),
        *_labels(found.get("partial", {}).get("ratios", ())),
    ]


def _cost(named: Mapping[tuple[str, str], Row], found: Mapping[str, Any]) -> Iterator[Target]:
    for net in ("morpho", "bar"):
        if (row := named.get((net, "default"))) is not None:
            calls = row["calls"]
            yield f"{net}: calls at most {CALLS}", f"{calls:.0f}", "2000", calls <= CALLS
        if row is not None and (slow := named.get((net, "ddim 100"))) is not None:
            ours, other = (r["composition"]["plain"]["value"] for r in (row, slow))
            what = f"{net}: composition, plain, {SHARPER} times below DDIM 100's"
            yield what, f"{ours:.2g}", f"{other:.2g}", other >= SHARPER * ours
    for row in found.get("speed", {}).get("rows", ()):
        what = f"{row['net']}: {SPEED} times as fast as the papers' procedure ({row['way']})"
        yield what, f"{row['ratio']:.1f}", "1", row["ratio"] >= SPEED


def _pairs(pairs: Any) -> Iterator[Target]:
    for pair in pairs:
        net, other = pair["ours"][0], pair["other"][0]
        what, score = pair["intervention"], pair["difference"]
        if pair["other"][1] != PAPERS:
            continue
        if net == other == "morpho":
            text = f"{between(score)} levels"
            yield f"do({what}): DDIM 1000 less default, not below 0", text, "0", score["high"] >= 0
        elif what == "color" and other != "bar":
            asked = f"do(color): papers' procedure on {other} : default, at least {BETTER}"
            yield asked, between(pair["ratio"]), "1", pair["ratio"]["value"] >= BETTER


def _attributes(named: Mapping[tuple[str, str], Row]) -> Iterator[Target]:
    row = named.get(("morpho", "default"))
    if row is None:
        return
    for what in ("thickness", "intensity"):
        shown = row["interventions"][what]["attributes"]
        most, unit = (PIXELS, "px") if what == "thickness" else (LEVELS, "levels")
        error, floor, same = (shown[what][k]["value"] for k in ("read", "floor", "unchanged"))
        beside = f"floor {floor:.3g}, unchanged {same:.3g}"
        yield f"do({what}): off by at most {most} {unit}", f"{error:.3g}", beside, error <= most
        kept, ceiling = (shown["digit"][k]["value"] for k in ("read", "floor"))
        text, beside = f"{100 * kept:.1f} %", f"ceiling {100 * ceiling:.1f} %"
        yield f"do({what}): digit kept, at least {KEPT:.0%}", text, beside, kept >= KEPT
    for what, name in (("intensity", "thickness"), ("digit", "thickness"), ("digit", "intensity")):
        drift = row["interventions"][what]["attributes"][name]["drift"]["value"]
        asked = f"do({what}): {name} no further off than its floor by more than {DRIFT[name]}"
        yield asked, f"{drift:.3g}", "0", drift <= DRIFT[name]


def _labels(ratios: Iterable[Row]) -> Iterator[Target]:
    """A share of what is lost; where nothing is, no loss that the pictures can show."""
    for each in ratios:
        full, fifth, alone = (each[key] for key in ("all", "fifth", "fifth_only"))
        what, _, name = each["error"].partition("/")
        asked = f"{each['net']}, {each['setting']}, do({what}), {name}: "
        beside = f"errors {full:.3g} all, {fifth:.3g} fifth, {alone:.3g} fifth alone"
        if alone > full:
            text, met = between(each["ratio"]), fifth - full <= LABELS * (alone - full)
            yield f"{asked}share of the loss at most {LABELS}", text, beside, met
            continue
        lost = each["lost"]
        yield f"{asked}nothing lost, as the fifth alone", between(lost), beside, lost["low"] <= 0


def between(number: Row) -> str:
    """A number and its interval."""
    return f"{number['value']:.3g} ({number['low']:.3g} to {number['high']:.3g})"
