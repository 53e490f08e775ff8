"""Predictor: p(pa | y, tau), the parents read off a noisy image, as guidance asks for it.

Notation: y = (1 - tau) x_0 + tau eps (`causalflow.diffusion.path`), v the denoiser's velocity at
(y, tau), so that x^_0 = y - tau v is the predicted image.

A *predictor* reads (y, tau, v) once and answers for as many values of the parents as are asked:
``predictor(y, tau, v)`` is a *posterior*, and ``posterior(values)`` the log-probability (density,
of a continuous parent) of each parent's value, shape (batch,), differentiable in y, and 0 where the
value is unlabelled. Any classifier can stand in:

    noise_conditional  network(y, tau) -> logits, trained on noisy images; v is not used
    of_image           network(x) -> logits, trained on images; read at x = x^_0

`of_image` holds v fixed, so no graph of the denoiser is built: the Jacobian of x^_0 in y, which is
(1 - tau) / tau^2 Cov[x_0 | y], is taken to be that of standard normal data,

    J = (1 - tau) / ((1 - tau)^2 + tau^2),

which is 1 at the image and 0 at the noise, so that guidance, tau / (1 - tau) times a gradient,
stays bounded. That log p(pa | x^_0) stands for log p(pa | y) is an approximation in itself.

Sources: Chung et al. (2023), Diffusion Posterior Sampling, eq. 11 (p at the predicted image);
Song et al. (2023), Pseudoinverse-Guided Diffusion Models, section 3.1 (the covariance).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from causalflow.diffusion.field import Time, Values, changed
from causalflow.diffusion.path import column, data_of

__all__ = ["Posterior", "Predictor", "confidence", "noise_conditional", "of_image"]

Posterior: TypeAlias = Callable[[Values], Mapping[str, Tensor]]


class Predictor(Protocol):
    """What reads the parents off (y, tau), given the denoiser's velocity there."""

    def __call__(self, y: Tensor, tau: Time, velocity: Tensor) -> Posterior:
        """The posterior at y, shape (batch, channel, height, width); differentiable in y."""


def noise_conditional(networks: Mapping[str, Callable[[Tensor, Tensor], Tensor]]) -> Predictor:
    """The predictor of class parents by networks that were trained at every noise level.

    Args:
        networks: by parent, ``network(y, tau) -> logits``, tau of shape (batch,), logits of shape
            (batch, levels).
    """

    def predictor(y: Tensor, tau: Time, velocity: Tensor) -> Posterior:
        times = torch.as_tensor(tau, dtype=y.dtype, device=y.device).expand(len(y))
        return _classes({name: network(y, times) for name, network in networks.items()})

    return predictor


def of_image(networks: Mapping[str, Callable[[Tensor], Tensor]]) -> Predictor:
    """The predictor of class parents by classifiers of images, read at the predicted image.

    Args:
        networks: by parent, ``network(x) -> logits``, x in [-1, 1].
    """

    def predictor(y: Tensor, tau: Time, velocity: Tensor) -> Posterior:
        image = data_of(velocity, y, tau).detach()
        times = column(tau, y)
        jacobian = (1 - times) / ((1 - times) ** 2 + times**2)
        image = image + jacobian * (y - y.detach())
        return _classes({name: network(image) for name, network in networks.items()})

    return predictor


def confidence(
    posterior: Posterior, levels: Mapping[str, int], target: Values, reference: Values
) -> Tensor:
    """max_a p(a | y) of the class parent least in doubt of those that change, shape (batch,).

    Args:
        posterior: at y.
        levels: the number of levels of each class parent that counts.
        target: the parents' values, batch rows each.
        reference: their factual values; 1 is returned where no parent of ``levels`` changes.
    """
    tops = []
    for name, count in levels.items():
        rows = [torch.full_like(target[name], level) for level in range(count)]
        top = torch.stack([posterior({name: row})[name] for row in rows]).amax(dim=0).exp()
        tops.append(torch.where(changed(target[name], reference[name]), top, -torch.inf))
    most = torch.stack(tops).amax(dim=0)
    return torch.where(most.isneginf(), 1.0, most)


def _classes(logits: Mapping[str, Tensor]) -> Posterior:
    """The posterior of independent class parents with these logits, (batch, levels) each."""

    def posterior(values: Values) -> dict[str, Tensor]:
        return {n: _log_prob(logits[n], value) for n, value in values.items() if n in logits}

    return posterior


def _log_prob(logits: Tensor, value: Tensor) -> Tensor:
    return -functional.cross_entropy(logits, value, reduction="none", ignore_index=-1)
