"""TrainingState: everything a fit is between two steps, so that it can be killed and go on.

    weights    the model's ``state_dict``, calibrated buffers included
    average    the moving average of the parameters (EMA): a <- d a + (1 - d) w after each step,
               d = min(ema, (1 + k) / (10 + k)) at step k of its stage, so that it forgets soon what
               it began with
    moments    AdamW's state by parameter name
    best       the average that held-out rows liked best (`causalflow.training.heldout`), if any are
    step       how many steps are done; seconds: how long they took

Randomness is no part of it: batches and noise are functions of (seed, step, part).

A state is whole in its file, also where `causalflow.training.shards` cut it: each tensor is
gathered when it is written, and each process takes its own part when it is read.

    rows    of a step: the slice [step B, (step + 1) B) of an endless stream of permutations, one an
            epoch, seeded by (seed, epoch); or B draws from a law over the rows, seeded by
            (seed, step)
    noise   a generator on the data's device, seeded by (seed, step, part)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from causalflow.checkpoint import Metadata, State, check_like, load_into, load_state, save_state
from causalflow.errors import CheckpointError, GraphError
from causalflow.formats.formats import loads
from causalflow.training.shards import Whole, is_shard, local, share_of

__all__ = [
    "Best",
    "Rows",
    "TrainingState",
    "batch_rows",
    "data_digest",
    "drawn_rows",
    "generator",
    "reopen",
    "restore",
    "save",
    "trainable",
]

CALIBRATION, EPOCH, STEP, DRAW, HELD, MEMBER, GAPS, SHOWN_NOISE = range(8)
SCALER = {"scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"}
"""What a gradient scaler keeps; a fit without one keeps nothing."""
MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class Rows(Protocol):
    """Labelled rows; `causalflow.data.frame.Frame` is one."""

    def __len__(self) -> int:
        """How many rows there are."""

    def rows(self, indices: Tensor) -> dict[str, Tensor]:
        """The values of these rows by node, batch first."""

    def labels(self) -> dict[str, Tensor]:
        """All rows of every column that is not an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The average of the weights with the least loss of held-out rows.

    Attributes:
        loss: that loss.
        step: after how many steps it was.
        weights: the average, by parameter name.
    """

    loss: float
    step: int
    weights: dict[str, Tensor]


@dataclass(slots=True, kw_only=True)
class TrainingState:
    """A fit between two steps; the optimizer and the module are changed in place by the loop."""

    module: nn.Module
    optimizer: torch.optim.Optimizer
    average: dict[str, Tensor]
    step: int = 0
    seconds: float = 0.0
    best: Best | None = None

    @classmethod
    def start(cls, module: nn.Module, optimizer: torch.optim.Optimizer) -> TrainingState:
        """The state before the first step: the average is the weights."""
        average = {name: weight.detach().clone() for name, weight in trainable(module)}
        return cls(module=module, optimizer=optimizer, average=average)

    @torch.no_grad()
    def follow(self, ema: float, since: int = 0) -> None:
        """Move the average, begun at step ``since``, towards the weights; count the step."""
        age = self.step - since
        decay = min(ema, (1 + age) / (10 + age))
        weights = dict(trainable(self.module))
        if weights:
            averages = [local(self.average[name]) for name in weights]
            torch._foreach_lerp_(averages, [local(w) for w in weights.values()], 1 - decay)
        self.step += 1

    @torch.no_grad()
    def settle(self) -> None:
        """Put the average, the best if one is known, in the place of the weights."""
        kept = self.average if self.best is None else self.best.weights
        for name, weight in trainable(self.module):
            local(weight).copy_(local(kept[name]))

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The module holds the average, in evaluation mode, and then its weights again."""
        weights = {name: weight.detach().clone() for name, weight in trainable(self.module)}
        training = self.module.training
        with torch.no_grad():
            for name, weight in trainable(self.module):
                local(weight).copy_(local(self.average[name]))
            self.module.eval()
            try:
                yield
            finally:
                self.module.train(training)
                for name, weight in trainable(self.module):
                    local(weight).copy_(local(weights[name]))


