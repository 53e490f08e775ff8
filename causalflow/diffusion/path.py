"""Path: the Gaussian paths from data to noise, in flow coordinates.

Every Gaussian path x_t = alpha_t x_0 + sigma_t eps becomes, by

    y = x_t / (alpha + sigma),     tau = sigma / (alpha + sigma),

the straight line y = (1 - tau) x_0 + tau eps, tau in [0, 1]. Its probability-flow ODE is

    dy/dtau = v(y, tau) := E[eps - x_0 | y],

and v, x_0 and eps at a given y are affine in each other:  x_0 = y - tau v,  eps = y + (1 - tau) v.
So one solver, one guidance and one network interface serve them all. A network may predict any of
the three, or alpha eps - sigma x_0 with alpha^2 + sigma^2 = 1 (`PREDICTIONS`; eps says nothing of
the image at tau = 1, so there the noise begins at .995). A path differs from another in three
things only: the times at which a network is trained, the time tau_max at which its noise begins,
and the scale of what the network sees, y itself or the variance-preserving x_t (alpha^2 + sigma^2 =
1, given by alpha_bar = alpha^2), with

    alpha + sigma = 1 / sqrt((1 - tau)^2 + tau^2).

    rectified    alpha = 1 - tau, sigma = tau; tau = sigmoid(n), n standard normal, which trains
                 where the problem is hard, between the two ends
    linear       beta(t) = 0.1 + 19.9 t, t uniform; alpha_bar = exp(-integral of beta)
    cosine       alpha = cos(theta(t)) / cos(theta(0)), theta(t) = pi/2 (t + .008) / 1.008,
                 t uniform in [0, .9946]: at t = 1 nothing is left of the data
    linear-1000  the 1000 levels of `linear_alpha_bar`, each equally often
    cosine-1000  the 1000 levels of `cosine_alpha_bar`, each equally often

and a network that was trained elsewhere may bring levels of its own (`path_of_levels`).

The data live at tau = TAU_MIN > 0: an image x enters the trajectory as y(TAU_MIN) = (1 - TAU_MIN) x
and leaves it as x = y / (1 - TAU_MIN). So nothing divides by sigma = 0, both directions share their
end points, and the round trip is a bijection. Noise is at tau = tau_max <= TAU_MAX = 1, where y has
the standard deviation `Path.prior_scale` (of data of unit power; exactly so where tau_max = 1).

Sources: Ho et al. (2020), Nichol & Dhariwal (2021), the levels; Song et al. (2021), Score-Based
Generative Modeling, the linear path in continuous time; Salimans & Ho (2022), Progressive
Distillation, alpha eps - sigma x_0; Lu et al. (2022), DPM-Solver, the end of the cosine path; Esser
et al. (2024), Scaling Rectified Flow Transformers, section 3.1, the logit-normal law.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, overload

import torch
from torch import Tensor

from causalflow import plugins
from causalflow.errors import CausalflowError
from causalflow.limits import SOLVER_STEPS
from causalflow.registry import Registry

__all__ = [
    "GRIDS",
    "PATHS",
    "PREDICTIONS",
    "TAU_MAX",
    "TAU_MIN",
    "Path",
    "Prediction",
    "alpha_bar_of",
    "column",
    "cosine_alpha_bar",
    "data_of",
    "enter",
    "grid",
    "interpolate",
    "leave",
    "linear_alpha_bar",
    "noise_of",
    "path_named",
    "path_of_levels",
    "precise",
    "prior_scale",
    "tau_of",
]

TAU_MIN = 1e-2
TAU_MAX = 1.0
NOISE_TAU_MAX = 0.995

GRIDS: Registry[Callable[[Tensor], Tensor]] = plugins.GRIDS


def cosine_grid(i: Tensor) -> Tensor:
    """(1 - cos(pi i)) / 2 of the shares i of the way, in [0, 1]."""
    return torch.sin(math.pi / 2 * i).square()


def uniform_grid(i: Tensor) -> Tensor:
    """The shares themselves."""
    return i


def early_grid(i: Tensor) -> Tensor:
    """i^(5/3): dense near the data."""
    return i ** (5 / 3)


def precise(x: Tensor) -> Tensor:
    """The tensor in float64; on MPS, which has none, in float32."""
    return x.to(torch.float32 if x.device.type == "mps" else torch.float64)


def enter(x: Tensor) -> Tensor:
    """The position y(TAU_MIN) of the image x in [-1, 1]; float64, so that `leave` gives x back."""
    return precise(x) * (1 - TAU_MIN)


def leave(y: Tensor) -> Tensor:
    """The image at the position y(TAU_MIN); the inverse of `enter`."""
    return y / (1 - TAU_MIN)


def grid(steps: int, kind: str = "cosine", tau_max: float = TAU_MAX) -> Tensor:
    """The nodes TAU_MIN = tau_0 < ... < tau_steps = tau_max, shape (steps + 1,), float64.

    tau_i = TAU_MIN + (tau_max - TAU_MIN) u_i, with u_i = (1 - cos(pi i / steps)) / 2 ("cosine":
    uniform in the angle, so dense near both ends, where v changes fastest), u_i = i / steps
    ("uniform") or u_i = (i / steps)^(5/3) ("early": dense near the data, for few steps).

    Example:
        >>> grid(2, "uniform").tolist()
        [0.01, 0.505, 1.0]
    """
    if not 1 <= steps <= SOLVER_STEPS:
        raise CausalflowError(f"steps={steps} of a grid; expected 1 to {SOLVER_STEPS:,}")
    fractions = GRIDS.get(kind)(torch.arange(steps + 1, dtype=torch.float64) / steps)
    return TAU_MIN + (tau_max - TAU_MIN) * fractions


def interpolate(x: Tensor, noise: Tensor, tau: float | Tensor) -> Tensor:
    """y = (1 - tau) x + tau eps; tau is one time for all, or shape (batch,)."""
    return torch.lerp(x, noise, column(tau, x))


def data_of(velocity: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    """The image x_0 = y - tau v that the velocity at (y, tau) points back to."""
    return y - column(tau, y) * velocity


def noise_of(velocity: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    """The noise eps = y + (1 - tau) v that the velocity at (y, tau) points on to."""
    return y + (1 - column(tau, y)) * velocity


def _velocity_itself(velocity: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    return velocity


def velocity_of_noise(noise: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    """The velocity v = (eps - y) / (1 - tau) of a network that predicts eps; tau < 1."""
    return (noise - y) / (1 - column(tau, y))


def velocity_of_data(x: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    """The velocity v = (y - x_0) / tau of a network that predicts x_0; tau > 0."""
    return (y - x) / column(tau, y)


def velocity_of_v(output: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    """The velocity of a network that predicts alpha eps - sigma x_0, with alpha^2 + sigma^2 = 1.

    With h^2 = (1 - tau)^2 + tau^2 it is output / h + (2 tau - 1) y / h^2.
    """
    tau = column(tau, y)
    square = (1 - tau) ** 2 + tau**2
    return output / square**0.5 + (2 * tau - 1) / square * y


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a network may predict.

    Attributes:
        name: the name in `PREDICTIONS`.
        velocity_of: ``velocity_of(output, y, tau)``, the velocity that the output stands for.
        tau_max: up to where the output determines the velocity.
    """

    name: str
    velocity_of: Callable[[Tensor, Tensor, float | Tensor], Tensor]
    tau_max: float = TAU_MAX


