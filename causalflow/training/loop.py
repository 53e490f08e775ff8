"""TrainingLoop: gradient steps on the sum of the nodes' losses, as a generator.

    step k   B rows -> mean loss of every node -> gradient of their sum, clipped to a norm -> AdamW
             -> moving average of the weights (`causalflow.training.state`)

Batches and noise are functions of (seed, step, rank) alone, so R processes do what one process does
with R slices of the batch and R generators; a model may want its rows drawn by a law of its own.
Lightning Fabric supplies device, precision, processes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from causalflow.errors import CausalflowError
from causalflow.training.options import SCHEDULES, Fit
from causalflow.training.stages import Stage, Staged, stage_at
from causalflow.training.state import (
    STEP,
    Rows,
    TrainingState,
    batch_rows,
    drawn_rows,
    generator,
    trainable,
)

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = [
    "Run",
    "Step",
    "Trainable",
    "Weighted",
    "gradient_nodes",
    "judged",
    "module_of",
    "optimise",
    "set_up",
]


class Trainable(Protocol):
    """What `fit` can train: an ``nn.Module``, or an object that holds one as ``module``."""

    def calibrate(self, columns: Mapping[str, Tensor], generator: torch.Generator) -> None:
        """Set what one pass over the labels determines."""

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """The nodes' losses, each of shape (batch,); empty when `calibrate` did all."""


@runtime_checkable
class Weighted(Protocol):
    """A module that draws its rows by a law of its own, and weighs its losses accordingly."""

    def row_law(self, columns: Mapping[str, Tensor]) -> Tensor | None:
        """Weights of the rows, shape (rows,), up to a factor; None: every row alike."""


def module_of(model: Trainable) -> nn.Module:
    """The module that holds all that fitting changes: the model, or its ``module``."""
    return model if isinstance(model, nn.Module) else cast(Any, model).module


