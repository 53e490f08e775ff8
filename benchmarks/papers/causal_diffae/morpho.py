"""Morpho: CausalDiffAE on Morpho-MNIST, whose true counterfactuals are known.

Each test picture is asked what it would have been with the thickness of another one, and with an
intensity drawn uniformly from 66 to 250 grey levels (the paper's: 64 to 250).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

import causalflow as cf
from benchmarks.papers.causal_diffae.labels import (
    FLOOR,
    STILL,
    Bench,
    Label,
    cell,
    dci_of,
    disentanglement,
)
from benchmarks.papers.experiment import Run, Table, declared
from causalflow.evaluation.axioms import amplification, true_error
from causalflow.evaluation.readers import read_intensity, read_thickness, reading_error
from causalflow.evaluation.score import Score, mean_score
from causalflow.model.world import World

NET, PLAIN = "causal_diffae_morpho", "morpho"
LABELS = {
    "thickness": Label(unit="px", scale=2.4),
    "intensity": Label(unit="grey levels", scale=94.0),
}
INTENSITIES = (66.0, 250.0)
OMEGAS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
SHOWN = 10
CELLS = [(do, factor) for do in LABELS for factor in LABELS]


def morpho_tables(run: Run) -> None:
    """The tables of Morpho-MNIST, of the net that is there."""
    if not run.has_net(NET):
        return
    study = Study(run)
    run.table("causal_diffae_dci", lambda: _disentanglement(study))
    run.table("causal_diffae_effectiveness", lambda: _effectiveness(study))
    run.table("causal_diffae_reach", lambda: _reach(study))
    run.table("causal_diffae_masking", lambda: _masking(study))


class Study:
    """One run: the ways to a counterfactual, and their worlds, each made when first asked."""

    def __init__(self, run: Run) -> None:
        self.run, self.ways = run, {
            "labels": "ours, representations; labels and picture given",
            "image": "ours, representations; the picture alone given",
        }  # fmt: skip
        if run.has_net(PLAIN):
            self.ways["plain"] = "ours, the network told labels (net `morpho`)"
        self._worlds: dict[str, dict[str, World]] = {}

    @cached_property
    def model(self) -> cf.Model:
        """The net with representations."""
        return self.run.net(NET)

    @cached_property
    def evidence(self) -> dict[str, Tensor]:
        """Labels, and images in [0, 1]."""
        columns = {name: torch.as_tensor(value) for name, value in self.bench.data.columns.items()}
        return columns | {"image": columns["image"].float() / 255}

    @cached_property
    def bench(self) -> Bench:
        """The test pictures, and how they are asked and read."""
        data, random = cf.data.morpho_mnist("test", n=self.run.n), torch.Generator().manual_seed(0)
        n, (low, high) = len(data), INTENSITIES
        other = torch.as_tensor(data.columns["thickness"])[torch.randperm(n, generator=random)]
        drawn = low + (high - low) * torch.rand(n, generator=random, dtype=torch.float64)
        return Bench(
            run=self.run,
            data=data,
            labels=LABELS,
            actions={"thickness": {"thickness": other}, "intensity": {"intensity": drawn}},
            read=shown,
            made={name: partial(self.pictures, way) for way, name in self.ways.items()},
        )

    def pictures(self, way: str) -> dict[str, Tensor]:
        """The counterfactual pictures of a way, by intervention."""
        return {do: world["image"].cpu() for do, world in self.worlds(way).items()}

    def worlds(self, way: str) -> dict[str, World]:
        """The counterfactual worlds of a way, by intervention, from one abduction."""
        if way not in self._worlds:
            model = self.run.net(PLAIN) if way == "plain" else self.model
            noise = model.abduct(self.given(way))
            actions = self.bench.actions
            self._worlds[way] = {do: model.predict(noise, act) for do, act in actions.items()}
        return self._worlds[way]

    def given(self, way: str) -> dict[str, Tensor]:
        """The evidence of a way."""
        return {"image": self.evidence["image"]} if way == "image" else self.evidence


def shown(images: Tensor) -> dict[str, Tensor]:
    """Thickness in pixels, 0 where nothing is drawn, and intensity of pictures in [0, 1]."""
    found = images.float().cpu()
    return {"thickness": read_thickness(found).nan_to_num(0.0), "intensity": read_intensity(found)}


def _effectiveness(study: Study) -> Table:
    """Errors of what counterfactual pictures show, in raw units and in the paper's."""
    bench, train = study.bench, cf.data.morpho_mnist("train").labels
    constant = bench.constant({name: float(train[name].mean()) for name in LABELS})
    order = [STILL, FLOOR, *bench.made]
    scores = {"a constant": constant, **{who: bench.scores[who] for who in order}}
    _draw(study)
    printed = declared("causal_diffae")["printed"]["morpho"]
    return Table(
        rows=[
            *(_printed(name, values) for name, values in printed.items()),
            *(_row(name, each, bench.distances.get(name, {})) for name, each in scores.items()),
        ],
        values={
            name: {f"do({do}) {factor}": each[factor, do].value for do, factor in CELLS}
            for name, each in scores.items()
        },
        facts={"n": len(bench.data)},
    )


