"""TrainingLoop: gradient steps on the sum of the nodes' losses, as a generator.

    step k   B rows -> mean loss of every node -> gradient of their sum, clipped to a norm -> AdamW
             -> moving average of the weights (`causalflow.training.state`)

The rows of a step are cut into S = R A parts: R processes each take A of them one after another
(``accumulate``), and the gradient is the mean over the parts. Batches and noise are functions of
(seed, step, part) alone, so one process that accumulates S parts and S processes take the same
steps. A model may want its rows drawn by a law of its own.

Lightning Fabric supplies device, precision, processes; where they share the weights out among them,
`causalflow.training.shards` cuts them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from causalflow.errors import CausalflowError
from causalflow.training.device import alone
from causalflow.training.options import SCHEDULES, Fit, Size
from causalflow.training.precomputed import precomputed
from causalflow.training.shards import (
    Swapped,
    average_replicated,
    blocks_of,
    clip,
    is_shard,
    replace_blocks,
)
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
    "DivergedError",
    "Measured",
    "Pictured",
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


class DivergedError(CausalflowError):
    """A loss or a gradient is not finite, in all processes alike."""


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


@runtime_checkable
class Networked(Protocol):
    """A module that names its networks, which are large and run by being called."""

    def networks(self) -> Iterable[nn.Module]:
        """The networks whose blocks may be cut among processes, or computed again."""


@runtime_checkable
class Pictured(Protocol):
    """A model that can draw what its image nodes look like while it is fitted."""

    def pictures(
        self, batch: Mapping[str, Tensor], generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Image node -> draws under the labels of a batch, in [0, 1], (batch, 1 or 3, ...)."""


@runtime_checkable
class Paced(Protocol):
    """A model of whose modules some learn at a rate of their own."""

    def paces(self) -> Iterable[tuple[nn.Module, float]]:
        """Such modules, and the number by which their rate is multiplied."""