@torch.no_grad()
def gradient_nodes(model: Trainable, frame: Rows) -> tuple[str, ...]:
    """The nodes that gradient steps can improve, found out on two rows."""
    if not any(trainable(module_of(model))):
        return ()
    rows = torch.arange(min(2, len(frame)))
    return tuple(model.loss(frame.rows(rows), generator("cpu", 0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: how many are done, the mean loss of every node, whether a signal asks to stop."""

    done: int
    losses: Mapping[str, float]
    stopped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The parts of a fit, set up on their device."""

    fabric: Fabric
    model: Trainable
    network: Any
    optimizer: Any
    state: TrainingState
    nodes: tuple[str, ...]
    options: Fit
    law: Tensor | None = None


def set_up(
    fabric: Fabric,
    model: Trainable,
    frame: Rows,
    nodes: tuple[str, ...],
    options: Fit,
) -> Run:
    """The parts on their device: the module moved and wrapped, the state before the first step."""
    module = module_of(model)
    law = model.row_law(frame.labels()) if isinstance(model, Weighted) else None
    weights = [weight for _, weight in trainable(module)]
    adam = torch.optim.AdamW(
        weights,
        lr=options.learning_rate,
        weight_decay=options.weight_decay,
        fused=fabric.device.type == "cuda",
    )
    module.train()
    network, optimizer = fabric.setup(_Objective(model, module, nodes), adam)
    return Run(
        fabric=fabric,
        model=model,
        network=network,
        optimizer=optimizer,
        state=TrainingState.start(module, adam),
        nodes=nodes,
        options=options,
        law=law,
    )


def optimise(run: Run, frame: Rows, stop: list[int]) -> Iterator[Step]:
    """The steps that are left; a non-empty ``stop`` in any process is told to all of them."""
    device, rank, options = run.fabric.device, run.fabric.global_rank, run.options
    for batch in _batches(run, frame):
        stage = _begun(run)
        noise = generator(device, options.seed, STEP, run.state.step, rank)
        work = _Work({name: _to(value, device) for name, value in batch.items()}, noise)
        total, means = run.network(work)
        norm = _backward(run, total)
        # The one time in a step that a GPU is waited for.
        told = torch.stack([torch.full_like(norm, len(stop)), norm.detach()]).to(means.dtype)
        shared = cast(Tensor, run.fabric.all_reduce(torch.cat([means.detach(), told])))
        *numbers, stopped, gradient = shared.tolist()
        losses = dict(zip(run.nodes, numbers, strict=True))
        _check_finite(run, losses, gradient)
        _descend(run, stage)
        yield Step(done=run.state.step, losses=losses, stopped=stopped > 0)


def _backward(run: Run, total: Tensor) -> Tensor:
    """The gradient, clipped; its norm before that, shape ()."""
    run.fabric.backward(total)
    norm = run.fabric.clip_gradients(
        run.network,
        run.optimizer,
        max_norm=run.options.gradient_clip,
        error_if_nonfinite=False,
    )
    assert norm is not None
    return norm


def _begun(run: Run) -> Stage:
    """The stage of the next step, told to the model; at a milestone, from averaged weights on."""
    step, model = run.state.step, run.model
    stage = stage_at(step, run.options.steps, model.milestones if isinstance(model, Staged) else ())
    if stage.first == step > 0:
        run.state.settle()
        run.state.best = None
    if isinstance(model, Staged):
        model.reach(stage.share)
    return stage


def _descend(run: Run, stage: Stage) -> None:
    """One step down the gradient and its place in the average."""
    options, optimizer, step = run.options, run.optimizer, run.state.step - stage.first
    alone = replace(options, steps=stage.steps)
    for group in optimizer.param_groups:
        group["lr"] = options.learning_rate * SCHEDULES.get(options.schedule)(step, alone)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    run.state.follow(options.ema, stage.first)


@torch.no_grad()
def judged(run: Run, batch: Mapping[str, Tensor], noise: torch.Generator) -> Tensor:
    """The mean loss of every node on a batch, in the order of ``run.nodes``; the same everywhere.

    Args:
        run: whose network is asked, with the weights it holds.
        batch: rows by node.
        noise: draws.
    """
    device = run.fabric.device
    work = _Work({name: _to(value, device) for name, value in batch.items()}, noise)
    return cast(Tensor, run.fabric.all_reduce(run.network(work)[1]))


def _check_finite(run: Run, losses: Mapping[str, float], gradient: float) -> None:
    for name, loss in losses.items():
        if not math.isfinite(loss):
            raise CausalflowError(f"fit: the loss of node '{name}' is {loss} at {_remedy(run)}")
    scaled = getattr(run.fabric.strategy.precision, "scaler", None) is not None
    # A gradient scaler provokes overflows, skips such steps itself and lowers its scale.
    if not scaled and not math.isfinite(gradient):
        raise CausalflowError(f"fit: the gradient is not finite at {_remedy(run)}")


def _remedy(run: Run) -> str:
    options, path = run.options, run.options.checkpoint
    kept = f"; the last good state is kept in {path}" if path and Path(path).exists() else ""
    return (
        f"step {run.state.step + 1} of {options.steps}; look at the data, or lower "
        f"learning_rate={options.learning_rate:g}{kept}"
    )


class _Work:
    """A batch and its noise; opaque, so that no precision plugin casts float64 columns."""

    def __init__(self, batch: dict[str, Tensor], noise: torch.Generator) -> None:
        self.batch, self.noise = batch, noise


class _Objective(nn.Module):
    """The sum of the nodes' mean losses, and each of them, in the order of ``nodes``."""

    def __init__(self, model: Trainable, module: nn.Module, nodes: tuple[str, ...]) -> None:
        super().__init__()
        self.module, self.loss, self.nodes = module, model.loss, nodes

    def forward(self, work: _Work) -> tuple[Tensor, Tensor]:
        losses = self.loss(work.batch, work.noise)
        means = torch.stack([losses[name].mean().double() for name in self.nodes])
        return means.sum(), means


def _batches(run: Run, frame: Rows) -> Iterator[dict[str, Tensor]]:
    """This rank's rows of the steps that are left; the next are read while these are used."""
    options, rank, start = run.options, run.fabric.global_rank, run.state.step
    share = options.batch_size // run.fabric.world_size

    def read(step: int) -> dict[str, Tensor]:
        rows = _rows(run, len(frame), step)
        return _pinned(frame.rows(rows[rank * share : (rank + 1) * share]))

    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(read, min(start, options.steps - 1))
        for step in range(start, options.steps):
            batch = following.result()
            if step + 1 < options.steps:
                following = reader.submit(read, step + 1)
            yield batch


def _rows(run: Run, rows: int, step: int) -> Tensor:
    """The global batch of a step."""
    options = run.options
    if run.law is None:
        return batch_rows(rows, options.batch_size, options.seed, step)
    return drawn_rows(run.law, options.batch_size, options.seed, step)


def _pinned(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The batch in page-locked memory, from where a GPU takes it while it computes."""
    if not torch.cuda.is_available():
        return batch
    return {name: value.pin_memory() for name, value in batch.items()}


def _to(value: Tensor, device: torch.device) -> Tensor:
    if value.ndim == 4:
        return value.to(device, non_blocking=True, memory_format=torch.channels_last)
    return value.to(device, non_blocking=True)
