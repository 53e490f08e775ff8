"""Representation: the causal latents of an image, vectors that stand for its parents' labels.

Notation: x the image, y_i the label of a represented node i, y_pa its parents' labels, z_i in R^d
its representation, e_i the noise of its label's mechanism F_i (`causalflow.mechanisms.continuous`,
`.categorical`, an equation), m and v the outputs of an encoder of x alone.

    prior       p(z | y) = prod_i N(z_i; mu_i(y_i), s^2 I)      aligned with the labels
    latents     z_i = f_i(z_pa, u_i):  y_i = F_i(y_pa, e_i),  z_i = mu_i(y_i) + s w_i,
                u_i = (e_i, w_i),  w_i ~ N(0, I)
    encoder     q(z | x) = N(m(x), s^2 diag v(x));  y^ the label that m(x) tells
    given y     q(z | x, y) = N(m + mu(y) - mu(y^), s^2 diag v):  a label that is given is believed
    alignment   KL of q(z | x) = 1/2 sum_k ((m_k - mu_k)^2 / s^2 + v_k - 1 - log v_k)
    places      mu_i(y) = (y - location) / scale in each of d numbers, of a continuous node;
                of level k of K, sqrt(2) cos(pi (k + 1/2) j / K), j = 1..d (cycling over 1..K-1):
                rows of the cosine transform, distinct for any d, orthogonal where d = K - 1

By the prior a latent is independent of those of its parents given its label, so that f_i acts
through labels: what is fitted to them (flows, tables, hidden confounders, equations) is the
latents' mechanism too, and values reach all descendants in topological order. The image's network
is told z_i in place of y_i.

In training z is drawn from q(z | x, y), or q(z | x) where the label is missing, and KL, weighted,
is added to the loss, y^ standing for a missing label. In abduction z is the mean of the same, so
that w_i is what the image shows of node i beside its label. Under do() w_i stays, and the latent
moves with its label,

    z_i' = z_i + mu_i(y_i') - mu_i(y_i),

hence not at all where the label is the factual one. A missing label is read off z_i: the mean of
the d numbers, kept within the labels seen in fitting, or the nearest level.

Sources: Komanduri et al. (2024), CausalDiffAE (prior, encoder, conditional diffusion); that f_i
acts through the labels, and the translation, are this project's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from causalflow.errors import DataError
from causalflow.graph.node import Image, Node, Vector
from causalflow.mechanisms.image.semantic_code import SemanticCode
from causalflow.mechanisms.mechanism import Values, labelled, module_key

__all__ = ["Representation", "represented"]

SPREAD = 0.1
"""s, in standard deviations of a continuous label: far below the distance of common values."""


def represented(parents: Mapping[str, Node]) -> dict[str, Node]:
    """The parents that have a representation."""
    return {name: parent for name, parent in parents.items() if parent.representation is not None}


class Representation(nn.Module):
    """The latents of an image: their encoder, and the places of the labels.

    Args:
        image: its shape and options.
        parents: those with a representation, at least one.

    Attributes:
        lengths: d of each, by name.
    """

    steps: Tensor

    def __init__(self, image: Image, parents: Mapping[str, Node]) -> None:
        super().__init__()
        self.lengths = {name: cast(int, parent.representation) for name, parent in parents.items()}
        self.ramp = image.diffusion.alignment_ramp
        options = replace(image.diffusion, code=sum(self.lengths.values()))
        self.encoder = SemanticCode(replace(image, diffusion=options), {})
        self.places = nn.ModuleDict(
            {module_key(name): _place(name, parent) for name, parent in parents.items()}
        )
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def told(self) -> dict[str, Vector]:
        """What the network is told of each node."""
        return {name: Vector(length=length) for name, length in self.lengths.items()}

    def calibrate(self, values: Values) -> None:
        """Set the places of continuous labels.

        Raises:
            DataError: a node has no label at all.
        """
        for name in self.lengths:
            known = values[name][labelled(values[name])]
            if not len(known):
                raise DataError(f"node '{name}': no row has a label to align its representation")
            self._place(name).calibrate(known)

    def read(self, x: Tensor) -> dict[str, Tensor]:
        """The latents m(x) of images in [-1, 1], shape (batch, length) each, float32."""
        return self._split(self.encoder.moments(x, {})[0])

    def sample(
        self, x: Tensor, labels: Values, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Tensor]:
        """A draw of q(z | x, y), and the weighted alignment, shape (batch,).

        Args:
            x: images in [-1, 1].
            labels: the values of all the nodes; missing ones are read off the latents.
            generator: makes the draw.
        """
        mean, log_variance = self.encoder.moments(x, {})
        centre = torch.cat(list(self.believing(self._split(mean), labels).values()), dim=1)
        draw = torch.randn(mean.shape, generator=generator, device=generator.device).to(mean)
        with torch.no_grad():
            wanted = self._aligned(self._split(mean), labels)
        excess = ((mean - wanted) / SPREAD).square()
        divergence = (excess + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2
        z = centre + SPREAD * (log_variance / 2).exp() * draw
        return self._split(z), self._rising() * divergence

    def believing(self, z: Values, labels: Values) -> dict[str, Tensor]:
        """Latents moved to the labels that are given, from those they tell themselves.

        Args:
            z: read off images.
            labels: the values by name, shape (batch,) each; some, or some rows, may be missing.
        """
        found = dict(z)
        for name in z.keys() & labels.keys():
            told, label = self._place(name).nearest(z[name]), labels[name]
            told = told.to(label.dtype)
            label = torch.where(labelled(label), label, told)
            found[name] = self._moved(name, z[name], told, label)
        return found

    def labels(self, z: Values) -> dict[str, Tensor]:
        """The label that each latent tells, shape (batch,)."""
        return {name: self._place(name).nearest(value) for name, value in z.items()}

    def draw(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        """n draws of s w of each node, which `moved` takes from no label to one."""
        size = (n, sum(self.lengths.values()))
        return self._split(SPREAD * torch.randn(size, generator=generator, device=generator.device))

    def moved(self, z: Values, source: Values, target: Values) -> dict[str, Tensor]:
        """The latents under other labels, NaN where there is none.

        Args:
            z: latents under the labels ``source``; of those without label, s w.
            source: the labels by name that z stands under, shape (batch,) each.
            target: the labels that it is moved to, likewise.
        """
        return {name: self._moved(name, z[name], source[name], target[name]) for name in z}

    def _moved(self, name: str, z: Tensor, source: Tensor, target: Tensor) -> Tensor:
        place = self._place(name)
        moved = z + (place(target) - place(source)).to(z)
        return torch.where(labelled(target)[:, None], moved, torch.nan)

    def _aligned(self, z: Values, labels: Values) -> Tensor:
        """mu of the labels, those that are missing as z tells them; shape (batch, all lengths)."""
        parts = []
        for name, value in z.items():
            place, label = self._place(name), labels[name]
            told = place.nearest(value).to(label.dtype)
            parts.append(place(torch.where(labelled(label), label, told)).to(value))
        return torch.cat(parts, dim=1)

    def _rising(self) -> Tensor | float:
        """The share of the alignment's weight at this step of training, which it counts."""
        if not (self.training and torch.is_grad_enabled()) or not self.ramp:
            return 1.0
        self.steps += 1
        return (self.steps / self.ramp).clamp_max(1.0)

    def _split(self, z: Tensor) -> dict[str, Tensor]:
        parts = z.split(list(self.lengths.values()), dim=1)
        return dict(zip(self.lengths, parts, strict=True))

    def _place(self, name: str) -> _LevelPlaces | _NumberPlaces:
        return cast("_LevelPlaces | _NumberPlaces", self.places[module_key(name)])