def _printed(name: str, values: list[float]) -> list[str]:
    cells = [
        f"{value * LABELS[factor].scale:.2g} / {value:.3f}" if value < 2 else f"- / {value:.3f}"
        for value, (_, factor) in zip(values, CELLS, strict=True)
    ]
    return [name, *cells, "-", "-"]


def _row(
    name: str, each: Mapping[tuple[str, str], Score], pictures: Mapping[str, Score]
) -> list[str]:
    cells = [
        f"{cell(each[factor, do])} / {each[factor, do].value / LABELS[factor].scale:.3f}"
        for do, factor in CELLS
    ]
    return [name, *cells, *(cell(pictures.get(do)) for do in LABELS)]


def _draw(study: Study) -> None:
    """Pictures beside the true ones."""
    bench, captions = study.bench, {}
    rows = {"factual": study.evidence["image"][:SHOWN]}
    for do, label in LABELS.items():
        rows[f"do({do})"] = study.worlds("labels")[do]["image"][:SHOWN].cpu()
        rows[f"true, do({do})"] = bench.truth[do]["image"][:SHOWN]
        wanted = bench.actions[do][do][:SHOWN].tolist()
        captions[f"true, do({do})"] = [f"{value:.3g} {label.unit}" for value in wanted]
    study.run.draw("causal_diffae_pictures", rows, captions)


def _disentanglement(study: Study) -> Table:
    """DCI of the latents read off test pictures."""
    data = cf.data.morpho_mnist("test", n=min(10_000, 50 * study.run.n))
    factual = {**data.labels, "image": data.images}
    found = {
        "labels given": _dci(study.model, factual, believed=True),
        "picture alone": _dci(study.model, factual),
        "picture alone, intensity set at random": _dci(study.model, _independent(study.run.n)),
    }
    return disentanglement("morpho", "60,000", found)


def _independent(n: int) -> dict[str, Any]:
    """Labels and true pictures under do(intensity), drawn without regard to thickness."""
    data = cf.data.morpho_mnist("test", n=min(2_000, 10 * n))
    low, high = INTENSITIES
    drawn = torch.rand(len(data), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    do = {"intensity": low + (high - low) * drawn}
    return dict(data.true_counterfactual(torch.arange(len(data)), do))


def _dci(model: cf.Model, rows: Mapping[str, Any], believed: bool = False) -> Any:
    """DCI of the latents of pictures, their labels given or not."""
    factors = {name: torch.as_tensor(rows[name]) for name in LABELS}
    return dci_of(model, {"image": rows["image"], **(factors if believed else {})}, factors)


def _masking(study: Study) -> Table:
    """The paper's omega: how much of an intervention on thickness the picture shows."""
    n = min(study.run.few, len(study.bench.data))
    given = {name: value[:n] for name, value in study.evidence.items()}
    act = {"thickness": study.bench.actions["thickness"]["thickness"][:n]}
    truth = {name: value[:n] for name, value in study.bench.truth["thickness"].items()}
    rows, values = [], {}
    for omega in OMEGAS:
        world = study.model.counterfactual(given, do=act, guidance="free", strength=omega)
        image = world["image"].cpu()
        scores = [
            *(reading_error(shown(image)[k], truth[k], LABELS[k].unit) for k in LABELS),
            *(true_error(image, other["image"]) for other in (truth, given)),
        ]
        rows.append([f"{omega:g}", *map(cell, scores), f"{world.info.network_calls:.0f}"])
        values[f"{omega:g}"] = [score.value for score in scores]
    return Table(rows=rows, values=values, facts={"n": n})


def _reach(study: Study) -> Table:
    """What an intervention moves, and what it leaves alone: labels, latents, pictures."""
    rows, values = [], {}
    for way in ("labels", "image"):
        for do, world in study.worlds(way).items():
            read = study.model.represent(study.given(way))
            cells, numbers = _reached(study.bench, do, world, read)
            rows.append([study.ways[way], f"do({do})", *cells])
            values[f"{way} do({do})"] = numbers
    return Table(rows=rows, values=values)


def _reached(
    bench: Bench, do: str, world: World, read: Mapping[str, Tensor]
) -> tuple[list[str], dict[str, float]]:
    truth, there, floor = bench.truth[do], shown(world["image"]), bench.readings[FLOOR][do]
    numbers: dict[str, float] = {}
    cells, pictures = [], []
    for name, label in LABELS.items():
        error = mean_score((world[name].cpu() - truth[name]).abs(), label.unit)
        moved = float((world.latents["image"][name] - read[name]).abs().max())
        beyond = amplification(there[name], floor[name], truth[name], label.unit)
        cells += [cell(error), f"{moved:.2g}"]
        pictures.append(cell(beyond))
        numbers |= {f"{name} label": error.value, f"{name} latent": moved}
        numbers |= {f"{name} beyond": beyond.value}
    return [*cells, *pictures], numbers