@runtime_checkable
class Measured(Protocol):
    """A model that knows how large a fit it needs."""

    @property
    def size(self) -> Size:
        """The steps and rows of a fit that says nothing of them."""


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
    """One step, of which all processes think alike.

    Attributes:
        done: how many are done.
        losses: the mean loss of every node.
        stopped: a signal asks to stop.
        late: the time is over.
        due: the state is to be written.
    """

    done: int
    losses: Mapping[str, float]
    stopped: bool
    late: bool
    due: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The parts of a fit, set up on their device.

    Attributes:
        swapped: the blocks that are trained in shards.
        again: the blocks that are computed again for their gradient.
    """

    fabric: Fabric
    model: Trainable
    network: Any
    optimizer: Any
    state: TrainingState
    nodes: tuple[str, ...]
    options: Fit
    law: Tensor | None = None
    swapped: tuple[Swapped, ...] = ()
    again: tuple[nn.Module, ...] = ()

    def close(self, *, together: bool) -> None:
        """Leave the model an ordinary module with the averaged weights.

        Args:
            together: all processes make this call; where they do not, blocks that were trained in
                shards keep the weights from before the fit.
        """
        self.state.settle()
        for block in self.again:
            del block.__dict__["forward"]
        for each in self.swapped:
            each.restore(weights=together)


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
    blocks = blocks_of(model.networks()) if isinstance(model, Networked) else []
    module.train()
    objective, swapped = _Objective(model, module, nodes), tuple[Swapped, ...]()
    if options.strategy == "fsdp" and fabric.world_size > 1 and blocks:
        swapped = tuple(replace_blocks(module, blocks, cast(Any, fabric.strategy).device_mesh))
        blocks = list(dict.fromkeys(each.trained for each in swapped))
        network = fabric.setup_module(objective, move_to_device=False)
        adam = _adam(fabric, model, options)
        optimizer = fabric.setup_optimizers(adam)
    else:
        adam = _adam(fabric, model, options)
        network, optimizer = fabric.setup(objective, adam)
    return Run(
        fabric=fabric,
        model=model,
        network=network,
        optimizer=optimizer,
        state=TrainingState.start(module, adam),
        nodes=nodes,
        options=options,
        law=law,
        swapped=swapped,
        again=tuple(_recomputed(blocks)) if options.recompute else (),
    )


def _adam(fabric: Fabric, model: Trainable, options: Fit) -> torch.optim.AdamW:
    """AdamW of the weights, in groups: those that are cut, those of a pace, apart."""
    paced = model.paces() if isinstance(model, Paced) else ()
    pace = {weight: rate for module, rate in paced for weight in module.parameters()}
    groups: dict[tuple[bool, float], list[Tensor]] = {}
    for _, weight in trainable(module_of(model)):
        groups.setdefault((is_shard(weight), pace.get(weight, 1.0)), []).append(weight)
    return torch.optim.AdamW(
        [{"params": groups[cut, rate], "pace": rate} for cut, rate in sorted(groups)],
        lr=options.learning_rate,
        weight_decay=options.weight_decay,
        fused=fabric.device.type == "cuda" or options.strategy != "fsdp",  # no shards on a CPU
    )


def _recomputed(blocks: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """Blocks that keep nothing of their forward pass but what they were given."""
    for block in blocks:
        cast(Any, block).forward = partial(checkpoint, block.forward, use_reentrant=False)
        yield block


def optimise(
    run: Run,
    frame: Rows,
    stop: list[int],
    late: Callable[[], bool] = bool,
    due: Callable[[], bool] = bool,
) -> Iterator[Step]:
    """The steps that are left.

    Args:
        run: what was set up.
        frame: the data.
        stop: what makes it non-empty in any process is told to all of them.
        late: whether the time of this process is over; told to all of them too.
        due: whether this process wants the state written; alike.
    """
    columns: dict[str, Tensor] | None = None
    for rows, batch in _batches(run, frame):
        stage = _begun(run)
        if columns is None or run.state.step == stage.first:
            columns = _precomputed(run, frame, stage)
        at = rows.to(run.fabric.device, non_blocking=True)
        own = {name: column[at] for name, column in columns.items()}
        means = _gradient(run, _moved(run, batch) | own)
        norm = _clipped(run)
        # The one time in a step that a GPU is waited for.
        wishes = [torch.full_like(norm, wish) for wish in (len(stop), late(), due())]
        told = torch.stack([*wishes, norm.detach()]).to(means.dtype)
        shared = cast(Tensor, run.fabric.all_reduce(torch.cat([means, told])))
        *numbers, stopped, over, wanted, gradient = shared.tolist()
        losses = dict(zip(run.nodes, numbers, strict=True))
        _check_finite(run, losses, gradient)
        _descend(run, stage)
        yield Step(
            done=run.state.step,
            losses=losses,
            stopped=stopped > 0,
            late=over > 0,
            due=wanted > 0,
        )


def _precomputed(run: Run, frame: Rows, stage: Stage) -> dict[str, Tensor]:
    """What this stage takes of every row; nothing of networks in shards, which a step gathers."""
    if run.swapped:
        return {}
    with run.fabric.autocast():
        return precomputed(run.model, frame, stage, run.options.batch_size, partial(_moved, run))


def _gradient(run: Run, batch: dict[str, Tensor]) -> Tensor:
    """Take the gradient of this process's parts; the nodes' mean losses over them."""
    options, fabric, step = run.options, run.fabric, run.state.step
    parts, rank = options.accumulate, fabric.global_rank
    size = options.batch_size // (fabric.world_size * parts)
    found: list[Tensor] = []
    for part in range(parts):
        rows = slice(part * size, (part + 1) * size)
        own = {name: value[rows] for name, value in batch.items()} if parts > 1 else batch
        noise = generator(fabric.device, options.seed, STEP, step, rank * parts + part)
        # Shards give up their whole gradient after each part; replicas wait for the last one.
        waits = part + 1 < parts and fabric.world_size > 1 and not run.swapped
        with fabric.no_backward_sync(run.network) if waits else nullcontext():
            total, means = run.network(_Work(own, noise))
            fabric.backward(total / parts)
        found.append(means.detach())
    return torch.stack(found).mean(dim=0)


def _clipped(run: Run) -> Tensor:
    """The norm of the gradient, shape (), which is then clipped."""
    if run.swapped:
        weights = [weight for _, weight in trainable(run.state.module)]
        average_replicated(weights)
        return clip(weights, run.options.gradient_clip, run.fabric.device)
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
    rate = options.learning_rate * SCHEDULES.get(options.schedule)(step, alone)
    for group in optimizer.param_groups:
        group["lr"] = group["pace"] * rate
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
    work = _Work(_moved(run, batch), noise)
    return cast(Tensor, run.fabric.all_reduce(run.network(work)[1]))


def _check_finite(run: Run, losses: Mapping[str, float], gradient: float) -> None:
    for name, loss in losses.items():
        if not math.isfinite(loss):
            raise DivergedError(f"fit: the loss of node '{name}' is {loss} at {_remedy(run)}")
    scaled = getattr(run.fabric.strategy.precision, "scaler", None) is not None
    # A gradient scaler provokes overflows, skips such steps itself and lowers its scale.
    if not scaled and not math.isfinite(gradient):
        raise DivergedError(f"fit: the gradient is not finite at {_remedy(run)}")


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
    """The sum of the nodes' mean losses, and each of them, in the order of ``nodes``.

    Data-parallel processes look for weights without a gradient, as a node that is fitted in stages
    has some, and warn where there are none: so there is one.
    """

    def __init__(self, model: Trainable, module: nn.Module, nodes: tuple[str, ...]) -> None:
        super().__init__()
        self.module, self.loss, self.nodes = module, model.loss, nodes
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, work: _Work) -> tuple[Tensor, Tensor]:
        losses = self.loss(work.batch, work.noise)
        means = torch.stack([losses[name].mean().double() for name in self.nodes])
        return means.sum(), means


def _batches(run: Run, frame: Rows) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """This rank's rows of the steps that are left, after their numbers.

    The next are read while these are used, beside networks on a CPU by a thread without helpers:
    of more threads than cores those of the networks would be put to sleep after each operation, and
    waking them takes longer than many an operation does.
    """
    options, rank, start = run.options, run.fabric.global_rank, run.state.step
    share, threads = options.batch_size // run.fabric.world_size, torch.get_num_threads()

    def read(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        rows = _rows(run, len(frame), step)[rank * share : (rank + 1) * share]
        batch = {name: _pinned(value) for name, value in frame.rows(rows).items()}
        return _pinned(rows), batch

    begin = alone if run.fabric.device.type == "cpu" else None
    with ThreadPoolExecutor(1, initializer=begin) as reader:
        following = reader.submit(read, min(start, options.steps - 1))
        wait([following])
        torch.set_num_threads(threads)
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


def _pinned(value: Tensor) -> Tensor:
    """It in page-locked memory, from where a GPU takes it while it computes."""
    return value.pin_memory() if torch.cuda.is_available() else value


def _moved(run: Run, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: _to(value, run.fabric.device) for name, value in batch.items()}


def _to(value: Tensor, device: torch.device) -> Tensor:
    if value.ndim == 4:
        return value.to(device, non_blocking=True, memory_format=torch.channels_last)
    return value.to(device, non_blocking=True)
