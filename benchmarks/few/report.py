"""Report: calls against error, paired with leap-frog, and whether few calls are no worse.

A difference is a mean over pictures of the paired differences, in per cent of leap-frog's mean
error, with its 95 % interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.few.measure import Columns
from benchmarks.markdown import markdown
from causalflow.evaluation.score import NORMAL

__all__ = ["MANY_NAME", "report", "summary"]

MANY_NAME = "alf 20"
ORDER = ("error", "undone", "variation", "others")
WHAT = """Errors, undoing and variation are in grey levels; digit: the share of pictures that are
not read as the digit set; thickness (pixels), intensity, color (share), bar: what was to stay.
Calls are of all networks of the graph; those of the way up are shared by all interventions."""
Row = dict[str, Any]


def summary(found: Mapping[str, Columns]) -> dict[str, Row]:
    """By setting: calls, means with half intervals, and paired differences in per cent.

    Args:
        found: the columns by setting, leap-frog's among them.
    """
    many = found[MANY_NAME]
    return {name: _summed(columns, many) for name, columns in found.items()}


def _summed(columns: Columns, many: Columns) -> Row:
    interventions = list(_interventions(columns))
    up, down = float(columns["calls "][0]), [float(columns[f"calls {i}"][0]) for i in interventions]
    row: Row = {"calls up": up, "calls down": sum(down) / len(down), "n": 0, "means": {}}
    row |= {"paired": {}, "null": float(columns["null "].max())}
    for key, each in columns.items():
        measure = key.rpartition(" ")[0]
        if measure in ("calls", "null", ""):
            continue
        row["means"][key] = _mean(each)
        row["n"] = max(row["n"], len(each))
        if measure not in ("unchanged", "variation true") and not measure.startswith("factual"):
            row["paired"][key] = _paired(each, many[key])
    row["no worse"] = all(
        p["value"] - p["half"] <= 0
        for key, p in row["paired"].items()
        if key.split()[0] not in ("variation", "undone")
    )
    return row


def _interventions(columns: Columns) -> Iterator[str]:
    return (key.removeprefix("calls ") for key in columns if key.startswith("calls ") and key[6:])


def _mean(each: NDArray[np.float64]) -> dict[str, float]:
    return {"value": float(each.mean()), "half": _half(each)}


def _paired(each: NDArray[np.float64], many: NDArray[np.float64]) -> dict[str, float]:
    """The difference in per cent of leap-frog's mean, 0 where nothing differs."""
    change, mean = each - many, float(many.mean())
    if not change.any():
        return {"value": 0.0, "half": 0.0}
    scale = 100 / mean if mean else math.inf
    return {"value": scale * float(change.mean()), "half": scale * _half(change)}


def _half(each: NDArray[np.float64]) -> float:
    return NORMAL * float(each.std(ddof=1)) / math.sqrt(len(each)) if len(each) > 1 else math.inf


HEADS = ("", "", "calls up + down", "measured", "against leap-frog, %", "beside")


def report(nets: Mapping[str, Mapping[str, Row]]) -> str:
    """The tables of the nets: a line for every measure, intervention and setting."""
    lines = ["# Few calls", "", (__doc__ or "").split("\n\n", 1)[1].strip(), "", WHAT, ""]
    for net, rows in nets.items():
        verdicts = [f"{name} {_verdict(row)}" for name, row in rows.items() if name != MANY_NAME]
        lines += [f"## {net}", "", f"n = {rows[MANY_NAME]['n']}; {'; '.join(verdicts)}.", ""]
        keys = sorted(rows[MANY_NAME]["paired"], key=lambda key: ORDER.index(_order(key)))
        lines += [*markdown(HEADS, (_line(rows, key, name) for key in keys for name in rows)), ""]
    return "\n".join(lines)


def _verdict(row: Row) -> str:
    said = "no worse under any intervention" if row["no worse"] else "**worse** under one"
    return f"{said}, {row['null']:.0e} levels off at most without one"


def _order(key: str) -> str:
    measure = key.rpartition(" ")[0]
    return measure if measure in ORDER else ORDER[-1]


def _line(rows: Mapping[str, Row], key: str, name: str) -> list[str]:
    row, (measure, _, do) = rows[name], key.rpartition(" ")
    mean, paired = row["means"][key], row["paired"][key]
    difference = "" if name == MANY_NAME else f"{paired['value']:+.1f} +- {paired['half']:.1f}"
    beside = {"error": f"unchanged {do}", "variation": f"variation true {do}"}.get(measure)
    other = row["means"].get(beside or f"factual {measure} {do}")
    return [
        f"{measure}, do({do})",
        name,
        f"{row['calls up']:.0f} + {row['calls down']:.0f}",
        f"{mean['value']:.3g} +- {mean['half']:.2g}",
        difference,
        ""
        if other is None
        else f"{beside or 'factual'} {other['value']:.3g}".replace(f" {do}", ""),
    ]
