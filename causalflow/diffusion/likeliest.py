"""Likeliest: the numbers under which a flow explains an image best, from a first guess.

Notation: x an image, or its latent, p the numbers that are sought, of the conditions c(p), in units
of their spread over the data, v the velocity (`causalflow.diffusion.field`). eps_1, ..., eps_K are
fixed standard normal pictures, the same for every row and every call, tau_k the `TIMES`, and

    y_k = (1 - tau_k) x + tau_k eps_k,        r_k(p) = v(y_k, tau_k; c(p)) - (eps_k - x)

the error of the network about noise that is known. -sum_k |r_k|^2 is, but for the weights of the
times, what bounds log p(x | c) from below, so its largest value is where the image is likeliest.
From a guess p_0 of spread q (a predictor's, which read the image at a glance) `ITERATIONS` steps of
Gauss and Newton are made on

    sum_k |r_k(p)|^2 / s^2 + |(p - p_0) / q|^2,      s^2 the mean of r_k(p)^2 by row,

with the derivatives J of r as differences over `DIFFERENCE`, and no step beyond `LONGEST`. A number
that the network does not hear has J = 0, and stays where it was guessed.

What it costs: K (1 + count of p) calls of the network a row and step.

Sources: Li et al. (2023), Your Diffusion Model is Secretly a Zero-Shot Classifier, section 3.2 (the
bound, with one noise for all that is compared); Nocedal & Wright (2006), section 10.3.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from causalflow.diffusion.field import ConditionalField, Values
from causalflow.diffusion.path import interpolate, precise

__all__ = ["likeliest"]

TIMES = (0.3, 0.5)
ITERATIONS = 2
DIFFERENCE = 0.1
LONGEST = 0.5
_SEED = 0


def likeliest(
    velocity: ConditionalField,
    x: Tensor,
    conditions: Callable[[Tensor], Values],
    guess: Tensor,
    spread: Tensor,
) -> Tensor:
    """p, precise, shape (batch, count).

    Args:
        velocity: v.
        x: images in [-1, 1], or latents, shape (batch, channel, height, width).
        conditions: p, of the shape of the guess -> c, batch rows each.
        guess: p_0, shape (batch, count).
        spread: q, likewise, above 0.
    """
    x, guess, weight = precise(x), precise(guess), precise(spread) ** -2
    p = guess
    for _ in range(ITERATIONS):
        normal, slope = _normal(velocity, x, conditions, p)
        pull = slope + weight * (p - guess)
        step = torch.linalg.solve(normal + torch.diag_embed(weight), pull[..., None])[..., 0]
        p = p - step.clamp(-LONGEST, LONGEST)
    return p


def _normal(
    velocity: ConditionalField, x: Tensor, conditions: Callable[[Tensor], Values], p: Tensor
) -> tuple[Tensor, Tensor]:
    """J^T J / s^2, shape (batch, count, count), and J^T r / s^2, shape (batch, count)."""
    errors, slopes = [], []
    moved = [conditions(p + DIFFERENCE * row) for row in torch.eye(p.shape[1]).to(p)]
    for tau, noise in zip(TIMES, _noise(x.shape[1:], x.dtype, x.device), strict=True):
        y = interpolate(x, noise.expand_as(x), tau)
        own = velocity(y, tau, conditions(p))
        errors.append((own - (noise - x)).flatten(1))
        apart = [(velocity(y, tau, each) - own).flatten(1) / DIFFERENCE for each in moved]
        slopes.append(torch.stack(apart, dim=2))
    r, jacobian = torch.cat(errors, dim=1), torch.cat(slopes, dim=1)
    precision = 1 / r.square().mean(dim=1).clamp_min(1e-12)
    normal = jacobian.mT @ jacobian * precision[:, None, None]
    return normal, (jacobian.mT @ r[..., None])[..., 0] * precision[:, None]


@cache
def _noise(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    """eps of every time, shape (times, *shape)."""
    generator = torch.Generator().manual_seed(_SEED)
    with torch.inference_mode(False):
        return torch.randn((len(TIMES), *shape), generator=generator).to(device, dtype)
