"""Push: how hard the way up must push, and what it climbs, until both values are equally likely.

The paper's push follows the gradient of p(y_CF). Of two values it is p_F p_CF times that of the
log-odds, log(p_CF / p_F): next to nothing where the predictor is sure of the factual value, a
quarter where both are equally likely, so that a gamma_1 which moves a sure picture throws a
balanced one many times as far. `saturation` measures both gradients on the original way up;
`pushed` follows the likelihoods under rising gamma_1, of the paper's push and of one that climbs
the log-odds (ours), on validation pictures, and under the best of ours on test pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from benchmarks.folders import DOCS
from benchmarks.papers.balanced.curves import (
    Curve,
    curve,
    draw_curves,
    log_likelihoods,
    positions,
)
from benchmarks.papers.balanced.tasks import Rows
from benchmarks.papers.balanced.ways import Gammas
from benchmarks.papers.experiment import Table, cell, declared
from causalflow.diffusion.guidance.anticausal import gradient
from causalflow.diffusion.guidance.balance import BALANCES
from causalflow.diffusion.path import prior_scale
from causalflow.evaluation.score import Score, mean_score
from causalflow.mechanisms.image.image_mechanism import ImageMechanism

if TYPE_CHECKING:
    from benchmarks.papers.balanced.experiment import Bench

FEW = 48
STEPS = 100  # of the original way up, which has a limit: no push adds up over its levels
TAUS = (0.1, 0.28, 0.5, 0.75, 0.9)
ALONG = (0.28, 0.5, 0.75)
SAID = {"printed": "p(y_CF), the paper's", "odds": "log-odds (ours)"}


def saturation(benches: Sequence[Bench]) -> Table:
    """Both gradients on the original way up, of the learned predictor."""
    cells, values = [], {}
    for bench in benches:
        rows, image = bench.rows("test", bench.few(FEW)), bench.mechanisms["learned"]
        for y, tau in _nearest(image, rows, STEPS):
            found = _slopes(image, rows, y, tau)
            values[f"{bench.task.name}, {tau:.2f}"] = found
            cells.append([bench.task.name, f"{tau:.2f}", str(len(rows)), *_shown(found)])
    return Table(rows=cells, values=values, facts={"steps": STEPS})


@torch.no_grad()
def _nearest(image: ImageMechanism, rows: Rows, steps: int) -> list[tuple[Tensor, float]]:
    """The positions on the original way up next to each of `TAUS`; no others are kept."""
    kept: dict[float, tuple[Tensor, float]] = {}
    for y, tau in positions(image, rows, steps):
        for wanted in TAUS:
            if wanted not in kept or abs(tau - wanted) < abs(kept[wanted][1] - wanted):
                kept[wanted] = (y, tau)
    return [*kept.values()]


def _shown(found: dict[str, float]) -> list[str]:
    low, printed, odds, times = found.values()
    return [f"{low:.1f}", f"{printed:.1e}", f"{odds:.2g}", f"{times:,.0f}"]


def _slopes(image: ImageMechanism, rows: Rows, y: Tensor, tau: float) -> dict[str, float]:
    """Medians over pictures at positions on the way up."""

    def length(name: str) -> Tensor:
        """The length of the gradient in x of what a form climbs, shape (n,)."""
        form = BALANCES.get(name)
        rises = gradient(
            lambda point, time: form.height(*log_likelihoods(image, rows, point, tau)), y, tau
        )
        return rises.flatten(1).norm(dim=1) * prior_scale(tau)

    with torch.no_grad():
        _, other = log_likelihoods(image, rows, y, tau)
    printed, odds = length("printed"), length("odds")
    return {
        "log10 p(y_CF)": float(other.median()) / math.log(10),
        "printed": float(printed.median()),
        "odds": float(odds.median()),
        "times": float((odds / 4 / printed).median()),
    }


def pushed(benches: Sequence[Bench]) -> Table:
    """The likelihoods under rising gamma_1, and on test pictures under the best gamma_1 of ours."""
    search, cells, curves = declared("balanced")["balance"], [], {}
    values: dict[str, Any] = {}
    for bench in benches:
        task, n = bench.task.name, bench.few(search["pictures"])
        found = {
            (form, push): _along(bench, "validation", n, form, push)
            for form, pushes in search["pushes"].items()
            for push in pushes
        }
        best = min((push for form, push in found if form == "odds"),
                   key=lambda push: _gap(found["odds", push]).value)  # fmt: skip
        last = _along(bench, "test", bench.few(FEW), "odds", best)
        cells += [_line(task, form, "validation", push, c) for (form, push), c in found.items()]
        cells.append(_line(task, "odds", "test", best, last))
        curves[task] = {f"{SAID['odds']}, gamma_1 = {best:g}": last}
        gaps = {f"{form}, {push:g}": _gap(each).value for (form, push), each in found.items()}
        gap = _gap(last)
        values[task] = {"push": best, "gap": gap.value, "interval": gap.interval, "tried": gaps}
    draw_curves(curves, DOCS / "balanced_pushed.svg")
    facts = {key: search[key] for key in ("end", "noise")}
    return Table(rows=cells, values=values, facts=facts | {"levels": benches[0].run.levels})


def _along(bench: Bench, split: str, n: int, form: str, push: float) -> Curve:
    """The likelihoods on the way up of a form, by the learned predictor; kept, as in a sweep."""
    search = declared("balanced")["balance"]
    constants = Gammas(end=search["end"], push=push, noise=search["noise"])

    def made() -> dict[str, Tensor]:
        rows, levels = bench.rows(split, n), bench.run.levels
        found = curve(bench.mechanisms["learned"], rows, levels, form, constants)
        return {each.name: getattr(found, each.name) for each in fields(found)}

    asked = f"{bench.run.levels}_{split}_{n}_{form}_{push:g}"
    name = f"balanced_pushed_{bench.task.name}_{asked}"
    return Curve(**bench.run.kept(name, made, again=bench.run.again))


def _gap(found: Curve) -> Score:
    """|p(y_F) - p(y_CF)| at the end of a way up."""
    return mean_score((found.factual - found.counterfactual).abs()[:, -1], "probability")


def _line(task: str, form: str, split: str, push: float, found: Curve) -> list[str]:
    gaps = (found.factual - found.counterfactual).abs()
    nodes = [int((found.tau - tau).abs().argmin()) for tau in ALONG]
    likelihoods = (found.factual[:, -1], found.counterfactual[:, -1])
    return [
        task, SAID[form], split, str(len(gaps)), f"{push:g}",
        *(f"{float(gaps[:, k].mean()):.2f}" for k in nodes),
        *(cell(mean_score(each, "probability"), 2) for each in likelihoods), cell(_gap(found), 2),
        f"{float(found.size[:, -1].median()):.3g}",
    ]  # fmt: skip
