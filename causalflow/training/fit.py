"""Fit: a model's training from the data to the averaged weights, killed and resumed at will.

    calibrate  one pass over the labels sets tables, statistics and closed-form fits
    step       `causalflow.training.loop`: loss, gradient, AdamW, average (EMA) of the weights
    look       `causalflow.training.heldout`: the loss of rows that are held out, if any are
    keep       `causalflow.training.state`: the checkpoint, written every so many seconds
    tell       `causalflow.training.log`: progress bar and JSON lines;
               `causalflow.training.logger`: whoever else wants to know

The fitted model holds the averaged weights. A fit that was killed and resumed ends with the weights
of one that was not: bit by bit on the CPU, on a GPU as far as its kernels repeat themselves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from causalflow.checkpoint import State
from causalflow.errors import CheckpointError, DataError
from causalflow.files import alone, place_of, remove_leftovers, written
from causalflow.options import bytes_of
from causalflow.pieces import remove_strays
from causalflow.training.device import FitInterrupted, launch, signals
from causalflow.training.heldout import HeldOut, parted
from causalflow.training.log import TrainingLog
from causalflow.training.logger import Teller, read_logger, strip
from causalflow.training.loop import (
    DivergedError,
    Measured,
    Pictured,
    Run,
    Trainable,
    Weighted,
    gradient_nodes,
    module_of,
    optimise,
    set_up,
)
from causalflow.training.options import USUAL, Fit, identity, sized
from causalflow.training.processes import working_together
from causalflow.training.report import FitReport
from causalflow.training.stages import Staged, stage_at
from causalflow.training.state import (
    CALIBRATION,
    SHOWN_NOISE,
    Rows,
    TrainingState,
    data_digest,
    generator,
    reopen,
    restore,
    save,
    trainable,
)

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Fit", "FitInterrupted", "FitReport", "Trainable", "fit"]

SHOWN = 8
"""Pictures that a logger is shown side by side."""


def fit(
    model: Trainable,
    frame: Rows,
    options: Fit | None = None,
    *,
    graph: str = "",
    further: Mapping[str, Any] = MappingProxyType({}),
) -> FitReport:
    """Fit ``model`` to the rows of ``frame``; it then holds the averaged weights.

    The model stays on the device of the fit, in evaluation mode.

    Args:
        model: What to train.
        frame: The data.
        options: How; see `Fit`.
        graph: The graph file's text, kept in the checkpoint and compared when resuming.
        further: What else is compared then, as texts and numbers by name.

    Raises:
        CausalflowError: a loss or gradient is not finite; node and step are named.
        CheckpointError: the checkpoint is damaged or belongs to another fit; another process writes
            it, or the log.
        PeerError: another of the processes has ended.
        FitInterrupted: SIGINT or SIGTERM, or the minutes were too few for the model's last stage to
            begin; the last whole step is in the checkpoint. Where all stages have begun the model
            can be used as it is, and the exception has the report.
    """
    size, begun = model.size if isinstance(model, Measured) else USUAL, time.monotonic()
    options = sized(options or Fit(), size)
    if not len(frame):
        raise DataError("fit: the data have no rows")
    fabric = launch(options, size)
    first, count = fabric.is_global_zero, fabric.world_size
    with _held(options, first=first), working_together("fit", count):
        return _fitted(fabric, model, frame, options, graph, further, begun)


def _fitted(
    fabric: Fabric,
    model: Trainable,
    frame: Rows,
    options: Fit,
    graph: str,
    further: Mapping[str, Any],
    begun: float,
) -> FitReport:
    module = _prepared(module_of(model))
    kept = _Checkpoint.of(frame, options, graph, further, first=fabric.is_global_zero)
    frame, held = parted(frame, options)
    stored = kept.read(module) if kept is not None and any(trainable(module)) else None
    if stored is None:
        model.calibrate(frame.labels(), generator("cpu", options.seed, CALIBRATION))
    nodes = gradient_nodes(model, frame)
    if not nodes:
        module.to(fabric.device)
        return _report(fabric, module, options)
    run = set_up(fabric, model, frame, nodes, options)
    if kept is not None and stored is not None:
        restore(kept.path, run.state, stored)
        fabric.strategy.precision.load_state_dict(stored.metadata.options["scaler"])
    judge = None if held is None else _held_out(model, held, options)
    return _follow(run, frame, kept, judge, _late(options, begun))


def _late(options: Fit, begun: float) -> Callable[[], bool]:
    """Whether the minutes of a fit that began then are over."""
    end = begun + 60 * options.minutes if options.minutes else math.inf
    return lambda: time.monotonic() >= end


def _held_out(model: Trainable, frame: Rows, options: Fit) -> HeldOut:
    law = model.row_law(frame.labels()) if isinstance(model, Weighted) else None
    return HeldOut.of(frame, law, options)


@contextmanager
def _held(options: Fit, *, first: bool) -> Iterator[None]:
    """No other fit writes the same checkpoint or log meanwhile."""
    with ExitStack() as held:
        if options.checkpoint is not None:
            with written(options.checkpoint, CheckpointError):
                place_of(options.checkpoint)
        for path in dict.fromkeys((options.checkpoint, options.log)):
            if path is not None and first:
                held.enter_context(alone(path, CheckpointError))
        yield


def _prepared(module: nn.Module) -> nn.Module:
    """On the CPU, where the calibration runs, with convolutions in the layout that is fast."""
    module.to("cpu")
    for weight in module.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return module


def _follow(
    run: Run,
    frame: Rows,
    kept: _Checkpoint | None,
    held: HeldOut | None,
    late: Callable[[], bool],
) -> FitReport:
    """Take the steps, telling and keeping what the options ask for; leave the averaged weights."""
    state, options, begun = run.state, run.options, run.state.step
    before, start, why = state.seconds, time.monotonic(), ""
    due = bool if kept is None else kept.due
    with _settled(run), signals() as stop, _log(run, frame) as log:
        at_end = held is not None and held.over(run)
        for step in () if at_end else optimise(run, frame, stop, late, due):
            if held is not None and held.due(step.done):
                log.look(held.look(run))
            over = step.done == options.steps or (held is not None and held.over(run))
            why = "" if over else "signal" if step.stopped else "minutes" if step.late else ""
            state.seconds = before + time.monotonic() - start
            log.add(step.done, step.losses, state.seconds, ends=over or why == "minutes")
            if _shows(run, step.done, ends=over):
                log.picture(step.done, _pictures(run, frame))
            if kept is not None and (step.due or over or why):
                kept.write(run)
                log.kept()
            if over or why:
                break
        report = _report(run.fabric, state.module, options, state, log, begun)
        report = replace(report, stopped=why)
        if why == "signal" or (why and not _usable(run)):
            raise FitInterrupted(_interrupted(report, options), report if _usable(run) else None)
    return report


def _shows(run: Run, step: int, *, ends: bool) -> bool:
    """Whether a logger is shown pictures after so many steps; of shares no process has a whole."""
    options, every = run.options, run.options.log_pictures
    shown = options.logger is not None and bool(every) and isinstance(run.model, Pictured)
    first = run.fabric.is_global_zero and not run.swapped
    return shown and first and (ends or step % every == 0)


def _pictures(run: Run, frame: Rows) -> dict[str, Any]:
    """Image node -> draws of the averaged weights, under the labels of the first rows."""
    device, model = run.fabric.device, cast(Pictured, run.model)
    rows = frame.rows(torch.arange(min(SHOWN, len(frame))))
    batch = {name: each.to(device) for name, each in rows.items()}
    with run.state.averaged():
        drawn = model.pictures(batch, generator(device, run.options.seed, SHOWN_NOISE))
    return {name: strip(each) for name, each in drawn.items()}


def _usable(run: Run) -> bool:
    """Whether all stages have begun, so that the model can be asked."""
    milestones = run.model.milestones if isinstance(run.model, Staged) else ()
    last = stage_at(run.options.steps - 1, run.options.steps, milestones)
    return run.state.step > last.first


@dataclass(slots=True, kw_only=True)
class _Checkpoint:
    """The file a fit is resumed from, or its pieces; only the first process writes it."""

    path: Path
    shared: Mapping[str, Any]
    graph: str
    piece: int
    every: float
    resume: bool
    first: bool
    last: float

    @classmethod
    def of(
        cls, frame: Rows, options: Fit, graph: str, further: Mapping[str, Any], *, first: bool
    ) -> _Checkpoint | None:
        if options.checkpoint is None:
            return None
        return cls(
            path=Path(options.checkpoint),
            shared={**identity(options), "data": data_digest(frame), **further},
            graph=graph,
            piece=bytes_of(options.piece),
            every=options.checkpoint_every,
            resume=options.resume,
            first=first,
            last=time.monotonic(),
        )

    def read(self, module: nn.Module) -> State | None:
        """What an earlier fit left, its weights in ``module``; None where there is nothing."""
        if self.first:
            remove_leftovers(self.path)
            remove_strays(self.path)
        if not (self.resume and self.path.exists()):
            return None
        return reopen(self.path, module, self.shared, self.graph)

    def due(self) -> bool:
        """Whether the first process wants to write."""
        return self.first and time.monotonic() - self.last >= self.every

    def write(self, run: Run) -> None:
        if self.first or run.swapped:
            scaler = run.fabric.strategy.precision.state_dict()
            save(
                self.path,
                run.state,
                self.shared,
                self.graph,
                scaler,
                piece=self.piece,
                first=self.first,
            )
        self.last = time.monotonic()


@contextmanager
def _settled(run: Run) -> Iterator[None]:
    """However the loop ends, the model holds the averaged weights, in evaluation mode.

    An error of one process alone leaves those that are shared out among all where they are.
    """
    together = False
    try:
        yield
        together = True
    except (FitInterrupted, DivergedError):
        together = True
        raise
    finally:
        run.close(together=together)
        run.state.module.eval()


def _interrupted(report: FitReport, options: Fit) -> str:
    where = f"fit stopped after step {report.steps} of {options.steps}"
    if report.stopped == "minutes":
        where += f", as minutes={options.minutes:g} are over before its last stage"
    if options.checkpoint is None:
        return f"{where}; without checkpoint=... it cannot be resumed"
    return f"{where}; the same call resumes it from {options.checkpoint}"


def _log(run: Run, frame: Rows) -> TrainingLog:
    options, first = run.options, run.fabric.is_global_zero
    pictures = any(value.ndim == 4 for value in frame.rows(torch.arange(1)).values())
    report = _report(run.fabric, run.state.module, options)
    machine = {
        name: getattr(report, name) for name in ("device", "precision", "processes", "parameters")
    }
    return TrainingLog(
        steps=options.steps,
        start=run.state.step,
        batch_size=options.batch_size,
        path=Path(options.log) if options.log is not None and first else None,
        every=options.log_every,
        progress=options.progress and first,
        header={"options": identity(options), **machine},
        unit="image" if pictures else "row",
        teller=_teller(options) if first else None,
    )


def _teller(options: Fit) -> Teller | None:
    if options.logger is None:
        return None
    return Teller(read_logger(options.logger), at_once=options.checkpoint is None)


def _report(
    fabric: Fabric,
    module: nn.Module,
    options: Fit,
    state: TrainingState | None = None,
    log: TrainingLog | None = None,
    begun: int = 0,
) -> FitReport:
    return FitReport(
        steps=state.step if state else 0,
        images=state.step * options.batch_size if state else 0,
        seconds=state.seconds if state else 0.0,
        losses=log.losses if log else {},
        parameters=sum(weight.numel() for _, weight in trainable(module)),
        device=str(fabric.device),
        precision=str(fabric.strategy.precision.precision),
        processes=fabric.world_size,
        resumed_from=begun,
        held_out=state.best.loss if state and state.best else None,
        best_step=state.best.step if state and state.best else None,
        history=tuple(log.history) if log else (),
    )
