"""Categorical: a class node, x in {0..K-1} with probabilities p_k(pa), and how its noise enters.

Notation: l_k = log p_k(pa) up to a constant of the row, L = logsumexp_k l_k.

*gumbel* (Gumbel-max): x = argmax_k (l_k + g_k), g_k independent standard Gumbel. Given x, the top
value T = max_k (l_k + g_k) is Gumbel(L) whatever x is, and every other l_k + g_k is Gumbel(l_k) cut
off above T:

    g_x = T - l_x,      g_k = -log(exp(l_k - T) + exp(-h_k)),   h_k standard Gumbel

*monotone*: x = #{k : u >= p_0 + .. + p_k}, u ~ U[0, 1): levels are taken in their order, so that a
parent's value which moves probability upwards never moves x downwards. Given x, u is uniform on x's
interval.

*response* (nodes with a table): one such u for each combination of the parents' values, independent
of one another.

They agree on everything observed and differ in counterfactuals, which the data do not determine.

A table of p_k(pa) is kept when every parent is a class; otherwise a network on the parents'
embedding. A table that the graph file gives is never fitted. One that is fitted is that of counts:
of n rows with the parents' values, n_k with level k, and a pseudo-count a spread over K levels,

    p_k = (n_k + a / K) / (n + a),        1 / K where n + a = 0

which is the greatest likelihood for a = 0, and the mean of a Dirichlet posterior for a > 0.

Source: Maddison, Tarlow & Minka (2014), A* sampling; Oberst & Sontag (2019), Gumbel-max SCMs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import cast

import torch
from torch import Tensor, nn

from causalflow import plugins
from causalflow.graph.node import Class, Level, Node, Rows
from causalflow.limits import CATEGORICAL_CELLS, CATEGORICAL_ROWS
from causalflow.mechanisms.mechanism import (
    Noise,
    Values,
    all_labelled,
    draw_gumbel,
    draw_uniform,
    labelled,
)
from causalflow.nn.embedding import LevelEmbedding, ParentEmbedding
from causalflow.nn.encoder import MLP
from causalflow.nn.engine import Engine, Site
from causalflow.registry import Registry
from causalflow.values.finite import FiniteType

__all__ = [
    "ENGINE",
    "NOISES",
    "PSEUDO_COUNT",
    "Categorical",
    "ClassNoise",
    "law_of_counts",
    "rounded_law",
    "smoothed_log",
]


PSEUDO_COUNT = 0.5
"""Observations added to each row of a table, spread evenly over its K levels, by default.

A row with n observations is biased by at most PSEUDO_COUNT / n: below .002 from 250 observations a
row. None are added in a graph of class nodes alone (`causalflow.model.likelihood`).
"""

FEATURES = 64
IMPOSSIBLE = 1e-300
"""What a probability of zero counts as, so that logarithms stay finite."""

DENOMINATOR = 2**120
"""Of probabilities that are written as fractions and are none; float64 has 53 of these bits."""

NARROWEST = 1e-12
"""Least width of a level's interval under monotone noise: float64 can then abduct every level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassNoise:
    """One way for the exogenous noise to enter; pure functions of the logits (batch, K).

    Attributes:
        draw: (n, K, generator) -> noise.
        abduct: (logits, value, generator) -> noise; a draw from p(noise | value).
        predict: (logits, noise) -> value (batch,).
    """

    draw: Callable[[int, int, torch.Generator], Noise]
    abduct: Callable[[Tensor, Tensor, torch.Generator], Noise]
    predict: Callable[[Tensor, Noise], Tensor]


NOISES: Registry[ClassNoise] = plugins.CLASS_NOISES
DEFAULT_NOISE = "gumbel"
RESPONSE = "response"


def _draw_gumbel(n: int, levels: int, generator: torch.Generator) -> Noise:
    return {"gumbel": draw_gumbel((n, levels), generator)}


