"""Flow: increasing maps from noise u ~ N(0, 1) to a residual e, given the parents.

    linear     e = u
    additive   e = m(pa) + exp(s) u                          s one number
    flow       e = m(pa) + exp(s(pa)) q(u; pa)               q increasing: rational-quadratic spline
    auto       no map of this kind: `causalflow.mechanisms.regression.regression_mechanism`

The spline has `BINS` bins on [-BOUND, BOUND] and is the identity outside; parameters 0 make it the
identity, so an untrained mechanism is the least-squares fit. Both directions are closed forms.

A map is data: how many parameters depend on the parents (``conditional``) or not (``constant``),
and two pure functions. ``parameters`` has shape (batch, conditional + constant), the conditional
ones first.

Source: Durkan et al. (2019), Neural spline flows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from zuko.transforms import MonotonicRQSTransform

from causalflow import plugins
from causalflow.registry import Registry

__all__ = ["BINS", "BOUND", "NOISES", "ContinuousNoise", "ResidualMap"]

BINS = 8
BOUND = 5.0
LARGEST_LOG_SCALE = 7.0
"""exp(s) stays within a factor of about 1000, so that extreme parents give finite values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuousNoise:
    """How the noise of a continuous node enters.

    Attributes:
        place: the mechanism's class, called with the node's name, it, and its parents.
    """

    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualMap(ContinuousNoise):
    """One increasing map u -> e and its inverse.

    Attributes:
        conditional: number of parameters that depend on the parents.
        constant: number of parameters that do not.
        to_noise: (e, parameters) -> (u, log |du/de|), each (batch,).
        to_residual: (u, parameters) -> e.
    """

    conditional: int
    constant: int
    to_noise: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    to_residual: Callable[[Tensor, Tensor], Tensor]
    place: str = "causalflow.mechanisms.continuous:ContinuousMechanism"


NOISES: Registry[ContinuousNoise] = plugins.CONTINUOUS_NOISES


def _scale(parameter: Tensor) -> Tensor:
    """The bounded log-scale; its slope at 0 is 1."""
    return LARGEST_LOG_SCALE * torch.tanh(parameter / LARGEST_LOG_SCALE)


def _affine_to_noise(e: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    log_scale = _scale(parameters[..., 1])
    return (e - parameters[..., 0]) * torch.exp(-log_scale), -log_scale.expand_as(e)


def _affine_to_residual(u: Tensor, parameters: Tensor) -> Tensor:
    return parameters[..., 0] + torch.exp(_scale(parameters[..., 1])) * u


def _identity_to_noise(e: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    return e, torch.zeros_like(e)


def _identity_to_residual(u: Tensor, parameters: Tensor) -> Tensor:
    return u


def _spline(parameters: Tensor) -> MonotonicRQSTransform:
    widths, heights, slopes = parameters[..., 2:].split((BINS, BINS, BINS - 1), dim=-1)
    return MonotonicRQSTransform(widths, heights, slopes, bound=BOUND)


def _flow_to_noise(e: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    middle, affine = _affine_to_noise(e, parameters)
    u, spline = _spline(parameters).call_and_ladj(middle)
    return u, affine + spline


def _flow_to_residual(u: Tensor, parameters: Tensor) -> Tensor:
    return _affine_to_residual(_spline(parameters).inv(u), parameters)


LINEAR = ResidualMap(
    conditional=0, constant=0, to_noise=_identity_to_noise, to_residual=_identity_to_residual
)
ADDITIVE = ResidualMap(
    conditional=1, constant=1, to_noise=_affine_to_noise, to_residual=_affine_to_residual
)
FLOW = ResidualMap(
    conditional=2 + 3 * BINS - 1,
    constant=0,
    to_noise=_flow_to_noise,
    to_residual=_flow_to_residual,
)
AUTO = ContinuousNoise(
    place="causalflow.mechanisms.regression.regression_mechanism:RegressionMechanism"
)
