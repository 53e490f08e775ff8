"""Embeddings: the diffusion time, and the values of a node's parents, as feature vectors.

Time: the angles tau omega_k, with K frequencies omega_k geometric from 1 to 100 (tau lies in
[0, 1], so the first is nearly linear in tau and the last tells tau = 0.01 from tau = 0.02), as
cosines and sines through a small MLP.

Parents: the sum over the parents of one vector each,

    class       a learned vector for each level
    continuous  an MLP of the standardised value s = (x - location) / scale, bent where its tails
                are heavy (`causalflow.nn.tails`); with K waves, of sin and cos of 2^k pi s / 4 too,
                k = 0..K-1
    image       a convolutional `Encoder`
    vector      an MLP, of a representation that stands for the parent

and a learned vector of its own where the parent's value is missing (-1 for a class, NaN otherwise):
the *null* of classifier-free guidance, and what partly labelled data are trained with. Parents are
kept in the order given; the sum does not depend on it, except through the names of the weights. A
parent has *changed* in a row where its value is not that of a reference (both null: it has not).

Which of them a parent has says the engine of its type (`causalflow.nn.engine`).

Source of the time embedding: Vaswani et al. (2017), Attention Is All You Need, section 3.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from causalflow.errors import CompileError
from causalflow.graph.node import Node, Vector
from causalflow.nn.encoder import MLP, Encoder
from causalflow.nn.engine import engine_of
from causalflow.nn.tails import bent, measured
from causalflow.plugins import NODE_TYPES

__all__ = [
    "LevelEmbedding",
    "NumberEmbedding",
    "ParentEmbedding",
    "PictureEmbedding",
    "TimeEmbedding",
    "any_changed",
    "changed",
    "known",
    "nulled",
]

FREQUENCIES = 32
IMAGE_WIDTH = 24


def known(value: Tensor) -> Tensor:
    """Whether each row has a value: bool, shape (batch,)."""
    if not value.is_floating_point():
        return value >= 0
    return ~value.isnan().flatten(1).any(dim=1) if value.ndim > 1 else ~value.isnan()


def changed(value: Tensor, reference: Tensor) -> Tensor:
    """Whether each row's value is another than its reference: bool, shape (batch,).

    Example:
        >>> changed(torch.tensor([1, 2, -1, 0]), torch.tensor([1, 0, -1, -1])).tolist()
        [False, True, False, True]
    """
    differs = value != reference
    differs = differs.flatten(1).any(dim=1) if differs.ndim > 1 else differs
    return differs & (known(value) | known(reference))


def any_changed(
    values: Mapping[str, Tensor], reference: Mapping[str, Tensor], names: Iterable[str]
) -> Tensor:
    """Whether a parent of ``names``, which are not empty, has changed: bool, shape (batch,)."""
    return torch.stack([changed(values[n], reference[n]) for n in names]).any(dim=0)


def nulled(values: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """``values`` with the null in every row of ``names``.

    Example:
        >>> nulled({"digit": torch.tensor([3]), "width": torch.tensor([2.5])}, ["digit"])
        {'digit': tensor([-1]), 'width': tensor([2.5000])}
    """
    return {**values, **{n: torch.full_like(values[n], _null(values[n])) for n in names}}


def _null(value: Tensor) -> float:
    return torch.nan if value.is_floating_point() else -1


class TimeEmbedding(nn.Module):
    """The diffusion time tau in [0, 1], shape (batch,), as (batch, features)."""

    omega: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        omega = torch.logspace(0, 2, FREQUENCIES)
        self.register_buffer("omega", omega, persistent=False)
        self.mlp = MLP(2 * FREQUENCIES, features, hidden=(features,))

    def forward(self, tau: Tensor) -> Tensor:
        """The vectors of the times tau, shape (batch,)."""
        angles = tau.to(self.omega.dtype)[:, None] * self.omega
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=-1))


class ParentEmbedding(nn.Module):
    """The values of a node's parents as (batch, features), float32.

    Args:
        parents: type of each parent by name; none: the embedding is zero.
        features: length of the vectors.
        waves: K of the parents that are numbers.

    Raises:
        CompileError: a parent has no type.
    """

    origin: Tensor

    def __init__(self, parents: Mapping[str, Node | Vector], features: int, waves: int = 0) -> None:
        super().__init__()
        self.names = tuple(parents)
        self.register_buffer("origin", torch.zeros(features), persistent=False)
        parts = [_part(name, parents[name], features) for name in self.names]
        numbers = (NumberEmbedding,) if waves else ()
        self.parts = nn.ModuleList(p.waved(waves) if isinstance(p, numbers) else p for p in parts)

    def calibrate(self, values: Mapping[str, Tensor]) -> None:
        """Take location and scale of the parents that are numbers from the known ``values``."""
        for name, part in zip(self.names, self.parts, strict=True):
            if isinstance(part, NumberEmbedding):
                part.calibrate(values[name])

    def jittered(
        self, values: Mapping[str, Tensor], share: float, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The values, continuous ones with normal noise of so many of their standard deviations."""
        told = dict(values)
        for name, part in zip(self.names, self.parts, strict=True):
            if isinstance(part, NumberEmbedding) and part.first is None:
                value = told[name]
                draws = torch.randn(value.shape, generator=generator, device=generator.device)
                told[name] = value + share * part.scale.to(value) * draws.to(value)
        return told

    def forward(self, values: Mapping[str, Tensor], n: int) -> Tensor:
        """The sum over the parents, shape (n, features).

        Args:
            values: parents' values, n rows each, or one row that stands for all; other names are
                ignored.
            n: size of the batch.
        """
        total = self.origin.expand(n, -1)
        for name, part in zip(self.names, self.parts, strict=True):
            total = total + part(values[name])
        return total


