"""Weighting: how much the error of the velocity counts at each time of the path.

Notation as in `causalflow.diffusion.path`. The errors of the three predictions are multiples of one
another at a given tau,

    eps^ - eps = (1 - tau) (v^ - v),     x_0^ - x_0 = -tau (v^ - v),

so every loss of the literature is w(tau) |v^ - v|^2:

    velocity  1            rectified flow
    noise     (1 - tau)^2  the simple loss of DDPM, |eps^ - eps|^2
    data      tau^2        |x_0^ - x_0|^2
    min-snr   min(SNR, 5) |x_0^ - x_0|^2 with SNR = ((1 - tau) / tau)^2, that is
              min((1 - tau)^2, 5 tau^2): the noise's, bounded where the image is nearly clean

Sources: Ho et al. (2020), DDPM; Liu et al. (2023), rectified flow; Hang et al. (2023), Efficient
Diffusion Training via Min-SNR Weighting Strategy, equation 8.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from causalflow.registry import Registry

__all__ = ["WEIGHTINGS"]

GAMMA = 5.0


def _noise(tau: Tensor) -> Tensor:
    return (1 - tau).square()


def _min_snr(tau: Tensor) -> Tensor:
    return torch.minimum((1 - tau).square(), GAMMA * tau.square())


WEIGHTINGS: Registry[Callable[[Tensor], Tensor]] = Registry("weighting")
WEIGHTINGS.add("velocity", torch.ones_like)
WEIGHTINGS.add("noise", _noise)
WEIGHTINGS.add("data", torch.square)
WEIGHTINGS.add("min-snr", _min_snr)