def _abduct_gumbel(logits: Tensor, value: Tensor, generator: torch.Generator) -> Noise:
    chosen = value.unsqueeze(-1)
    fresh = draw_gumbel((len(value), logits.shape[-1] + 1), generator, logits.device)
    top = logits.logsumexp(-1, keepdim=True) + fresh[:, -1:]
    winner = top - logits.gather(-1, chosen)
    reached = logits.gather(-1, chosen) + winner
    others = -torch.logaddexp(logits - top, -fresh[:, :-1])
    # Rounding must not let another level reach the winner: keep a few units in the last place below
    # it.
    margin = 1e-14 * (1 + logits.abs() + reached.abs())
    others = torch.minimum(others, reached - logits - margin)
    return {"gumbel": others.scatter(-1, chosen, winner)}


def _predict_gumbel(logits: Tensor, noise: Noise) -> Tensor:
    return (logits + noise["gumbel"]).argmax(-1)


def _bounds(logits: Tensor) -> Tensor:
    """The ends of the levels' intervals, 0 = c_0 < c_1 < .. < c_K = 1: shape (batch, K + 1)."""
    share = torch.softmax(logits, dim=-1) + NARROWEST
    bounds = nn.functional.pad(torch.cumsum(share / share.sum(-1, keepdim=True), dim=-1), (1, 0))
    bounds[..., -1] = 1.0
    return bounds


def _draw_uniform(n: int, levels: int, generator: torch.Generator) -> Noise:
    return {"uniform": draw_uniform((n,), generator)}


def _abduct_uniform(logits: Tensor, value: Tensor, generator: torch.Generator) -> Noise:
    bounds = _bounds(logits).expand(len(value), -1)
    low = bounds.gather(-1, value.unsqueeze(-1)).squeeze(-1)
    high = bounds.gather(-1, value.unsqueeze(-1) + 1).squeeze(-1)
    # A millionth of the interval is left out at both ends: networks round differently in other
    # batches.
    within = 1e-6 + (1 - 2e-6) * draw_uniform((len(value),), generator, logits.device)
    last = torch.nextafter(high, torch.zeros_like(high))
    return {"uniform": torch.clamp(low + within * (high - low), low, last)}


def _predict_uniform(logits: Tensor, noise: Noise) -> Tensor:
    return (noise["uniform"].unsqueeze(-1) >= _bounds(logits)[..., 1:-1]).sum(-1)


GUMBEL = ClassNoise(draw=_draw_gumbel, abduct=_abduct_gumbel, predict=_predict_gumbel)
MONOTONE = ClassNoise(draw=_draw_uniform, abduct=_abduct_uniform, predict=_predict_uniform)


def smoothed_log(counts: Tensor, pseudo_count: float = PSEUDO_COUNT) -> Tensor:
    """Log-probabilities of each row of ``counts`` (rows, K), ``pseudo_count`` added evenly.

    A row without any is even; a probability of zero counts as `IMPOSSIBLE`.
    """
    counts = counts.double() + pseudo_count / counts.shape[-1]
    whole = counts.sum(-1, keepdim=True)
    counts = torch.where(whole > 0, counts, 1.0)
    log = torch.log(counts) - torch.log(counts.sum(-1, keepdim=True))
    return log.clamp_min(math.log(IMPOSSIBLE))


def law_of_counts(counts: Sequence[int], pseudo_count: Fraction) -> tuple[Fraction, ...]:
    """The row (n_k + a / K) / (n + a) of a table, and 1 / K of no counts.

    Example:
        >>> law_of_counts([1, 3], Fraction(0))
        (Fraction(1, 4), Fraction(3, 4))
    """
    whole = sum(counts) + pseudo_count
    if not whole:
        return (Fraction(1, len(counts)),) * len(counts)
    return tuple((n + pseudo_count / len(counts)) / whole for n in counts)


def rounded_law(law: Sequence[float]) -> tuple[Fraction, ...]:
    """Probabilities as fractions with a common denominator and sum one, each within 1e-36."""
    parts = [round(Fraction(p) * DENOMINATOR) for p in law]
    largest = parts.index(max(parts))
    parts[largest] += DENOMINATOR - sum(parts)
    return tuple(Fraction(part, DENOMINATOR) for part in parts)