class LevelEmbedding(nn.Module):
    """A vector for each level; row 0 is that of a missing value."""

    def __init__(self, levels: int, features: int) -> None:
        super().__init__()
        self.table = nn.Embedding(levels + 1, features)

    def forward(self, value: Tensor) -> Tensor:
        """The vectors of positions, shape (batch,)."""
        return self.table(value.long() + 1)


class NumberEmbedding(nn.Module):
    """An MLP of the standardised value; a vector of its own where the value is NaN.

    Args:
        features: length of the vectors.
        first: what is taken of a value before it is standardised; None: itself.
        waves: K.
    """

    location: Tensor
    scale: Tensor
    bend: Tensor

    def __init__(
        self, features: int, first: Callable[[Tensor], Tensor] | None = None, waves: int = 0
    ) -> None:
        super().__init__()
        self.features, self.first, self.waves = features, first, waves
        self.register_buffer("location", torch.zeros((), dtype=torch.float64))
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))
        self.register_buffer("bend", torch.tensor(math.inf, dtype=torch.float64))
        self.mlp = MLP(1 + 2 * waves, features, hidden=(features,))
        self.null = nn.Parameter(torch.zeros(features))

    def waved(self, waves: int) -> NumberEmbedding:
        """Another of the same numbers, with so many waves."""
        return NumberEmbedding(self.features, self.first, waves)

    def calibrate(self, value: Tensor) -> None:
        """Take location, scale and bend from the values that are known."""
        known = self._number(value[~value.isnan()])
        if len(known):
            parts = measured(known)
            for buffer, part in zip((self.location, self.scale, self.bend), parts, strict=True):
                buffer.copy_(part)

    def forward(self, value: Tensor) -> Tensor:
        """The vectors of numbers, shape (batch,)."""
        standardised = (self._number(value) - self.location) / self.scale
        number = bent(standardised, self.bend).nan_to_num()[:, None]
        angles = [math.pi / 4 * 2**k * number for k in range(self.waves)]
        waves = [wave for angle in angles for wave in (angle.sin(), angle.cos())]
        vector = self.mlp(torch.cat([number, *waves], dim=1) if waves else number)
        return torch.where(value.isnan()[:, None], self.null, vector)

    def _number(self, value: Tensor) -> Tensor:
        number = value.to(self.location.dtype)
        return number if self.first is None else self.first(number)


class _VectorEmbedding(nn.Module):
    """An MLP; a vector of its own where a number is NaN."""

    def __init__(self, length: int, features: int) -> None:
        super().__init__()
        self.mlp = MLP(length, features, hidden=(features,))
        self.null = nn.Parameter(torch.zeros(features))

    def forward(self, value: Tensor) -> Tensor:
        missing = value.isnan().any(dim=1, keepdim=True)
        return torch.where(missing, self.null, self.mlp(value.nan_to_num()))


class PictureEmbedding(nn.Module):
    """An `Encoder`; a vector of its own where the image has a NaN."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.encoder = Encoder(channels, IMAGE_WIDTH, features)
        self.null = nn.Parameter(torch.zeros(features))

    def forward(self, value: Tensor) -> Tensor:
        """The vectors of images, shape (batch, channel, height, width)."""
        missing = value.flatten(1).isnan().any(dim=1, keepdim=True)
        return torch.where(missing, self.null, self.encoder(value.nan_to_num()))


def _part(name: str, node: Node | Vector, features: int) -> nn.Module:
    """The embedding of one parent."""
    if isinstance(node, Vector):
        return _VectorEmbedding(node.length, features)
    engine = engine_of(node.type)
    if engine is None:
        raise CompileError(
            f"node '{name}': a parent of a network has no type; "
            f"declare one of {sorted(NODE_TYPES)} under nodes:"
        )
    return engine.embedding(node.type, features)
