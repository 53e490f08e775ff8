"""Pendulum: CausalDiffAE on pictures whose true counterfactuals are known.

Each picture is asked for one value of its own of each label, uniform on the paper's ranges, which
are also its units: an error is divided by half the range of its label.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

import causalflow as cf
from benchmarks.nets import PENDULUM_SIZE
from benchmarks.papers.causal_diffae.labels import Bench, Label
from benchmarks.papers.experiment import Run, Table, declared
from causalflow.data.sets.pendulum import LABELS, join_picture
from causalflow.evaluation.readers import read_pendulum, shadow_inside

PARTS = "causal_diffae_pendulum_parts"
NETS = {
    PARTS: "ours, three parts of the picture as nodes",
    "causal_diffae_pendulum_labels": "ours, one image node told the labels",
    "causal_diffae_pendulum": "ours, one image node told representations",
}
RANGES = {
    "angle": Label(unit="steps of .9 degrees", guess=2.0, scale=42.0),
    "light": Label(unit="steps of .9 degrees", guess=104.0, scale=44.0),
    "shadow_length": Label(unit="units", guess=7.5, scale=4.5),
    "shadow_position": Label(unit="units", guess=11.0, scale=8.0),
}
"""The middle and half of the paper's ranges."""

PRINTED = declared("causal_diffae")["printed"]["pendulum"]
AGAINST = "paper, CausalDiffAE"


def pendulum_tables(run: Run) -> None:
    """The tables of the pendulum, of the nets that are there."""
    nets = {name: who for name, who in NETS.items() if run.has_net(name)}
    if not nets:
        return
    bench = pendulum_bench(run, nets)
    run.table("causal_diffae_pendulum_effectiveness", lambda: _in_half_ranges(bench))
    run.table("causal_diffae_pendulum_raw", lambda: _in_raw_units(bench))
    run.table("causal_diffae_pendulum_images", bench.of_pictures)


def pendulum_bench(run: Run, nets: Mapping[str, str]) -> Bench:
    """Test pictures, spread evenly over the grid, and how they are asked and read.

    Args:
        run: what was asked for.
        nets: by net, who makes pictures with it.
    """
    data = cf.data.pendulum("test", PENDULUM_SIZE, n=min(run.n, 1826))
    random, actions = torch.Generator().manual_seed(0), {}
    for name, label in RANGES.items():
        share = torch.rand(len(data), generator=random, dtype=torch.float64)
        actions[name] = {name: label.guess + label.scale * (2 * share - 1)}
    return Bench(
        run=run,
        data=data,
        labels=RANGES,
        actions=actions,
        read=read_pendulum,
        made={who: partial(pictures, run, name, data, actions) for name, who in nets.items()},
        inside=lambda true: shadow_inside(true["shadow_length"], true["shadow_position"]),
    )


def pictures(run: Run, name: str, data: Any, actions: Mapping[str, Any]) -> dict[str, Tensor]:
    """A net's counterfactual pictures, from one abduction."""
    model = run.net(name)
    noise = model.abduct(data.parts if name == PARTS else data.columns)
    worlds = {do: model.predict(noise, act) for do, act in actions.items()}
    return {
        do: (join_picture(world) if name == PARTS else world["image"]).cpu()
        for do, world in worlds.items()
    }


def _in_half_ranges(bench: Bench) -> Table:
    """The poster's table in its own units."""
    rows = []
    for name in LABELS:
        for who, cells in PRINTED.items():
            rows.append([name, who, *(f"{value:g}" for value in cells[name])])
        constant = "a constant, the middle of the ranges"
        rows += bench.lines(name, name, raw=False, constant=constant)
    bench.draw("causal_diffae_pendulum")
    facts = {"n": len(bench.data), "met": _met(bench), "unread": _unread(bench)}
    return Table(rows=rows, values=bench.values(raw=False), facts=facts | _left_out(bench))


def _in_raw_units(bench: Bench) -> Table:
    """The same in the generator's units."""
    printed, rows = _converted(), []
    for name, label in RANGES.items():
        head = f"{name}, {label.unit}"
        rows.append([head, AGAINST, *(f"{printed[name, do]:.3g}" for do in LABELS)])
        rows += bench.lines(name, head, raw=True)
    return Table(rows=rows, values=bench.values(), facts=_left_out(bench))


def _left_out(bench: Bench) -> dict[str, str]:
    out = {do: int((~seen).sum()) for do, seen in bench.seen.items()}
    left = ", ".join(f"{count} of do({do})" for do, count in out.items() if count)
    return {"left": left or "none"}


def _met(bench: Bench) -> list[str]:
    """How many cells are at most the paper's."""
    wanted, notes = _converted(), []
    for who in bench.made:
        scores = bench.scores[who]
        met = sum(scores[key].value <= most for key, most in wanted.items())
        surely = sum(scores[key].interval[1] <= most for key, most in wanted.items())
        notes.append(
            f"{who}: {met} of {len(wanted)} cells are at most those of CausalDiffAE, {surely} with "
            "their whole interval."
        )
    return notes


def _unread(bench: Bench) -> list[str]:
    """Readings without a result, which count as the middle of the range."""
    counts = {
        who: sum(int(v[bench.seen[do]].isnan().sum()) for do in read for v in read[do].values())
        for who, read in bench.readings.items()
    }
    return [
        f"{who}: {count} readings found no shape, and count as the middle of the range."
        for who, count in counts.items()
        if count
    ]


def _converted() -> dict[tuple[str, str], float]:
    """The paper's cells in raw units, by label and intervention."""
    return {
        (name, do): PRINTED[AGAINST][name][column] * label.scale
        for name, label in RANGES.items()
        for column, do in enumerate(LABELS)
    }
