"""Anti-causal guidance: the gradient of a predictor of the parents acts as their mechanism.

Notation: y = (1 - tau) x_0 + tau eps as in `causalflow.diffusion.path`, so alpha = 1 - tau and
sigma = tau; s the scale of a parent, a' its value and a its reference, p(a | y) a predictor
(`causalflow.diffusion.field`), g = grad_y log p(a' | y).

Diff-SCM (Sanchez & Tsaftaris 2022, Algorithm 1) moves the noise, and the image is recomputed from
the moved noise:

    eps^ = eps - s sigma g
    x_0^ = (y - sigma eps^) / alpha = x_0 + s sigma^2 / alpha g

In the velocity v = eps - x_0 this is

    v^ - v = -s sigma g - s sigma^2 / alpha g = -s sigma (1 + sigma / alpha) g
           = -s tau / (1 - tau) g,

since alpha + sigma = 1. With s = 1 and exact predictors it is Bayes' rule: the velocity is an
affine function of the score, v = -(y + tau grad log p(y)) / (1 - tau), and grad log p(y | pa) =
grad log p(y) + grad log p(pa | y). (The paper's eq. 7 has grad p for grad log p, its eq. 18 a
proportionality for this equality, and the DDIM step of its Algorithms 1-3 sqrt(alpha_next) eps for
sqrt(1 - alpha_next) eps: with the latter it is the Euler step in these coordinates.)

What is climbed, `AIMS`:

    printed   log p(a' | y), in every row: the paper's
    hold      the same, in rows where any parent, neural ones included, has changed
    contrast  log p(a' | y) - r log p(a | y),  r = 1 for a class parent that has changed, else 0,

the last two exactly 0 in the other rows. Parents that have not changed are held at their value
(without it, another neural parent repaints them). The contrast pushes harder: with s = 1 and
exact predictors ``hold`` gives v(a') where v is the velocity of all images, the contrast gives
v(a') + v - v(a). A continuous parent is never pushed off its old value: the difference of two
Gaussians is linear in their mean, and would push it past its target for ever.

At tau = 1 the image has no part in y, so an exact g vanishes there, but the factor tau / (1 - tau)
diverges and magnifies the error of a learned predictor: guide in the interior of [0, 1) only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor

from causalflow import plugins
from causalflow.diffusion.field import Posterior, Predictor, Time, Values
from causalflow.diffusion.path import column
from causalflow.errors import CausalflowError
from causalflow.nn.embedding import any_changed, changed
from causalflow.nn.replay import Replay
from causalflow.registry import Registry

__all__ = ["AIMS", "Aim", "Pull", "anticausal", "gradient", "pull"]

Objective: TypeAlias = Callable[[Posterior, Values, Values], Mapping[str, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """An objective that guidance by the anti-causal edges climbs.

    Attributes:
        objective: the objective of each parent, shape (batch,), from the posterior at y, a' and a.
        everywhere: whether it also acts in rows where no parent has changed.
    """

    objective: Objective
    everywhere: bool = False


AIMS: Registry[Aim] = plugins.AIMS


def as_aim(name: str, given: Any) -> Aim:
    """An aim of the user's own: an `Aim`, or its objective.

    Raises:
        CausalflowError: neither.
    """
    if isinstance(given, Aim):
        return given
    if not callable(given):
        raise CausalflowError(
            f"anti-causal guidance '{name}': expected a function of posterior, target and reference"
        )
    return Aim(objective=given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """The anti-causal edges of an image: what they climb, by which predictor, how fast.

    Attributes:
        predictor: predicts (at least) the parents in ``scales``.
        scales: the scale s of each anti-causal parent.
        aim: an entry of `AIMS`.
        replay: how the gradient is run.
    """

    predictor: Predictor
    scales: Mapping[str, float]
    aim: str = "hold"
    replay: Replay = field(default_factory=Replay)
    climbs: Aim = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "climbs", AIMS.get(self.aim))


def _printed(posterior: Posterior, target: Values, reference: Values) -> Mapping[str, Tensor]:
    """log p(a' | y) of each parent, shape (batch,)."""
    return posterior(target)


def _contrast(posterior: Posterior, target: Values, reference: Values) -> Mapping[str, Tensor]:
    """log p(a' | y) - r log p(a | y) of each parent, shape (batch,)."""
    left = {n: v for n, v in reference.items() if n in target and not v.is_floating_point()}
    moved = {n: changed(target[n], v) for n, v in left.items()}
    away = posterior(left)
    gains = posterior(target)
    return {n: gain - moved[n] * away[n] if n in left else gain for n, gain in gains.items()}


PRINTED = Aim(objective=_printed, everywhere=True)
HOLD = Aim(objective=_printed)
CONTRAST = Aim(objective=_contrast)


def pull(
    guided: Pull, y: Tensor, tau: Time, velocity: Tensor, target: Values, reference: Values
) -> Tensor:
    """The change of the velocity at (y, tau), -tau / (1 - tau) grad_y sum s (aim); shape of y.

    Args:
        guided: the anti-causal edges.
        y: positions, shape (batch, channel, height, width).
        tau: the time, below 1.
        velocity: the denoiser's at (y, tau), for predictors that read the predicted image.
        target: the parents' values, neural ones included; a row each.
        reference: their factual values, likewise.
    """
    aim, names = guided.climbs, list(guided.scales)
    wanted, factual = _ordinary(target, names), _ordinary(reference, names)

    def climbed(y: Tensor, times: Tensor, velocity: Tensor, *values: Tensor) -> Tensor:
        ends = dict(zip(names, values[: len(names)], strict=True))
        starts = dict(zip(names, values[len(names) :], strict=True))

        def objective(point: Tensor, time: Time) -> Tensor:
            gains = aim.objective(guided.predictor(point, time, velocity), ends, starts)
            return torch.stack([guided.scales[n] * gains[n] for n in names]).sum(dim=0)

        return anticausal(objective, y, times)

    times = tau.expand(len(y)) if isinstance(tau, Tensor) else y.new_full((len(y),), tau)
    inputs = (y, times, velocity, *wanted.values(), *factual.values())
    change = guided.replay.part(("pull", guided.aim, *guided.scales.items()), climbed, *inputs)
    if aim.everywhere:
        return change
    rows = any_changed(target, reference, reference).reshape(-1, *[1] * (y.ndim - 1))
    return torch.where(rows, change, torch.zeros_like(change))


def anticausal(
    log_prob: Callable[[Tensor, Time], Tensor], y: Tensor, tau: Time, scale: float = 1.0
) -> Tensor:
    """The change of the velocity at (y, tau), -s tau / (1 - tau) grad_y log p; shape of y.

    Args:
        log_prob: log p(pa | y, tau), shape (batch,), differentiable in y.
        y: positions, shape (batch, channel, height, width).
        tau: the time, below 1.
        scale: the strength s.
    """
    assert isinstance(tau, Tensor) or tau < 1, "the guidance at the end of the path is not finite"
    times = column(tau, y)
    return -scale * times / (1 - times) * gradient(log_prob, y, tau)


def gradient(log_prob: Callable[[Tensor, Time], Tensor], y: Tensor, tau: Time) -> Tensor:
    """grad_y log p(pa | y, tau) of every row, detached; works inside ``torch.no_grad`` too."""
    with torch.inference_mode(False), torch.enable_grad():
        point = y.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(log_prob(point, tau).sum(), point)
    return slope.detach()


def _ordinary(values: Values, names: list[str]) -> dict[str, Tensor]:
    """``values`` of ``names``, as tensors that autograd may save: inference mode made some."""
    with torch.inference_mode(False):
        return {n: values[n].clone() if values[n].is_inference() else values[n] for n in names}
