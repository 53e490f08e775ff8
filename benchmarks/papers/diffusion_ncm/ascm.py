"""The four-pixel SCM: models fitted to samples of it, held against the exact engine.

`graphs/ascm_neural.yaml` states who listens to whom, `graphs/ascm_xy.yaml` the equations. A fit
sees 100,000 rows of (x, y, picture). Its latent classes have K states each; the picture's own noise
is Gumbel-max or a draw for each combination of its parents (`causalflow.mechanisms.categorical`).
Fits that agree on everything that is seen may answer differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import causalflow as cf
from benchmarks.papers.experiment import Table
from causalflow.graph.node import Class
from causalflow.model.likelihood import latent_districts
from causalflow.shipped import graph_path

ROWS = 100_000
LEVELS = {"x": 2, "y": 2, "i": 16}
DRAWS = 200_000
FITS = (
    (2, 0, "gumbel"),
    (2, 1, "gumbel"),
    (4, 0, "gumbel"),
    (8, 0, "gumbel"),
    (2, 0, "response"),
    (8, 0, "response"),
)
"""Levels of each latent class, the seed, and the noise of the picture."""

CODES = (0, 3, 5, 6, 8, 11, 13, 14)
"""The pictures that occur."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A question and a cell of its answer: P(``ask``) at ``level``."""

    ask: str
    level: int

    def __str__(self) -> str:
        head, bar, given = self.ask.removesuffix(")").partition(" | ")
        return f"{head}={self.level}{bar}{given})"


QUANTITIES = tuple(
    Quantity(ask=ask, level=level)
    for ask, levels in (
        ("P(y | do(x=1))", (1,)),
        ("P(y[x=1] | i=5)", (1,)),
        ("P(i | do(x=1))", CODES),
        ("P(i[x=1] | i=5)", (5, 6, 14)),
        ("P(i[x=0] | i=5)", (5, 6)),
    )
    for level in levels
)


def rows_of_ascm(rows: int = ROWS, seed: int = 0) -> dict[str, torch.Tensor]:
    """Rows of x, y and the picture's code, drawn from the equations."""
    world = cf.compile(cf.load(graph_path("ascm_xy"))).sample(rows, generator=seed)
    pixels = (world["i"].reshape(rows, 4) > 0.5).long()
    return {"x": world["x"], "y": world["y"], "i": pixels @ torch.tensor([8, 4, 2, 1])}


def fitted_ascm(
    rows: Mapping[str, torch.Tensor], states: int, seed: int, noise: str = "gumbel"
) -> cf.Model:
    """A model of the graph, fitted to rows.

    Args:
        rows: of `rows_of_ascm`.
        states: of each latent class.
        seed: of the fit's random starts.
        noise: of the picture.
    """
    graph = cf.load(graph_path("ascm_neural"))
    picture = graph.nodes["i"]
    assert isinstance(picture, Class)
    graph = graph.with_nodes({"i": replace(picture, noise=noise)})
    model = cf.compile(graph, confounder_states=states)
    model.fit(dict(rows), seed=seed, progress=False, device="cpu")
    return model


def law_of(model: cf.Model, levels: Mapping[str, int]) -> NDArray[np.float64]:
    """P of the named classes, exactly: an axis each, so many levels long."""
    cells = torch.tensor(list(product(*map(range, levels.values()))), device=model.device)
    values = dict(zip(levels, cells.T, strict=True))
    districts = latent_districts(model.scm)
    terms = [district.log_likelihood(values) for district in districts]
    shared = {name for district in districts for name in district.children}
    terms += [model.scm.log_prob(name, values) for name in levels if name not in shared]
    law: NDArray[np.float64] = torch.stack(terms).sum(0).detach().exp().cpu().numpy()
    return law.reshape(*levels.values())


def ascm(
    rows: int = ROWS, draws: int = DRAWS, fits: Sequence[tuple[int, int, str]] = FITS
) -> Table:
    """Truth, fits and bounds of every quantity."""
    exact = cf.compile(cf.load(graph_path("ascm_xy")))
    data = rows_of_ascm(rows)
    models = {
        f"K={k}, seed {seed}, {noise}": fitted_ascm(data, k, seed, noise) for k, seed, noise in fits
    }
    found = [_row(each, exact, models, draws) for each in QUANTITIES]
    cells = [
        [
            str(each["quantity"]), f"{each['truth']:.3f}",
            *(f"{number:.3f}" for number in each["fitted"].values()),
            f"{each['low']:.3f} to {each['high']:.3f} ({each['kind']})",
            "yes" if each["identifiable"] else "no",
        ]
        for each in found
    ]  # fmt: skip
    facts = {"rows": rows, "draws": draws, "models": [*models]}
    facts |= _facts(exact, [*models.values()], draws)
    return Table(rows=cells, values={"quantities": found}, facts=facts)


def _facts(exact: cf.Model, models: Sequence[cf.Model], draws: int) -> dict[str, str]:
    """How far the fitted laws are off, what is kept, and what never occurs: ranges over fits."""
    true = np.zeros((2, 2, 16))
    for (x, y, i), p in exact.ask("P(x, y, i)").table.to_float().to_dict().items():
        true[x, y, i] = p
    return {
        "gaps": _range([np.abs(law_of(model, LEVELS) - true).sum() / 2 for model in models]),
        "kept": _range([_kept(model, draws) for model in models]),
        "unseen": _range([_unseen(model, draws) for model in models]),
    }


def _row(
    each: Quantity, exact: cf.Model, models: Mapping[str, cf.Model], draws: int
) -> dict[str, Any]:
    declared = cf.load(graph_path("ascm_neural"))
    joint = exact.ask("P(x, y, i)").table.to_float()
    edges = [f"{edge.source} -> {edge.target}" for edge in declared.edges]
    edges += [f"{first} <-> {second}" for first, second in declared.bidirected]
    limits = cf.bounds(cf.Graph(edges=edges), str(each), joint)
    assert not isinstance(limits.low, cf.Table)
    assert not isinstance(limits.high, cf.Table)
    return {
        "quantity": str(each),
        "truth": _at(exact.ask(each.ask), each.level),
        "fitted": {k: _at(m.ask(each.ask, draws=draws), each.level) for k, m in models.items()},
        "low": float(limits.low),
        "high": float(limits.high),
        "kind": limits.kind,
        "identifiable": cf.identify(declared, each.ask).identifiable,
    }


def _at(answer: Any, level: int) -> float:
    return float(answer.table.to_dict().get(level, 0))


def _kept(model: cf.Model, draws: int) -> float:
    world = model.sample(min(draws, 20_000))
    evidence = {name: world[name] for name in ("x", "y", "i")}
    there = model.counterfactual(evidence, {"x": 1 - evidence["x"]})
    back = model.counterfactual(evidence, {})
    assert all(torch.equal(back[name], evidence[name]) for name in evidence)
    return float((there["y"] == evidence["y"]).double().mean())


def _unseen(model: cf.Model, draws: int) -> float:
    law = model.ask("P(i | do(x=1))", draws=draws).table.to_dict()
    return float(sum(p for code, p in law.items() if code not in CODES))


def _range(numbers: Sequence[float]) -> str:
    low, high = (f"{end:.4f}" for end in (min(numbers), max(numbers)))
    return low if low == high else f"{low} to {high}"
