"""Masking: the paper's omega, the strength of an intervention."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from benchmarks.papers.causal_diffae.cells import cell
from benchmarks.papers.causal_diffae.morpho.bench import Bench, Shown
from benchmarks.papers.experiment import Table
from causalflow.evaluation.axioms import true_error
from causalflow.evaluation.readers import reading_error
from causalflow.evaluation.score import Score
from causalflow.model.world import World

__all__ = ["masking"]

OMEGAS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)


def masking(bench: Bench) -> Table:
    """The paper's omega: how much of an intervention on thickness the picture shows."""
    n = min(bench.run.few, len(bench.data))
    given = {name: value[:n] for name, value in bench.evidence.items()}
    act = {"thickness": bench.actions["thickness"]["thickness"][:n]}
    truth = {name: value[:n] for name, value in bench.truth["thickness"].items()}
    rows, values = [], {}
    for omega in OMEGAS:
        world = bench.model.counterfactual(given, do=act, guidance="free", strength=omega)
        scores = _masked(world, truth, given)
        rows.append([f"{omega:g}", *map(cell, scores), f"{world.info.network_calls:.0f}"])
        values[f"{omega:g}"] = [score.value for score in scores]
    return Table(
        title=f"Strength of an intervention: do(thickness) on {n} test pictures, latents hidden "
        "from the network in 10 % of training rows",
        columns=[
            "omega",
            "thickness error, px",
            "intensity error, grey levels",
            "distance to the true picture, levels",
            "distance to the factual picture, levels",
            "network calls",
        ],
        rows=rows,
        notes=[
            "v(null) + omega (v(z') - v(null)), classifier-free guidance: omega = 0 says nothing, "
            "1 is the plain model, decoded by the reversible solver; the others by a solver that "
            "is stable under guidance. The paper shows pictures of it, and no number.",
        ],
        values=values,
    )


def _masked(
    world: World, truth: Mapping[str, Tensor], given: Mapping[str, Tensor]
) -> tuple[Score, Score, Score, Score]:
    image = world["image"].cpu()
    shown = Shown.of(image)
    return (
        reading_error(shown.thickness, truth["thickness"], "px"),
        reading_error(shown.intensity, truth["intensity"], "grey levels"),
        true_error(image, truth["image"]),
        true_error(image, given["image"]),
    )
