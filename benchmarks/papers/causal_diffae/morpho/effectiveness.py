"""Effectiveness: errors of what counterfactual pictures show, and the pictures themselves."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

import causalflow as cf
from benchmarks.papers.causal_diffae.cells import cell
from benchmarks.papers.causal_diffae.morpho.bench import UNITS, Bench, Shown
from benchmarks.papers.experiment import Table
from causalflow.evaluation.axioms import true_error
from causalflow.evaluation.readers import reading_error
from causalflow.evaluation.score import Score
from causalflow.plot.images import image_grid, save_figure

__all__ = ["effectiveness"]

SHOWN = 10
PRINTED = {  # normalised: thickness and intensity under do(thickness), then under do(intensity)
    "paper, CausalDiffAE": (0.392, 0.503, 0.309, 0.256),
    "paper, DisDiffAE": (0.377, 0.794, 0.326, 0.262),
    "paper, CausalVAE": (3.763, 13.233, 4.645, 15.087),
}
CELLS = [(do, factor) for do in UNITS for factor in UNITS]


def effectiveness(bench: Bench) -> Table:
    """Errors of what counterfactual pictures show, in raw units and in the paper's."""
    scores = _references(bench)
    pictures: dict[str, dict[str, Score]] = {}
    true = {do: world["image"] for do, world in bench.truth.items()}
    pictures["the picture left as it was"] = {
        do: true_error(bench.evidence["image"], image) for do, image in true.items()
    }
    for way, name in bench.ways().items():
        worlds = bench.worlds(way)
        scores[name] = _errors({do: Shown.of(w["image"]) for do, w in worlds.items()}, bench.truth)
        pictures[name] = {do: true_error(worlds[do]["image"].cpu(), true[do]) for do in worlds}
    _draw(bench)
    return Table(
        title=f"Effectiveness on {len(bench.data):,} Morpho-MNIST test pictures: error of the "
        "factor that the counterfactual shows",
        columns=_heads(),
        rows=[
            *(_printed(name, values) for name, values in PRINTED.items()),
            *(_row(name, each, pictures.get(name, {})) for name, each in scores.items()),
        ],
        notes=[
            "Each cell: raw unit, its 95 % interval, and after the slash the paper's normalised "
            "unit. Each picture is asked for the thickness of another one, and for an intensity "
            "uniform on 66 to 250 grey levels (the paper's: 64 to 250). Under do(thickness) the "
            "true intensity follows its equation; under do(intensity) the true thickness is the "
            "factual one.",
            "The measuring floor is the error of reading the true counterfactual pictures; "
            "a constant guesses the mean training label. CausalVAE's errors exceed the range of "
            "normalised labels, so their unit is not that of the others: not converted.",
        ],
        values={
            name: {f"do({do}) {factor}": each[do, factor].value for do, factor in CELLS}
            for name, each in scores.items()
        },
    )


def _references(bench: Bench) -> dict[str, dict[tuple[str, str], Score]]:
    """What no method made."""
    train = cf.data.morpho_mnist("train").labels
    constant = Shown(
        **{f: torch.full((len(bench.data),), float(train[f].mean())).double() for f in UNITS}
    )
    return {
        "a constant": _errors(dict.fromkeys(UNITS, constant), bench.truth),
        "the picture left as it was": _errors(dict.fromkeys(UNITS, bench.factual), bench.truth),
        "measuring floor": _errors(bench.floor, bench.truth),
    }


def _errors(
    shown: Mapping[str, Shown], truth: Mapping[str, Mapping[str, Tensor]]
) -> dict[tuple[str, str], Score]:
    return {
        (do, factor): reading_error(shown[do][factor], truth[do][factor], UNITS[factor][0])
        for do, factor in CELLS
    }


def _heads() -> list[str]:
    factors = [f"do({do}): {factor}, {UNITS[factor][0]} / normalised" for do, factor in CELLS]
    pictures = [f"do({do}): distance to the true picture, levels" for do in UNITS]
    return ["method", *factors, *pictures]


def _printed(name: str, values: tuple[float, ...]) -> list[str]:
    cells = [
        f"{value * UNITS[factor][1]:.2g} / {value:.3f}" if value < 2 else f"- / {value:.3f}"
        for value, (_, factor) in zip(values, CELLS, strict=True)
    ]
    return [name, *cells, "-", "-"]


def _row(
    name: str, each: Mapping[tuple[str, str], Score], pictures: Mapping[str, Score]
) -> list[str]:
    cells = [
        f"{cell(each[do, factor])} / {each[do, factor].value / UNITS[factor][1]:.3f}"
        for do, factor in CELLS
    ]
    return [name, *cells, *(cell(pictures.get(do)) for do in UNITS)]


def _draw(bench: Bench) -> None:
    """Pictures beside the true ones; MNIST: not shipped."""
    worlds = bench.worlds("labels")
    rows = {"factual": bench.evidence["image"][:SHOWN]}
    captions = {}
    for do, (unit, _) in UNITS.items():
        rows[f"do({do})"] = worlds[do]["image"][:SHOWN].cpu()
        rows[f"true, do({do})"] = bench.truth[do]["image"][:SHOWN]
        wanted = bench.actions[do][do][:SHOWN].tolist()
        captions[f"true, do({do})"] = [f"{value:.3g} {unit}" for value in wanted]
    bench.run.out.mkdir(parents=True, exist_ok=True)
    save_figure(image_grid(rows, captions), bench.run.out / "causal_diffae_pictures.png")
