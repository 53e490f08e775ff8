"""Likeliest: the values under which a flow explains an image best, from a first guess.

Notation: x an image, or its latent, of D numbers; c the conditions, v the velocity
(`causalflow.diffusion.field`). eps_1, ..., eps_K are fixed standard normal pictures, the same for
every row, every call and all that is compared, tau_k the `TIMES`, and

    y_k = (1 - tau_k) x + tau_k eps_k,        r_k(c) = v(y_k, tau_k; c) - (eps_k - x)

the error of the network about noise that is known. -sum_k |r_k|^2 is, but for the weights of the
times, what bounds log p(x | c) from below, so its largest value is where the image is likeliest.

*Numbers*: p, in units of their spread over the data. From a guess p_0 of spread q (a predictor's,
which read the image at a glance) `ITERATIONS` steps of Gauss and Newton are made on

    sum_k |r_k(p)|^2 / s^2 + |(p - p_0) / q|^2,      s^2 the mean of r_k(p)^2 by row,

with the derivatives J of r as differences over `DIFFERENCE`, and no step beyond `LONGEST`. A number
that the network does not hear has J = 0, and stays where it was guessed.

*Levels*: l, one a class. With s^2 at its best under each, the same trade of the errors against the
guess, here the predictor's probabilities h of the levels, is

    -(K D / 2) log sum_k |r_k(l)|^2 + sum_j log h_j(l_j),

which is climbed from the levels that h holds most probable: a class after the other takes its best
level of the `OFFERED` most probable, the others being where they are, and once more in rows where
that has moved one. A class that the network does not hear stays as it was guessed.

What it costs: K (1 + count of p) calls of the network a row and step; of levels at most
K (1 + the levels offered) a row, and twice that where one moves.

Sources: Li et al. (2023), Your Diffusion Model is Secretly a Zero-Shot Classifier, section 3.2 (the
bound, with one noise for all that is compared); Nocedal & Wright (2006), section 10.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import torch
from torch import Tensor

from causalflow.diffusion.field import ConditionalField, Values
from causalflow.diffusion.path import interpolate, precise

__all__ = ["likeliest", "likeliest_levels"]

TIMES = (0.3, 0.5)
ITERATIONS = 2
DIFFERENCE = 0.1
LONGEST = 0.5
OFFERED, SWEEPS = 16, 2
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


def likeliest_levels(
    velocity: ConditionalField, x: Tensor, conditions: Values, odds: Values
) -> dict[str, Tensor]:
    """The levels l of some classes, int64, shape (batch,) each.

    Args:
        velocity: v.
        x: images in [-1, 1], or latents, shape (batch, channel, height, width).
        conditions: c of everything else, batch rows each.
        odds: log h by class, shape (batch, levels).
    """
    x, rows = precise(x), torch.arange(len(x), device=x.device)
    told = {**conditions, **{name: each.argmax(dim=1) for name, each in odds.items()}}
    for _ in range(SWEEPS):
        before = _rows(told, rows)
        after = _swept(velocity, x[rows], before, _rows(odds, rows))
        moved = torch.stack([after[name] != before[name] for name in odds]).any(dim=0)
        told |= {name: told[name].index_copy(0, rows, after[name]) for name in odds}
        rows = rows[moved]
        if not len(rows):
            break
    return {name: told[name] for name in odds}


def _swept(velocity: ConditionalField, x: Tensor, told: Values, odds: Values) -> dict[str, Tensor]:
    """The conditions, each class at its best level in turn."""
    told, best = dict(told), _weight(velocity, x, told, odds)
    for name, each in odds.items():
        for level in each.topk(min(OFFERED, each.shape[1]), dim=1).indices.T:
            if torch.equal(level, told[name]):
                continue
            weight = _weight(velocity, x, {**told, name: level}, odds)
            told[name] = torch.where(weight > best, level, told[name])
            best = torch.maximum(weight, best)
    return told


def _weight(velocity: ConditionalField, x: Tensor, told: Values, odds: Values) -> Tensor:
    """-(K D / 2) log sum_k |r_k|^2 + sum_j log h_j, shape (batch,)."""
    errors = [(velocity(y, tau, told) - wanted).flatten(1) for tau, y, wanted in _shown(x)]
    r = torch.cat(errors, dim=1)
    error = r.square().sum(dim=1).clamp_min(torch.finfo(r.dtype).tiny)
    held = [each.gather(1, told[name][:, None])[:, 0] for name, each in odds.items()]
    return torch.stack(held).sum(dim=0) - r.shape[1] / 2 * error.log()


def _rows(values: Values, rows: Tensor) -> dict[str, Tensor]:
    return {name: each[rows] for name, each in values.items()}


def _normal(
    velocity: ConditionalField, x: Tensor, conditions: Callable[[Tensor], Values], p: Tensor
) -> tuple[Tensor, Tensor]:
    """J^T J / s^2, shape (batch, count, count), and J^T r / s^2, shape (batch, count)."""
    errors, slopes = [], []
    moved = [conditions(p + DIFFERENCE * row) for row in torch.eye(p.shape[1]).to(p)]
    for tau, y, wanted in _shown(x):
        own = velocity(y, tau, conditions(p))
        errors.append((own - wanted).flatten(1))
        apart = [(velocity(y, tau, each) - own).flatten(1) / DIFFERENCE for each in moved]
        slopes.append(torch.stack(apart, dim=2))
    r, jacobian = torch.cat(errors, dim=1), torch.cat(slopes, dim=1)
    precision = 1 / r.square().mean(dim=1).clamp_min(1e-12)
    normal = jacobian.mT @ jacobian * precision[:, None, None]
    return normal, (jacobian.mT @ r[..., None])[..., 0] * precision[:, None]


def _shown(x: Tensor) -> Iterator[tuple[float, Tensor, Tensor]]:
    """Every tau_k, y_k, and the velocity that the network is to have there, eps_k - x."""
    for tau, noise in zip(TIMES, _noise(x.shape[1:], x.dtype, x.device), strict=True):
        yield tau, interpolate(x, noise.expand_as(x), tau), noise - x


@cache
def _noise(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    """eps of every time, shape (times, *shape)."""
    generator = torch.Generator().manual_seed(_SEED)
    with torch.inference_mode(False):
        return torch.randn((len(TIMES), *shape), generator=generator).to(device, dtype)
