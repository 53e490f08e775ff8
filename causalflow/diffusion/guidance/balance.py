"""Balance: a way up that ends between the factual and the counterfactual class, noisy or not.

Notation: x = alpha x_0 + sigma eps a variance-preserving position, y = x / (alpha + sigma) the same
in flow coordinates, eps(x, t) the denoiser's noise under the factual parents, abar = alpha^2,
beta = 1 - abar_s / abar_t the variance of the step from level t up to level s; p_F and p_CF a
predictor's probability of the parents' factual and counterfactual values at x (class parents that
change; of several, the product), z standard normal, one a step: the exogenous noise, kept, so that
the run replays.

    dp    = p_F - p_CF
    zeta  = 2 exp(-1 / (4 max(1e-6, dp)))                          eq. 10
    delta = eps(x + zeta grad_x p_CF, t) - eps(x, t)               eq. 8
    x'    = k x + gamma_1 delta + b z                              eq. 9

    printed     k = 1,               b = gamma_2 / sqrt(n), n the number of steps
    preserving  k = sqrt(1 - beta),  b = sqrt(beta)
    odds        as printed, with grad_x log(p_CF / p_F) in place of grad_x p_CF: ours

The printed form does not contract x, so it leaves the diffusion's marginal: with delta = 0 the
variance at the end is that of x_0 plus gamma_2^2, the mean that of x_0, while the network that
decodes it expects alpha x_0 and variance alpha^2 Var(x_0) + sigma^2. The preserving form has these
exactly, the first step leading from the image itself. grad p, not grad log p, is the paper's: it
has the factor p_CF, so a predictor that is sure of the picture never lets it go, whatever gamma_1.
The log-odds have no such factor. Rows in which no class parent changes have dp = 0, hence
delta = 0.
What is decoded is the position, by guided Euler steps (DDIM; the paper's eq. 3, 4 and Algorithm 1
have sqrt(alpha_next) for sqrt(1 - alpha_next)). At tau near 1 the preserving form has forgotten the
image: end its grid earlier, and decode from there.

gamma_1 and gamma_2 are unpublished; here gamma_2 is of the whole ascent, so that it does not depend
on n (the paper's is a step's). The defaults (``balance_push`` and ``balance_noise`` of
`causalflow.graph.image_options.Diffusion`) were searched on a mixture of eight Gaussians in eight
dimensions, two classes and four styles, with exact fields and classifier, 100 steps to tau =
.7: the printed form ends at p_F = .51 +- .01 and misses the true counterfactual by .15 (L1; the
unchanged x_0 by .52), the preserving form by .38, since fresh noise takes the style with it; the
deterministic flow missed it by .05, stopping by .07.

*Stopping* is the deterministic alternative. With y(tau) the flow from an image towards noise under
its factual parents, and q(y, tau) the largest probability that a predictor gives to a level of the
parents that change (`causalflow.diffusion.field.confidence`), the stopping time of a row is the
smallest tau* with

    q(y(tau*), tau*) <= 1/2 + margin,

the far end of the grid where there is none (as where the prior itself is so lopsided). Abducting to
tau* only and decoding from there keeps what the noise up to tau* leaves of the image, and is
deterministic and invertible.

tau* differs from row to row, and solvers have one time for all: `clock` runs the field in the time
s in [0, 1] with tau = start + (end - start) s, so that dy/ds = (end - start) v(y, tau(s)). It suits
solvers that read differences of time only, not those that read tau itself ("dpm++2m", "ancestral").

The search follows the flow by leap-frog, one call a step, then bisects within the step in which q
falls below, on the cubic through both ends' positions and velocities: there no network is called,
and the error of tau* is that of the solver, of order two.

Source: Yan et al. (2025), Balanced Latent Space of Diffusion Models for Counterfactual Generation,
eq. 8-11, Algorithm 1; stopping is this project's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor

from causalflow import plugins
from causalflow.diffusion.field import Field, Posterior, Predictor, Time, Values
from causalflow.diffusion.guidance.anticausal import gradient
from causalflow.diffusion.path import alpha_bar_of, column, leave, noise_of, precise, prior_scale
from causalflow.errors import CausalflowError
from causalflow.nn.embedding import changed
from causalflow.registry import Registry

__all__ = [
    "BALANCES",
    "MARGIN",
    "Balance",
    "Confidence",
    "balanced",
    "balancing",
    "clock",
    "draw_tape",
    "stopping_time",
    "zeta",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One form of the balanced latent space: how an image goes up to its noise.

    Attributes:
        kernel: k and b of a step, from beta and gamma_2 / sqrt(n).
        height: what the push climbs, from log p_F and log p_CF, shape (batch,) each.
    """

    kernel: Callable[[float, float], tuple[float, float]]
    height: Callable[[Tensor, Tensor], Tensor]


