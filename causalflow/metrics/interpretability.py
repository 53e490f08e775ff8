"""Interpretability (IM1, IM2): a counterfactual looks like real pictures of its new class.

Notation: x' the counterfactual, of new class c and factual class f; A_k(x) an autoencoder fitted to
real pictures of class k alone, A(x) one fitted to those of all classes; pixels in [0, 1]; e = 1e-7.

    IM1 = |x' - A_c(x')|^2 / (|x' - A_f(x')|^2 + e)     below 1: nearer to the new class than to the
                                                        old one; 0 at best, unbounded above
    IM2 = |A_c(x') - A(x')|^2 / (|x'|_1 + e)            0 at best: class and data agree on x'

Both depend on how well the autoencoders are fitted, and IM2 on the scale of the pixels: give the
numbers of real pictures of the new class beside them. Neither asks how far x' is from its factual
picture, nor that it be of class c.

Printed otherwise in Diff-SCM: its eq. 20 has A_f in place of A_c in IM2, and its prose divides IM1
by the autoencoder of all classes; here both are as in the source.

Sources: Van Looveren & Klaise (2021), Interpretable counterfactual explanations guided by
prototypes, section 4; Sanchez & Tsaftaris (2022), Diff-SCM, appendix G.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.errors import DataError, one_of
from causalflow.metrics.autoencoder import Autoencoder
from causalflow.metrics.score import Score, mean_score

__all__ = ["Interpretability", "im1", "im2"]

EPSILON = 1e-7


def im1(images: Tensor, by_target: Tensor, by_factual: Tensor) -> Tensor:
    """IM1 of each picture, shape (batch,).

    Args:
        images: in [0, 1], shape (batch, channel, height, width).
        by_target: the same pictures by the autoencoder of the new class.
        by_factual: and by that of the factual class.

    Example:
        >>> image = torch.ones(1, 1, 2, 2)
        >>> round(float(im1(image, image - 0.1, image - 0.2)), 3)
        0.25
    """
    return _squares(images, by_target) / (_squares(images, by_factual) + EPSILON)


def im2(images: Tensor, by_target: Tensor, by_all: Tensor) -> Tensor:
    """IM2 of each picture, shape (batch,).

    Args:
        images: in [0, 1], shape (batch, channel, height, width).
        by_target: the same pictures by the autoencoder of the new class.
        by_all: and by that of all classes.
    """
    return _squares(by_target, by_all) / (images.double().abs().flatten(1).sum(dim=1) + EPSILON)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interpretability:
    """The autoencoders that read IM1 and IM2.

    Attributes:
        by_class: one for each class.
        of_all: of all classes.
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
            epochs: of that of all classes and of each class's; None: the sources' 4 and 30.
            batch_size: pictures a step.
            seed: of weights and orders.
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