class _LevelPlaces(nn.Module):
    """mu of the levels of a class node; 0 where there is no label."""

    table: Tensor

    def __init__(self, levels: int, length: int) -> None:
        super().__init__()
        waves = torch.arange(length) % max(1, levels - 1) + 1
        angles = math.pi * (torch.arange(levels)[:, None] + 0.5) * waves / levels
        self.register_buffer("table", math.sqrt(2) * torch.cos(angles.double()))

    def calibrate(self, known: Tensor) -> None:
        """The places are given."""

    def forward(self, value: Tensor) -> Tensor:
        table = torch.cat([torch.zeros_like(self.table[:1]), self.table])
        return table[value + 1]

    def nearest(self, z: Tensor) -> Tensor:
        return torch.cdist(z.double(), self.table).argmin(dim=1)


class _NumberPlaces(nn.Module):
    """mu of a continuous node's values; 0 where there is no label."""

    location: Tensor
    scale: Tensor
    ends: Tensor

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length
        self.register_buffer("location", torch.zeros((), dtype=torch.float64))
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))
        self.register_buffer("ends", torch.tensor([-math.inf, math.inf], dtype=torch.float64))

    def calibrate(self, known: Tensor) -> None:
        spread = known.std(correction=0)
        self.location.copy_(known.mean())
        self.scale.copy_(torch.where(spread > 0, spread, torch.ones_like(spread)))
        self.ends.copy_(torch.stack([known.min(), known.max()]))

    def forward(self, value: Tensor) -> Tensor:
        standardised = (value.to(self.location) - self.location) / self.scale
        return standardised.nan_to_num()[:, None].expand(-1, self.length)

    def nearest(self, z: Tensor) -> Tensor:
        value = self.location + self.scale * z.double().mean(dim=1)
        return value.clamp(self.ends[0], self.ends[1])


def _place(name: str, node: Node) -> nn.Module:
    assert node.representation is not None, name
    if node.type.levels is not None:
        return _LevelPlaces(len(node.type.levels), node.representation)
    return _NumberPlaces(node.representation)
