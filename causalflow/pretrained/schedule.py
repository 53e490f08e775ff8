"""Schedule: what a network of diffusers was trained to predict, and at which levels of noise.

Notation as in `causalflow.diffusion.path`: a scheduler's file says beta_t of the levels t = 0..T-1,

    linear             beta_t from beta_start to beta_end in equal steps
    scaled_linear      sqrt(beta_t) so
    squaredcos_cap_v2  those of `causalflow.diffusion.path.cosine_alpha_bar`
    sigmoid            beta_start + (beta_end - beta_start) sigmoid(s), s from -6 to 6

or each of them (``trained_betas``), and alpha_bar_t = (1 - beta_0) ... (1 - beta_t); with
``rescale_betas_zero_snr`` sqrt(alpha_bar) is moved and scaled so that its last is 0 (half the
alpha_bar before it stands for 0: the noise begins where something is left). Between two
levels the network is told the time that lies between, by the log-odds log(tau / (1 - tau)). One
that was trained to match flows is told tau itself.

Sources: the schedulers of diffusers; Lin et al. (2024), Common Diffusion Noise Schedules and Sample
Steps are Flawed, algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import torch
from torch import Tensor, nn

from causalflow.diffusion.path import (
    PATHS,
    Path,
    cosine_alpha_bar,
    linear_alpha_bar,
    path_of_levels,
    tau_of,
)
from causalflow.errors import CompileError, one_of
from causalflow.limits import SCHEDULE_LEVELS

__all__ = ["Clock", "Schedule", "schedule_at", "schedule_of"]

LEVELS = 1000
PREDICTED = {"epsilon": "noise", "v_prediction": "v", "sample": "data"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What a network was trained under.

    Attributes:
        path: the levels of noise.
        prediction: the name of what it predicts.
        alpha_bar: its levels; None: it is told tau.
        scale: what tau is multiplied by where it is told tau.
    """

    path: Path
    prediction: str
    alpha_bar: tuple[float, ...] | None = None
    scale: float = LEVELS


class Clock(nn.Module):
    """The time that a network is told: ``scale`` tau, or the place of tau among levels.

    Args:
        alpha_bar: the levels, falling; None: none.
        scale: the factor where there are none.
    """

    log_odds: Tensor

    def __init__(self, alpha_bar: tuple[float, ...] | None = None, scale: float = LEVELS) -> None:
        super().__init__()
        self.scale, self.levels = scale, None if alpha_bar is None else len(alpha_bar)
        levels = torch.tensor(alpha_bar or (), dtype=torch.float64, device="cpu")
        odds = torch.logit(tau_of(levels)).float()
        self.register_buffer("log_odds", odds, persistent=False)

    def forward(self, tau: Tensor) -> Tensor:
        """The times, shape (batch,)."""
        if self.levels is None:
            return self.scale * tau
        odds = torch.logit(tau.to(self.log_odds.dtype))
        above = torch.bucketize(odds, self.log_odds).clamp(1, self.levels - 1)
        low, high = self.log_odds[above - 1], self.log_odds[above]
        time = above - 1 + (odds - low) / (high - low)
        return time.clamp(0, self.levels - 1)


def schedule_of(config: Mapping[str, Any], source: FilePath) -> Schedule:
    """The schedule that a scheduler's file says.

    Args:
        config: its content.
        source: the file, which errors name.

    Raises:
        CompileError: levels or a prediction that are not known here.
    """
    if str(config.get("_class_name", "")).startswith("FlowMatch"):
        scale = _number(config, "num_train_timesteps", LEVELS, source)
        return Schedule(path=PATHS.get("rectified"), prediction="velocity", scale=scale)
    predicted = config.get("prediction_type", "epsilon")
    if predicted not in PREDICTED:
        raise CompileError(
            f"{source}: prediction_type={predicted!r}; {one_of(predicted, PREDICTED)}"
        )
    alpha_bar = (1 - _betas(config, source)).cumprod(dim=0)
    if config.get("rescale_betas_zero_snr"):
        root = alpha_bar.sqrt()
        alpha_bar = ((root - root[-1]) * root[0] / (root[0] - root[-1])).square()
        alpha_bar[-1] = alpha_bar[-2] / 2  # not 0: something is left of the data
    if not bool((alpha_bar.diff() < 0).all() and 0 < alpha_bar[-1] < alpha_bar[0] < 1):
        raise CompileError(f"{source}: the noise of its levels does not rise")
    levels = tuple(alpha_bar.tolist())
    path = path_of_levels(f"the {len(levels)} levels of {source}", levels)
    return Schedule(path=path, prediction=PREDICTED[predicted], alpha_bar=levels)


def schedule_at(path: str, prediction: str) -> Schedule:
    """The schedule of a network whose folder says none: what the options of the node say."""
    known = {"linear": linear_alpha_bar, "cosine": cosine_alpha_bar}
    levels = known.get(path.removesuffix("-1000"))
    return Schedule(
        path=PATHS.get(path),
        prediction=prediction,
        alpha_bar=None if levels is None else tuple(levels().tolist()),
    )


def _betas(config: Mapping[str, Any], source: FilePath) -> Tensor:
    """beta_t of all levels, float64."""
    if (given := config.get("trained_betas")) is not None:
        if not (isinstance(given, list) and all(isinstance(beta, float) for beta in given)):
            raise CompileError(f"{source}: trained_betas is no list of numbers")
        return torch.tensor(given, dtype=torch.float64)
    count = int(_number(config, "num_train_timesteps", LEVELS, source))
    if not 2 <= count <= SCHEDULE_LEVELS:
        raise CompileError(f"{source}: {count} levels; expected 2 to {SCHEDULE_LEVELS:,}")
    first = _number(config, "beta_start", 0.0001, source)
    last = _number(config, "beta_end", 0.02, source)
    match config.get("beta_schedule", "linear"):
        case "linear":
            return torch.linspace(first, last, count, dtype=torch.float64)
        case "scaled_linear":
            ends = math.sqrt(abs(first)), math.sqrt(abs(last))
            return torch.linspace(*ends, count, dtype=torch.float64).square()
        case "squaredcos_cap_v2":
            levels = cosine_alpha_bar(count)
            return 1 - levels / torch.cat([levels.new_ones(1), levels[:-1]])
        case "sigmoid":
            rising = torch.linspace(-6, 6, count, dtype=torch.float64).sigmoid()
            return first + (last - first) * rising
        case other:
            known = ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"]
            raise CompileError(f"{source}: beta_schedule={other!r}; {one_of(other, known)}")


def _number(config: Mapping[str, Any], name: str, default: float, source: FilePath) -> float:
    value = config.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CompileError(f"{source}: {name}={value!r}; expected a number")
    return value
