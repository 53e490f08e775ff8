"""ImageLoss: what is minimised where an image's mechanism is fitted, a number a row.

Notation: x the image, pa its parents, z its semantic code, d the number of pixel values, w the
weight of a row under the law in which the parents are independent.

    loss = w' (denoising + code_weight / d KL(code) + alignment_weight / d KL(latents)
               + code_independence dependence(z, pa)) + w prediction

The prediction of the parents follows the mutilated law (w), and so does the denoising where an edge
is anti-causal (w' = w). A denoiser that is told every parent has the same optimum under every law:
its law is the even mixture of the data's and the mutilated one, w' = (1 + w) / 2, so that it learns
the combinations that are rare in the data and common under do().

A row needs no label: the denoiser is told nulls, or draws from the predictor's posterior given the
image (``unlabelled``), the predictor learns from the labels there are, and a row that misses one
has the weight 1. A row without image costs 0.

The weights. Under do() the parents pa_1..pa_K no longer move together, but in the data they do, and
whatever is learned of x without being told a parent learns that too: a predictor p(pa_k | x) leans
on the other parents, a denoiser that is not conditioned on pa_k paints what usually goes with the
rest. Both are therefore fitted under the law

    p_w(pa, x) = w(pa) p(pa, x),        w(pa) = prod_k p(pa_k) / p(pa_1, ..., pa_K),

which leaves the mechanism p(x | pa) alone and makes the parents independent; then Bayes' rule
p(x | n, a) ~ p_w(x | n) p_w(a | x, n) holds with p_w(a | n) = p(a), n neural and a anti-causal.
Continuous parents are cut at their quartiles. A few rows that break the rule may have to stand for
many that follow it: w is clipped, at the largest value that leaves an effective share

    (sum w)^2 / (n sum w^2) >= LEAST_SHARE

of the n rows, and scaled to mean 1. (A confounder that agrees with its effect in 99 % of the rows
keeps 4 % of them, and is undone entirely; one of 99.9 % would keep .4 %, and is undone in part.)

Source: the inverse-probability weights of marginal structural models, Robins, Hernan & Brumback
(2000); applied here to the graph mutilation that Diff-SCM leaves open.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from causalflow.diffusion.denoiser import Denoiser
from causalflow.errors import DataError
from causalflow.graph.latent_options import Latent
from causalflow.graph.node import Diffusion, Node, levels_of
from causalflow.limits import MUTILATION_CELLS
from causalflow.mechanisms.image.parent_reader import ParentReader
from causalflow.mechanisms.image.representation import Representation
from causalflow.mechanisms.image.semantic_code import SemanticCode, dependence
from causalflow.mechanisms.mechanism import Values, all_labelled, filled, labelled

__all__ = ["ImageLoss", "MutilationWeights"]

BINS = 4
LEAST_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageLoss:
    """The training loss of an image node.

    Attributes:
        parents: the names.
        pixels: d.
        options: the options of the image node.
        latent: those of its latent; None: it has none.
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
    latent: Latent | None
    denoiser: Denoiser
    reader: ParentReader
    code: SemanticCode | None
    representation: Representation | None
    mutilation: MutilationWeights | None
    anticausal: bool

    def of(self, image: Tensor, parents: Values, generator: torch.Generator) -> Tensor:
        """The loss, shape (batch,).

        Args:
            image: the images, in [-1, 1], NaN in rows without one.
            parents: values by name, batch rows each; -1 or NaN where missing.
            generator: draws the noise, its level, and what stands for missing labels.
        """
        seen, image = labelled(image), image.nan_to_num()
        error = self._image_error(image, self._told(image, parents, generator), generator)
        if self.parents:
            weight = 1.0 if self.mutilation is None else self.mutilation(parents)
            error = error * (weight if self.anticausal else (1 + weight) / 2)
            error = error + weight * self.reader.loss(image, parents, generator)
        return torch.where(seen, error, 0.0)

    def reading(self, image: Tensor, parents: Values, generator: torch.Generator) -> Tensor:
        """What the prediction alone costs, in the latent's measure, shape (batch,).

        It goes beside an encoder that learns: ``image`` is its latent, and what is hard to read off
        it reaches the encoder.
        """
        seen, latent = labelled(image), self.latent
        if not self.parents or latent is None or not latent.reading:
            return torch.zeros(len(image), device=image.device)
        weight = 1.0 if self.mutilation is None else self.mutilation(parents)
        error = weight * self.reader.loss(image.nan_to_num(), parents, generator)
        return torch.where(seen, latent.reading * error, 0.0)

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