def _probability(log_factual: Tensor, log_other: Tensor) -> Tensor:
    return log_other.exp()


def _log_odds(log_factual: Tensor, log_other: Tensor) -> Tensor:
    return log_other - log_factual


def _printed(beta: float, spread: float) -> tuple[float, float]:
    return 1.0, spread


def _preserving(beta: float, spread: float) -> tuple[float, float]:
    return math.sqrt(1 - beta), math.sqrt(beta)


BALANCES: Registry[Balance] = plugins.BALANCES
PRINTED = Balance(kernel=_printed, height=_probability)
PRESERVING = Balance(kernel=_preserving, height=_probability)
ODDS = Balance(kernel=_printed, height=_log_odds)


def balanced(
    balance: str,
    field: Field,
    predictor: Predictor,
    y: Tensor,
    grid: Tensor,
    target: Values,
    reference: Values,
    tape: Tensor,
    gamma_1: float,
    gamma_2: float,
) -> Tensor:
    """The position at the last node, in flow coordinates; two calls of the field a step.

    Args:
        balance: an entry of `BALANCES`.
        field: the unguided velocity under the factual parents.
        predictor: predicts the class parents that change; others do not count.
        y: the position of the image at the first node, shape (batch, channel, height, width).
        grid: the nodes, from the data upwards, shape (steps + 1,).
        target: the parents' counterfactual values, batch rows each.
        reference: their factual values.
        tape: z, shape (batch, steps, channel, height, width).
        gamma_1: the strength of the push.
        gamma_2: the standard deviation of all the noise of the printed form.

    Raises:
        CausalflowError: no such balance.
    """
    gammas = (gamma_1, gamma_2)
    *_, last = balancing(balance, field, predictor, y, grid, target, reference, tape, *gammas)
    return last


def balancing(
    balance: str,
    field: Field,
    predictor: Predictor,
    y: Tensor,
    grid: Tensor,
    target: Values,
    reference: Values,
    tape: Tensor,
    gamma_1: float,
    gamma_2: float,
) -> Iterator[Tensor]:
    """The position at every node but the first, as they are reached; arguments as of `balanced`."""
    form = BALANCES.get(balance)
    x, abar = leave(y), [1.0, *alpha_bar_of(grid[1:]).tolist()]
    nodes, noise = grid.tolist(), gamma_2 / math.sqrt(len(grid) - 1)
    for step, ((t, s), (before, after)) in enumerate(
        zip(pairwise(nodes), pairwise(abar), strict=True)
    ):
        keep, spread = form.kernel(1 - after / before, noise)
        push = _push(form, field, predictor, x * prior_scale(t), t, target, reference)
        x = keep * x + gamma_1 * push + spread * tape[:, step].to(x)
        yield x * prior_scale(s)


def draw_tape(y: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """The noises z of ``steps`` steps of images shaped like y: (batch, steps, ...), float32."""
    shape = (len(y), steps, *y.shape[1:])
    return torch.randn(shape, generator=generator, device=generator.device).to(y.device)


def zeta(dp: Tensor) -> Tensor:
    """2 exp(-1 / (4 max(1e-6, dp))), the reach of the push, shape of dp.

    Example:
        >>> [round(z, 3) for z in zeta(torch.tensor([1.0, 0.5, 0.1, 0.0, -1.0])).tolist()]
        [1.558, 1.213, 0.164, 0.0, 0.0]
    """
    return 2 * torch.exp(-1 / (4 * dp.clamp_min(1e-6)))


def _push(
    form: Balance,
    field: Field,
    predictor: Predictor,
    y: Tensor,
    t: float,
    target: Values,
    reference: Values,
) -> Tensor:
    """eps(x + zeta grad_x h, t) - eps(x, t), y = x prior_scale(t), h the form's height."""
    velocity = field(y, t)

    def logs(point: Tensor) -> tuple[Tensor, Tensor]:
        posterior = predictor(point, t, velocity)
        factual = _log_changed(posterior, reference, target, reference)
        return factual, _log_changed(posterior, target, target, reference)

    slope = gradient(lambda point, time: form.height(*logs(point)), y, t) * prior_scale(t)
    with torch.no_grad():
        factual, other = logs(y)
        dp = factual.exp() - other.exp()
    moved = y + column(zeta(dp), y) * slope * prior_scale(t)
    return noise_of(field(moved, t), moved, t) - noise_of(velocity, y, t)


def _log_changed(posterior: Posterior, values: Values, target: Values, reference: Values) -> Tensor:
    """The log-probability of the values of the class parents that change, shape (batch,).

    Raises:
        CausalflowError: the predictor knows no class parent.
    """
    classes = {n: values[n] for n, v in reference.items() if not v.is_floating_point()}
    terms = [changed(target[n], reference[n]) * p for n, p in posterior(classes).items()]
    if not terms:
        raise CausalflowError(
            "balance: no class parent that the anti-causal predictor knows; "
            "expected at least one, or balance 'none'"
        )
    return torch.stack(terms).sum(dim=0)


MARGIN = 0.05
BISECTIONS = 20

Confidence: TypeAlias = Callable[[Tensor, Time, Tensor], Tensor]
_Arc: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor]  # y and w at one end, y and w at the other


