"""Schedule: how strongly guidance acts over the time tau of the path.

Notation: r(tau) in [0, 1] multiplies the excess w - 1 of a neural guidance and the scale s of an
anti-causal one. tau = 1 is noise, so the image is decoded from right to left:

    constant  1
    linear    1 - tau                     growing towards the data
    cosine    (1 + cos(pi tau)) / 2       growing towards the data, flat at both ends
    middle    sin(pi tau)^2               none at either end

times 1 inside an interval of tau and 0 outside; where r = 0, the velocity costs one network call.

Sources: Wang et al. (2024), Analysis of Classifier-Free Guidance Weight Schedulers, section 4
(growing schedules); Kynkaanniemi et al. (2024), Applying Guidance in a Limited Interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.diffusion.field import Time
from causalflow.errors import CausalflowError
from causalflow.registry import Registry

__all__ = ["SCHEDULES", "Schedule"]

SCHEDULES: Registry[Callable[[Tensor], Tensor]] = Registry("guidance schedule")
SCHEDULES.add("constant", torch.ones_like)
SCHEDULES.add("linear", lambda tau: 1 - tau)
SCHEDULES.add("cosine", lambda tau: (1 + torch.cos(math.pi * tau)) / 2)
SCHEDULES.add("middle", lambda tau: torch.sin(math.pi * tau).square())


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The factor r of guidance over tau.

    Attributes:
        kind: in `SCHEDULES`.
        interval: the part of [0, 1] in tau, ends included, outside of which r is 0.

    Example:
        >>> schedule = Schedule(kind="linear", interval=(0.1, 0.9))
        >>> schedule(0.25), schedule(0.95)
        (0.75, 0.0)
    """

    kind: str = "constant"
    interval: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        SCHEDULES.get(self.kind)
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
        factor = SCHEDULES.get(self.kind)(times) * inside
        return factor if isinstance(tau, Tensor) else float(factor)
