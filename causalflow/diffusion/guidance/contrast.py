"""Contrast: neural guidance, by the difference between the velocities under two sets of parents.

Notation: v(c) the denoiser's velocity at (y, tau) under the parents c; c' their values, c their
reference (the factual ones), c'-m the parents c' with m nulled (`causalflow.diffusion.field`), w
the strength, r(tau) a `Schedule`. Every neural guidance adds contrasts to the velocity that the
parents ask for:

    v^ = v(c') + (w - 1) r(tau) sum_k (v(c') - v(c_k))

    none     no c_k
    free     every parent nulled: v(null) + w (v(c') - v(null)), classifier-free guidance
    grouped  c'-m for every parent m that has changed (intervened, or a descendant)
    delta    c, in rows where a parent has changed

With w = 1 each is v(c'), exactly. ``grouped`` and ``delta`` are v(c), exactly, in rows where
nothing has changed, whatever w: those rows have no contrast, and none is computed. ``free`` is not:
one global w amplifies parents that nobody touched. Without a reference (noise that was drawn) every
parent with a value has changed, and ``delta`` is ``free``. All but ``none`` and a ``delta`` with
factual values need a network trained with nulls.

``delta`` overshoots where tau is large: there v(c') - v(c) is the difference between the mean
pictures of two worlds, what the network is told already has all of it, and twice of it blurs what
the picture shows besides (`docs/solvers.md`, Confounding). Let it act late, r = 0 for tau > .2.

Anti-causal edges (`causalflow.diffusion.guidance.anticausal`) add their term, r(tau) times, to the
guided velocity of the neural ones; their predictor, if it reads the predicted image, reads that of
v(c').

The *schedule* r(tau) in [0, 1] multiplies the excess w - 1 of a neural guidance and the scale s of
an anti-causal one. tau = 1 is noise, so the image is decoded from right to left:

    constant  1
    linear    1 - tau                     growing towards the data
    cosine    (1 + cos(pi tau)) / 2       growing towards the data, flat at both ends
    middle    sin(pi tau)^2               none at either end

times 1 inside an interval of tau and 0 outside; where r = 0, the velocity costs one network call.

Sources: Ho & Salimans (2022), Classifier-Free Diffusion Guidance, eq. 6 (there with w + 1 for w);
Xia et al. (2025), Decoupled Classifier-Free Guidance for Counterfactual Diffusion Models (strengths
by group: intervened, invariant); ``delta`` is this project's; Wang et al. (2024), Analysis of
Classifier-Free Guidance Weight Schedulers, section 4 (growing schedules); Kynkaanniemi et al.
(2024), Applying Guidance in a Limited Interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor

from causalflow import plugins
from causalflow.diffusion.field import ConditionalField, Field, Time, Values
from causalflow.diffusion.guidance.anticausal import Pull, pull
from causalflow.diffusion.path import column
from causalflow.errors import CausalflowError
from causalflow.nn.embedding import any_changed, changed, known, nulled
from causalflow.registry import Registry

__all__ = ["GUIDANCES", "SCHEDULES", "Contrast", "Guidance", "Schedule", "guide"]

SCHEDULES: Registry[Callable[[Tensor], Tensor]] = plugins.GUIDANCE_SCHEDULES


def falling(tau: Tensor) -> Tensor:
    """1 - tau."""
    return 1 - tau


def cosine(tau: Tensor) -> Tensor:
    """(1 + cos(pi tau)) / 2."""
    return (1 + torch.cos(math.pi * tau)) / 2


def middle(tau: Tensor) -> Tensor:
    """sin(pi tau)^2."""
    return torch.sin(math.pi * tau).square()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The factor r of guidance over tau.

    Attributes:
        kind: a name of `SCHEDULES`.
        interval: the part of [0, 1] in tau, ends included, outside of which r is 0.

    Example:
        >>> schedule = Schedule(kind="linear", interval=(0.1, 0.9))
        >>> schedule(0.25), schedule(0.95)
        (0.75, 0.0)
    """

    kind: str = "constant"
    interval: tuple[float, float] = (0.0, 1.0)
    factor: Callable[[Tensor], Tensor] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", SCHEDULES.get(self.kind))
        low, high = self.interval
        if not 0 <= low <= high <= 1:
            raise CausalflowError(
                f"guidance interval {self.interval}; expected 0 <= low <= high <= 1"
            )

    def __call__(self, tau: Time) -> Time:
        """r(tau): a float of a float, shape (batch,) of such."""
        low, high = self.interval
        times = torch.as_tensor(tau, dtype=None if isinstance(tau, Tensor) else torch.float64)
        inside = (low <= times) & (times <= high)
        factor = self.factor(times) * inside
        return factor if isinstance(tau, Tensor) else float(factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A term c_k of neural guidance: rows whose velocity is compared with that under other values.

    Attributes:
        rows: bool, shape (batch,).
        values: the other values of all that the network is told, batch rows each.
    """

    rows: Tensor
    values: Values


Guidance: TypeAlias = Callable[[Values, Values, Collection[str]], list[Contrast]]
GUIDANCES: Registry[Guidance] = plugins.GUIDANCES


def none(target: Values, reference: Values, parents: Collection[str]) -> list[Contrast]:
    """The contrasts of no guidance: none."""
    return []


def free(target: Values, reference: Values, parents: Collection[str]) -> list[Contrast]:
    """The contrast with no parent at all, in rows where one has a value."""
    if not parents:
        return []
    told = torch.stack([known(target[name]) for name in parents]).any(dim=0)
    return [Contrast(rows=told, values=nulled(target, parents))]


def grouped(target: Values, reference: Values, parents: Collection[str]) -> list[Contrast]:
    """The contrasts with each parent nulled, in rows where it has changed."""
    return [
        Contrast(rows=changed(target[m], reference[m]), values=nulled(target, [m])) for m in parents
    ]


def delta(target: Values, reference: Values, parents: Collection[str]) -> list[Contrast]:
    """The contrast with the reference, in rows where a parent has changed."""
    if not parents:
        return []
    rows = any_changed(target, reference, parents)
    return [Contrast(rows=rows, values={**target, **{m: reference[m] for m in parents}})]


def guide(
    velocity: ConditionalField,
    target: Values,
    reference: Values,
    *,
    neural: Collection[str],
    guidance: Guidance = none,
    strength: float = 1.0,
    pulled: Pull | None = None,
    schedule: Schedule | None = None,
) -> Field:
    """The guided velocity of ``target``, of fixed shape; one network call an evaluation.

    Args:
        velocity: v(y, tau, c) of the denoiser; called with the compared rows appended to the batch.
        target: what the network is told and what the anti-causal edges aim at, batch rows each.
        reference: the parents' factual values, likewise.
        neural: the parents that condition the network; nulled and compared.
        guidance: an entry of `GUIDANCES`.
        strength: the factor w of the neural parents' guidance; 1 guides nothing.
        pulled: the anti-causal edges, if any.
        schedule: r(tau); constant, if not given.
    """
    contrasts = guidance(target, reference, neural)
    felt = [c for c in contrasts if strength != 1 and c.rows.any()]
    compared = _compare(velocity, target, felt)
    factor = schedule or Schedule()

    def guided(y: Tensor, tau: Time) -> Tensor:
        strengths = factor(tau)
        if not isinstance(strengths, Tensor) and strengths == 0:
            return velocity(y, tau, target)
        plain, excess = compared(y, tau)
        moved = plain if excess is None else plain + _times(strengths, (strength - 1) * excess)
        if pulled is None:
            return moved
        return moved + _times(strengths, pull(pulled, y, tau, plain, target, reference))

    return guided


def _times(strengths: Time, term: Tensor) -> Tensor:
    """The product, 0 where the strength is: at tau = 1 the term of an anti-causal edge is not."""
    if not isinstance(strengths, Tensor):
        return strengths * term
    factor = column(strengths, term)
    return torch.where(torch.as_tensor(factor) == 0, torch.zeros_like(term), factor * term)


def _compare(
    velocity: ConditionalField, target: Values, contrasts: list[Contrast]
) -> Callable[[Tensor, Time], tuple[Tensor, Tensor | None]]:
    """The evaluation, in one batch, of v(c') and of sum_k (v(c') - v(c_k)), None if it is empty."""
    if not contrasts:
        return lambda y, tau: (velocity(y, tau, target), None)
    rows = [c.rows.nonzero()[:, 0] for c in contrasts]
    parts = [_take(c.values, r) for c, r in zip(contrasts, rows, strict=True)]
    batch = {name: torch.cat([v, *(part[name] for part in parts)]) for name, v in target.items()}

    places = torch.cat([torch.arange(len(contrasts[0].rows), device=rows[0].device), *rows])
    sizes = [len(contrasts[0].rows), *map(len, rows)]

    def compared(y: Tensor, tau: Time) -> tuple[Tensor, Tensor]:
        times = tau[places] if isinstance(tau, Tensor) and tau.ndim else tau
        plain, *others = velocity(y[places], times, batch).split(sizes)
        excess = torch.zeros_like(plain)
        for r, other in zip(rows, others, strict=True):
            excess = excess.index_add(0, r, plain[r] - other)
        return plain, excess

    return compared


def _take(values: Values, rows: Tensor) -> dict[str, Tensor]:
    return {name: value[rows] for name, value in values.items()}