PREDICTIONS: Registry[Prediction] = plugins.PREDICTIONS


def as_prediction(name: str, given: Any) -> Prediction:
    """A prediction of the user's own: a `Prediction`, or its ``velocity_of(output, y, tau)``.

    Raises:
        CausalflowError: neither.
    """
    if isinstance(given, Prediction):
        return replace(given, name=name)
    if not callable(given):
        raise CausalflowError(f"prediction '{name}': expected a function of output, y and tau")
    return Prediction(name=name, velocity_of=given)


VELOCITY = Prediction(name="velocity", velocity_of=_velocity_itself)
NOISE = Prediction(name="noise", velocity_of=velocity_of_noise, tau_max=NOISE_TAU_MAX)
DATA = Prediction(name="data", velocity_of=velocity_of_data)
V = Prediction(name="v", velocity_of=velocity_of_v)


@overload
def column(tau: float, like: Tensor) -> float: ...
@overload
def column(tau: Tensor, like: Tensor) -> Tensor: ...
@overload
def column(tau: float | Tensor, like: Tensor) -> float | Tensor: ...
def column(tau: float | Tensor, like: Tensor) -> float | Tensor:
    """Tau that multiplies ``like``: a number as it is, shape (batch,) as (batch, 1, ..., 1)."""
    if not isinstance(tau, Tensor):
        return tau
    tau = tau.to(like)
    return tau.reshape(-1, *[1] * (like.ndim - 1)) if tau.ndim else tau


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


