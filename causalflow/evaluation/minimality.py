"""Minimality: a counterfactual picture is no further from the factual one than it must be.

Notation: x a factual picture whose attribute is f, x' its counterfactual, for which it was set to
f'; N(m(x), s(x)^2) the latent posterior of a variational autoencoder of real pictures, K its
latents, and d(x', x) = KL(N(m(x'), s(x')^2) || N(m(x), s(x)^2)) / K. Of all factual pictures let
S' be the distances d(., x) of those whose attribute is f', and S those whose attribute is f:

    p' = share of S' that is at most d(x', x)       p = share of S that is at least d(x', x)
    minimality = log(.8 exp(p') + .2 exp(p))        in 0..1, 0 at best

A number's values count as equal where they lie in one of `BINS` parts of the factual values' range,
each with as many of them. A picture whose f' no factual picture has is left out.

This is the benchmark's formula, of which two things are told otherwise. Its released code reads the
means of the latents in the place of their scales too, in both posteriors, so that its distance is
no divergence; here it is. And its autoencoder, of 16 latents, is told the attributes; ours, of 20,
sees pictures alone, averaged by area to `SIZE` pixels if they are larger. Numbers of different
autoencoders compare as shares do, not to the last digit. Diff-SCM's number of the same idea weighs
both shares alike: `causalflow.evaluation.likeness`.

Source: Melistas et al. (2024), Benchmarking counterfactual image generation, section 3.4, and its
code's evaluation/metrics/minimality.py.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from causalflow.evaluation.autoencoder import VariationalAutoencoder
from causalflow.evaluation.likeness import gaussian_divergence
from causalflow.evaluation.networks import shrunk

__all__ = ["BINS", "SIZE", "binned", "fitted_encoder", "minimality", "shrunk_latents"]

BINS = 10
"""Parts of a number's range within which two values count as equal."""
SIZE = 32
"""Pixels of the longer side, at most, that the autoencoder sees."""
NEAR, FAR = math.log(0.8), math.log(0.2)

Latents = tuple[Tensor, Tensor]


def fitted_encoder(
    images: Tensor, *, epochs: int = 10, seed: int = 0, progress: bool = False
) -> VariationalAutoencoder:
    """The autoencoder, fitted to real pictures."""
    seen = shrunk(images, SIZE)
    return VariationalAutoencoder.fit(seen, epochs=epochs, seed=seed, progress=progress)


def shrunk_latents(encoder: VariationalAutoencoder, images: Tensor) -> Latents:
    """The means and variances of pictures' latents, (batch, latents) each, float64."""
    return encoder(shrunk(images, SIZE))


def binned(values: Tensor, among: Tensor) -> Tensor:
    """The part of the range of ``among`` that each number lies in, shape of the values.

    Example:
        >>> binned(torch.tensor([0.0, 5.5, 99.0]), torch.arange(10.0)).tolist()
        [0, 6, 9]
    """
    inner = torch.arange(1, BINS, dtype=torch.float64) / BINS
    return torch.bucketize(values.double(), among.double().quantile(inner))


def minimality(made: Latents, factual: Latents, target: Tensor, own: Tensor) -> Tensor:
    """The minimality of each counterfactual, shape (batch,); NaN where no picture has its target.

    Args:
        made: means and variances of the counterfactuals' latents, shape (batch, latents) each.
        factual: those of the factual pictures, likewise.
        target: what was set, as whole numbers that are equal where values count as equal, (batch,).
        own: what the attribute was, likewise.

    Example:
        >>> one, far = torch.ones(2, 1).double(), torch.tensor([[0.0], [9.0]]).double()
        >>> kinds = torch.tensor([0, 1])
        >>> left = minimality((far, one), (far, one), 1 - kinds, kinds)     # pictures left alone
        >>> [round(value, 4) for value in left.tolist()]                    # log(.8 + .2 e)
        [0.2954, 0.2954]
    """
    width = factual[0].shape[1]
    found = torch.zeros(len(own), dtype=torch.float64)
    for row in range(len(own)):
        here = tuple(part[row] for part in factual)
        distance = gaussian_divergence(made[0][row], made[1][row], *here) / width
        others = gaussian_divergence(*factual, *here) / width
        near = (others[own == target[row]] <= distance).double().mean()
        far = (others[own == own[row]] >= distance).double().mean()
        found[row] = torch.logaddexp(near + NEAR, far + FAR)
    return found
