"""Likeness: how near a counterfactual is to real pictures, by autoencoders fitted to these.

Notation: x_F the factual picture, of class f, x' its counterfactual, which was to be of class c;
pixels in [0, 1]. Two properties are asked for, and neither says that x' is of class c.

*Minimality*: x' is no further from x_F than it must be. Let m(x), s(x) be the mean and the standard
deviation of a variational autoencoder's latent posterior, and
D(x, x_F) = KL(N(m(x), diag s(x)^2) || N(m(x_F), diag s(x_F)^2)) in nats. With div = D(x', x_F) and
real pictures x of a data set, of class c (S_c) or f (S_f), the counterfactual latent divergence is

    CLD = log( exp P(D(x, x_F) <= div : x in S_c) + exp P(D(x, x_F) >= div : x in S_f) ).

The first share is small if x' is nearer to x_F than real pictures of its new class are, the second
if it is further than those of its old class: the range is [log 2, 1 + log 2] = [.693, 1.693], lower
is better, and .693 the floor. The picture left as it was has div = 0, so 0 and 1: log(1 + e) =
1.313; a far one 1 and 0: 1.313 as well. Shares are exact over the data set, not estimated. What the
paper leaves open was chosen here: the data set is that which the autoencoder was fitted to, of
training pictures, so that x_F, of another split, is not itself in S_f (one picture in 5,500 would
not matter); the sigma of its N(mu, sigma) is a standard deviation; x in its eq. 9 is a picture.

*Interpretability*: x' looks like real pictures of its new class, however far it is from x_F. Let
A_k(x) be an autoencoder fitted to real pictures of class k alone, A(x) one fitted to those of all
classes, and e = 1e-7:

    IM1 = |x' - A_c(x')|^2 / (|x' - A_f(x')|^2 + e)     below 1: nearer to the new class than to the
                                                        old one; 0 at best, unbounded above
    IM2 = |A_c(x') - A(x')|^2 / (|x'|_1 + e)            0 at best: class and data agree on x'

Both depend on how well the autoencoders are fitted, and IM2 on the scale of the pixels: give the
numbers of real pictures of the new class beside them. Diff-SCM prints them otherwise (its eq. 20
has A_f in place of A_c in IM2, and its prose divides IM1 by the autoencoder of all classes); here
both are as in the source.

Sources: Sanchez & Tsaftaris (2022), Diff-SCM, section 5.2, eq. 8-10, and appendix G; Van Looveren &
Klaise (2021), Interpretable counterfactual explanations guided by prototypes, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.errors import DataError, one_of
from causalflow.evaluation.autoencoder import Autoencoder, VariationalAutoencoder
from causalflow.evaluation.score import Score, mean_score

__all__ = [
    "FLOOR",
    "NOTHING",
    "Interpretability",
    "Minimality",
    "gaussian_divergence",
    "im1",
    "im2",
    "latent_divergence",
]

FLOOR = math.log(2)
"""The least CLD there is."""
NOTHING = math.log(1 + math.e)
"""The CLD of pictures that were left as they were."""
ROWS = 64


def gaussian_divergence(
    mean: Tensor, variance: Tensor, mean_2: Tensor, variance_2: Tensor
) -> Tensor:
    """KL(N(mean, diag variance) || N(mean_2, diag variance_2)) in nats; the last axis is summed.

    Example:
        >>> one = torch.ones(1)
        >>> float(gaussian_divergence(one, one, -one, one))
        2.0
    """
    ratio = variance / variance_2
    return (ratio - ratio.log() - 1 + (mean - mean_2).square() / variance_2).sum(dim=-1) / 2


def latent_divergence(nearer: Tensor, further: Tensor) -> Tensor:
    """CLD of each picture, from its two shares, shape (batch,).

    Args:
        nearer: the share of real pictures of the new class that are no further from x_F than x' is.
        further: the share of real pictures of the factual class that are no nearer.

    Example:
        >>> latent_divergence(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]))
        tensor([0.6931, 1.6931])
    """
    return torch.logaddexp(nearer, further)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Minimality:
    """A judge of how far counterfactuals are from their factual pictures.

    Attributes:
        encoder: what gives the latent posterior.
        latents: the means and variances of the data set, shape (n, 20) each, float64.
        classes: the classes of the data set, shape (n,).
    """

    encoder: VariationalAutoencoder
    latents: tuple[Tensor, Tensor]
    classes: Tensor

    @classmethod
    def fit(
        cls,
        images: Tensor,
        classes: Tensor,
        *,
        epochs: int = 10,
        batch_size: int = 128,
        seed: int = 0,
        device: str | torch.device = "cpu",
        progress: bool = False,
    ) -> Minimality:
        """Fit the autoencoder to real pictures, which then are the data set too.

        Args:
            images: uint8 or float in [0, 1], shape (n, channel, height, width).
            classes: shape (n,).
            epochs: passes over the pictures.
            batch_size: pictures a step.
            seed: the seed of weights, order and latent draws.
            device: where to train and read.
            progress: show a bar on standard error.

        Raises:
            DataError: pictures and classes of different lengths, or no pictures.
        """
        if len(images) != len(classes):
            raise DataError(f"minimality: {len(images)} images and {len(classes)} classes")
        encoder = VariationalAutoencoder.fit(
            images,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            device=device,
            progress=progress,
        )
        return cls(encoder=encoder, latents=encoder(images), classes=classes.cpu())

    def __call__(
        self, counterfactuals: Tensor, images: Tensor, target: Tensor, factual: Tensor
    ) -> Score:
        """The mean CLD, in .693 to 1.693.

        Args:
            counterfactuals: float in [0, 1] or uint8, shape (batch, channel, height, width).
            images: the factual pictures, likewise.
            target: the classes that the counterfactuals were to have, shape (batch,).
            factual: the classes of the factual pictures.

        Raises:
            DataError: a class that the data set has no picture of.
        """
        shares = self.shares(counterfactuals, images, target, factual)
        return mean_score(latent_divergence(*shares), "CLD")

    def shares(
        self, counterfactuals: Tensor, images: Tensor, target: Tensor, factual: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The two shares of each picture, shape (batch,) each, float64; as for a call."""
        target, factual = target.cpu(), factual.cpu()
        origin = self.encoder(images)
        distance = gaussian_divergence(*self.encoder(counterfactuals), *origin)
        nearer, further = torch.zeros_like(distance), torch.zeros_like(distance)
        for rows in torch.arange(len(distance)).split(ROWS):
            between = _divergences(*self.latents, *(part[rows] for part in origin))
            limit = distance[rows, None]
            nearer[rows] = _share(between <= limit, self._members(target[rows]))
            further[rows] = _share(between >= limit, self._members(factual[rows]))
        return nearer, further

    def _members(self, wanted: Tensor) -> Tensor:
        """Which pictures of the data set are of the wanted classes, shape (batch, n)."""
        members = self.classes == wanted[:, None]
        if not members.any(dim=1).all():
            missing = int(wanted[~members.any(dim=1)][0])
            raise DataError(f"minimality: the data set has no picture of class {missing}")
        return members


