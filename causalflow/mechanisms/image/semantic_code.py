"""Semantic code: what an image has beside its parents and its pixel noise, as a short vector.

Notation: x the image, pa its parents, z the code; mu and s the outputs of an encoder of x that is
conditioned on pa, over all parents, also those that the denoiser is not told.

    q(z | x, pa) = N(mu, diag(s^2)),    KL = E log q(z | x, pa) / N(z; 0, I)
                                           = 1/2 sum_k (mu_k^2 + s_k^2 - 1 - log s_k^2)

The denoiser is given z. In training z is drawn from q and KL, weighted, is added to the loss, so
that z carries what the denoiser needs and the parents do not tell; in abduction z = mu; a drawn
image has z ~ N(0, I).

z is part of the image's exogenous noise: it stays as it is under do(), and must therefore not
depend on the parents, which the weight of KL has to see to. It cannot for a parent that the
denoiser is not told (an anti-causal one): telling it pays more than KL costs, so by default a node
with such an edge has no code. Nor has one that listens to a hidden cause
(`causalflow.graph.hearing`): what is open of it given the parents, the code would settle by the
factual image, for all of do().

How much a code tells of the parents is its `dependence`, which can be added to the loss. With z_i
the code of row i, d its length, a_i the value of a parent, and K and L the n x n matrices

    K_ij = 1/2 exp(-|z_i - z_j|^2 / (2 d)) + 1/(2 d) sum_k exp(-2 (z_ik - z_jk)^2)
    L_ij = 1{a_i = a_j} of a class, exp(-(a_i - a_j)^2 / 2) of a standardised number,

the first part of K sees all of z at the scale of N(0, I), and the second each of its numbers alone,
at half that scale: a parent told by one number of many hides from the first. With H the centring
matrix, the Hilbert-Schmidt independence criterion and the dependence are

    HSIC(K, L) = tr(K H L H) / n^2,     dependence = mean over parents of HSIC(K, L) / HSIC(L, L).

Sources: Preechakul et al. (2022), Diffusion Autoencoders; Komanduri et al. (2024), CausalDiffAE;
Kingma & Welling (2014), the divergence; Gretton et al. (2005), Measuring Statistical Dependence
with Hilbert-Schmidt Norms.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from causalflow.graph.node import Image, Node
from causalflow.mechanisms.mechanism import Values, labelled
from causalflow.nn.embedding import ParentEmbedding
from causalflow.nn.encoder import Halving, Modulation

__all__ = ["SemanticCode", "dependence"]

FEATURES = 128
HALVINGS = 3
LARGEST = 10.0
"""The largest logarithm of a variance, either way."""
SMALLEST = 1e-6


class SemanticCode(nn.Module):
    """The Gaussian q(z | x, pa) of an image's code.

    Args:
        image: its shape and options; ``code`` is the length of z, and ``predictor_width`` the
            channels of the encoder's first level.
        parents: the image's parents, by name.
    """

    def __init__(self, image: Image, parents: Mapping[str, Node]) -> None:
        super().__init__()
        channels, height, width = image.shape
        self.length = image.diffusion.code or 0
        first = image.diffusion.predictor_width
        widths = [channels, *(first << level for level in range(HALVINGS))]
        cells = -(-height >> HALVINGS) * -(-width >> HALVINGS)
        self.parents = ParentEmbedding(parents, FEATURES)
        self.halvings = nn.ModuleList(Halving(a, b) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(Modulation(width, FEATURES) for width in widths[1:])
        self.readout = nn.Linear(cells * widths[-1], 2 * self.length)

    def calibrate(self, values: Values) -> None:
        """Set the scale of continuous parents."""
        self.parents.calibrate(values)

    def mean(self, x: Tensor, parents: Values) -> Tensor:
        """The code of factual images, shape (batch, length), float32."""
        return self.moments(x, parents)[0]

    def sample(
        self, x: Tensor, parents: Values, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """A draw of z, shape (batch, length), and KL in nats, shape (batch,).

        Args:
            x: images in [-1, 1], shape (batch, channel, height, width).
            parents: values of the image's parents; unlabelled ones are nulls.
            generator: makes the draw.
        """
        mean, log_variance = self.moments(x, parents)
        draw = torch.randn(mean.shape, generator=generator, device=generator.device).to(mean)
        return mean + (log_variance / 2).exp() * draw, _divergence(mean, log_variance)

    def kl(self, x: Tensor, parents: Values) -> Tensor:
        """KL in nats of each image's code, shape (batch,)."""
        return _divergence(*self.moments(x, parents))

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """n draws of z from N(0, I), float32."""
        return torch.randn(n, self.length, generator=generator, device=generator.device)

    def moments(self, x: Tensor, parents: Values) -> tuple[Tensor, Tensor]:
        """The mean and the logarithm of the variance of q, shape (batch, length), float32."""
        told = functional.silu(self.parents(parents, len(x)))
        h = x.to(self.readout.weight.dtype).contiguous(memory_format=torch.channels_last)
        for halve, norm in zip(self.halvings, self.norms, strict=True):
            h = functional.silu(norm(halve(h), told))
        mean, log_variance = self.readout(h.flatten(1)).float().chunk(2, dim=1)
        return mean, LARGEST * torch.tanh(log_variance / LARGEST)


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2


def dependence(code: Tensor, parents: Values) -> Tensor:
    """The mean over the parents, shape (), differentiable in the code.

    Args:
        code: shape (batch, length).
        parents: classes or numbers by name, shape (batch,); unlabelled rows of a parent are left
            out by a weight of zero.
    """
    told = _code_kernel(code)
    terms = [_one(told, value) for value in parents.values()]
    return torch.stack(terms).mean() if terms else code.new_zeros(())


def _one(told: Tensor, value: Tensor) -> Tensor:
    """HSIC(K, L) / HSIC(L, L) over the labelled rows of one parent."""
    known = labelled(value).to(told.dtype)
    count = known.sum().clamp_min(1)
    centre = torch.diag(known) - torch.outer(known, known) / count
    kernel = centre @ _parent_kernel(value, known).to(told.dtype) @ centre
    return (told * kernel).sum() / kernel.square().sum().clamp_min(SMALLEST)


def _code_kernel(code: Tensor) -> Tensor:
    squares = (code[:, None] - code[None]).square()
    together = torch.exp(-squares.mean(dim=2) / 2)
    return (together + torch.exp(-2 * squares).mean(dim=2)) / 2


def _parent_kernel(value: Tensor, known: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value[:, None] == value[None]
    number = value.nan_to_num()
    mean = (number * known).sum() / known.sum().clamp_min(1)
    spread = ((number - mean).square() * known).sum() / known.sum().clamp_min(1)
    scaled = (number - mean) / spread.clamp_min(SMALLEST).sqrt()
    return torch.exp(-(scaled[:, None] - scaled[None]).square() / 2)