class Categorical(nn.Module):
    """A class node's mechanism: p(x | pa) and the noise through which it acts.

    Args:
        name: the node's name.
        node: the node's declaration; ``node.noise`` is a name of `NOISES`, or None for
            `DEFAULT_NOISE`.
        parents: the parents' declarations by name; latent classes are parents like any other.

    Attributes:
        table: log p_k(pa), (rows, K), where one is kept.
        counts: the n_k behind a fitted table, float64 (rows, K); None where it is not of counts.
        smoothing: the a of the next fit, and of ``counts``.
    """

    table: Tensor
    counts: Tensor | None

    def __init__(self, name: str, node: Class, parents: Mapping[str, Node]) -> None:
        super().__init__()
        self.name, self.node, self.parents = name, node, dict(parents)
        self.noise_name = node.noise or DEFAULT_NOISE
        self.is_given = node.table is not None
        self.levels = len(node.levels)
        self.strides = _strides(self.parents, self.levels)
        self.is_table = self.strides is not None
        self.is_response = self.noise_name == RESPONSE
        self.noise = NOISES.get("monotone" if self.is_response else self.noise_name)
        self.smoothing = PSEUDO_COUNT
        self.register_buffer("counts", None, persistent=False)
        if self.strides is not None:
            rows = math.prod(_levels(parent) for parent in self.parents.values())
            even = torch.full((rows, self.levels), -math.log(self.levels), dtype=torch.float64)
            self.register_buffer("table", even)
            if node.table is not None:
                self.table.copy_(_given_table(node.table, self.parents, self.strides))
        else:
            self.embedding = ParentEmbedding(self.parents, FEATURES)
            self.network = MLP(FEATURES, self.levels)

    @property
    def description(self) -> str:
        """A table, given or fitted, or a network; and the noise."""
        kind = "given table" if self.is_given else "table" if self.is_table else "network"
        return f"{kind}, {self.noise_name} noise"

    @property
    def assumption(self) -> str:
        """How its noise enters."""
        return "Gumbel-max noise" if self.noise_name == "gumbel" else f"{self.noise_name} noise"

    @property
    def is_counted(self) -> bool:
        """Whether its table is that of whole counts, so that it is known in fractions."""
        if self.counts is None or not bool((self.counts == self.counts.round()).all()):
            return False
        expected = smoothed_log(self.counts, self.smoothing).exp()
        return torch.allclose(self.table.exp(), expected, rtol=0, atol=1e-12)

    @property
    def empty(self) -> tuple[dict[str, Level], ...]:
        """The combinations of the parents' levels that no counted row had."""
        if self.counts is None or self.strides is None:
            return ()
        rows = (self.counts.sum(-1) == 0).nonzero().flatten().tolist()
        levels = {name: parent.type.levels or () for name, parent in self.parents.items()}
        return tuple(
            {name: own[row // self.strides[name] % len(own)] for name, own in levels.items()}
            for row in rows
        )

    def written(self) -> Rows:
        """The table as a graph file has it: fractions of the counts where there are any."""
        if self.node.table is not None:
            return self.node.table
        assert self.strides is not None
        if self.is_counted:
            assert self.counts is not None
            pseudo_count = Fraction(repr(self.smoothing))
            laws = [law_of_counts(row, pseudo_count) for row in self.counts.long().tolist()]
        else:
            laws = [rounded_law(row) for row in self.table.exp().tolist()]
        levels = [parent.type.levels or () for parent in self.parents.values()]
        strides = self.strides.values()
        return tuple(
            (
                tuple(own[k] for own, k in zip(levels, cell, strict=True)),
                laws[sum(k * stride for k, stride in zip(cell, strides, strict=True))],
            )
            for cell in product(*(range(len(own)) for own in levels))
        )

    def row(self, parents: Values) -> Tensor:
        """The table's row for each parents' configuration: int64 (batch,), (1,) without parents."""
        assert self.strides is not None
        row = torch.zeros(1, dtype=torch.int64, device=self.table.device)
        for parent, stride in self.strides.items():
            row = row + stride * parents[parent].to(row.device)
        return row

    def logits(self, parents: Values) -> Tensor:
        """log p_k(pa) in float64, shape (batch, K); (1, K) without parents."""
        if self.is_table:
            return self.table[self.row(parents)]
        n = len(next(iter(parents.values())))
        return torch.log_softmax(self.network(self.embedding(parents, n)).double(), dim=-1)

    def log_prob(self, value: Tensor, parents: Values) -> Tensor:
        """log p(value | parents), shape (batch,)."""
        logits = self.logits(parents).expand(len(value), -1)
        return logits.gather(-1, value.unsqueeze(-1)).squeeze(-1)

    @torch.no_grad()
    def calibrate(self, values: Values, generator: torch.Generator) -> None:
        """Count the rows in which the node and all its parents are labelled.

        A given table is left as it is.
        """
        if self.is_given:
            return
        if not self.is_table:
            self.embedding.calibrate(values)
            return
        keep = all_labelled(values, [self.name, *self.parents])
        rows = {name: values[name][keep] for name in [self.name, *self.parents]}
        cell = self.row(rows) * self.levels + rows[self.name].to(self.table.device)
        counts = torch.bincount(cell, minlength=self.table.numel()).view_as(self.table)
        self.counts = counts.double()
        self.table.copy_(smoothed_log(counts, self.smoothing))

    def loss(self, values: Values, generator: torch.Generator) -> Tensor | None:
        """Cross entropy, shape (batch,); None for a table.

        Rows without a label of the node count 0; a parent without one is the embedding's null.
        """
        if self.is_table:
            return None
        value = values[self.name]
        return -self.log_prob(value.clamp_min(0), values) * labelled(value)

    def draw_noise(self, n: int, generator: torch.Generator) -> Noise:
        """n draws: {"gumbel": (n, K)}, {"uniform": (n,)}, or (n, rows) for response noise."""
        if self.is_response:
            return {"uniform": draw_uniform((n, len(self.table)), generator)}
        return self.noise.draw(n, self.levels, generator)

    @torch.no_grad()
    def abduct(self, value: Tensor, parents: Values, generator: torch.Generator) -> Noise:
        """A draw from p(noise | value, parents); it predicts ``value`` exactly."""
        logits = self.logits(parents).expand(len(value), -1)
        noise = self.noise.abduct(logits, value, generator)
        if not self.is_response:
            return noise
        answers = draw_uniform((len(value), len(self.table)), generator, logits.device)
        row = self.row(parents).expand(len(value)).unsqueeze(-1)
        return {"uniform": answers.scatter(-1, row, noise["uniform"].unsqueeze(-1))}

    @torch.no_grad()
    def predict(self, parents: Values, noise: Noise) -> Tensor:
        """The level under ``parents`` and ``noise``: int64, shape (batch,)."""
        if self.is_response:
            row = self.row(parents).expand(len(noise["uniform"])).unsqueeze(-1)
            noise = {"uniform": noise["uniform"].gather(-1, row).squeeze(-1)}
        return self.noise.predict(self.logits(parents), noise)


def _given_table(rows: Rows, parents: Mapping[str, Node], strides: Mapping[str, int]) -> Tensor:
    """The logarithms of a declared table, whose parents are in the order of ``parents``."""
    sizes = [range(_levels(parent)) for parent in parents.values()]
    table = torch.empty((len(rows), len(rows[0][1])), dtype=torch.float64)
    for cell, (_, law) in zip(product(*sizes), rows, strict=True):
        place = sum(k * stride for k, stride in zip(cell, strides.values(), strict=True))
        table[place] = torch.tensor([math.log(max(float(p), IMPOSSIBLE)) for p in law])
    return table


def _levels(node: Node) -> int:
    assert node.type.levels is not None
    return len(node.type.levels)


def _strides(parents: Mapping[str, Node], levels: int) -> dict[str, int] | None:
    """Each parent's stride in the table's row index; None where no table can be kept."""
    strides: dict[str, int] = {}
    rows = 1
    for name, parent in parents.items():
        if parent.type.levels is None:
            return None
        strides[name] = rows
        rows *= len(parent.type.levels)
    fits = rows <= CATEGORICAL_ROWS and rows * levels <= CATEGORICAL_CELLS
    return strides if fits else None


def _embedding(kind: FiniteType, features: int) -> nn.Module:
    return LevelEmbedding(len(kind.levels), features)


def _mechanism(site: Site) -> nn.Module:
    return Categorical(site.name, cast(Class, site.node), site.parents)


ENGINE = Engine(embedding=_embedding, mechanism=_mechanism)