def trainable(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that gradient steps change."""
    return ((name, weight) for name, weight in module.named_parameters() if weight.requires_grad)


def generator(device: torch.device | str, *key: int) -> torch.Generator:
    """A generator whose stream is a function of the key, mixed by numpy's ``SeedSequence``."""
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
    return torch.Generator(device=device).manual_seed(seed)


@lru_cache(maxsize=2)
def _permutation(rows: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(rows, generator=generator("cpu", seed, EPOCH, epoch))


def drawn_rows(law: Tensor, batch_size: int, seed: int, step: int) -> Tensor:
    """The global batch of a step, shape (batch_size,), drawn with replacement.

    Args:
        law: weights of the rows, shape (rows,), up to a factor.
        batch_size: rows a step.
        seed: the seed of the fit.
        step: the number of the step.
    """
    upto = law.double().cumsum(dim=0)
    random = generator("cpu", seed, DRAW, step)
    draws = torch.rand(batch_size, generator=random, dtype=torch.float64) * upto[-1]
    return torch.searchsorted(upto, draws, right=True).clamp_max(len(law) - 1)


def batch_rows(rows: int, batch_size: int, seed: int, step: int) -> Tensor:
    """The global batch of a step, shape (batch_size,); every epoch visits every row once."""
    position, end = step * batch_size, (step + 1) * batch_size
    epochs = range(position // rows, (end - 1) // rows + 1)
    stream = torch.cat([_permutation(rows, seed, epoch) for epoch in epochs])
    start = position - epochs.start * rows
    return stream[start : start + batch_size]


def data_digest(frame: Rows) -> str:
    """What a resumed fit compares: the number of rows and every label (pictures are not read)."""
    digest = hashlib.sha256(str(len(frame)).encode())
    for name, column in sorted(frame.labels().items()):
        digest.update(f"{name} {column.dtype} {tuple(column.shape)}\n".encode())
        digest.update(column.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def save(
    path: Path,
    state: TrainingState,
    identity: Mapping[str, Any],
    graph: str,
    scaler: Mapping[str, Any],
    *,
    piece: int | None = None,
    first: bool = True,
) -> None:
    """Write the checkpoint that `reopen` reads; all processes of a fit in shards call together.

    Args:
        path: where.
        state: what.
        identity: what must be equal when going on.
        graph: the graph file's text.
        scaler: the state of a gradient scaler.
        piece: the most bytes of a file; None: no limit.
        first: whether this process writes.
    """
    tensors = {f"model/{name}": value for name, value in state.module.state_dict().items()}
    tensors |= {f"average/{name}": value for name, value in state.average.items()}
    tensors |= {f"moments/{name}": value for name, value in _moments(state).items()}
    progress = {"step": state.step, "seconds": state.seconds, "scaler": scaler}
    if state.best is not None:
        tensors |= {f"best/{name}": value for name, value in state.best.weights.items()}
        progress |= {"best": {"loss": state.best.loss, "step": state.best.step}}
    gathered = Whole(tensors)
    if not first:
        for name in gathered:
            gathered[name]
        return
    options = {"identity": dict(identity), **progress}
    save_state(path, gathered, Metadata(kind="training", graph=graph, options=options), piece)


def _moments(state: TrainingState) -> dict[str, Tensor]:
    """AdamW's tensors as ``key/parameter name``."""
    return {
        f"{key}/{name}": value
        for name, weight in trainable(state.module)
        for key, value in state.optimizer.state.get(weight, {}).items()
    }


def reopen(path: Path, module: nn.Module, identity: Mapping[str, Any], graph: str) -> State:
    """The checkpoint of an earlier fit; ``module`` gets its weights, `restore` does the rest.

    Raises:
        CheckpointError: no valid training checkpoint, or one of another graph, data or options.
    """
    stored = load_state(path, kind="training")
    _check_identity(path, stored, identity, graph)
    _check_progress(path, stored.metadata.options)
    load_into(module, _parts(path, stored.tensors)["model"], path)
    return stored


def restore(path: Path, state: TrainingState, stored: State) -> None:
    """Bring average, moments and counters to where the checkpoint stopped."""
    parts = _parts(path, stored.tensors)
    _take_shares(path, state.average, parts["average"])
    _restore_moments(path, state, parts["moments"])
    state.step, state.seconds = (stored.metadata.options[name] for name in ("step", "seconds"))
    if (best := stored.metadata.options.get("best")) is not None:
        weights = {name: value.clone() for name, value in state.average.items()}
        _take_shares(path, weights, parts["best"])
        state.best = Best(loss=best["loss"], step=best["step"], weights=weights)


def _take_shares(path: Path, targets: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Overwrite the targets by tensors of a file, each by what this process holds of it."""
    check_like(targets, tensors, path)
    for name, target in targets.items():
        local(target).copy_(local(share_of(tensors[name], target)))


def _check_identity(path: Path, stored: State, identity: Mapping[str, Any], graph: str) -> None:
    """Going on with anything else would be neither the old fit nor a new one."""
    remedy = "use the same or another path, or delete it (resume=False) to start anew"
    if missing := {"identity", "step", "seconds", "scaler"} - stored.metadata.options.keys():
        raise CheckpointError(f"{path}: the options lack '{min(missing)}'")
    if not _same_graph(stored.metadata.graph, graph):
        raise CheckpointError(f"{path}: belongs to a fit of another graph; {remedy}")
    if not isinstance(stored.metadata.options["identity"], dict):
        raise CheckpointError(f"{path}: 'identity' is no JSON object")
    for name, now in identity.items():
        if (before := stored.metadata.options["identity"].get(name)) != now:
            raise CheckpointError(
                f"{path}: belongs to a fit with {name}={before!r}, now {name}={now!r}; {remedy}"
            )


def _check_progress(path: Path, options: Mapping[str, Any]) -> None:
    """The counters and the scaler are of the types, and in the ranges, that a fit writes."""
    step, seconds, scaler = (options[name] for name in ("step", "seconds", "scaler"))
    if type(step) is not int or not 0 <= step < 2**53:
        raise CheckpointError(f"{path}: 'step' is {step!r}; expected a whole number from 0")
    if not _is_best(options.get("best"), step):
        raise CheckpointError(f"{path}: 'best' is {options['best']!r}; expected a loss and a step")
    if type(seconds) not in (int, float) or not 0 <= seconds < 2**53:
        raise CheckpointError(f"{path}: 'seconds' is {seconds!r}; expected a number from 0")
    known = isinstance(scaler, dict) and set(scaler) in (set(), SCALER)
    if not known or not all(type(number) in (int, float) for number in scaler.values()):
        names = ", ".join(sorted(SCALER))
        raise CheckpointError(f"{path}: 'scaler' is {scaler!r}; expected numbers of {names}")


def _is_best(best: Any, step: int) -> bool:
    """Whether it is a loss and one of the steps that are done, or nothing."""
    if best is None:
        return True
    if not isinstance(best, dict) or set(best) != {"loss", "step"}:
        return False
    known = type(best["step"]) is int and 0 <= best["step"] <= step
    return known and type(best["loss"]) is float


def _same_graph(stored: str, now: str) -> bool:
    """Whether two texts declare the same; what is written out of a graph may change."""
    try:
        return stored == now or loads(stored, "yaml") == loads(now, "yaml")
    except GraphError:
        return False


def _parts(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, _Part]:
    parts: dict[str, list[str]] = {"model": [], "average": [], "moments": [], "best": []}
    for name in tensors:
        part, _, rest = name.partition("/")
        if part not in parts:
            raise CheckpointError(f"{path}: unexpected tensor {name!r}")
        parts[part].append(rest)
    return {part: _Part(tensors, part, names) for part, names in parts.items()}


class _Part(Mapping[str, Tensor]):
    """The tensors of a file whose names begin alike, by the rest of their names."""

    def __init__(self, tensors: Mapping[str, Tensor], part: str, names: list[str]) -> None:
        self._tensors, self._part, self._names = tensors, part, dict.fromkeys(names)

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[f"{self._part}/{name}"]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _restore_moments(path: Path, state: TrainingState, moments: Mapping[str, Tensor]) -> None:
    """AdamW's moments lie where and how the parameter does, its counter on the CPU if not fused."""
    weights = dict(trainable(state.module))
    _check_moments(path, weights, moments)
    fused = state.optimizer.defaults["fused"]
    for label, value in moments.items():
        key, _, name = label.partition("/")
        if key == "step":
            restored = value.to(weights[name].device) if fused else value
        elif is_shard(weights[name]):
            restored = share_of(value, weights[name].data)
        else:
            restored = torch.empty_like(weights[name].data).copy_(value)
        state.optimizer.state[weights[name]][key] = restored


def _check_moments(
    path: Path, weights: Mapping[str, nn.Parameter], moments: Mapping[str, Tensor]
) -> None:
    """Each weight that has moments has all of them, of its shape, and a counter from 0."""
    for label, value in moments.items():
        key, _, name = label.partition("/")
        shape = () if key == "step" else getattr(weights.get(name), "shape", None)
        if name not in weights or key not in MOMENTS or value.shape != shape:
            raise CheckpointError(f"{path}: tensor 'moments/{label}' fits no weight of the model")
        if not value.is_floating_point() or (key == "step" and not 0 <= value < 2**53):
            raise CheckpointError(f"{path}: tensor 'moments/{label}' is no moment of AdamW")
        if lacking := [each for each in MOMENTS if f"{each}/{name}" not in moments]:
            raise CheckpointError(f"{path}: tensor 'moments/{lacking[0]}/{name}' is missing")