def _divergences(mean: Tensor, variance: Tensor, mean_2: Tensor, variance_2: Tensor) -> Tensor:
    """The divergence of each of n Gaussians from each of m, shape (m, n): `gaussian_divergence`.

    Not below 0, where rounding may take that of a picture from itself.
    """
    precision = 1 / variance_2
    squares = precision @ (variance + mean.square()).T - 2 * (precision * mean_2) @ mean.T
    own = (precision * mean_2.square() + variance_2.log() - 1).sum(dim=1)
    return ((squares + own[:, None] - variance.log().sum(dim=1)) / 2).clamp_min(0)


def _share(hits: Tensor, members: Tensor) -> Tensor:
    return (hits & members).double().sum(dim=1) / members.sum(dim=1)


EPSILON = 1e-7


def im1(images: Tensor, by_target: Tensor, by_factual: Tensor) -> Tensor:
    """IM1 of each picture, shape (batch,).

    Args:
        images: the pictures, in [0, 1], shape (batch, channel, height, width).
        by_target: the same pictures by the autoencoder of the new class.
        by_factual: the same pictures by the autoencoder of the factual class.

    Example:
        >>> image = torch.ones(1, 1, 2, 2)
        >>> round(float(im1(image, image - 0.1, image - 0.2)), 3)
        0.25
    """
    return _squares(images, by_target) / (_squares(images, by_factual) + EPSILON)


