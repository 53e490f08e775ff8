"""Options of a fit: each with its default, which lives here once.

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
from typing import Any, ClassVar, TypedDict

from causalflow import plugins
from causalflow.errors import CausalflowError, one_of, shown
from causalflow.limits import DRAWN_ROWS, FIT_STEPS, PIECE_BYTES
from causalflow.options import Bytes, Names, Number, Options, Rule, Truth, Whole, option
from causalflow.registry import Registry

__all__ = [
    "DISTILL",
    "LATENT",
    "SCHEDULES",
    "USUAL",
    "Fit",
    "FitKeywords",
    "Size",
    "fit_options",
    "identity",
    "sized",
]


def warm_cosine(step: int, options: Fit) -> float:
    """Up over ``warmup`` steps, then down along a cosine."""
    return warm_constant(step, options) * (1 + math.cos(math.pi * step / options.steps)) / 2


def warm_constant(step: int, options: Fit) -> float:
    """Up over ``warmup`` steps, then level."""
    return min(1.0, (step + 1) / max(options.warmup, 1))


SCHEDULES: Registry[Callable[[int, Fit], float]] = plugins.FIT_SCHEDULES


_PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")
_SEED = Whole(0, 2**63 - 1, text="a whole number >= 0")
_EVERY = Whole(1, 2**53 - 1, text="a whole number >= 1")
_POSITIVE = Number(0, open="low", text="a number > 0")
_NONNEGATIVE = Number(0, text="a number >= 0")


def _up_to(most: int) -> Whole:
    return Whole(1, most, optional=True, text=f"a whole number from 1 to {most:,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit(Options):
    """The options of a fit; every default lives here.

    Args:
        steps: Gradient steps in all; none given: 2000, or 12000 where an image has a latent.
        batch_size: Rows a step, over all processes and parts; none given: 256, or 16 where an image
            has a latent.
        accumulate: Parts in which each process takes its rows of a step, one after another, their
            gradients added up: the memory of a part.
        learning_rate: AdamW's rate after the warm-up.
        warmup: Steps over which the rate rises.
        schedule: "cosine" or "constant".
        weight_decay: AdamW's decay.
        ema: Decay of the average of the weights, which is what the fitted model holds.
        gradient_clip: Largest norm of the gradient.
        held_out: Share of the rows that are kept from training; the fitted model holds the weights
            with the least loss on them. 0: none.
        held_every: Steps between two looks at that loss.
        patience: Looks in a row that are no better after which the fit ends; 0: it never does.
        smoothing: Observations added to each row of a fitted table, spread over its levels; none
            given: 0, greatest likelihood, in a graph of class nodes alone, else 0.5. The tables of
            hidden causes and of their children have 0.5.
        members: Refits to random halves of the rows, of a graph without images, by which
            counterfactuals tell the error of the fit; 0: none.
        minutes: After so many the fit ends with the model that it then has; the same call goes on
            from the checkpoint. 0: no limit.
        seed: Of batches and noise.
        device: "auto" (CUDA, else CPU), "cpu", "cuda" or "cuda:1".
        precision: "auto" (bf16-mixed where the GPU computes with bfloat16, and of an image with a
            latent where the CPU does; else 32-true), "32-true", "bf16-mixed" or "16-mixed".
        devices: Processes on this machine, one a device; under torchrun its own numbers hold.
        strategy: Of several processes: "auto" or "ddp" has the weights in each of them, "fsdp"
            shares weights, gradients, moments and average out among them; else one of Fabric's.
        recompute: Keep the input of each block of a network alone, and compute the block again for
            its gradient: less memory, more time, the same numbers.
        checkpoint: File from which a killed fit goes on, or None.
        checkpoint_every: Seconds between two checkpoints; 0 writes one after every step.
        piece: Largest file of the checkpoint, as "2GB" or in bytes; a larger one, and a larger
            model of the command, is written in pieces.
        resume: Go on from the checkpoint if there is one; graph, data and options must be its own.
        progress: Show a progress bar on standard error.
        log: JSON lines file, or None.
        log_every: Steps between two lines of it, and between two that a logger is told.
        logger: Who is told the losses: "csv:FOLDER", "tensorboard:FOLDER", "wandb:PROJECT", one of
            Lightning's loggers, a function (step, values), or None.
        log_pictures: Steps between two pictures of an image node that a logger is told; 0: none.
    """

    title: ClassVar[str] = "fit"

    steps: int = option(None, _up_to(FIT_STEPS), phase="training")
    batch_size: int = option(None, _up_to(DRAWN_ROWS), phase="training")
    accumulate: int = option(1, Whole(1, 1_000_000, text="a whole number from 1 to 1,000,000"))
    learning_rate: float = option(1e-3, _POSITIVE, phase="training")
    warmup: int = option(100, _SEED, phase="training")
    schedule: str = option("cosine", Names(plugins.FIT_SCHEDULES), phase="training")
    weight_decay: float = option(0.0, _NONNEGATIVE, phase="training")
    ema: float = option(
        0.999, Number(0, 1, open="high", text="a number in [0, 1)"), phase="training"
    )
    gradient_clip: float = option(1.0, _POSITIVE, phase="training")
    held_out: float = option(
        0.0, Number(0, 1, open="high", text="a number in [0, 1)"), phase="training"
    )
    held_every: int = option(100, _EVERY, phase="training")
    patience: int = option(10, _SEED, phase="training")
    smoothing: float | None = option(
        None, Number(0, optional=True, text="a number >= 0"), phase="training"
    )
    members: int = option(0, Whole(0, 1_000, text="a whole number from 0 to 1,000"))
    minutes: float = option(0.0, _NONNEGATIVE)
    seed: int = option(0, _SEED, phase="training")
    device: str = option("auto")
    precision: str = option("auto", Names(_PRECISIONS), phase="training")
    devices: int = option(1, Whole(1, 1024, text="a whole number from 1 to 1024"))
    strategy: str = option("auto")
    recompute: bool = option(False, Truth())
    checkpoint: str | Path | None = option(None)
    checkpoint_every: float = option(60.0, _NONNEGATIVE)
    piece: str | int = option(PIECE_BYTES, Bytes())
    resume: bool = option(True)
    progress: bool = option(True)
    log: str | Path | None = option(None)
    log_every: int = option(50, _EVERY)
    logger: Any = option(None)
    log_pictures: int = option(500, _SEED)

    def refused(self, name: str, value: object, rule: Rule) -> str:
        """What an error says of a value."""
        if isinstance(rule, Names):
            return f"unknown {name} {value!r}; {one_of(value, rule)}"
        return Options.refused(self, name, value, rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The steps and rows of a fit that says nothing of them.

    Attributes:
        wide: its time goes into networks of the package's own, for which bfloat16 is enough, on a
            CPU too.
    """

    steps: int
    batch_size: int
    wide: bool = False


