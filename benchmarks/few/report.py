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
    """Difference in per cent of leap-frog's mean; of shares in points."""
    scale = 100 / float(many.mean()) if float(many.mean()) else math.inf
    return {"value": scale * float((each - many).mean()), "half": scale * _half(each - many)}


def _half(each: NDArray[np.float64]) -> float:
    return NORMAL * float(each.std(ddof=1)) / math.sqrt(len(each)) if len(each) > 1 else math.inf


def report(nets: Mapping[str, Mapping[str, Row]]) -> str:
    """The tables of the nets."""
    lines = ["# Few calls", "", __doc__.split("\n\n", 1)[1].strip(), ""]
    for net, rows in nets.items():
        lines += [f"## {net}", ""]
        keys = list(rows[MANY_NAME]["paired"])
        heads = [_head(key) for key in keys]
        lines += markdown(["", "calls", *heads, "null, largest", "no worse"], _lines(rows, keys))
        unchanged = rows[MANY_NAME]["means"]
        beside = [f"{k} {v['value']:.3g}" for k, v in unchanged.items() if _beside(k)]
        lines += ["", f"n = {rows[MANY_NAME]['n']}. {'; '.join(beside)}.", ""]
    return "\n".join(lines) + "\n"


def _beside(key: str) -> bool:
    return key.startswith(("unchanged", "variation true", "factual"))


def _head(key: str) -> str:
    measure, _, do = key.rpartition(" ")
    return f"{measure}, do({do})"


def _lines(rows: Mapping[str, Row], keys: list[str]) -> Iterator[list[str]]:
    for name, row in rows.items():
        calls = f"{row['calls up'] + row['calls down']:.0f}"
        cells = [_cell(name, row, key) for key in keys]
        verdict = "" if name == MANY_NAME else ("yes" if row["no worse"] else "**no**")
        yield [name, calls, *cells, f"{row['null']:.1e}", verdict]


def _cell(name: str, row: Row, key: str) -> str:
    mean, paired = row["means"][key], row["paired"][key]
    if name == MANY_NAME:
        return f"{mean['value']:.3g} +- {mean['half']:.2g}"
    return f"{mean['value']:.3g} ({paired['value']:+.1f} +- {paired['half']:.1f} %)"
