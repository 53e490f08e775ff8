"""Circuit: CausalDiffAE on the look-alike of CausalCircuit, whose true counterfactuals are known.

The arm is set uniformly on its track, a lamp uniformly between .1 and .9.
"""

from __future__ import annotations

import torch
from torch import Tensor

import causalflow as cf
from benchmarks.nets import CIRCUIT_SIZE
from benchmarks.papers.causal_diffae.labels import Bench, Label, dci_of, disentanglement
from benchmarks.papers.experiment import Run, Table
from causalflow.data.sets.causal_circuit import LABELS
from causalflow.evaluation.readers import read_circuit

NET, OURS = "causal_diffae_circuit", "ours, representations"
RANGES = {"arm": (0.0, 1.0)} | dict.fromkeys(LABELS[1:], (0.1, 0.9))
UNITS = {"arm": "share of the track"} | dict.fromkeys(LABELS[1:], "share of full light")


def circuit_tables(run: Run) -> None:
    """Disentanglement, labels and pictures, of the net that is there."""
    if not run.has_net(NET):
        return
    model = run.net(NET)
    bench = circuit_bench(run, model)
    run.table("causal_diffae_circuit_dci", lambda: _disentanglement(run, model))
    run.table("causal_diffae_circuit_effectiveness", lambda: _effectiveness(bench))
    run.table("causal_diffae_circuit_images", bench.of_pictures)


def circuit_bench(run: Run, model: cf.Model) -> Bench:
    """The test pictures, and how they are asked and read."""
    data = cf.data.causal_circuit("test", CIRCUIT_SIZE, n=run.n, synthetic=True)

    random, actions = torch.Generator().manual_seed(0), {}
    for name, (low, high) in RANGES.items():
        share = torch.rand(len(data), generator=random, dtype=torch.float64)
        actions[name] = {name: low + (high - low) * share}

    def ours() -> dict[str, Tensor]:
        noise = model.abduct(data.columns)
        return {do: model.predict(noise, act)["image"].cpu() for do, act in actions.items()}

    labels = {name: Label(unit=UNITS[name], guess=sum(ends) / 2) for name, ends in RANGES.items()}
    return Bench(
        run=run, data=data, labels=labels, actions=actions, read=read_circuit, made={OURS: ours}
    )


def _effectiveness(bench: Bench) -> Table:
    """Labels that the pictures show, against the true counterfactual's."""
    bench.draw("causal_diffae_circuit")
    constant = "a constant, the middle"
    return Table(
        rows=[
            line
            for name in LABELS
            for line in bench.lines(name, f"{name}, {UNITS[name]}", raw=True, constant=constant)
        ],
        values=bench.values(),
        facts={"n": len(bench.data)},
    )


def _disentanglement(run: Run, model: cf.Model) -> Table:
    """DCI of the latents read off test pictures, with the labels and without."""
    data = cf.data.causal_circuit("test", CIRCUIT_SIZE, n=min(5_000, 10 * run.n), synthetic=True)
    factors = {name: torch.as_tensor(data.labels[name]) for name in LABELS}
    images = {"image": data.images}
    found = {
        "labels given": dci_of(model, images | factors, factors),
        "picture alone": dci_of(model, images, factors),
    }
    return disentanglement("circuit", "published", found)