USUAL, LATENT = Size(steps=2000, batch_size=256), Size(steps=12000, batch_size=16, wide=True)


def sized(options: Fit, size: Size = USUAL) -> Fit:
    """The options, with these steps and rows where they have none."""
    steps, rows = options.steps or size.steps, options.batch_size or size.batch_size
    return dataclasses.replace(options, steps=steps, batch_size=rows)


DISTILL = Fit(steps=400, batch_size=32, learning_rate=3e-4, warmup=20, ema=0.98)
"""The defaults of `Model.distill`: it begins with a fitted network."""


class FitKeywords(TypedDict, total=False):
    """The options of a fit that `Model.fit` does not spell out, as keywords: of `Fit`."""

    accumulate: int
    learning_rate: float
    warmup: int
    schedule: str
    weight_decay: float
    ema: float
    gradient_clip: float
    held_out: float
    held_every: int
    patience: int
    smoothing: float
    members: int
    minutes: float
    precision: str
    devices: int
    strategy: str
    recompute: bool
    checkpoint_every: float
    piece: str | int
    resume: bool
    log: str | Path | None
    log_every: int
    logger: Any
    log_pictures: int


def fit_options(options: Fit | None, given: Mapping[str, Any]) -> Fit:
    """The options, with those that are given (None: not) in place of theirs.

    Raises:
        CausalflowError: an unknown option, or a value that no fit can use.
    """
    if not isinstance(options, Fit | None):
        raise CausalflowError(f"fit: options={shown(options)}; expected cf.Fit(...)")
    slots = dataclasses.fields(Fit)
    base = {} if options is None else {slot.name: getattr(options, slot.name) for slot in slots}
    return Fit(**base | {name: value for name, value in given.items() if value is not None})


def identity(options: Fit) -> dict[str, Any]:
    """The options that a fit and its continuation must share: those of training.

    Without held-out rows, or a smoothing, nothing is said of them, as fits of before did not.
    """
    unused = () if options.held_out else ("held_out", "held_every", "patience")
    unused = unused if options.smoothing is not None else (*unused, "smoothing")
    return {
        slot.name: getattr(options, slot.name)
        for slot in dataclasses.fields(options)
        if slot.metadata["phase"] == "training" and slot.name not in unused
    }
