"""Reach: what an intervention moves, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from benchmarks.papers.causal_diffae.cells import cell
from benchmarks.papers.causal_diffae.morpho.bench import UNITS, Bench, Shown
from benchmarks.papers.experiment import Table
from causalflow.evaluation.axioms import amplification
from causalflow.evaluation.score import mean_score
from causalflow.model.world import World

__all__ = ["reach"]


def reach(bench: Bench) -> Table:
    """What an intervention moves, and what it leaves alone: labels, latents, pictures."""
    rows, values = [], {}
    given = {"labels": bench.evidence, "image": {"image": bench.evidence["image"]}}
    for way, name in bench.ways().items():
        if way == "plain":
            continue
        for do, world in bench.worlds(way).items():
            cells, numbers = _reached(bench, do, world, bench.model.represent(given[way]))
            rows.append([name, f"do({do})", *cells])
            values[f"{way} do({do})"] = numbers
    return Table(
        title="What an intervention reaches, Morpho-MNIST",
        columns=[
            "evidence",
            "intervention",
            "thickness label less the true one, px, mean of sizes",
            "its latent moved, deviations of thickness, largest",
            "intensity label less the true one, grey levels, mean of sizes",
            "its latent moved, deviations of intensity, largest",
            "picture's thickness beyond the floor, px",
            "picture's intensity beyond the floor, grey levels",
        ],
        rows=rows,
        notes=[
            "do(intensity) acts on the effect: with the labels given, thickness and its latent "
            "stay where they were, to rounding; of the picture alone, the thickness label is read "
            "off it. do(thickness) acts on the cause: intensity follows by its learned mechanism "
            "with its own noise, and is held against the true counterfactual.",
            "Beyond the floor: the error of the counterfactual picture less that of the true one.",
        ],
        values=values,
    )


def _reached(
    bench: Bench, do: str, world: World, read: Mapping[str, Tensor]
) -> tuple[list[str], dict[str, float]]:
    truth, shown = bench.truth[do], Shown.of(world["image"])
    numbers: dict[str, float] = {}
    cells, pictures = [], []
    for factor, (unit, _) in UNITS.items():
        label = mean_score((world[factor].cpu() - truth[factor]).abs(), unit)
        moved = float((world.latents["image"][factor] - read[factor]).abs().max())
        beyond = amplification(shown[factor], bench.floor[do][factor], truth[factor], unit)
        cells += [cell(label), f"{moved:.2g}"]
        pictures.append(cell(beyond))
        numbers |= {f"{factor} label": label.value, f"{factor} latent": moved}
        numbers |= {f"{factor} beyond": beyond.value}
    return [*cells, *pictures], numbers
