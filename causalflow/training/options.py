"""FitOptions: how to fit; every default lives here, once.

The learning rate of step k is ``learning_rate`` times the factor of a schedule:

    constant   min(1, (k + 1) / warmup)
    cosine     min(1, (k + 1) / warmup) * (1 + cos(pi k / steps)) / 2
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causalflow.errors import CausalflowError, one_of, shown
from causalflow.limits import DRAWN_ROWS, FIT_STEPS
from causalflow.registry import Registry

__all__ = ["PRECISIONS", "SCHEDULES", "FitOptions"]


def _warm_cosine(step: int, options: FitOptions) -> float:
    return _warm_constant(step, options) * (1 + math.cos(math.pi * step / options.steps)) / 2


def _warm_constant(step: int, options: FitOptions) -> float:
    return min(1.0, (step + 1) / max(options.warmup, 1))


SCHEDULES: Registry[Callable[[int, FitOptions], float]] = Registry("schedule")
SCHEDULES.add("cosine", _warm_cosine)
SCHEDULES.add("constant", _warm_constant)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How to fit; every default lives here.

    Args:
        steps: Gradient steps in all.
        batch_size: Rows a step, over all processes.
        learning_rate: AdamW's rate after the warm-up.
        warmup: Steps over which the rate rises.
        schedule: "cosine" or "constant".
        weight_decay: AdamW's decay.
        ema: Decay of the average of the weights, which is what the fitted model holds.
        gradient_clip: Largest norm of the gradient.
        seed: Of batches and noise.
        device: "auto" (CUDA, else CPU), "cpu", "cuda" or "cuda:1".
        precision: "auto" (bf16-mixed where CUDA has bfloat16, else 32-true), "32-true",
            "bf16-mixed" or "16-mixed".
        devices: Processes on this machine, one a device; under torchrun its own numbers hold.
        strategy: Fabric's strategy; "auto" is one device, or data-parallel processes.
        checkpoint: File from which a killed fit goes on, or None.
        checkpoint_every: Seconds between two checkpoints; 0 writes one after every step.
        resume: Go on from the checkpoint if there is one; graph, data and options must be its own.
        progress: Show a progress bar on standard error.
        log: JSON lines file, or None.
        log_every: Steps between two lines of it.
    """

    steps: int = 2000
    batch_size: int = 256
    learning_rate: float = 1e-3
    warmup: int = 100
    schedule: str = "cosine"
    weight_decay: float = 0.0
    ema: float = 0.999
    gradient_clip: float = 1.0
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    devices: int = 1
    strategy: str = "auto"
    checkpoint: str | Path | None = None
    checkpoint_every: float = 60.0
    resume: bool = True
    progress: bool = True
    log: str | Path | None = None
    log_every: int = 50

    def __post_init__(self) -> None:
        """Refuse what no fit can use."""
        for name, (allowed, text) in _RANGES.items():
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and allowed(value)):
                raise CausalflowError(f"fit: {name}={shown(value)}; expected {text}")
        for name, names in (("precision", PRECISIONS), ("schedule", SCHEDULES)):
            if (given := getattr(self, name)) not in names:
                raise CausalflowError(f"fit: unknown {name} {given!r}; {one_of(given, names)}")


PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")
_WHOLE = (lambda n: isinstance(n, int) and 0 <= n < 2**63, "a whole number >= 0")
_COUNT = (lambda n: isinstance(n, int) and 1 <= n < 2**53, "a whole number >= 1")
_STEPS = (
    lambda n: isinstance(n, int) and 1 <= n <= FIT_STEPS,
    f"a whole number from 1 to {FIT_STEPS:,}",
)
_FEW = (lambda n: isinstance(n, int) and 1 <= n <= 1024, "a whole number from 1 to 1024")
_BATCH = (
    lambda n: isinstance(n, int) and 1 <= n <= DRAWN_ROWS,
    f"a whole number from 1 to {DRAWN_ROWS:,}",
)
_POSITIVE = (lambda x: 0 < x < math.inf, "a number > 0")
_NONNEGATIVE = (lambda x: 0 <= x < math.inf, "a number >= 0")
_RANGES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "steps": _STEPS,
    "batch_size": _BATCH,
    "learning_rate": _POSITIVE,
    "warmup": _WHOLE,
    "weight_decay": _NONNEGATIVE,
    "ema": (lambda x: 0 <= x < 1, "a number in [0, 1)"),
    "gradient_clip": _POSITIVE,
    "seed": _WHOLE,
    "devices": _FEW,
    "checkpoint_every": _NONNEGATIVE,
    "log_every": _COUNT,
}
# What may differ between a fit and its continuation.
_FREE = frozenset(
    [
        "device",
        "devices",
        "strategy",
        "checkpoint",
        "checkpoint_every",
        "resume",
        "progress",
        "log",
        "log_every",
    ]
)


def identity(options: FitOptions) -> dict[str, Any]:
    """The options that a fit and its continuation must share."""
    return {name: value for name, value in dataclasses.asdict(options).items() if name not in _FREE}
