"""Inpainting: what may stand where a picture is not seen, drawn given the pixels that are.

Notation: x the picture, y_tau = (1 - tau) x + tau eps, v the velocity of the flow under the
picture's conditions, x_0 = y - tau v and eps = y + (1 - tau) v what it takes y to be made of. From
a time t to an earlier one s a step sets the pixels of x_0 that are seen to the picture's and draws

    y_s = (1 - s) x_0 + a eps + c e,      e ~ N(0, I),      a^2 + c^2 = s^2,
    a = (1 - s) r_s^2 / r_t,              r = tau / (1 - tau)

the ancestral step of the flow, in which seen pixels weigh at every time and the others follow them.
Each step is made `REPEATS` times, its noise put back in between, so that both parts of the picture
come to agree. What is returned has the seen pixels themselves.

Source: Lugmayr et al. (2022), RePaint: Inpainting using Denoising Diffusion Probabilistic Models,
algorithm 1, in flow coordinates; conditions may follow the picture as far as it is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from causalflow.diffusion.field import ConditionalField, Values
from causalflow.diffusion.path import grid

__all__ = ["REPEATS", "inpainted"]

REPEATS = 2
"""How often each step is made."""
_END = 0.98
"""The time at which it begins: pure noise but for the last digits of r."""


@torch.no_grad()
def inpainted(
    velocity: ConditionalField,
    conditions: Callable[[Tensor], Values],
    picture: Tensor,
    seen: Tensor,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Whole pictures, float32, shape (batch, channel, height, width).

    Args:
        velocity: v.
        conditions: the picture as far as it is guessed -> its conditions, batch rows each.
        picture: pixels in [-1, 1]; what stands where they are not seen does not matter.
        seen: bool, of the same shape.
        steps: how many; a call of the network each, `REPEATS` times.
        generator: draws.
    """
    device = picture.device

    def noise() -> Tensor:
        shape = picture.shape
        return torch.randn(shape, generator=generator, device=generator.device).to(device)

    y, guess = noise(), torch.where(seen, picture, 0.0)
    for s, t in reversed(list(pairwise(grid(steps, "cosine", _END).tolist()))):
        for again in reversed(range(REPEATS)):
            v = velocity(y, t, conditions(guess)).to(picture)
            guess = torch.where(seen, picture, (y - t * v).clamp(-1, 1))
            y = _earlier(guess, y + (1 - t) * v, noise(), s, t)
            if again:
                y = _later(y, noise(), s, t)
    return guess.float()


def _earlier(x: Tensor, eps: Tensor, fresh: Tensor, s: float, t: float) -> Tensor:
    """y_s of the picture and the noise that y_t is taken to be made of."""
    near, far = s / (1 - s), t / (1 - t)
    kept = (1 - s) * near**2 / far
    return (1 - s) * x + kept * eps + max(s**2 - kept**2, 0.0) ** 0.5 * fresh


def _later(y: Tensor, fresh: Tensor, s: float, t: float) -> Tensor:
    """y_t of y_s and further noise."""
    share = (1 - t) / (1 - s)
    return share * y + max(t**2 - (share * s) ** 2, 0.0) ** 0.5 * fresh