def im2(images: Tensor, by_target: Tensor, by_all: Tensor) -> Tensor:
    """IM2 of each picture, shape (batch,).

    Args:
        images: the pictures, in [0, 1], shape (batch, channel, height, width).
        by_target: the same pictures by the autoencoder of the new class.
        by_all: the same pictures by the autoencoder of all classes.
    """
    return _squares(by_target, by_all) / (images.double().abs().flatten(1).sum(dim=1) + EPSILON)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interpretability:
    """The autoencoders that read IM1 and IM2.

    Attributes:
        by_class: the autoencoder of each class.
        of_all: the autoencoder of all classes.
    """

    by_class: Mapping[int, Autoencoder]
    of_all: Autoencoder

    @classmethod
    def fit(
        cls,
        images: Tensor,
        classes: Tensor,
        *,
        epochs: tuple[int | None, int | None] = (None, None),
        batch_size: int = 128,
        seed: int = 0,
        device: str | torch.device = "cpu",
        progress: bool = False,
    ) -> Interpretability:
        """Fit them to real pictures.

        Args:
            images: uint8 or float in [0, 1], shape (n, channel, height, width).
            classes: shape (n,).
            epochs: the passes over the data for the autoencoder of all classes, and for each
                class's; None: the sources' 4 and 30.
            batch_size: pictures a step.
            seed: the seed of weights and orders.
            device: where to train and apply.
            progress: show bars on standard error.

        Raises:
            DataError: pictures and classes of different lengths, or no pictures.
        """
        if len(images) != len(classes):
            raise DataError(f"interpretability: {len(images)} images and {len(classes)} classes")

        def fitted(rows: Tensor, kind: str, passes: int | None) -> Autoencoder:
            return Autoencoder.fit(
                rows,
                kind=kind,
                epochs=passes,
                batch_size=batch_size,
                seed=seed,
                device=device,
                progress=progress,
            )

        levels = sorted(set(classes.tolist()))
        by_class = {k: fitted(images[classes == k], "class", epochs[1]) for k in levels}
        return cls(by_class=by_class, of_all=fitted(images, "all", epochs[0]))

    def __call__(
        self, counterfactuals: Tensor, target: Tensor, factual: Tensor
    ) -> tuple[Score, Score]:
        """The means of IM1 and IM2.

        Args:
            counterfactuals: float in [0, 1] or uint8, shape (batch, channel, height, width).
            target: the classes that they were to have, shape (batch,).
            factual: the classes of the factual pictures.

        Raises:
            DataError: a class without an autoencoder.
        """
        x = counterfactuals.detach().cpu()
        unit = x.float() / 255 if x.dtype == torch.uint8 else x.float()
        by_target, by_factual = (self._applied(unit, k.cpu()) for k in (target, factual))
        first = mean_score(im1(unit, by_target, by_factual), "IM1")
        return first, mean_score(im2(unit, by_target, self.of_all(unit)), "IM2")

    def _applied(self, images: Tensor, classes: Tensor) -> Tensor:
        """Each picture by the autoencoder of its class."""
        result = torch.empty_like(images)
        for level in sorted(set(classes.tolist())):
            if level not in self.by_class:
                allowed = one_of(level, self.by_class)
                raise DataError(f"interpretability: no autoencoder of class {level}; {allowed}")
            rows = classes == level
            result[rows] = self.by_class[level](images[rows])
        return result


def _squares(first: Tensor, second: Tensor) -> Tensor:
    return (first.double() - second.double()).square().flatten(1).sum(dim=1)
