"""Loss of an image: what is minimised where its mechanism is fitted, a number a row.

Notation: x the image, pa its parents, z its semantic code, d the number of pixel values, w the
weight of a row under the law in which the parents are independent
(`causalflow.mechanisms.mutilation`).

    loss = w' (denoising + code_weight / d KL(code) + alignment_weight / d KL(latents)
               + code_independence dependence(z, pa)) + w prediction

The prediction of the parents follows the mutilated law (w), and so does the denoising where an edge
is anti-causal (w' = w). A denoiser that is told every parent has the same optimum under every law:
its law is the even mixture of the data's and the mutilated one, w' = (1 + w) / 2, so that it learns
the combinations that are rare in the data and common under do().

A row needs no label: the denoiser is told nulls, or draws from the predictor's posterior given the
image (``unlabelled``), the predictor learns from the labels there are, and a row that misses one
has the weight 1. A row without image costs 0.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.diffusion.denoiser import Denoiser
from causalflow.graph.schema import Diffusion
from causalflow.mechanisms.base import Values
from causalflow.mechanisms.code import SemanticCode
from causalflow.mechanisms.dependence import dependence
from causalflow.mechanisms.labels import labelled
from causalflow.mechanisms.mutilation import MutilationWeights
from causalflow.mechanisms.reading import ParentReader
from causalflow.mechanisms.representation import Representation

__all__ = ["ImageLoss"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageLoss:
    """The training loss of an image node.

    Attributes:
        parents: the names.
        pixels: d.
        options: of the image node.
        denoiser: learns the image given what it is told.
        reader: learns the parents given the image.
        code: learns what else the image shows; None: nothing.
        representation: learns the parents' latents; None: no parent has any.
        mutilation: w of a row; None: 1.
        anticausal: whether a parent is told to no network.
    """

    parents: Collection[str]
    pixels: int
    options: Diffusion
    denoiser: Denoiser
    reader: ParentReader
    code: SemanticCode | None
    representation: Representation | None
    mutilation: MutilationWeights | None
    anticausal: bool

    def of(self, image: Tensor, parents: Values, generator: torch.Generator) -> Tensor:
        """The loss, shape (batch,).

        Args:
            image: in [-1, 1], NaN in rows without image.
            parents: values by name, batch rows each; -1 or NaN where missing.
            generator: of the noise, its level, and what is drawn for missing labels.
        """
        seen, image = labelled(image), image.nan_to_num()
        error = self._image_error(image, self._told(image, parents, generator), generator)
        if self.parents:
            weight = 1.0 if self.mutilation is None else self.mutilation(parents)
            error = error * (weight if self.anticausal else (1 + weight) / 2)
            error = error + weight * self.reader.loss(image, parents, generator)
        return torch.where(seen, error, 0.0)

    def _told(self, image: Tensor, parents: Values, generator: torch.Generator) -> Values:
        """The parents as the denoiser is told them: missing ones hidden, or drawn."""
        if self.options.unlabelled == "null" or not self.parents:
            return parents
        return self.reader.completed(image, parents, generator)

    def _image_error(self, image: Tensor, parents: Values, generator: torch.Generator) -> Tensor:
        """What the denoiser, the code and the representation pay together."""
        told, cost = self._aligned(image, parents, generator)
        if self.code is None:
            return self.denoiser.loss(image, told, generator) + cost
        code, divergence = self.code.sample(image, parents, generator)
        weight = self.options.code_weight / self.pixels
        error = self.denoiser.loss(image, told, generator, code=code) + weight * divergence + cost
        if not self.options.code_independence:
            return error
        return error + self.options.code_independence * dependence(code, parents)

    def _aligned(
        self, image: Tensor, parents: Values, generator: torch.Generator
    ) -> tuple[Values, Tensor | float]:
        """The parents, latents drawn in place of labels, and the cost of their alignment."""
        if self.representation is None:
            return parents, 0.0
        latents, divergence = self.representation.sample(image, parents, generator)
        weight = self.options.alignment_weight / self.pixels
        return {**parents, **latents}, weight * divergence