class MutilationWeights(nn.Module):
    """The weights w(pa), a table over the (binned) parents; 1 where it would be too large.

    Args:
        parents: class or continuous parents by name.

    Attributes:
        effective_share: (sum w)^2 / (n sum w^2), the share of the data that the new law still uses.
    """

    cuts: Tensor
    weights: Tensor
    effective_share: Tensor

    def __init__(self, parents: Mapping[str, Node]) -> None:
        super().__init__()
        self.parents = dict(parents)
        levels = levels_of(parents)
        continuous = [name for name in parents if name not in levels]
        self._column = {name: column for column, name in enumerate(continuous)}
        bins = [len(levels[name]) if name in levels else BINS for name in parents]
        self._bins = bins if math.prod(bins) <= MUTILATION_CELLS else []
        self.register_buffer("cuts", torch.zeros(len(continuous), BINS - 1, dtype=torch.float64))
        self.register_buffer("weights", torch.ones(math.prod(self._bins)))
        self.register_buffer("effective_share", torch.ones(()))

    def calibrate(self, values: Values) -> None:
        """Set the weights from the rows in which every parent is labelled.

        Raises:
            DataError: there is no such row.
        """
        rows = all_labelled(values, self.parents)
        if not rows.any():
            raise DataError(f"nodes {list(self.parents)}: no row has a label of all of them")
        known = {name: values[name][rows] for name in self.parents}
        quantiles = torch.linspace(0, 1, BINS + 1, dtype=torch.float64)[1:-1]
        for name, column in self._column.items():
            self.cuts[column] = torch.quantile(known[name].cpu(), quantiles).to(self.cuts)
        if self._bins:
            self._reweight(self._cell(known))

    def _reweight(self, cell: Tensor) -> None:
        counts = torch.bincount(cell, minlength=len(self.weights)).double()
        joint = (counts / counts.sum()).reshape(self._bins)
        independent = torch.ones((), dtype=torch.float64, device=joint.device)
        for axis in range(joint.ndim):
            others = [k for k in range(joint.ndim) if k != axis]
            marginal = joint.sum(dim=others) if others else joint
            independent = independent[..., None] * marginal
        ratio = torch.where(joint > 0, independent / joint.clamp_min(1e-300), 0.0)
        ratio, joint = ratio.flatten(), joint.flatten()
        ratio = ratio.clamp_max(_clip(ratio, joint))
        self.weights.copy_(ratio / (ratio * joint).sum())
        self.effective_share.copy_(_share(ratio, joint))

    def _cell(self, values: Values) -> Tensor:
        """The index of each row's cell in the joint table of (binned) parents, shape (batch,)."""
        cell = torch.zeros((), dtype=torch.int64, device=self.weights.device)
        for name, bins in zip(self.parents, self._bins, strict=True):
            value = values[name]
            if name in self._column:
                value = torch.bucketize(value, self.cuts[self._column[name]])
            cell = cell.to(value.device) * bins + value
        return cell

    def forward(self, values: Values) -> Tensor:
        """w of each row, shape (batch,), or (1,) where no table is kept."""
        if not self._bins:
            return self.weights
        known = all_labelled(values, self.parents)
        weight = self.weights[self._cell(filled(values, self.parents))]
        return torch.where(known, weight, 1.0)


def _share(ratio: Tensor, joint: Tensor) -> Tensor:
    """The effective share of the rows under these weights."""
    return (ratio * joint).sum().square() / (ratio.square() * joint).sum()


def _clip(ratio: Tensor, joint: Tensor) -> float:
    """The largest bound of the weights that leaves `LEAST_SHARE`; clipping more leaves more."""
    low, high = 0.0, float(ratio.max())
    if float(_share(ratio, joint)) >= LEAST_SHARE:
        return high
    for _ in range(60):
        middle = (low + high) / 2
        enough = float(_share(ratio.clamp_max(middle), joint)) >= LEAST_SHARE
        low, high = (middle, high) if enough else (low, middle)
    return low