def prior_scale(tau: float) -> float:
    """The standard deviation of y at tau, of data of unit power."""
    return math.hypot(1 - tau, tau)


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A path from data to noise: the noise levels in training, and how the network is told them.

    Attributes:
        name: the name in `PATHS`.
        tau_max: where the noise begins, at most 1.
        levels: number of the times that a network is trained at; None: a continuum.
        quantile: the training law of tau, as its value at a quantile in [0, 1].
        preserving: the network sees x_t of the variance-preserving path in place of y.
        alpha_bar: the levels of a network's own path; None: the path is known by its name.
    """

    name: str
    tau_max: float = TAU_MAX
    levels: int | None = None
    quantile: Callable[[Tensor], Tensor]
    preserving: bool = True
    alpha_bar: tuple[float, ...] | None = None

    def __reduce__(self) -> tuple[Callable[..., Path], tuple[Any, ...]]:
        """A path is known by its name, or by its levels."""
        if self.alpha_bar is not None:
            return path_of_levels, (self.name, self.alpha_bar)
        return path_named, (self.name,)

    @property
    def prior_scale(self) -> float:
        """The standard deviation of y at tau_max, of data of unit power."""
        return prior_scale(self.tau_max)

    def times(self, u: Tensor) -> Tensor:
        """The training times at the quantiles u in [0, 1]: float32, in [TAU_MIN, tau_max]."""
        return self.quantile(u).float().clamp(TAU_MIN, self.tau_max)

    def network_scale(self, tau: float | Tensor) -> float | Tensor:
        """What y is multiplied by before the network sees it."""
        return ((1 - tau) ** 2 + tau**2) ** -0.5 if self.preserving else 1.0


def _logit_normal(u: Tensor) -> Tensor:
    return torch.special.ndtri(u).sigmoid()


def _linear(u: Tensor) -> Tensor:
    return tau_of(torch.exp(-0.1 * u - 9.95 * u.square()))


def _cosine(u: Tensor) -> Tensor:
    angle = math.pi / 2 * (0.9946 * u + 0.008) / 1.008
    return tau_of((angle.cos() / math.cos(math.pi / 2 * 0.008 / 1.008)).square())


def _level(alpha_bar: Tensor) -> Callable[[Tensor], Tensor]:
    """The quantile function of levels that are equally frequent."""
    tau = tau_of(alpha_bar)
    return lambda u: tau.to(u.device)[(u * len(tau)).long().clamp_max(len(tau) - 1)]


def _path(name: str, quantile: Callable[[Tensor], Tensor], levels: int | None = None) -> Path:
    """A variance-preserving path, whose noise begins at the last of its times."""
    end = quantile(torch.ones((), dtype=torch.float64)).item()
    return Path(name=name, tau_max=end, levels=levels, quantile=quantile)


def path_of_levels(name: str, alpha_bar: tuple[float, ...]) -> Path:
    """The variance-preserving path of so many levels, each equally often.

    Args:
        name: how it is called; no name of a registry.
        alpha_bar: its levels, falling, in (0, 1).
    """
    levels = _level(torch.tensor(alpha_bar, dtype=torch.float64))
    return replace(_path(name, levels, len(alpha_bar)), alpha_bar=alpha_bar)


def path_named(name: str) -> Path:
    """The path of that name."""
    return PATHS.get(name)


PATHS: Registry[Path] = plugins.PATHS


def as_path(name: str, given: Any) -> Path:
    """A path of the user's own: a `Path`, or the training law of tau by its quantile function.

    Args:
        name: the path's name.
        given: the times tau at quantiles in [0, 1], rising, at most 1; the network sees y itself.

    Raises:
        CausalflowError: neither.
    """
    if isinstance(given, Path):
        return replace(given, name=name)
    if not callable(given):
        raise CausalflowError(f"path '{name}': expected the times tau as a function of quantiles")
    end = float(given(torch.ones((), dtype=torch.float64)))
    return Path(name=name, tau_max=min(end, TAU_MAX), quantile=given, preserving=False)


RECTIFIED = Path(name="rectified", quantile=_logit_normal, preserving=False)
LINEAR = _path("linear", _linear)
COSINE = _path("cosine", _cosine)
LINEAR_1000 = _path("linear-1000", _level(linear_alpha_bar()), 1000)
COSINE_1000 = _path("cosine-1000", _level(cosine_alpha_bar()), 1000)
