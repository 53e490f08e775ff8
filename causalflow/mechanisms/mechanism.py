"""Mechanism: how one node is made from its parents and its noise, x = f(parents, u).

Notation: x the node's value, pa its parents' values, u its exogenous noise.

    abduct   u ~ p(u | x, pa)      exact: predict(pa, abduct(x, pa)) = x
    predict  x = f(pa, u)          draws nothing
    draw     u ~ p(u)

Values inside the engine (``Values`` maps a node's name to a tensor whose first axis is the batch):

    class       int64, shape (batch,), level indices; -1 where unlabelled
    continuous  float64, shape (batch,), in the unit of the graph file; NaN where unlabelled
    image       float32, shape (batch, channel, height, width), in [-1, 1]

A noise is a mapping of named tensors with the batch as first axis, so that it can be stored,
indexed and replayed. Random numbers come from an explicit generator, never from the global one.

Drawing is in float64, on the generator's own device, and the numbers are then moved, so that one
seed means one draw on every device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor

from causalflow.nn.embedding import known as labelled

__all__ = [
    "Likely",
    "Mechanism",
    "Noise",
    "Values",
    "all_labelled",
    "chunks",
    "draw_gumbel",
    "draw_index",
    "draw_normal",
    "draw_uniform",
    "filled",
    "labelled",
    "snapped",
    "take",
]

Values: TypeAlias = Mapping[str, Tensor]
Noise: TypeAlias = Mapping[str, Tensor]


class Mechanism(Protocol):
    """What every mechanism can do; implementations are final ``torch.nn.Module`` classes.

    All state that fitting produces lives in parameters and registered buffers of fixed shape, so
    that ``state_dict`` is the model.

    Attributes:
        description: what the node is compiled to, in a table of nodes.
        assumption: what a counterfactual of the node assumes, and no data can test.
    """

    @property
    def description(self) -> str:
        """What the node is compiled to."""

    @property
    def assumption(self) -> str:
        """What a counterfactual assumes."""

    def calibrate(self, values: Values, generator: torch.Generator) -> None:
        """Set what one pass over the labelled rows determines: tables, statistics, closed forms."""

    def loss(self, values: Values, generator: torch.Generator) -> Tensor | None:
        """What gradient steps minimise, shape (batch,); None when `calibrate` did all."""

    def draw_noise(self, n: int, generator: torch.Generator) -> Noise:
        """n draws of u."""

    def abduct(self, value: Tensor, parents: Values, generator: torch.Generator) -> Noise:
        """A noise with which ``parents`` give ``value``: drawn from its posterior if several do."""

    def predict(self, parents: Values, noise: Noise) -> Tensor:
        """The node's value under ``parents`` and ``noise``; deterministic."""


@runtime_checkable
class Likely(Protocol):
    """A mechanism that can say how likely a value is."""

    def log_prob(self, value: Tensor, parents: Values) -> Tensor:
        """log p(value | parents), shape (batch,)."""


def all_labelled(values: Values, names: Iterable[str]) -> Tensor:
    """Whether each row has a value for every name: bool, shape (batch,); ``names`` is not empty."""
    return torch.stack([labelled(values[name]) for name in names]).all(0)


def filled(values: Values, names: Iterable[str]) -> dict[str, Tensor]:
    """``values`` of ``names`` with 0 where unlabelled, so that networks can run on every row."""
    return {
        name: torch.nan_to_num(value, nan=0.0) if value.is_floating_point() else value.clamp_min(0)
        for name in names
        for value in [values[name]]
    }


CHUNK = {"cpu": 256}
LARGE_CHUNK = 2048
ROUNDING = 1e-7


def take(values: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    """These rows of all values."""
    return {name: value[rows] for name, value in values.items()}


def chunks(rows: Tensor) -> tuple[Tensor, ...]:
    """Row numbers in the portions that a device takes at once; none where there is no row."""
    return rows.split(CHUNK.get(rows.device.type, LARGE_CHUNK)) if len(rows) else ()


def snapped(value: Tensor, reference: Tensor) -> Tensor:
    """``value``, and the reference where they differ by rounding only, as equations may do.

    Example:
        >>> reference = torch.tensor([1.0, 2.0], dtype=torch.float64)
        >>> (snapped(reference * (1 + 1e-15), reference) == reference).all().item()
        True
    """
    if not value.is_floating_point():
        return value
    near = (value - reference).abs() <= ROUNDING * (1e-5 + reference.abs())
    return torch.where(near, reference, value)


def draw_uniform(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device | None = None
) -> Tensor:
    """Draws of U[0, 1)."""
    drawn = torch.rand(shape, generator=generator, dtype=torch.float64, device=generator.device)
    return drawn if device is None else drawn.to(device)


def draw_normal(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device | None = None
) -> Tensor:
    """Draws of N(0, 1)."""
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64, device=generator.device)
    return drawn if device is None else drawn.to(device)


def draw_gumbel(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device | None = None
) -> Tensor:
    """Draws of the standard Gumbel law, -log(-log U); always finite."""
    waiting = -torch.log1p(-draw_uniform(shape, generator, device))
    return -torch.log(waiting.clamp_min(torch.finfo(torch.float64).tiny))


def draw_index(log_weight: Tensor, generator: torch.Generator) -> Tensor:
    """One index a row, drawn with probability proportional to exp(log_weight).

    Args:
        log_weight: shape (batch, states); each row has a finite entry.

    Returns:
        int64, shape (batch,).
    """
    share = torch.cumsum(torch.softmax(log_weight.double(), dim=-1), dim=-1)
    drawn = draw_uniform((log_weight.shape[0], 1), generator, log_weight.device) * share[:, -1:]
    # U < 1, but rounding may still reach the last partial sum: never step past a possible state.
    drawn = torch.minimum(drawn, torch.nextafter(share[:, -1:], torch.zeros_like(drawn)))
    return (drawn >= share).sum(dim=-1)