def stopping_time(
    field: Field, confidence: Confidence, y: Tensor, grid: Tensor, *, margin: float = MARGIN
) -> Tensor:
    """tau* of each row, shape (batch,), float64; as many calls of the field as the grid has nodes.

    Args:
        field: the unguided velocity under the factual parents.
        confidence: q(y, tau, velocity), shape (batch,); tau one number, or shape (batch,).
        y: positions at the first node, shape (batch, channel, height, width).
        grid: the nodes from the data upwards; tau* is sought between the first and the last.
        margin: how far the threshold lies above 1/2.
    """
    y, nodes, threshold = precise(y), grid.tolist(), 0.5 + margin
    w = field(y, nodes[0]).to(y)
    sure = confidence(y, nodes[0], w) > threshold
    low = sure.to(y) * (nodes[-1] - nodes[0]) + nodes[0]
    arc, high = (y, w, y, w), low
    for t, s in pairwise(nodes):
        start, (y, w) = (y, w), _leap_frog(field, y, w, t, s)
        crossed = sure & (confidence(y, s, w) <= threshold)
        low, high = torch.where(crossed, t, low), torch.where(crossed, s, high)
        arc = _where(crossed, (*start, y, w), arc)
        sure = sure & ~crossed
        if not sure.any():
            break
    return _bisect(confidence, arc, low, high, threshold)


def clock(field: Field, start: Time, end: Time) -> Field:
    """The field in the time s in [0, 1] that runs tau from ``start`` to ``end``.

    Args:
        field: v(y, tau), given tau of shape (batch,) where an end is.
        start: tau at s = 0, one number or shape (batch,).
        end: tau at s = 1, likewise.

    Example:
        >>> half = clock(lambda y, tau: torch.ones_like(y), 0.0, torch.tensor([0.5, 1.0]))
        >>> half(torch.zeros(2, 1), 0.3).tolist()
        [[0.5], [1.0]]
    """
    return lambda y, s: column(end - start, y) * field(y, start + (end - start) * s)


def _leap_frog(field: Field, y: Tensor, w: Tensor, t: float, s: float) -> tuple[Tensor, Tensor]:
    """Position and velocity at s from those at t; as in `causalflow.diffusion.solver`."""
    middle = y + (s - t) / 2 * w
    w = 2 * field(middle, (t + s) / 2).to(y) - w
    return middle + (s - t) / 2 * w, w


def _where(rows: Tensor, chosen: _Arc, others: _Arc) -> _Arc:
    """An arc of which some rows are of ``chosen``."""
    mask = rows.reshape(-1, *[1] * (chosen[0].ndim - 1))
    a, b, c, d = (torch.where(mask, x, y) for x, y in zip(chosen, others, strict=True))
    return a, b, c, d


def _bisect(
    confidence: Confidence, arc: _Arc, low: Tensor, high: Tensor, threshold: float
) -> Tensor:
    """The time in [low, high], (batch,) each, from which on q is at most the threshold."""
    floor, ceiling = torch.zeros_like(low), torch.ones_like(low)
    for _ in range(BISECTIONS):
        fraction = (floor + ceiling) / 2
        position, velocity = _along(arc, fraction, high - low)
        unsure = confidence(position, torch.lerp(low, high, fraction), velocity) <= threshold
        floor = torch.where(unsure, floor, fraction)
        ceiling = torch.where(unsure, fraction, ceiling)
    return torch.lerp(low, high, ceiling)


def _along(arc: _Arc, fraction: Tensor, span: Tensor) -> tuple[Tensor, Tensor]:
    """Position on the cubic through both ends (Hermite's), and the velocity between theirs."""
    before, leaving, after, arriving = arc
    f, h = column(fraction, before), column(span, before)
    turn = f * (1 - f) * h * ((1 - f) * leaving - f * arriving)
    straight = f**2 * (3 - 2 * f) * (after - before)
    return before + straight + turn, torch.lerp(leaving, arriving, f)
