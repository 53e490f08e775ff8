"""Mechanism fit: how well the fitted law p(x | pa) of a node is that of rows.

Notation: n rows that show x and pa; l(x | pa) = log p(x | pa), a density in the node's unit for
numbers, in nats.

    log-likelihood  the mean of l over the rows; comparable between laws of one column, and larger
                    is better
    calibration     t = (#{k: x_k < x} + V (#{k: x_k = x} + 1)) / (K + 1) with x_1 .. x_K drawn from
                    p(. | pa) and V uniform: the probability integral transform. If p is the law of
                    the rows, t is uniform on (0, 1), ties and all; told is the Kolmogorov-Smirnov
                    distance from that, with its p-value
    relevance       of a parent: the mean of l(x | pa) - l(x | pa'), pa' having the parent's value
                    of another row. Near zero the law makes no use of it, given the other parents

Nodes that share a hidden cause have one likelihood together, and no calibration of each.

Source: Dawid (1984), Statistical theory: the prequential approach; Czado, Gneiting & Held (2009)
for counts; Breiman (2001) for permuted columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from causalflow.mechanisms.latent_class import LatentDistrict
from causalflow.mechanisms.mechanism import Likely, Values, all_labelled, untouched
from causalflow.model.likelihood import latent_districts
from causalflow.model.scm import StructuralModel

__all__ = ["MechanismFit", "Relevance", "mechanism_fits"]

DRAWS, MOST_ROWS, BINS = 99, 2_000, 10
IMPOSSIBLE = -200.0
"""The log-likelihood below which a row counts as one that the law holds impossible."""
STRANGE = 0.001
"""Of nodes that are calibrated, one in so many has a smaller p-value."""
SHUFFLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Relevance:
    """What a parent tells of a node, given the other parents.

    Attributes:
        parent: its name.
        gain: nats a row that are lost without it.
        error: the standard error of that.
    """

    parent: str
    gain: float
    error: float

    @property
    def seen(self) -> bool:
        """Whether the rows show any, beyond two standard errors."""
        return self.gain > 2 * self.error

    def __str__(self) -> str:
        gain = round(self.gain, 4) + 0.0  # what is below is rounding, and zero has no sign
        return f"{self.parent} {gain:.3g}" + ("" if self.seen else " (none seen)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MechanismFit:
    """How well the law of a node, or of several with a hidden cause, is that of rows.

    Attributes:
        node: the name, or the names.
        rows: how many show the node and its parents.
        log_likelihood: nats a row; NaN where the mechanism tells none.
        error: its standard error.
        impossible: rows that the law holds impossible, which the mean leaves out.
        distance: that of the transform from uniform, 0 to 1; NaN where there is none.
        p: the p-value of that.
        histogram: the shares of the transform in ten bins of equal width; empty without one.
        relevance: what each parent tells.
    """

    node: str
    rows: int
    log_likelihood: float = math.nan
    error: float = math.nan
    impossible: int = 0
    distance: float = math.nan
    p: float = math.nan
    histogram: tuple[float, ...] = ()
    relevance: tuple[Relevance, ...] = field(default_factory=tuple)

    @property
    def strange(self) -> bool:
        """Whether the rows speak against the calibration."""
        return self.p < STRANGE

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "node": self.node,
            "rows": self.rows,
            "log_likelihood": _or_none(self.log_likelihood),
            "error": _or_none(self.error),
            "impossible": self.impossible,
            "pit_distance": _or_none(self.distance),
            "pit_p": _or_none(self.p),
            "pit_histogram": list(self.histogram),
            "relevance": [
                {
                    "parent": each.parent,
                    "gain": _or_none(each.gain),
                    "error": _or_none(each.error),
                }
                for each in self.relevance
            ],
        }


@torch.no_grad()
def mechanism_fits(scm: StructuralModel, rows: Values, seed: int = 0) -> list[MechanismFit]:
    """How well the learned laws are those of the rows, in the order of the graph.

    Args:
        scm: the fitted model, without images.
        rows: engine values of all nodes, gaps among them, and their regimes.
        seed: the seed of draws and shuffles.
    """
    generator = torch.Generator(scm.device).manual_seed(seed)
    districts = latent_districts(scm)
    shared = {child for district in districts for child in district.children}
    alone = [name for name in scm.order if name in scm.learned and name not in shared]
    found = {name: _of_node(scm, name, rows, generator) for name in alone}
    found |= {min(d.children, key=scm.order.index): _of_district(scm, d, rows) for d in districts}
    return [found[name] for name in scm.order if name in found]


def _of_node(
    scm: StructuralModel, name: str, rows: Values, generator: torch.Generator
) -> MechanismFit:
    parents = scm.parents(name)
    shown = _shown(scm, name, (name, *parents), rows)
    count = len(shown[name])
    if not count:
        return MechanismFit(node=name, rows=0)
    transform = _transform(scm, name, shown, generator)
    test = stats.kstest(transform, "uniform")
    shares = np.histogram(transform, bins=BINS, range=(0, 1))[0] / len(transform)
    likelihood: dict[str, Any] = {}
    if isinstance(scm.module(name), Likely):
        logs = scm.log_prob(name, shown)
        likelihood = _likelihood(logs) | {
            "relevance": tuple(_relevances(scm, name, shown, logs, generator))
        }
    return MechanismFit(
        node=name,
        rows=count,
        distance=float(test.statistic),
        p=float(test.pvalue),
        histogram=tuple(shares.tolist()),
        **likelihood,
    )


def _of_district(scm: StructuralModel, district: LatentDistrict, rows: Values) -> MechanismFit:
    names = [name for name in scm.order if name in district.children]
    read = {p for name in names for p in scm.parents(name)} - set(scm.root_names)
    shown = dict(rows)
    for name in names:
        shown = dict(untouched(shown, name))
    keep = all_labelled(shown, [*names, *read])
    shown = {name: value[keep] for name, value in shown.items()}
    label = ", ".join(names)
    if not keep.any():
        return MechanismFit(node=label, rows=0)
    return MechanismFit(
        node=label, rows=int(keep.sum()), **_likelihood(district.log_likelihood(shown))
    )


def _shown(
    scm: StructuralModel, name: str, names: Sequence[str], rows: Values
) -> dict[str, Tensor]:
    """The rows that show some columns, and in which the node was not set."""
    own = untouched(rows, name)
    keep = all_labelled(own, names)
    return {each: own[each][keep].to(scm.device) for each in names}


def _likelihood(logs: Tensor) -> dict[str, Any]:
    possible = logs[logs > IMPOSSIBLE].double()
    if not len(possible):
        return {"impossible": len(logs)}
    return {
        "log_likelihood": float(possible.mean()),
        "error": _error(possible),
        "impossible": len(logs) - len(possible),
    }


def _or_none(number: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(number) else number


def _error(values: Tensor) -> float:
    """The standard error of a mean."""
    return float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.nan


def _transform(
    scm: StructuralModel, name: str, shown: Values, generator: torch.Generator
) -> NDArray[np.float64]:
    """t of some of the rows, shape (rows,)."""
    count = len(shown[name])
    chosen = torch.randperm(count, generator=generator, device=generator.device)[:MOST_ROWS]
    known = {p: shown[p][chosen].repeat(DRAWS) for p in scm.parents(name)}
    parents = scm.arguments(name, known)
    mechanism, size = scm.mechanism(name), len(chosen) * DRAWS
    drawn = mechanism.predict(parents, mechanism.draw_noise(size, generator))
    drawn = drawn.expand(size).reshape(DRAWS, len(chosen)).double()
    value = shown[name][chosen].double()
    below, ties = (drawn < value).sum(0), (drawn == value).sum(0)
    within = torch.rand(len(chosen), generator=generator, dtype=torch.float64).to(value.device)
    return ((below + within * (ties + 1)) / (DRAWS + 1)).cpu().numpy()


def _relevances(
    scm: StructuralModel, name: str, shown: Values, logs: Tensor, generator: torch.Generator
) -> Iterator[Relevance]:
    for parent in scm.parents(name):
        lost = torch.zeros_like(logs, dtype=torch.float64)
        for _ in range(SHUFFLES):
            order = torch.randperm(len(logs), generator=generator, device=generator.device)
            other: Mapping[str, Tensor] = {**shown, parent: shown[parent][order]}
            lost += (logs - scm.log_prob(name, other)).double() / SHUFFLES
        known = lost[lost.isfinite()]
        gain = float(known.mean()) if len(known) else math.nan
        yield Relevance(parent=parent, gain=gain, error=_error(known))
