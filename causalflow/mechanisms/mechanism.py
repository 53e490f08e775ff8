"""Mechanism: how one node is made from its parents and its noise, x = f(parents, u).

Notation: x the node's value, pa its parents' values, u its exogenous noise.

    abduct   u ~ p(u | x, pa)      exact: predict(pa, abduct(x, pa)) = x
    predict  x = f(pa, u)          draws nothing
    draw     u ~ p(u)

Values inside the engine (``Values`` maps a node's name to a tensor whose first axis is the batch),
and how a user sees them (`to_engine`, `to_public`):

    node        engine                                  public
    class       int64, (batch,): indices; -1 a gap      a level, or a gap
    continuous  float64, (batch,), NaN a gap: in the    the same number; None or NaN
                unit of the graph file
    image       float32 in [-1, 1],                     float in [0, 1] or uint8 0..255
                (batch, channel, height, width)
    - discrete  float32, integers                       the same integers, or their code

What stands for a value, and what for a gap, says the node's type (`causalflow.values`). Rows of
experiments have a column ``do(NAME)`` too, bool, (batch,): where the node was set, its mechanism is
not fitted (`causalflow.values.regime`).

A noise is a mapping of named tensors with the batch as first axis, so that it can be stored,
indexed and replayed. Random numbers come from an explicit generator, never from the global one.

Drawing is in float64, on the generator's own device, and the numbers are then moved, so that one
seed means one draw on every device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from causalflow.errors import CausalflowError, EvidenceError
from causalflow.nn.embedding import known as labelled
from causalflow.values.column import GAP, located
from causalflow.values.regime import regime_column
from causalflow.values.variable import NodeType

__all__ = [
    "Likely",
    "Mechanism",
    "Noise",
    "Smooth",
    "Values",
    "all_labelled",
    "chunks",
    "draw_gumbel",
    "draw_index",
    "draw_normal",
    "draw_uniform",
    "filled",
    "labelled",
    "module_key",
    "natural",
    "snapped",
    "stored",
    "take",
    "to_engine",
    "to_public",
    "to_scale",
    "untouched",
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

    def loss(
        self, values: Values, generator: torch.Generator
    ) -> Tensor | Mapping[str, Tensor] | None:
        """What gradient steps minimise, shape (batch,); None when `calibrate` did all.

        Several losses, whose sum is minimised, are told by name.
        """

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


@runtime_checkable
class Smooth(Protocol):
    """A mechanism of one normal noise "u", in which the value increases.

    Attributes:
        is_smooth: whether the value has a density everywhere, so that it determines u.
        support: the open interval in which it then lies.
    """

    @property
    def is_smooth(self) -> bool:
        """Whether the value has a density everywhere."""

    @property
    def support(self) -> tuple[float, float]:
        """Between which ends the density is."""

    def made(self, parents: Values, noise: Noise) -> Tensor:
        """What `Mechanism.predict` gives, with gradients."""


def to_engine(
    name: str, kind: NodeType, value: Any, error: type[CausalflowError] = EvidenceError
) -> Tensor:
    """The engine value of ``value``.

    Args:
        name: the node's name, for messages.
        kind: the node's type.
        value: one value (then the result has shape ()), or one per row: a sequence, array, pandas
            column or tensor; images as (n, channels, height, width), as (n, height, width) if
            there is one channel, one image, or codes.
        error: the class of the exceptions raised.

    Returns:
        Shape () or (n,), images (n, channels, height, width).

    Raises:
        CausalflowError: an error of class ``error``, for an unknown level, value outside the
            support, misshapen image, ...

    Example:
        >>> from causalflow.values.finite import finite
        >>> to_engine("color", finite(("green", "red")), ["red", 0, None])
        tensor([ 1,  0, -1])
    """
    try:
        return to_scale(kind, stored(name, kind, value, error))
    except CausalflowError as mistake:
        raise located(mistake, value) from None


def stored(
    name: str, kind: NodeType, value: Any, error: type[CausalflowError] = EvidenceError
) -> Tensor:
    """Checked values as they are kept in memory: images uint8 as given, else float32 as public."""
    given = _pixels(value) if kind.pictured and isinstance(value, Tensor) else value
    return torch.from_numpy(np.array(kind.read(given, where=f"node '{name}'", error=error)))


def _pixels(images: Tensor) -> np.ndarray[Any, Any]:
    plain = images.detach().cpu().to_dense()
    try:
        return np.asarray(plain.numpy())
    except TypeError:  # bfloat16 has no numpy type
        return np.asarray(plain.float().numpy())


def to_scale(kind: NodeType, kept: Tensor) -> Tensor:
    """What is kept on the engine's scale: images in [-1, 1], discrete ones as their integers."""
    if not kind.pictured:
        return kept
    if kind.depth is not None:
        return kept.float()
    return kept.float() / 127.5 - 1 if kept.dtype == torch.uint8 else kept.float() * 2 - 1


def to_public(kind: NodeType, value: Tensor) -> Tensor:
    """The public value of an engine value, same shape.

    Images are in [0, 1]; classes are the levels' numbers, or indices where levels are names.
    """
    if kind.pictured and kind.depth is None:
        return ((value + 1) / 2).clamp(0, 1)
    if kind.stored_differs:
        shown = kind.show(value.cpu().numpy())
        return torch.from_numpy(np.array(shown)).to(value.device)
    return value


def all_labelled(values: Values, names: Iterable[str]) -> Tensor:
    """Whether each row has a value for every name: bool, shape (batch,); ``names`` is not empty."""
    return torch.stack([labelled(values[name]) for name in names]).all(0)


def natural(values: Values, name: str) -> Tensor | None:
    """Where no experiment set the node: bool, shape (batch,); None: nowhere was it set."""
    was_set = values.get(regime_column(name))
    return None if was_set is None else ~was_set


def untouched(values: Values, name: str) -> Values:
    """The values as the mechanism of a node is fitted to them: a gap of it where it was set.

    Without a column of the node itself they are what they are.

    Example:
        >>> values = {"x": torch.tensor([1, 0]), "do(x)": torch.tensor([True, False])}
        >>> untouched(values, "x")["x"]
        tensor([-1,  0])
    """
    own = natural(values, name)
    if own is None or name not in values:
        return values
    value = values[name]
    gap = torch.nan if value.is_floating_point() else GAP
    return {**values, name: torch.where(own.view(-1, *[1] * (value.ndim - 1)), value, gap)}


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


def module_key(name: str) -> str:
    """The key of node ``name`` in a ``ModuleDict``.

    torch refuses keys that are names of its own attributes ("type", "items", "half", ...), all of
    which a user may call a node, and any key with a dot. A prefix keeps the names apart, and a dot
    is written as in a web address.

    Example:
        >>> module_key("type"), module_key("X.ray")
        ('node:type', 'node:X%2Eray')
    """
    return f"node:{name.replace('%', '%25').replace('.', '%2E')}"
