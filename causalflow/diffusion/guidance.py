"""Guidance: what is added to the velocity so that the flow obeys more than its network was told.

Notation: y = (1 - tau) x_0 + tau eps as in `causalflow.diffusion.path`, so alpha = 1 - tau and
sigma = tau; s the scale, p(pa | y, tau) a predictor of parents from the noisy image, and
g = grad_y log p(pa | y, tau).

Anti-causal guidance (Sanchez & Tsaftaris 2022, Diff-SCM) moves the noise, and the image is
recomputed from the moved noise:

    eps^ = eps - s sigma g
    x_0^ = (y - sigma eps^) / alpha = x_0 + s sigma^2 / alpha g

In the velocity v = eps - x_0 this is

    v^ - v = -s sigma g - s sigma^2 / alpha g = -s sigma (1 + sigma / alpha) g
           = -s tau / (1 - tau) g,

since alpha + sigma = 1. With s = 1 and exact predictors it is Bayes' rule: the velocity is an
affine function of the score, v = -(y + tau grad log p(y)) / (1 - tau), and grad log p(y | pa) =
grad log p(y) + grad log p(pa | y).

At tau = 1 the image has no part in y, so an exact g vanishes there, but the factor tau / (1 - tau)
diverges and magnifies the error of a learned predictor: callers guide in the interior of the tau
interval only.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["anticausal", "gradient"]


def anticausal(
    log_prob: Callable[[Tensor, float], Tensor], y: Tensor, tau: float, scale: float = 1.0
) -> Tensor:
    """The change of the velocity at (y, tau), -s tau / (1 - tau) grad_y log p; shape of y.

    Args:
        log_prob: log p(pa | y, tau), shape (batch,), differentiable in y; may be a contrast
            log p(pa' | y, tau) - log p(pa | y, tau), whose guidance vanishes where pa' = pa.
        y: positions, shape (batch, channel, height, width).
        tau: the time, below 1.
        scale: the strength s.
    """
    assert tau < 1, "the guidance of the end of the path is not finite"
    return -scale * tau / (1 - tau) * gradient(log_prob, y, tau)


def gradient(log_prob: Callable[[Tensor, float], Tensor], y: Tensor, tau: float) -> Tensor:
    """grad_y log p(pa | y, tau) of every row, detached; works inside ``torch.no_grad`` too."""
    with torch.inference_mode(False), torch.enable_grad():
        point = y.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(log_prob(point, tau).sum(), point)
    return slope.detach()
