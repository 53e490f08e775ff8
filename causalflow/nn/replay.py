"""Replay: a network's answer computed by one launch, a recorded CUDA graph.

A small network on a GPU waits for the CPU that launches its hundreds of kernels one by one. When it
answers, it computes the same function of tensors of the same shape again and again; so the launches
are recorded once for each function and shape, and replayed:

    answer   inputs copied to where the record reads, replay, the output copied from where it writes

A batch is padded to the next power of two, so that few shapes are recorded. A record reads the
weights where they lay when it was made: whoever moves them forgets the records (`forget`).

Source: CUDA graphs; Nguyen et al. (2021), Accelerating PyTorch with CUDA Graphs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

__all__ = ["Replay"]

WARM_UP = 3
SMALLEST = 16

Function = Callable[..., Tensor]


@dataclass(frozen=True, slots=True)
class _Record:
    """A recorded function: where it reads, where it writes."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    output: Tensor


@dataclass(slots=True, kw_only=True)
class Replay:
    """How networks are run when they answer.

    Args:
        graphs: record and replay on CUDA; elsewhere functions are called as they are.
        precision: "bf16-mixed" or "32-true".
    """

    graphs: bool = False
    precision: str = "32-true"
    _records: dict[Hashable, _Record] = field(default_factory=dict, repr=False)
    _pool: Any = None

    def __call__(self, key: Hashable, function: Function, *inputs: Tensor) -> Tensor:
        """``function(*inputs)``.

        Args:
            key: names the function: equal keys, equal functions.
            function: a map of tensors with the batch as first axis, row by row; deterministic,
                without a decision that depends on values.
            inputs: batch rows each, on one device.
        """
        device = inputs[0].device
        if not (self.graphs and device.type == "cuda"):
            with self._autocast(device):
                return function(*inputs)
        record = self._record(key, function, inputs)
        rows = len(inputs[0])
        for place, given in zip(record.inputs, inputs, strict=True):
            place[:rows].copy_(given)
        record.graph.replay()
        return record.output[:rows].clone()

    def __reduce__(self) -> tuple[Callable[[bool, str], Replay], tuple[bool, str]]:
        """Without the records, which are of this process and its device."""
        return _as_set, (self.graphs, self.precision)

    def forget(self) -> None:
        """Drop the records: the weights have moved."""
        self._records.clear()
        self._pool = None

    def _record(self, key: Hashable, function: Function, inputs: tuple[Tensor, ...]) -> _Record:
        rows = _padded(len(inputs[0]))
        shapes = tuple((tuple(part.shape[1:]), part.dtype) for part in inputs)
        place = (key, rows, shapes)
        if place not in self._records:
            self._records[place] = self._made(function, rows, inputs)
        return self._records[place]

    def _made(self, function: Function, rows: int, inputs: tuple[Tensor, ...]) -> _Record:
        """Warm up beside the main stream, as recording asks for, then record."""
        static = tuple(_tiled(part, rows) for part in inputs)
        stream = torch.cuda.Stream(device=inputs[0].device)
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream), self._autocast(inputs[0].device):
            for _ in range(WARM_UP):
                function(*static)
        torch.cuda.current_stream().wait_stream(stream)
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool), self._autocast(inputs[0].device):
            output = function(*static)
        return _Record(graph, static, output)

    def _autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """The precision; without its cache of cast weights, which a record would read too late."""
        if self.precision != "bf16-mixed":
            return nullcontext()
        return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)


def _as_set(graphs: bool, precision: str) -> Replay:
    return Replay(graphs=graphs, precision=precision)


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
