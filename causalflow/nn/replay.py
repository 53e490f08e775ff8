"""Replay: how networks are run when they answer, faster than one call at a time.

When it answers, a network computes the same function of tensors of the same shape again and again.
What is run is one of three:

    network  a call of a network: in *portions* on a CPU, recorded on CUDA; compiled if asked
    part     a function of a network, such as a gradient: recorded on CUDA
    walk     a function that calls networks many times, a whole trajectory: likewise, as one record

*Recorded*: a small network on a GPU waits for the CPU that launches its hundreds of kernels one by
one. The launches are recorded once for each function and shape, a CUDA graph, and replayed:

    answer   inputs copied to where the record reads, replay, the output copied from where it writes

A batch is padded to the next power of two, so that few shapes are recorded. What is called within
a recording becomes a part of it. A record reads the weights where they lay when it was made:
whoever moves them forgets the records (`forget`).

*Compiled*: ``torch.compile`` fuses what lies between the convolutions. The time is an input, a
tensor, so that one compiled function serves all steps of all trajectories.

*Portions*: on a CPU the hidden states of a large batch leave the cache between one layer and the
next. So a batch is taken in parts, of equal size up to a row, of about `POSITIONS` pixels a thread.

Where gradients are recorded, as in training, functions are called as they are.

Source: CUDA graphs; Nguyen et al. (2021), Accelerating PyTorch with CUDA Graphs.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor

from causalflow.errors import CausalflowWarning

__all__ = ["Replay"]

WARM_UP = 3
SMALLEST = 16
POSITIONS = 32 * 28 * 28
FEWEST = 8

Function: TypeAlias = Callable[..., Tensor]
Walk: TypeAlias = Callable[..., tuple[Tensor, ...]]


@dataclass(frozen=True, slots=True)
class _Record:
    """A recorded function: how it is run, where it reads, where it writes, images a row."""

    launch: Callable[[], None]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    images: int


@dataclass(slots=True, kw_only=True)
class Replay:
    """How networks are run when they answer, and how many images passed through them.

    Args:
        graphs: record and replay on CUDA; elsewhere functions are called as they are.
        precision: "bf16-mixed" or "32-true".
        compile: have ``torch.compile`` fuse the network; where it cannot, a warning says why, and
            the network is called as it is.
        positions: the pixels of a portion of a batch, on a CPU.

    Attributes:
        images: how many images have passed through networks, whether called or replayed.
    """

    graphs: bool = False
    precision: str = "32-true"
    compile: bool = False
    positions: int = POSITIONS
    images: int = 0
    _records: dict[Hashable, _Record] = field(default_factory=dict, repr=False)
    _refused: set[Hashable] = field(default_factory=set, repr=False)
    _compiled: dict[Function, Function] = field(default_factory=dict, repr=False)
    _recording: bool = field(default=False, repr=False)
    _pool: Any = field(default=None, repr=False)

    def network(self, function: Function, x: Tensor, *others: Tensor) -> Tensor:
        """``function(x, *others)`` of a network; counted.

        Args:
            function: a map as `part` has; equal functions are one network.
            x: images, shape (batch, channel, height, width).
            others: what else the network is told, batch rows each.
        """
        self.images += len(x)
        if torch.is_grad_enabled():
            return function(x, *others)
        if self.compile:
            if function not in self._compiled:
                self._compiled[function] = _fused(function)
            function = self._compiled[function]
        if x.device.type != "cpu":
            return self.part(function, function, x, *others)
        count = min(max(1, math.ceil(len(x) / self._portion(x))), max(1, len(x)))
        portions = zip(*(part.tensor_split(count) for part in (x, *others)), strict=True)
        with self._autocast(x.device):
            return torch.cat([function(*portion) for portion in portions])

    def part(self, key: Hashable, function: Function, *inputs: Tensor) -> Tensor:
        """``function(*inputs)``.

        Args:
            key: names the function: equal keys, equal functions.
            function: a map of tensors with the batch as first axis, row by row; deterministic,
                without a decision that depends on values.
            inputs: batch rows each, on one device.
        """

        def cast(*inputs: Tensor) -> tuple[Tensor, ...]:
            with self._autocast(inputs[0].device):
                return (function(*inputs),)

        if not self._records_on(inputs[0].device):
            return cast(*inputs)[0]
        return self._replayed(key, cast, inputs)[0]

    def walk(self, key: Hashable, function: Walk, *inputs: Tensor) -> tuple[Tensor, ...]:
        """``function(*inputs)``, as `part`, of a function that calls networks and gives several.

        One that cannot be recorded, since it decides by values or draws, is called from then on,
        which a warning says; its networks are still replayed.
        """
        if not self._records_on(inputs[0].device) or key in self._refused:
            return function(*inputs)
        try:
            return self._replayed(key, function, inputs)
        except RuntimeError as error:
            self._refused.add(key)
            _warn("a trajectory cannot be recorded as a whole, so its calls are", error)
            return function(*inputs)

    def forget(self) -> None:
        """Drop the records: the weights have moved."""
        self._records.clear()
        self._refused.clear()
        self._compiled.clear()
        self._pool = None

    def __reduce__(self) -> tuple[Callable[..., Replay], tuple[bool, str, bool, int]]:
        """Without the records, which are of this process and its device."""
        return _as_set, (self.graphs, self.precision, self.compile, self.positions)

    def _portion(self, x: Tensor) -> int:
        """The rows of a portion of images."""
        rows = self.positions // x[0, 0].numel() * torch.get_num_threads()
        return max(FEWEST, rows)

    def _records_on(self, device: torch.device) -> bool:
        """Whether a function is recorded; within a recording it becomes a part of that."""
        return self.graphs and device.type == "cuda" and not self._recording

    def _replayed(
        self, key: Hashable, function: Walk, inputs: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        rows = len(inputs[0])
        shapes = tuple((tuple(part.shape[1:]), part.dtype) for part in inputs)
        place = (key, _padded(rows), shapes)
        if place not in self._records:
            self._records[place] = self._made(function, _padded(rows), inputs)
        record = self._records[place]
        for static, given in zip(record.inputs, inputs, strict=True):
            static[:rows].copy_(given)
        record.launch()
        self.images += record.images * rows
        return tuple(output[:rows].clone() for output in record.outputs)

    def _made(self, function: Walk, rows: int, inputs: tuple[Tensor, ...]) -> _Record:
        """Warm up, then record; the images that pass meanwhile are those of a row of the record."""
        static, images = tuple(_tiled(part, rows) for part in inputs), self.images
        self._recording = True
        try:
            _warm_up(lambda: function(*static), static[0].device)
            self.images = images
            launch, outputs = self._recorded(lambda: function(*static))
            return _Record(launch, static, outputs, (self.images - images) // rows)
        finally:
            self.images, self._recording = images, False

    def _recorded(
        self, function: Callable[[], tuple[Tensor, ...]]
    ) -> tuple[Callable[[], None], tuple[Tensor, ...]]:
        """How the recorded launches are replayed, and where they write."""
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            outputs = function()
        return graph.replay, outputs

    def _autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """The precision; without its cache of cast weights, which a record would read too late."""
        if self.precision != "bf16-mixed":
            return nullcontext()
        return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)


def _warm_up(function: Callable[[], object], device: torch.device) -> None:
    """Call beside the main stream, as recording asks for."""
    stream = torch.cuda.Stream(device=device)
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            function()
    torch.cuda.current_stream().wait_stream(stream)


def _fused(function: Function) -> Function:
    """The compiled function; what cannot be compiled is called as it is, which is said once."""
    compiled: Function | None = torch.compile(function)

    def run(*inputs: Tensor) -> Tensor:
        nonlocal compiled
        if compiled is not None:
            try:
                return compiled(*inputs)
            except RuntimeError as error:
                compiled = None
                _warn("torch.compile does not work here, so the network is called as it is", error)
        return function(*inputs)

    return run


def _warn(what: str, error: RuntimeError) -> None:
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    warnings.warn(f"accelerate: {what}: {reason[:200]}", CausalflowWarning, stacklevel=3)


def _as_set(graphs: bool, precision: str, compile: bool, positions: int) -> Replay:
    return Replay(graphs=graphs, precision=precision, compile=compile, positions=positions)


def _padded(rows: int) -> int:
    """The power of two that ``rows`` are padded to.

    Example:
        >>> [_padded(rows) for rows in (1, 16, 17, 300)]
        [16, 16, 32, 512]
    """
    return max(SMALLEST, 1 << (rows - 1).bit_length())


def _tiled(part: Tensor, rows: int) -> Tensor:
    """Rows of ``part``, as often as it takes: a batch of values that occur."""
    places = torch.arange(rows, device=part.device) % len(part)
    return part[places].clone()
