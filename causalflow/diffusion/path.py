"""Path: the Gaussian path from data to noise, in flow coordinates.

Every Gaussian path x_t = alpha_t x_0 + sigma_t eps becomes, by

    y = x_t / (alpha + sigma),     tau = sigma / (alpha + sigma),

the straight line y = (1 - tau) x_0 + tau eps, tau in [0, 1]. Its
probability-flow ODE is

    dy/dtau = v(y, tau) := E[eps - x_0 | y],

and v, x_0 and eps at a given y are affine in each other:  x_0 = y - tau v,  eps = y + (1 - tau) v.
So one solver, one guidance and one network interface serve the variance-preserving paths
(alpha^2 + sigma^2 = 1, given by alpha_bar = alpha^2, the papers' parametrisation) and rectified
flow (alpha = 1 - tau, sigma = tau).

The data live at tau = TAU_MIN > 0: an image x enters the trajectory as y(TAU_MIN) = (1 - TAU_MIN) x
and leaves it as x = y / (1 - TAU_MIN). So nothing divides by sigma = 0, both directions share their
end points, and the round trip is a bijection. Noise is at tau = TAU_MAX = 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from causalflow.errors import CausalFlowError
from causalflow.registry import Registry

__all__ = [
    "GRIDS",
    "TAU_MAX",
    "TAU_MIN",
    "alpha_bar_of",
    "cosine_alpha_bar",
    "data_of",
    "enter",
    "grid",
    "interpolate",
    "leave",
    "linear_alpha_bar",
    "noise_of",
    "precise",
    "tau_of",
    "velocity_of_noise",
]

TAU_MIN = 1e-2
TAU_MAX = 1.0

GRIDS: Registry[Callable[[Tensor], Tensor]] = Registry("grid")
GRIDS.add("cosine", lambda i: torch.sin(math.pi / 2 * i).square())
GRIDS.add("uniform", lambda i: i)


def precise(x: Tensor) -> Tensor:
    """The tensor in float64; on MPS, which has none, in float32."""
    return x.to(torch.float32 if x.device.type == "mps" else torch.float64)


def enter(x: Tensor) -> Tensor:
    """The position y(TAU_MIN) of the image x in [-1, 1]; float64, so that `leave` gives x back."""
    return precise(x) * (1 - TAU_MIN)


def leave(y: Tensor) -> Tensor:
    """The image at the position y(TAU_MIN); the inverse of `enter`."""
    return y / (1 - TAU_MIN)


def grid(steps: int, kind: str = "cosine") -> Tensor:
    """The nodes TAU_MIN = tau_0 < ... < tau_steps = TAU_MAX, shape (steps + 1,), float64.

    tau_i = TAU_MIN + (TAU_MAX - TAU_MIN) u_i, with u_i = (1 - cos(pi i / steps)) / 2 ("cosine":
    uniform in the angle, so dense near both ends, where v changes fastest) or u_i = i / steps
    ("uniform").

    Example:
        >>> grid(2, "uniform").tolist()
        [0.01, 0.505, 1.0]
    """
    if steps < 1:
        raise CausalFlowError(f"steps={steps} of a grid; expected at least 1")
    fractions = GRIDS.get(kind)(torch.arange(steps + 1, dtype=torch.float64) / steps)
    return TAU_MIN + (TAU_MAX - TAU_MIN) * fractions


def interpolate(x: Tensor, noise: Tensor, tau: float | Tensor) -> Tensor:
    """y = (1 - tau) x + tau eps; tau is one time for all, or shape (batch,)."""
    return torch.lerp(x, noise, _column(tau, x))


def data_of(velocity: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    """The image x_0 = y - tau v that the velocity at (y, tau) points back to."""
    return y - _column(tau, y) * velocity


def noise_of(velocity: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    """The noise eps = y + (1 - tau) v that the velocity at (y, tau) points on to."""
    return y + (1 - _column(tau, y)) * velocity


def velocity_of_noise(noise: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    """The velocity v = (eps - y) / (1 - tau) of a network that predicts eps; tau < 1."""
    return (noise - y) / (1 - _column(tau, y))


def linear_alpha_bar(levels: int = 1000) -> Tensor:
    """alpha_bar after 1..levels steps, beta linear from 1e-4 to 0.02 (Ho et al. 2020); float64."""
    return (1 - torch.linspace(1e-4, 0.02, levels, dtype=torch.float64)).cumprod(dim=0)


def cosine_alpha_bar(levels: int = 1000) -> Tensor:
    """alpha_bar of the cosine schedule (Nichol & Dhariwal 2021, eq. 17), beta <= 0.999; float64."""
    time = torch.arange(levels + 1, dtype=torch.float64) / levels
    f = torch.cos((time + 0.008) / 1.008 * math.pi / 2).square()
    return (f[1:] / f[:-1]).clamp(min=0.001).cumprod(dim=0)


def tau_of(alpha_bar: Tensor) -> Tensor:
    """tau = sigma / (alpha + sigma) of the variance-preserving path with alpha^2 = alpha_bar."""
    alpha, sigma = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    return sigma / (alpha + sigma)


def alpha_bar_of(tau: Tensor) -> Tensor:
    """alpha_bar = (1 - tau)^2 / ((1 - tau)^2 + tau^2); the inverse of `tau_of`."""
    return (1 - tau).square() / ((1 - tau).square() + tau.square())


def _column(tau: float | Tensor, like: Tensor) -> Tensor:
    """Tau with the axes of ``like``, in its precision: shape () or (batch, 1, ..., 1)."""
    tau = torch.as_tensor(tau, dtype=like.dtype, device=like.device)
    return tau.reshape(-1, *[1] * (like.ndim - 1)) if tau.ndim else tau
